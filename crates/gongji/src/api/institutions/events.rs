//! The feed of events.

use crate::api::payments::{BusinessKind, TerminalKind};
use crate::api::state;
use crate::api::wire::{Money, id_text, page_len};
use crate::app::App;
use crate::problem::Problem;
use crate::service::feed::{self, Event, Position};
use crate::time::{date, rfc3339};
use crate::web::{InstitutionCaller, StrictQuery};
use axum::Json;
use axum::extract::State;
use gongji_ledger::{Fen, GrantKind};
use gongji_store::seal::{from_base64url, to_base64url};
use gongji_wallet::object::{Purpose, TakingKind, Visit};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Longest cursor that is read.
const CURSOR_LEN_MAX: usize = 64 * 1024;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct After {
    /// `next` of the page before; from the beginning unless given.
    #[serde(default)]
    after: Option<String>,
    /// Rows, 1 to 200; 50 unless given.
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Debug, Serialize, ToSchema)]
struct EventList {
    events: Vec<EventBody>,
    /// Where to go on: now, or when there is more. Given at the end of the feed too.
    next: String,
    /// Whether there is more already.
    has_more: bool,
    as_of: String,
}

/// Something that happened to a payment.
#[derive(Debug, Serialize, ToSchema)]
struct EventBody {
    /// The same whenever it is read.
    #[schema(example = "3.1042")]
    id: String,
    #[serde(rename = "type")]
    kind: EventKind,
    payment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_no: Option<String>,
    /// The payment's state after it.
    #[schema(example = "captured")]
    state: &'static str,
    amount: Money,
    /// The part of `amount` from, or back to, the payer's personal account.
    personal_account: Money,
    /// The part from, or back to, the payer's wallet.
    wallet: Money,
    visit: VisitBody,
    occurred_at: String,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
enum EventKind {
    #[serde(rename = "payment.held")]
    Held,
    #[serde(rename = "payment.captured")]
    Captured,
    /// What was held and not captured went back: voided, reversed, expired, or the rest of a last capture.
    #[serde(rename = "payment.released")]
    Released,
    #[serde(rename = "payment.refunded")]
    Refunded,
}

/// What the institution said of the bill.
#[derive(Debug, Serialize, ToSchema)]
struct VisitBody {
    business: BusinessKind,
    terminal: TerminalKind,
    #[schema(example = "2026-11-23")]
    business_day: String,
}

impl From<Visit> for VisitBody {
    fn from(visit: Visit) -> VisitBody {
        VisitBody { business: visit.business.into(), terminal: visit.terminal.into(), business_day: date(visit.day) }
    }
}

/// What happened to the institution's payments
///
/// All of it, each event once, in an order that never changes. Keep `next` and ask again from there; a webhook only tells when it is worth while. Events
/// of one payment stand in the order in which they happened; those of different payments need not.
#[utoipa::path(get, path = "/events", tag = "events", params(After),
    responses((status = 200, description = "The events behind `after`, oldest first", body = EventList)), security(("institution" = [])))]
async fn list(State(app): State<Arc<App>>, institution: InstitutionCaller, StrictQuery(asked): StrictQuery<After>) -> Result<Json<EventList>, Problem> {
    let max = page_len(asked.limit)?;
    let wrong = || Problem::field("after", "这个位置不是从事件流里取的。", "this position was not given out here");
    let after = match asked.after.as_deref() {
        None => Position::start(app.engine.parts()),
        Some(text) => {
            let bytes = (text.len() <= CURSOR_LEN_MAX).then(|| from_base64url(text)).flatten();
            bytes.and_then(|bytes| Position::parse(&bytes, app.engine.parts())).ok_or_else(wrong)?
        }
    };
    let as_of = rfc3339(app.now());
    let page = feed::read(&app, institution.id, &after, max)?.ok_or_else(wrong)?;
    let events = page.events.into_iter().filter_map(|event| body(&app, event).transpose()).collect::<Result<_, _>>()?;
    Ok(Json(EventList { events, next: to_base64url(&page.next.to_bytes()), has_more: page.has_more, as_of }))
}

fn body(app: &App, Event { part, taking }: Event) -> Result<Option<EventBody>, Problem> {
    let Purpose::Order { order, visit, .. } = taking.purpose else { return Ok(None) };
    let sum = |is_own: bool| taking.lots.iter().filter(|lot| (lot.origin.kind == GrantKind::Own) == is_own).map(|lot| lot.amount).sum::<Fen>();
    Ok(Some(EventBody {
        id: format!("{part}.{}", taking.number),
        kind: match taking.kind {
            TakingKind::Held => EventKind::Held,
            TakingKind::Captured => EventKind::Captured,
            TakingKind::Released => EventKind::Released,
            TakingKind::Refunded => EventKind::Refunded,
        },
        payment: id_text(taking.payment.0),
        order_no: app.engine.order(order)?.map(|order| order.number),
        state: state::payment_word(taking.state),
        amount: taking.amount().into(),
        personal_account: sum(true).into(),
        wallet: sum(false).into(),
        visit: visit.into(),
        occurred_at: rfc3339(taking.at),
    }))
}
