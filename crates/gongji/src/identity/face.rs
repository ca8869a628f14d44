//! The face check, done by the trusted platform. We keep the result, never an image (依据: PIPL art. 28, 29).

use gongji_store::vault::{Person, SandboxFace, Vault};
use serde::{Deserialize, Serialize};

use super::IdentityError;
use super::adapter::{AdapterError, HttpAdapter, request_id};

/// Longest token that a platform hands to a device.
const CAPTURE_LEN_MAX: usize = 4096;

/// Who looks at the face.
#[derive(Debug, Clone)]
pub enum Face {
    /// The platform (contract `face` in `docs/adapters.md`).
    Http(HttpAdapter),
    /// Passes, fails or is away, as chosen by hand for each person.
    Sandbox,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaceAnswer {
    Pass,
    Fail,
}

#[derive(Serialize)]
struct Question<'text> {
    request_id: String,
    name: &'text str,
    id_number: &'text str,
    capture: &'text str,
}

#[derive(Deserialize)]
struct Answer {
    result: FaceAnswer,
}

impl Face {
    pub(super) async fn check(&self, vault: &Vault, person: &Person, capture: &str) -> Result<FaceAnswer, IdentityError> {
        match self {
            Self::Http(platform) => {
                if capture.is_empty() || capture.len() > CAPTURE_LEN_MAX {
                    return Ok(FaceAnswer::Fail);
                }
                let question = Question { request_id: request_id(), name: person.name.reveal(), id_number: person.id_number.reveal(), capture };
                match platform.post::<_, Answer>("/v1/face-checks", &question).await {
                    Ok(answer) => Ok(answer.result),
                    // The capture is too old, used or of another person: for the person in front of us that is a failed check.
                    Err(AdapterError::Refused(_)) => Ok(FaceAnswer::Fail),
                    Err(_) => Err(IdentityError::FaceUnavailable),
                }
            }
            Self::Sandbox => {
                let (vault, holder) = (vault.clone(), person.holder);
                let chosen = tokio::task::spawn_blocking(move || vault.sandbox_face(holder)).await;
                match chosen.unwrap_or_else(|stopped| std::panic::resume_unwind(stopped.into_panic()))? {
                    SandboxFace::Pass => Ok(FaceAnswer::Pass),
                    SandboxFace::Fail => Ok(FaceAnswer::Fail),
                    SandboxFace::Unavailable => Err(IdentityError::FaceUnavailable),
                }
            }
        }
    }
}
