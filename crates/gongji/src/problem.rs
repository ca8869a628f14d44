//! Every "no" as it leaves the program: RFC 9457, with all reasons, their words and what to do next.
//!
//! A [`Problem`] is made from what the services answer. Pages show its words, the API sends it as
//! `application/problem+json`. Faults of the world are logged here, once, and told with a number to quote.

mod table;

pub use table::{Entry, entries, markdown};

use crate::app::AppError;
use crate::identity::IdentityError;
use crate::pages::views::typeset;
use crate::service::ServiceError;
use crate::service::key::KeyError;
use crate::time::rfc3339;
use crate::trust::Untrusted;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use gongji_store::Fault;
use gongji_store::vault::VaultError;
use gongji_wallet::Reason;
use gongji_wallet::clearing::Refusal;
use gongji_wallet::reason::Words;
use serde::Serialize;
use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use utoipa::ToSchema;

/// Media type of every refusal.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Header of an answer that was given before to the same key and body.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Seconds after which a full queue is worth another try.
const BUSY_RETRY_S: u64 = 1;

/// Seconds after which a step in another partition is done, or told to be open once more.
const OPEN_RETRY_S: u64 = 2;

/// A refusal. Boxed, so that results stay small.
#[derive(Clone, Debug)]
pub struct Problem(Box<Details>);

/// What is told, and how.
#[derive(Clone, Debug)]
pub struct Details {
    pub status: StatusCode,
    pub body: Body,
    /// Seconds, for `Retry-After`.
    pub retry_after: Option<u64>,
    /// This is the recorded answer to an earlier request with the same key and body.
    pub replayed: bool,
    /// The browser no longer acts for somebody else: whoever answers takes that cookie away.
    pub cookie: Option<HeaderValue>,
}

/// The body of a refusal (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Body {
    /// `urn:gongji:error:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:gongji:error:CLOSED_HOURS")]
    pub kind: String,
    /// Stable; programs decide by this.
    #[schema(example = "CLOSED_HOURS")]
    pub code: Cow<'static, str>,
    /// One plain sentence for people, in Chinese.
    pub title: String,
    pub title_en: Cow<'static, str>,
    /// The HTTP status once more.
    pub status: u16,
    /// What to do next, for people, in Chinese.
    pub next_step: String,
    /// The same request may succeed later without any change.
    pub retryable: bool,
    /// When the same request may succeed, if that is known (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitBody>,
    /// The state that stands against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_state: Option<Cow<'static, str>>,
    /// All reasons that apply, in the documented order; the first one is also told above.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<ReasonBody>,
    /// Fields that cannot be right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldBody>,
    /// Only in a sandbox, for a signature that does not fit: what it should have been.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<ExpectedBody>,
    /// Number to quote. That of a recorded refusal comes from its idempotency key, so that a repeat gets the same body.
    pub trace_id: String,
}

/// What an answer says of its refusal; it stays with the answer when that becomes a page.
#[derive(Clone, Debug)]
pub struct Told {
    pub code: Cow<'static, str>,
    pub number: String,
}

/// One reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Reason)]
pub struct ReasonBody {
    pub code: &'static str,
    pub title: String,
    pub title_en: &'static str,
    pub next_step: String,
    pub retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_state: Option<&'static str>,
}

/// A used-up allowance.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Limit)]
pub struct LimitBody {
    #[schema(example = "daily_count")]
    pub name: &'static str,
    /// A number, or fen where the name ends in `_fen`.
    pub max: i64,
    pub used: i64,
    pub resets_at: String,
}

/// What a right signature of this request would have been made of.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Expected)]
pub struct ExpectedBody {
    /// What had to be signed, line by line.
    pub signature_base: String,
    /// The digest of the body as it arrived.
    pub content_digest: String,
}

/// A field that cannot be right.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Field)]
pub struct FieldBody {
    /// Path inside the body, as `amount.amount`.
    #[schema(example = "id_number")]
    pub field: String,
    pub message: String,
    pub message_en: String,
}

/// Refusals of the interface itself, beside those of the wallet and of identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edge {
    JsonMalformed,
    JsonTypeMissing,
    BodyTooLarge,
    KeyMissing,
    KeyMalformed,
    KeyReused,
    StillOpen,
    CodeShownOnce,
    InstitutionKeyRequired,
    /// Nobody is signed in at the console.
    OperatorRequired,
    CrossSite,
    HostUnknown,
    RouteUnknown,
    MethodNotAllowed,
    RateLimited,
    TimedOut,
    Busy,
    Unavailable,
    Internal,
}

