//! `Test-Fault`: trouble on the way, made to order, so that an institution's software can rehearse it. Only a sandbox has it.
//!
//! | value | what happens |
//! | --- | --- |
//! | `lost-reply` | the request is carried out; its connection ends without an answer |
//! | `duplicate` | the request arrives twice at the same time; the caller gets one answer |
//! | `slow=3s` | the request arrives that much later by the sandbox's clock, 1 to 10 seconds, even if the caller has hung up by then |
//! | `decline=CODE` | refused with this code of the error table; nothing is carried out |
//!
//! It is a layer around the routes of a door. A refusal leaves it as a [`Problem`], kept beside the answer: a door that speaks another language
//! than ours translates it as it does all others.

use crate::app::App;
use crate::problem::{Edge, Problem, REPLAYED};
use crate::server::{self, BODY_LEN_MAX};
use crate::trust::NoAnswer;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::Frame;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

pub const TEST_FAULT: HeaderName = HeaderName::from_static("test-fault");

/// Longest delay (s): less than a request may take, so that it ends in its own answer.
const SLOW_MAX_S: i64 = 10;

/// How often the sandbox's clock is looked at: it may be moved at any time.
const LOOK: Duration = Duration::from_millis(20);

enum Fault {
    LostReply,
    Duplicate,
    /// Milliseconds.
    Slow(i64),
    Decline(Problem),
}

fn parse(text: &str) -> Option<Fault> {
    Some(match text.split_once('=') {
        None if text == "lost-reply" => Fault::LostReply,
        None if text == "duplicate" => Fault::Duplicate,
        Some(("slow", time)) => {
            let seconds = time.strip_suffix('s')?.parse().ok().filter(|seconds| (1..=SLOW_MAX_S).contains(seconds))?;
            Fault::Slow(seconds * 1_000)
        }
        Some(("decline", code)) => Fault::Decline(Problem::rehearsed(code)?),
        _ => return None,
    })
}

/// The layer. A value it does not know is refused: a rehearsal that silently does nothing would pass.
pub async fn test_fault(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Some(wanted) = request.headers().get(&TEST_FAULT).filter(|_| app.sandbox.is_some()) else { return next.run(request).await };
    match wanted.to_str().ok().and_then(parse) {
        Some(Fault::LostReply) => {
            let _ = server::outliving(next.run(request)).await;
            cut_off()
        }
        Some(Fault::Duplicate) => twice(request, next).await,
        Some(Fault::Slow(ms)) => {
            let until = app.now() + ms;
            let late = async move {
                while app.now() < until {
                    tokio::time::sleep(LOOK).await;
                }
                next.run(request).await
            };
            server::outliving(late).await.unwrap_or_else(|_| Problem::from(Edge::Internal).into_response())
        }
        Some(Fault::Decline(problem)) => problem.into_response(),
        None => {
            let words = "Test-Fault 只能写 lost-reply、duplicate、slow=1s 到 slow=10s,或 decline=错误代码。";
            Problem::field("Test-Fault", words, "Test-Fault is lost-reply, duplicate, slow=1s to slow=10s, or decline=CODE").into_response()
        }
    }
}

/// Both arrive before either is answered. The caller gets the answer of the one that was carried out.
async fn twice(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, BODY_LEN_MAX).await else { return Problem::from(Edge::BodyTooLarge).into_response() };
    let again = Request::from_parts(parts.clone(), Body::from(bytes.clone()));
    let (one, other) = tokio::join!(next.clone().run(Request::from_parts(parts, Body::from(bytes))), next.run(again));
    let is_first = |answer: &Response| answer.status().is_success() && !answer.headers().contains_key(REPLAYED);
    if is_first(&other) && !is_first(&one) { other } else { one }
}

/// An answer whose connection breaks before its first byte of content. The status says nothing of the request.
fn cut_off() -> Response {
    let mut response = (StatusCode::GATEWAY_TIMEOUT, Body::new(CutOff)).into_response();
    response.extensions_mut().insert(NoAnswer);
    response
}

struct CutOff;

impl HttpBody for CutOff {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "Test-Fault: lost-reply"))))
    }
}
