//! Opening and acting for a relative: the consent, by a code to a phone.
//!
//! An adult consents by the code sent to the phone on file; for a minor the guardian consents, by a code to the guardian's own phone
//! (依据: PIPL art. 29, 31; 民法典 art. 17, 27). Where name and number are not on file together, or no phone is, the answer is the same
//! and no code fits.

use super::{Identity, IdentityError, Result, Started, parse_number};
use gongji_store::seal::Sensitive;
use gongji_store::vault::{Channel, CodeAsk, Purpose, RESEND_MS};
use gongji_wallet::citizen::PersonName;
use gongji_wallet::day::day_of;
use gongji_wallet::relation::{Kinship, RelationCode};
use serde::{Deserialize, Serialize};

/// Version of the text that is agreed to.
pub const CONSENT_TEXT: &str = "act-on-behalf-2026-11";

/// What a code of consent stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnBehalf {
    pub relative: u64,
    pub agent: u64,
    /// The relative is a minor, and `agent` consented as the guardian.
    pub is_guardian: bool,
}

impl Identity {
    /// Asks for the consent. Returns whether the code went to the asker's own phone (a minor's guardian).
    pub async fn start_on_behalf(&self, agent: u64, id_number: &str, name: &str, relation: RelationCode, now_ms: i64) -> Result<(Started, bool)> {
        let number = parse_number(id_number)?;
        let name = PersonName::parse(name).map_err(|error| IdentityError::field("name", error.message_zh(), error.to_string()))?;
        let is_guardian = number.is_minor_on(day_of(now_ms));
        if is_guardian && relation.kinship() != Kinship::Child {
            return Err(IdentityError::field("relation", "未成年人要由父母来代开通。".to_owned(), "a minor's wallet is opened by a parent".to_owned()));
        }
        let started = self
            .blocking(move |vault| {
                let relative = vault.match_person(number.as_str(), name.as_str())?;
                let asked = if is_guardian { Some(agent) } else { relative };
                let person = asked.map(|asked| vault.person(asked)).transpose()?.flatten();
                let phone = person.and_then(|person| person.phone);
                let payload = OnBehalf { relative: relative.unwrap_or(0), agent, is_guardian };
                let ask = CodeAsk {
                    purpose: Purpose::OnBehalf,
                    id_number: number.as_str(),
                    typed_phone: None,
                    phone_on_file: phone.as_ref().map(Sensitive::reveal),
                    payload: &serde_json::to_string(&payload).expect("numbers are JSON"),
                    is_deliverable: relative.is_some_and(|relative| relative != agent) && phone.is_some(),
                };
                let asker = vault.person(agent)?.map(|person| person.masked_name()).unwrap_or_default();
                Ok(vault.start_code(&ask, now_ms)?.map(|started| (started, asked, phone, asker)))
            })
            .await?;
        let (started, asked, phone, asker) = started.map_err(|limit| IdentityError::TooManyCodes { retry_ms: limit.retry_ms, now_ms })?;
        if let (Some(code), Some(asked), Some(phone)) = (started.code, asked, phone) {
            let code = code.reveal();
            let text = if is_guardian {
                format!("【医保钱包】你正在替孩子代开通医保钱包,验证码 {code},5 分钟内有效。不要告诉任何人。")
            } else {
                format!("【医保钱包】家人{asker}想替你开通和使用医保钱包。同意就把验证码 {code} 告诉他,5 分钟内有效;不同意请不要理会。")
            };
            self.adapters.sms.send_later(&self.vault, asked, phone, text, now_ms).await?;
        }
        Ok((Started { ticket: started.ticket, expires_ms: started.expires_ms, resend_ms: now_ms + RESEND_MS }, is_guardian))
    }

    /// What the code was asked for, if it is right. It stays good until [`Identity::use_on_behalf`].
    pub async fn open_on_behalf(&self, agent: u64, ticket: &str, code: &Sensitive, now_ms: i64) -> Result<OnBehalf> {
        let (ticket, code) = (ticket.to_owned(), code.clone());
        let opened = self.blocking(move |vault| vault.open_code(&ticket, Purpose::OnBehalf, &code, now_ms)).await??;
        serde_json::from_str::<OnBehalf>(opened.reveal()).ok().filter(|payload| payload.agent == agent).ok_or(IdentityError::CodeGone)
    }

    /// Uses the code up, records the consent and tells the relative.
    pub async fn use_on_behalf(&self, granted: OnBehalf, ticket: &str, code: &Sensitive, now_ms: i64) -> Result<()> {
        let (ticket, code) = (ticket.to_owned(), code.clone());
        let OnBehalf { relative, agent, is_guardian } = granted;
        let (asker, phone) = self
            .blocking(move |vault| {
                // Another submission of the same form may have been quicker: what it did is the same.
                if vault.use_code(&ticket, Purpose::OnBehalf, &code, now_ms)?.is_ok() {
                    let given_by = if is_guardian { agent } else { relative };
                    vault.put_consent(relative, given_by, "act-on-behalf", CONSENT_TEXT, now_ms)?;
                    // The same once more at the agent, so that the agent finds for whom to act.
                    vault.put_consent(agent, given_by, &acts_for(relative), CONSENT_TEXT, now_ms)?;
                }
                let asker = vault.person(agent)?.map(|person| person.masked_name()).unwrap_or_default();
                let text = format!("家人{asker}现在可以替你接收、付款和查看医保钱包。不想再让他代办,可以在“家人代办”里停止。");
                vault.put_message(relative, Channel::Notice, None, &text, now_ms)?;
                Ok((asker, vault.person(relative)?.and_then(|person| person.phone)))
            })
            .await?;
        if let Some(phone) = phone {
            let text = format!("【医保钱包】家人{asker}现在可以替你接收、付款和查看医保钱包。不是你的意思,请带身份证到医保经办窗口。");
            self.adapters.sms.send_later(&self.vault, relative, phone, text, now_ms).await?;
        }
        Ok(())
    }

    /// For whom this person has ever been allowed to act; whether it still holds is the wallet's to say.
    pub async fn acted_for(&self, agent: u64) -> Result<Vec<u64>> {
        let consents = self.blocking(move |vault| vault.consents(agent)).await?;
        let mut relatives: Vec<u64> = consents.iter().filter_map(|consent| u64::from_str_radix(consent.subject.strip_prefix(ACTS_FOR)?, 16).ok()).collect();
        relatives.sort_unstable();
        relatives.dedup();
        Ok(relatives)
    }
}

const ACTS_FOR: &str = "acts-for:";

fn acts_for(relative: u64) -> String {
    format!("{ACTS_FOR}{relative:016x}")
}