impl Edge {
    pub const ALL: [Edge; 19] = [
        Edge::JsonMalformed,
        Edge::JsonTypeMissing,
        Edge::BodyTooLarge,
        Edge::KeyMissing,
        Edge::KeyMalformed,
        Edge::KeyReused,
        Edge::StillOpen,
        Edge::CodeShownOnce,
        Edge::InstitutionKeyRequired,
        Edge::OperatorRequired,
        Edge::CrossSite,
        Edge::HostUnknown,
        Edge::RouteUnknown,
        Edge::MethodNotAllowed,
        Edge::RateLimited,
        Edge::TimedOut,
        Edge::Busy,
        Edge::Unavailable,
        Edge::Internal,
    ];

    pub fn status(self) -> StatusCode {
        match self {
            Edge::JsonMalformed | Edge::KeyMissing | Edge::KeyMalformed => StatusCode::BAD_REQUEST,
            Edge::JsonTypeMissing => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Edge::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Edge::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Edge::StillOpen | Edge::CodeShownOnce => StatusCode::CONFLICT,
            Edge::InstitutionKeyRequired | Edge::OperatorRequired => StatusCode::UNAUTHORIZED,
            Edge::CrossSite => StatusCode::FORBIDDEN,
            Edge::HostUnknown => StatusCode::MISDIRECTED_REQUEST,
            Edge::RouteUnknown => StatusCode::NOT_FOUND,
            Edge::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Edge::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Edge::TimedOut | Edge::Busy | Edge::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Edge::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub fn words(self) -> Words {
        let say =
            |code, title: &str, title_en, next_step: &str| Words { code, title: title.to_owned(), title_en, next_step: next_step.to_owned(), retryable: false };
        let later = |words: Words| Words { retryable: true, ..words };
        match self {
            Edge::JsonMalformed => say("JSON_MALFORMED", "请求的内容读不懂。", "The body is not the JSON that is documented", "对照接口文档改好再发。"),
            Edge::JsonTypeMissing => {
                say("CONTENT_TYPE", "请求没有说明是 JSON。", "Content-Type must be application/json", "加上 Content-Type: application/json。")
            }
            Edge::BodyTooLarge => say("BODY_TOO_LARGE", "请求太大了。", "The body is larger than 64 KiB", "只发文档里写明的内容。"),
            Edge::KeyMissing => {
                say("IDEMPOTENCY_KEY_MISSING", "动钱的请求要带 Idempotency-Key。", "Idempotency-Key is required", "每笔业务用一个新的 UUIDv7;重试时用同一个。")
            }
            Edge::KeyMalformed => say(
                "IDEMPOTENCY_KEY_MALFORMED",
                "Idempotency-Key 的写法不对。",
                "An idempotency key has 1 to 128 printable ASCII characters and no time in the future",
                "用 UUIDv7。",
            ),
            Edge::KeyReused => {
                say("IDEMPOTENCY_KEY_REUSED", "这个请求号已经用在另一件事上了。", "The key was used with another body", "换一个新的请求号,再提交一次。")
            }
            Edge::StillOpen => {
                later(say("STILL_OPEN", "这一笔还在办,几秒后就有结果。", "A step in another partition is still open", "过两秒用同一个请求号再问。"))
            }
            Edge::CodeShownOnce => say(
                "CODE_SHOWN_ONCE",
                "付款码只显示一次,不能重新取回。",
                "Only a digest of a payment code is kept, so it cannot be shown again",
                "用新的 Idempotency-Key 要一个新码;旧码随即作废。",
            ),
            Edge::OperatorRequired => say("OPERATOR_REQUIRED", "还没有登录经办台,或者登录已经结束。", "Sign in at the console", "到经办台重新登录。"),
            Edge::InstitutionKeyRequired => {
                say("INSTITUTION_KEY_REQUIRED", "没有机构密钥,或密钥已停用。", "A valid institution key is required", "用机构密钥重新登录收银台。")
            }
            Edge::CrossSite => say("CROSS_SITE", "这个请求是从别的网站发来的,没有办理。", "Cross-site request refused", "回到本网站,从页面里办。"),
            Edge::HostUnknown => say("HOST_UNKNOWN", "这个网址不是本服务的。", "Unknown host", "用公布的网址打开。"),
            Edge::RouteUnknown => say("ROUTE_UNKNOWN", "没有这个地址。", "No such address", "核对网址。"),
            Edge::MethodNotAllowed => say("METHOD_NOT_ALLOWED", "这个地址不能这样用。", "Method not allowed here", "对照接口文档。"),
            Edge::RateLimited => later(say("RATE_LIMITED", "操作得太快了。", "Too many requests", "歇几秒再试。")),
            Edge::TimedOut => {
                later(say("TIMED_OUT", "等得太久,先停下了。", "Timed out; the outcome is known to the same key", "用同一个请求号再提交一次,不会重复办。"))
            }
            Edge::Busy => later(say("BUSY", "现在办的人多,还没轮到。", "Busy", "等几秒再点一次。")),
            Edge::Unavailable => later(say(
                "UNAVAILABLE",
                "现在办不了,结果以记录为准。",
                "Unavailable; the outcome is known to the same key",
                "过一会儿用同一个请求号再提交,不会重复办。",
            )),
            Edge::Internal => later(say("INTERNAL", "我们这边出了问题,没有办成。", "Internal fault", "过几分钟再试;还不行,请告诉我们编号。")),
        }
    }
}

impl Deref for Problem {
    type Target = Details;
    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl Problem {
    fn new(status: StatusCode, words: Words) -> Problem {
        let body = Body {
            kind: format!("urn:gongji:error:{}", words.code),
            code: words.code.into(),
            title: typeset(&words.title),
            title_en: words.title_en.into(),
            status: status.as_u16(),
            next_step: typeset(&words.next_step),
            retryable: words.retryable,
            not_before: None,
            limit: None,
            current_state: None,
            reasons: Vec::new(),
            fields: Vec::new(),
            expected: None,
            trace_id: crate::server::trace_id(),
        };
        Problem(Box::new(Details { status, body, retry_after: None, replayed: false, cookie: None }))
    }

    /// A body or a field that cannot be read: the field's path and what is wrong with it.
    pub fn json(field: String, message_en: String) -> Problem {
        let mut problem = Problem::from(Edge::JsonMalformed);
        if field != "." {
            problem.body.title = format!("字段 {field} 的写法不对。");
            problem.body.fields.push(FieldBody { field, message: "写法不对。".to_owned(), message_en });
        } else {
            problem.body.fields.push(FieldBody { field: "(body)".to_owned(), message: "整个内容读不懂。".to_owned(), message_en });
        }
        problem
    }

    /// One field that cannot be right, in words.
    pub fn field(field: &str, message: impl Into<String>, message_en: impl Into<String>) -> Problem {
        Problem::fields(vec![FieldBody { field: field.to_owned(), message: message.into(), message_en: message_en.into() }])
    }

    /// Several fields that cannot be right; at least one.
    pub fn fields(mut fields: Vec<FieldBody>) -> Problem {
        fields.iter_mut().for_each(|field| field.message = typeset(&field.message));
        let mut problem = Problem::from(IdentityError::Invalid(Vec::new()));
        if let Some(first) = fields.first() {
            problem.body.title.clone_from(&first.message);
        }
        problem.body.fields = fields;
        problem
    }

    /// A refusal by its code, as the table of all codes has it; `None` where there is no such code.
    pub fn rehearsed(code: &str) -> Option<Problem> {
        table::rehearsed(code)
    }

    pub fn not_found() -> Problem {
        Reason::NotFound.into()
    }

    /// A lawful no, with all its reasons.
    pub fn refused(reasons: &[Reason]) -> Problem {
        let first = reasons.first().unwrap_or(&Reason::NotFound);
        let mut problem = Problem::new(status_of(first), first.words());
        problem.body.not_before = first.not_before().map(rfc3339);
        problem.body.limit = limit_of(first);
        problem.body.current_state = state_of(first).map(Cow::Borrowed);
        problem.body.reasons = reasons.iter().map(ReasonBody::from).collect();
        problem
    }

    /// Gives a recorded refusal the number of its idempotency key, so that each repeat has the same body.
    #[must_use]
    pub fn traced_by(mut self, key: &gongji_wallet::ids::RequestKey) -> Problem {
        // Faults are not recorded: they keep the number of their own request.
        if self.status.is_client_error() {
            self.body.trace_id = uuid::Uuid::from_bytes(key.0).simple().to_string();
        }
        self
    }

    /// For the log and the counters: the code, and the number that people quote.
    pub fn told(&self) -> Told {
        Told { code: self.body.code.clone(), number: self.body.trace_id.clone() }
    }

    fn retry_after(mut self, seconds: u64) -> Problem {
        self.retry_after = Some(seconds);
        self
    }
}

impl From<&Reason> for ReasonBody {
    fn from(reason: &Reason) -> ReasonBody {
        let Words { code, title, title_en, next_step, retryable } = reason.words();
        let (title, next_step) = (typeset(&title), typeset(&next_step));
        let not_before = reason.not_before().map(rfc3339);
        ReasonBody { code, title, title_en, next_step, retryable, not_before, limit: limit_of(reason), current_state: state_of(reason) }
    }
}

fn limit_of(reason: &Reason) -> Option<LimitBody> {
    reason.limit().map(|limit| LimitBody { name: limit.name, max: limit.max, used: limit.used, resets_at: rfc3339(limit.resets_at) })
}

fn state_of(reason: &Reason) -> Option<&'static str> {
    match reason {
        Reason::TransferFinal { state } => Some(crate::api::state::transfer_word(*state)),
        Reason::PaymentFinal { state } => Some(crate::api::state::payment_word(*state)),
        _ => None,
    }
}

/// 403: who asks. 404: what is asked for. 422: can never work as it stands. 409: works once the state has changed.
pub fn status_of(reason: &Reason) -> StatusCode {
    use Reason::*;
    match reason {
        ProofMissing | ProofExpired | ProofUsed | ProofMismatch | NotYours | SameOperator | NotAuthorised => StatusCode::FORBIDDEN,
        NotFound | CodeUnknown | InstitutionUnknown | PremiumUnknown | DirectoryUnknown => StatusCode::NOT_FOUND,
        RelationRefused
        | RelationDiffers
        | ToSelf
        | AmountTooSmall { .. }
        | AmountTooLarge { .. }
        | BillUnbalanced
        | BillTooLarge { .. }
        | CaptureTooLarge { .. }
        | RefundTooLarge { .. }
        | PlaceSame
        | PlaceNotInsured
        | SettingRefused
        | NothingToChange
        | VisitDay { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        PersonDied
        | Frozen
        | NotInsured
        | InsuranceNotNormal
        | NotEmployee
        | PooledOnly
        | RegionClosed { .. }
        | WalletMissing
        | WalletExists
        | WalletFull
        | InsufficientFunds { .. }
        | QuotaNotTransferable { .. }
        | ClosedHours { .. }
        | DailyCount { .. }
        | DailyTotal { .. }
        | TransferPending
        | ReceiverUnavailable
        | ReceiverNotInsured
        | ReceiverRegionClosed
        | ReceiverFrozen
        | ReceiverFull
        | TransferFinal { .. }
        | TransferOverdue
        | CodeExpired
        | CodeUsed
        | CodeElsewhere
        | InstitutionNotReady
        | WrongPlace { .. }
        | OrderConflict
        | OrderReversed
        | PaymentFinal { .. }
        | TooManySteps
        | PremiumNotOpen { .. }
        | PremiumClosed
        | PremiumPaid
        | PremiumNotForRelatives
        | PremiumNotResident
        | NotRelated
        | PlaceChangeNotOffered
        | PlaceCooldown { .. }
        | SomethingPending
        | RelationEnded
        | AlreadyFrozen
        | NotFrozen
        | VersionTaken
        | TooMany { .. }
        | QuoteStale
        | ApprovalFinal
        | ApprovalStale
        | LoginTaken => StatusCode::CONFLICT,
        Clearing(Refusal::PeriodUnknown | Refusal::SideUnknown | Refusal::LineUnknown | Refusal::ReceiptUnknown) => StatusCode::NOT_FOUND,
        Clearing(Refusal::StatementDiffers | Refusal::ReceiptTooLarge { .. } | Refusal::TextMissing) => StatusCode::UNPROCESSABLE_ENTITY,
        Clearing(_) => StatusCode::CONFLICT,
    }
}

impl From<Edge> for Problem {
    fn from(edge: Edge) -> Problem {
        let problem = Problem::new(edge.status(), edge.words());
        match edge {
            Edge::StillOpen => problem.retry_after(OPEN_RETRY_S),
            Edge::Busy | Edge::Unavailable | Edge::RateLimited | Edge::TimedOut => problem.retry_after(BUSY_RETRY_S),
            _ => problem,
        }
    }
}

impl From<Untrusted> for Problem {
    fn from(untrusted: Untrusted) -> Problem {
        Problem::new(untrusted.status(), untrusted.words())
    }
}

impl From<Reason> for Problem {
    fn from(reason: Reason) -> Problem {
        Problem::refused(&[reason])
    }
}

impl From<KeyError> for Problem {
    fn from(_: KeyError) -> Problem {
        Edge::KeyMalformed.into()
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Problem {
        match error {
            ServiceError::Refused { reasons, replayed } => {
                let mut problem = Problem::refused(&reasons);
                problem.replayed = replayed;
                problem
            }
            ServiceError::KeyReused => Edge::KeyReused.into(),
            ServiceError::StillOpen => Edge::StillOpen.into(),
            ServiceError::App(error) => error.into(),
        }
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Problem {
        match error {
            AppError::Fault(fault) => fault.into(),
            // The disk is full, or the database is away: the same request works when it is not.
            AppError::Vault(error @ (VaultError::Database(_) | VaultError::Store(_))) => unavailable(&error),
            AppError::Vault(error) => internal(&error),
            AppError::Job(error) => internal(&error),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        match fault {
            Fault::Busy => Edge::Busy.into(),
            Fault::Stopped(_) | Fault::Unknown(_) | Fault::Fenced(_) | Fault::Failed(_) => unavailable(&fault),
            fault => internal(&fault),
        }
    }
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Problem {
        if let IdentityError::Fault(fault) = error {
            return AppError::Vault(fault).into();
        }
        let status = StatusCode::from_u16(error.status()).expect("an identity error has an HTTP status");
        let mut problem = Problem::new(status, error.words());
        problem.body.not_before = error.not_before().map(rfc3339);
        problem.retry_after = error.wait_s();
        match error {
            IdentityError::Invalid(fields) => {
                let field = |field: crate::identity::FieldError| FieldBody {
                    field: field.field.to_owned(),
                    message: typeset(&field.message),
                    message_en: field.message_en,
                };
                problem.body.fields = fields.into_iter().map(field).collect();
                problem
            }
            IdentityError::Busy | IdentityError::FaceUnavailable | IdentityError::RegistryUnavailable => problem.retry_after(BUSY_RETRY_S),
            _ => problem,
        }
    }
}

/// The world failed, and will do better: logged here, told without its details.
fn unavailable(error: &dyn std::fmt::Display) -> Problem {
    let problem = Problem::from(Edge::Unavailable);
    tracing::error!(trace_id = problem.body.trace_id, %error, "the store does not answer");
    problem
}

/// The world failed: logged here, told without its details.
fn internal(error: &dyn std::fmt::Display) -> Problem {
    let problem = Problem::from(Edge::Internal);
    tracing::error!(trace_id = problem.body.trace_id, %error, "a request met a fault");
    problem
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Kept beside the JSON: a person's browser gets a page made of it.
        let kept = self.clone();
        let details = *self.0;
        let body = serde_json::to_vec(&details.body).expect("a problem is JSON");
        let mut response = (details.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = details.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if details.replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        if let Some(cookie) = details.cookie {
            headers.append(SET_COOKIE, cookie);
        }
        response.extensions_mut().insert(kept.told());
        response.extensions_mut().insert(kept);
        response
    }
}

impl From<crate::service::asking::AskError> for Problem {
    fn from(error: crate::service::asking::AskError) -> Problem {
        match error {
            crate::service::asking::AskError::Identity(error) => error.into(),
            crate::service::asking::AskError::Service(error) => error.into(),
        }
    }
}

impl From<crate::service::family::OnBehalfError> for Problem {
    fn from(error: crate::service::family::OnBehalfError) -> Problem {
        match error {
            crate::service::family::OnBehalfError::Identity(error) => error.into(),
            crate::service::family::OnBehalfError::Service(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_as_something_that_passes() {
        for error in [AppError::from(Fault::Failed("database or disk is full".to_owned())), VaultError::Store(Fault::Failed(String::new())).into()] {
            let problem = Problem::from(error);
            assert_eq!((problem.status, problem.retry_after), (StatusCode::SERVICE_UNAVAILABLE, Some(BUSY_RETRY_S)));
            assert!(problem.body.retryable && !problem.body.next_step.is_empty());
        }
    }
}
