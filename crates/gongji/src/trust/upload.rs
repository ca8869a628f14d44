//! Bodies of signed requests: read whole where they are small; an institution's list or file, which is not, only once its signature was right.
//!
//! What is signed covers the digest that a body must have. So a large one need not be read on the word of nobody: signature first, then one of a few
//! places, then the body, digested while it comes.

use super::refusal::why;
use crate::gateway;
use crate::problem::{Edge, Problem};
use crate::server::BODY_LEN_MAX;
use crate::service::reconciliation::FILE_BYTES_MAX;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::Method;
use gongji_files::signature::{BodyDigest, Presented, VerifyingKey};
use std::pin::Pin;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Large bodies under way in one process; whoever comes then is told that we are busy.
pub const UPLOADS_MAX: usize = 4;

/// An institution's list for reconciliation.
const LISTS: &str = "/api/v1/institutions/reconciliations";

/// The places for large bodies.
pub struct Uploads(Semaphore);

impl Default for Uploads {
    fn default() -> Uploads {
        Uploads(Semaphore::new(UPLOADS_MAX))
    }
}

/// Largest body of a signed request to this address: what the route takes from anybody else.
pub fn len_max(method: &Method, path: &str) -> usize {
    match path {
        LISTS if method == Method::POST => FILE_BYTES_MAX,
        gateway::PATH | gateway::SHORT_PATH if method == Method::POST => gateway::MESSAGE_LEN_MAX,
        _ => BODY_LEN_MAX,
    }
}

/// A body on its way in.
pub struct Incoming {
    body: Body,
    read: Vec<u8>,
    is_whole: bool,
}

/// A body that was signed, and the place that it has while it is worked on.
pub struct Checked<'a> {
    pub body: Bytes,
    /// Small enough to be kept with its signature.
    pub is_small: bool,
    pub place: Option<SemaphorePermit<'a>>,
}

impl Incoming {
    /// Reads as much as may come from anybody.
    ///
    /// # Errors
    /// It broke off, or is too large for this address.
    pub async fn begin(body: Body, len_max: usize) -> Result<Incoming, Problem> {
        let mut incoming = Incoming { body, read: Vec::new(), is_whole: false };
        while incoming.read.len() <= BODY_LEN_MAX && !incoming.is_whole {
            incoming.next().await?;
        }
        if incoming.read.len() > len_max { Err(Edge::BodyTooLarge.into()) } else { Ok(incoming) }
    }

    /// Checks signature and body, and reads the rest of a large one in between.
    ///
    /// # Errors
    /// The signature is not right, the body another or too large, or too many large ones are under way.
    pub async fn check<'a>(mut self, presented: &Presented, key: &VerifyingKey, len_max: usize, uploads: &'a Uploads) -> Result<Checked<'a>, Failed> {
        if self.is_whole && self.read.len() <= BODY_LEN_MAX {
            let body = Bytes::from(self.read);
            return match presented.verify(key, &body) {
                Ok(()) => Ok(Checked { body, is_small: true, place: None }),
                Err(refused) => Err(Failed::Refused(refused, body)),
            };
        }
        presented.verify_ahead(key).map_err(|refused| Failed::Problem(why(refused)))?;
        let place = uploads.0.try_acquire().map_err(|_| Failed::Problem(Edge::Busy.into()))?;
        let mut digest = BodyDigest::new(key.profile());
        let mut digested = 0;
        loop {
            digest.update(&self.read[digested..]);
            digested = self.read.len();
            if digested > len_max {
                return Err(Failed::Problem(Edge::BodyTooLarge.into()));
            }
            if self.is_whole {
                break;
            }
            self.next().await.map_err(Failed::Problem)?;
        }
        presented.verify_body(key, digest).map_err(|refused| Failed::Problem(why(refused)))?;
        Ok(Checked { body: Bytes::from(self.read), is_small: false, place: Some(place) })
    }

    async fn next(&mut self) -> Result<(), Problem> {
        match std::future::poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    self.read.extend_from_slice(&data);
                }
                Ok(())
            }
            Some(Err(_)) => Err(Edge::BodyTooLarge.into()),
            None => {
                self.is_whole = true;
                Ok(())
            }
        }
    }
}

/// Why a signed request does not come in.
pub enum Failed {
    /// The signature of a small body, which is told in the sandbox.
    Refused(gongji_files::signature::Refused, Bytes),
    Problem(Problem),
}
