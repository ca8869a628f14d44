//! Texts to a phone.

use gongji_store::seal::Sensitive;
use gongji_store::vault::{Channel, Purpose, Vault};
use serde::{Deserialize, Serialize};

use super::IdentityError;
use super::adapter::{AdapterError, HttpAdapter, request_id};

/// Who carries the texts.
#[derive(Debug, Clone)]
pub enum Sms {
    /// A gateway (contract `sms` in `docs/adapters.md`).
    Http(HttpAdapter),
    /// The inbox page shows what would have been sent.
    Sandbox,
}

#[derive(Serialize)]
struct Question<'text> {
    request_id: String,
    phone: &'text str,
    text: &'text str,
}

#[derive(Deserialize)]
struct Answer {
    accepted: bool,
}

impl Sms {
    /// Sends a text: the sandbox at once, a gateway after this call has returned, so that its duration tells nothing.
    pub(super) async fn send_later(&self, vault: &Vault, holder: u64, phone: Sensitive, text: String, now_ms: i64) -> Result<(), IdentityError> {
        match self {
            Self::Sandbox => {
                let vault = vault.clone();
                let kept = tokio::task::spawn_blocking(move || vault.put_message(holder, Channel::Sms, Some(phone.reveal()), &text, now_ms)).await;
                kept.unwrap_or_else(|stopped| std::panic::resume_unwind(stopped.into_panic()))?;
            }
            Self::Http(gateway) => {
                let gateway = gateway.clone();
                let text = Sensitive::from(text);
                tokio::spawn(async move {
                    // The adapter has logged what went wrong; the person asks for another text.
                    let _ = send(&gateway, phone.reveal(), text.reveal()).await;
                });
            }
        }
        Ok(())
    }
}

/// Hands one text to the gateway.
pub(super) async fn send(gateway: &HttpAdapter, phone: &str, text: &str) -> Result<(), AdapterError> {
    let answer: Answer = gateway.post("/v1/messages", &Question { request_id: request_id(), phone, text }).await?;
    if answer.accepted { Ok(()) } else { Err(AdapterError::Refused("not_accepted".to_owned())) }
}

/// Says what the code is for, so that nobody can be talked into reading out one that does something else.
pub(super) fn code_text(purpose: Purpose, code: &str) -> String {
    let what = match purpose {
        Purpose::Register => "注册医保钱包",
        Purpose::LogIn => "登录医保钱包",
        Purpose::ForgotPassword => "重设医保码密码",
        Purpose::OnBehalf => "代家人开通医保钱包",
    };
    format!("【医保钱包】你正在{what},验证码 {code},5 分钟内有效。不要告诉任何人,工作人员也不会问你要。")
}
