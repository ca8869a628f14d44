//! Signatures inside the envelope (`signtype` SM2, `cainfo`), for software that cannot sign HTTP messages.
//!
//! What is signed is a handful of lines that any language can put together; `input` and `output` go in by the SM3 of their text exactly as it stands
//! in the message. Nothing here makes a message fresh: one that is sent again gets its first answer again, whoever sends it.

use super::envelope::Sender;
use super::fields::Fields;
use super::refusal::{Refusal, Wrong};
use crate::app::App;
use gongji_files::signature::{Profile, VerifyingKey};
use gongji_ledger::InstitutionId;
use std::sync::Arc;

/// The only kind of signature (GB/T 32918 over SM3).
pub const SIGN_TYPE: &str = "SM2";

/// What an institution signs.
fn request_text(sender: &Sender, message: &Fields<'_>) -> Result<String, Refusal> {
    let field = |name, max| Ok::<_, Refusal>(message.text_if(name, max)?.unwrap_or_default());
    let lines = [
        "gongji-fsi-request",
        &sender.infno,
        &sender.msgid,
        &field("fixmedins_code", 12)?,
        &field("opter", 30)?,
        &field("inf_time", 19)?,
        &field("sign_no", 30)?,
        &digest(message.raw("input").map_or("", |input| input.get())),
    ];
    Ok(lines.join("\n"))
}

/// What the platform signs.
pub fn answer_text(msgid: &str, infcode: i64, refmsgid: &str, respond_time: &str, err_msg: &str, output: &str) -> String {
    ["gongji-fsi-answer", msgid, &infcode.to_string(), refmsgid, respond_time, err_msg, &digest(output)].join("\n")
}

/// Lower-case hexadecimal of the SM3.
fn digest(text: &str) -> String {
    gongji_files::hex(&Profile::Sm2.digest(text.as_bytes()))
}

/// Whether a message is signed inside, and rightly: then its answer is signed as well.
///
/// # Errors
/// `CODE_TABLE`, `FIELD_MISSING`: half a signature, or another kind. `SIGNATURE_WRONG`: it is of no SM2 key that the institution has today.
pub async fn signed(app: &Arc<App>, institution: InstitutionId, sender: &Sender, message: &Fields<'_>) -> Result<bool, Refusal> {
    let signature = match (message.text_if("signtype", 10)?, message.text_if("cainfo", 1_024)?) {
        (None, None) => return Ok(false),
        (Some(kind), Some(signature)) if kind == SIGN_TYPE => signature,
        (Some(kind), _) if kind != SIGN_TYPE => return Err(message.wrong("signtype", Wrong::CodeTable)),
        (None, _) => return Err(message.wrong("signtype", Wrong::FieldMissing)),
        (Some(_), _) => return Err(message.wrong("cainfo", Wrong::FieldMissing)),
    };
    let text = request_text(sender, message)?;
    let (code, now) = (institution.to_string(), app.trust.now());
    let keys = app.vault(move |vault| vault.public_keys(&code)).await?;
    let fits = |key: VerifyingKey| key.profile() == Profile::Sm2 && key.verify_base64(text.as_bytes(), &signature);
    let is_right = keys.iter().filter(|key| key.is_valid(now)).any(|key| VerifyingKey::from_pem(&key.pem).is_ok_and(fits));
    if is_right { Ok(true) } else { Err(Wrong::SignatureWrong.into()) }
}
