//! 9001 and 9002: an operator signs in and out. The number given out stands in the head of everything after.

use super::Call;
use super::envelope::time;
use super::node::Node;
use super::refusal::{Refusal, Wrong};
use crate::service::national::letters;
use gongji_store::vault::GatewaySign;

/// A sign-in holds for a day (ms): operators sign in when they begin their work.
pub const SIGN_MS: i64 = 24 * 3_600_000;

pub async fn sign_in(call: &Call<'_>) -> Result<Node, Refusal> {
    let data = call.input.node("signIn")?;
    let opter = data.text("opter_no", 20)?;
    data.text("mac", 20)?;
    data.text("ip", 20)?;
    if opter != call.head.opter {
        return Err(data.wrong("opter_no", Wrong::FieldFormat));
    }
    // Made from the message, so that the same message is the same sign-in.
    let mac = call.app.vault.keys().token_mac("gateway sign", &[call.code().as_bytes(), call.sender.msgid.as_bytes()]);
    let sign_no = letters(&mac[..15]);
    let (part, now) = (call.part(), call.now);
    let sign = GatewaySign { institution: call.code(), opter, ends_ms: now + SIGN_MS };
    let number = sign_no.clone();
    call.app.vault(move |vault| vault.put_gateway_sign(part, &number, &sign, now)).await?;
    Ok(Node::new().node("signinoutb", Node::new().text("sign_time", time(now)).text("sign_no", sign_no)))
}

pub async fn sign_out(call: &Call<'_>) -> Result<Node, Refusal> {
    let data = call.input.node("signOut")?;
    let sign_no = data.text("sign_no", 30)?;
    data.text("opter_no", 20)?;
    if call.head.sign_no.as_deref() != Some(sign_no.as_str()) {
        return Err(data.wrong("sign_no", Wrong::FieldFormat));
    }
    let (part, now) = (call.part(), call.now);
    call.app.vault(move |vault| vault.end_gateway_sign(part, &sign_no, now)).await?;
    Ok(Node::new().node("signoutoutb", Node::new().text("sign_time", time(now))))
}

/// Everything but 9001 is done by an operator who has signed in.
pub async fn required(call: &Call<'_>) -> Result<(), Refusal> {
    let sign_no = call.head.sign_no.clone().ok_or(Wrong::SignInRequired)?;
    let part = call.part();
    let sign = call.app.vault(move |vault| vault.gateway_sign(part, &sign_no)).await?;
    let is_good = sign.is_some_and(|sign| sign.institution == call.code() && sign.opter == call.head.opter && call.now < sign.ends_ms);
    if is_good { Ok(()) } else { Err(Wrong::SignInRequired.into()) }
}
