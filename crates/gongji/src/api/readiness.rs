//! Readiness of institutions as the interface tells it, and the word of an institution's own software that its terminals are up.

use super::payments::TerminalKind;
use super::wire::AreaRef;
use crate::app::App;
use crate::problem::Problem;
use crate::service::readiness::{self, Standing, Tally};
use crate::time::{date, rfc3339};
use crate::web::{InstitutionCaller, StrictJson};
use axum::Json;
use axum::extract::State;
use gongji_wallet::Reason;
use gongji_wallet::day::day_of;
use gongji_wallet::directory::Readiness as Status;
use gongji_wallet::object::Terminal;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(heartbeat))
}

/// Whether one can pay with the wallet there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadinessWord {
    /// Enabled, and a payment was captured within seven days.
    Ready,
    /// Enabled, but no payment was captured for seven days.
    Quiet,
    /// Not enabled.
    Off,
}

impl From<Status> for ReadinessWord {
    fn from(status: Status) -> ReadinessWord {
        match status {
            Status::Ready => ReadinessWord::Ready,
            Status::Quiet => ReadinessWord::Quiet,
            Status::Off => ReadinessWord::Off,
        }
    }
}

/// Readiness at one kind of terminal.
#[derive(Debug, Serialize, ToSchema)]
pub struct TerminalBody {
    pub terminal: TerminalKind,
    pub readiness: ReadinessWord,
}

pub fn terminals(standing: &Standing) -> Vec<TerminalBody> {
    let words = [TerminalKind::Counter, TerminalKind::Kiosk, TerminalKind::Mobile];
    words.map(|terminal| TerminalBody { terminal, readiness: standing.at(terminal.into()).into() }).into()
}

/// The day of the last captured payment: a day, so that nobody's visit can be told by it.
pub fn last_paid_on(standing: &Standing) -> Option<String> {
    standing.paid_at.map(|at| date(day_of(at)))
}

/// How many are in each state.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = ReadinessCounts)]
pub struct Counts {
    pub ready: usize,
    /// Enabled, but no payment for seven days.
    pub quiet: usize,
    pub off: usize,
}

impl From<Tally> for Counts {
    fn from(Tally { ready, quiet, off }: Tally) -> Counts {
        Counts { ready, quiet, off }
    }
}

/// How many institutions of an area take the wallet.
#[derive(Debug, Serialize, ToSchema)]
pub struct AreaReadiness {
    pub area: AreaRef,
    pub ready: usize,
    /// Enabled, but no payment for seven days.
    pub quiet: usize,
    pub off: usize,
    pub counter: Counts,
    pub kiosk: Counts,
    pub mobile: Counts,
}

impl AreaReadiness {
    pub fn of(app: &App, area: gongji_ledger::AreaCode) -> AreaReadiness {
        let nearby = readiness::nearby(app, area, app.now());
        let Tally { ready, quiet, off } = nearby.all;
        let [counter, kiosk, mobile] = nearby.terminals.map(Counts::from);
        AreaReadiness { area: AreaRef::new(&app.directory(), area), ready, quiet, off, counter, kiosk, mobile }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Heartbeat {
    /// The kinds of terminals that are up now: 1 to 3, each once.
    terminals: Vec<TerminalKind>,
}

/// How the institution is shown to people now.
#[derive(Debug, Serialize, ToSchema)]
struct HeartbeatAnswer {
    institution: String,
    readiness: ReadinessWord,
    terminals: Vec<TerminalBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_paid_on: Option<String>,
    as_of: String,
}

/// Say that the terminals are up
///
/// From time to time, every few minutes at most often. People see it beside "no payment for seven days"; it makes nobody ready: only a captured payment does.
#[utoipa::path(post, path = "/readiness", tag = "payments", request_body = Heartbeat,
    responses((status = 200, description = "How the institution is shown now", body = HeartbeatAnswer)), security(("institution" = [])))]
async fn heartbeat(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    StrictJson(asked): StrictJson<Heartbeat>,
) -> Result<Json<HeartbeatAnswer>, Problem> {
    if asked.terminals.is_empty() || asked.terminals.len() > Terminal::ALL.len() {
        return Err(Problem::field("terminals", "写上 1 到 3 种正在工作的终端。", "terminals names 1 to 3 kinds"));
    }
    let directory = app.directory();
    let known = directory.institutions.get(&institution.id).ok_or(Reason::InstitutionUnknown)?;
    let now = app.now();
    for terminal in asked.terminals {
        app.activity.heard(institution.id, terminal.into(), now);
    }
    let standing = readiness::standing(&app, known, now);
    Ok(Json(HeartbeatAnswer {
        institution: institution.id.to_string(),
        readiness: standing.state.into(),
        terminals: terminals(&standing),
        last_paid_on: last_paid_on(&standing),
        as_of: rfc3339(now),
    }))
}
