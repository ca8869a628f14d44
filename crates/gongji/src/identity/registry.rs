//! The civil and insurance register: is there such a person, insured, with this phone in the own name?

use gongji_wallet::citizen::{CitizenNumber, PersonName, Phone};
use serde::{Deserialize, Serialize};

use super::adapter::{AdapterError, HttpAdapter, request_id};

/// Who is asked.
#[derive(Debug, Clone)]
pub enum Registry {
    /// The register (contract `registry` in `docs/adapters.md`).
    Http(HttpAdapter),
    /// The imported persons are the register: what the vault matches is right.
    Sandbox,
}

#[derive(Serialize)]
struct Question<'text> {
    request_id: String,
    id_number: &'text str,
    name: &'text str,
    phone: &'text str,
}

#[derive(Deserialize)]
struct Answer {
    /// ID number and name belong to a person with an enrolment.
    is_enrolled: bool,
    /// Absent where the operators do not tell.
    phone_in_own_name: Option<bool>,
}

impl Registry {
    /// Whether the register confirms the three together. A refusal is a "no"; anything else unexpected an error:
    /// where the register cannot be read nobody is registered.
    pub(super) async fn confirms(&self, number: &CitizenNumber, name: &PersonName, phone: &Phone) -> Result<bool, AdapterError> {
        let Self::Http(register) = self else { return Ok(true) };
        let question = Question { request_id: request_id(), id_number: number.as_str(), name: name.as_str(), phone: phone.as_str() };
        match register.post::<_, Answer>("/v1/enrolments/match", &question).await {
            Ok(answer) => Ok(answer.is_enrolled && answer.phone_in_own_name != Some(false)),
            Err(AdapterError::Refused(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
