//! The statement: every movement with the relative and the origin it came from, and the monthly picture.

use super::transfers::known;
use super::wire::{AreaRef, LotBody, Money, People, PersonRef, Source, cursor, id_text, page_len, parse_cursor};
use crate::app::App;
use crate::problem::Problem;
use crate::service::sheet::{self, Sheet, Told, month_of};
use crate::time::rfc3339;
use crate::web::{Citizen, StrictPath, StrictQuery, parse_person_id};
use axum::Json;
use axum::extract::State;
use gongji_ledger::{Fen, HolderId};
use gongji_wallet::Reason;
use gongji_wallet::directory::Directory;
use gongji_wallet::object::{Counterparty, Line, LineCode, Purse};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Most lines that a monthly picture adds up: thirty years of a busy family.
const PICTURE_LINES_MAX: usize = 20_000;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(months)).routes(routes!(check))
}

/// What a movement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MovementKind {
    Contribution,
    TransferOut,
    TransferIn,
    TransferBack,
    PaymentHold,
    PaymentRelease,
    PaymentRefund,
    PremiumHold,
    PremiumRelease,
    /// An unused quota left the receiver's wallet.
    QuotaReturned,
    /// Money came back to the contributor's personal account.
    CameBack,
}

impl From<LineCode> for MovementKind {
    fn from(code: LineCode) -> MovementKind {
        match code {
            LineCode::Contribution => MovementKind::Contribution,
            LineCode::TransferOut => MovementKind::TransferOut,
            LineCode::TransferIn => MovementKind::TransferIn,
            LineCode::TransferBack => MovementKind::TransferBack,
            LineCode::PaymentHold => MovementKind::PaymentHold,
            LineCode::PaymentRelease => MovementKind::PaymentRelease,
            LineCode::PaymentRefund => MovementKind::PaymentRefund,
            LineCode::PremiumHold => MovementKind::PremiumHold,
            LineCode::PremiumRelease => MovementKind::PremiumRelease,
            LineCode::QuotaReturned => MovementKind::QuotaReturned,
            LineCode::CameBack => MovementKind::CameBack,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StatementQuery {
    #[serde(default)]
    kind: Option<MovementKind>,
    /// Calendar month, as 2026-11.
    #[serde(default)]
    #[param(example = "2026-11")]
    month: Option<String>,
    /// Id of a relative: what they gave, or were given.
    #[serde(default)]
    relative: Option<String>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 unless given.
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Statement {
    movements: Vec<Movement>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    as_of: String,
}

/// One movement of money.
#[derive(Debug, Serialize, ToSchema)]
pub struct Movement {
    /// For its receipt.
    id: String,
    kind: MovementKind,
    /// Signed: what came in is above zero.
    amount: Money,
    purse: Source,
    /// The wallet's balance after it.
    wallet_after: Money,
    /// The balance of that personal account after it.
    personal_after: Money,
    occurred_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<PersonRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    institution: Option<InstitutionRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    area: Option<AreaRef>,
    /// Transfer or payment it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    lots: Vec<LotBody>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct InstitutionRef {
    code: String,
    name: String,
}

/// A movement with its place in the journal.
#[derive(Debug, Serialize, ToSchema)]
struct Receipt {
    movement: Movement,
    /// Number of the journal record that holds the posting, in the person's partition.
    record: u64,
    partition: u16,
    /// Code for its printed sheet: anybody who has it may compare the paper with the books (`GET /checks/{code}`, or the page `/check/{code}`).
    check_code: String,
}

/// What the books say of a printed sheet. No names: they are on the paper, and this is for everybody.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "sheet", rename_all = "snake_case")]
enum Checked {
    /// The receipt of a movement.
    Receipt { number: String, kind: MovementKind, amount: Money, occurred_at: String },
    /// The wallet's statement of a month, up to its last movement when it was printed.
    Month {
        number: String,
        #[schema(example = "2026-11")]
        month: String,
        /// Movements.
        count: usize,
        received: Money,
        /// Less what came back.
        used: Money,
        opening: Money,
        closing: Money,
        last_at: String,
    },
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MonthsQuery {
    /// Months back from now, 1 to 120; 12 unless given.
    #[serde(default)]
    months: Option<u16>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Picture {
    /// Oldest first; months without movements included.
    months: Vec<Month>,
    as_of: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct Month {
    #[schema(example = "2026-11")]
    month: String,
    /// Came from relatives, less what went back to them.
    received: Money,
    /// Sent to relatives, less what came back.
    sent: Money,
    /// Spent at institutions and on premiums, less what was released or refunded.
    spent: Money,
    /// Paid into personal accounts by the fund.
    contributed: Money,
}

fn parse_month(text: &str) -> Result<(i16, i8), Problem> {
    let parsed = text
        .split_once('-')
        .filter(|(year, month)| year.len() == 4 && month.len() == 2)
        .and_then(|(year, month)| Some((year.parse().ok()?, month.parse().ok()?)));
    parsed.filter(|(_, month)| (1..=12).contains(month)).ok_or_else(|| Problem::field("month", "月份写成 2026-11 这样。", "month is written as 2026-11"))
}

fn people_of(line: &Line) -> Vec<HolderId> {
    let other = match line.other {
        Counterparty::Holder(holder) => Some(holder),
        _ => None,
    };
    line.lots.iter().map(|lot| lot.origin.contributor).chain(other).collect()
}

fn movement(directory: &Directory, people: &People, line: &Line) -> Movement {
    let has_reference = line.reference != [0; 16];
    Movement {
        id: format!("{:016x}", line.number),
        kind: line.code.into(),
        amount: line.amount.into(),
        purse: line.purse.into(),
        wallet_after: line.wallet_after.into(),
        personal_after: line.personal_after.into(),
        occurred_at: rfc3339(line.at),
        person: match line.other {
            // A transfer that was refused may have named nobody.
            Counterparty::Holder(other) => Some(people.of_receiver(other, matches!(line.code, LineCode::TransferOut | LineCode::TransferBack))),
            _ => None,
        },
        institution: match line.other {
            Counterparty::Institution(id) => {
                let name = directory.institutions.get(&id).map_or_else(|| id.to_string(), |institution| institution.name.clone());
                Some(InstitutionRef { code: id.to_string(), name })
            }
            _ => None,
        },
        area: match (line.other, line.purse) {
            (Counterparty::Area(area), _) | (_, Purse::Personal { area }) => Some(AreaRef::new(directory, area)),
            _ => None,
        },
        reference: has_reference.then(|| id_text(line.reference)),
        lots: people.lots(&line.lots),
    }
}

/// Lines of a person as movements, with everybody who is named in them.
pub async fn movements(app: &Arc<App>, holder: HolderId, lines: &[Line]) -> Result<Vec<Movement>, Problem> {
    let (holder, directory) = (known(app, holder)?, app.directory());
    let people = People::load(app, &holder, &directory, lines.iter().flat_map(people_of)).await?;
    Ok(lines.iter().map(|line| movement(&directory, &people, line)).collect())
}

/// Movements, newest first
#[utoipa::path(get, path = "/statement", tag = "statement", params(StatementQuery), responses((status = 200, description = "One page of movements", body = Statement)), security(("session" = [])))]
async fn list(State(app): State<Arc<App>>, citizen: Citizen, StrictQuery(asked): StrictQuery<StatementQuery>) -> Result<Json<Statement>, Problem> {
    let (before, limit) = (parse_cursor(asked.cursor.as_deref())?, page_len(asked.limit)?);
    let month = asked.month.as_deref().map(parse_month).transpose()?;
    let wrong = || Problem::field("relative", "没有这个人。", "not an id of a person");
    let relative = asked.relative.as_deref().map(|id| parse_person_id(id).ok_or_else(wrong)).transpose()?;
    let holder = known(&app, citizen.subject)?;
    let wanted = |line: &Line| {
        asked.kind.is_none_or(|kind| MovementKind::from(line.code) == kind)
            && month.is_none_or(|month| month_of(line.at) == month)
            && relative.is_none_or(|relative| people_of(line).contains(&relative))
    };
    let mut lines = app.engine.lines(holder.id, before, limit + 1, wanted).await?;
    let next_cursor = (lines.len() > limit).then(|| lines.truncate(limit)).and_then(|()| lines.last().map(|line| cursor(line.number)));
    let directory = app.directory();
    let people = People::load(&app, &holder, &directory, lines.iter().flat_map(people_of)).await?;
    Ok(Json(Statement { movements: lines.iter().map(|line| movement(&directory, &people, line)).collect(), next_cursor, as_of: rfc3339(app.now()) }))
}

/// The receipt of a movement
#[utoipa::path(get, path = "/statement/{id}", tag = "statement", params(("id" = String, Path, description = "The movement's id")),
    responses((status = 200, description = "The movement, its lots and its place in the journal", body = Receipt)), security(("session" = [])))]
async fn show(State(app): State<Arc<App>>, citizen: Citizen, StrictPath(id): StrictPath<String>) -> Result<Json<Receipt>, Problem> {
    let number = u64::from_str_radix(&id, 16).ok().filter(|number| i64::try_from(*number).is_ok()).ok_or(Reason::NotFound)?;
    let holder = known(&app, citizen.subject)?;
    let line = app.engine.line(holder.id, number).await?.ok_or(Reason::NotFound)?;
    let directory = app.directory();
    let people = People::load(&app, &holder, &directory, people_of(&line)).await?;
    Ok(Json(Receipt {
        movement: movement(&directory, &people, &line),
        record: line.seq,
        partition: holder.id.part(),
        check_code: Sheet::receipt(&line).code(app.vault.keys()),
    }))
}

/// Compare a printed sheet with the books
///
/// For whoever holds the paper: its QR code leads to the page of the same code.
#[utoipa::path(get, path = "/checks/{code}", tag = "statement", params(("code" = String, Path, description = "The code from the sheet")),
    responses((status = 200, description = "What the books say", body = Checked)), security(()))]
async fn check(State(app): State<Arc<App>>, StrictPath(code): StrictPath<String>) -> Result<Json<Checked>, Problem> {
    let (sheet, told) = sheet::look_up(&app, &code).await?.ok_or(Reason::NotFound)?;
    let number = sheet.number();
    Ok(Json(match told {
        Told::Receipt(line) => Checked::Receipt { number, kind: line.code.into(), amount: line.amount.into(), occurred_at: rfc3339(line.at) },
        Told::Month(last, sums) => {
            let (year, month) = month_of(last.at);
            Checked::Month {
                number,
                month: format!("{year:04}-{month:02}"),
                count: sums.lines.len(),
                received: sums.incoming.into(),
                used: sums.outgoing.into(),
                opening: sums.opening.into(),
                closing: sums.closing.into(),
                last_at: rfc3339(last.at),
            }
        }
    }))
}

/// The monthly picture
#[utoipa::path(get, path = "/statement/months", tag = "statement", params(MonthsQuery), responses((status = 200, description = "Received, sent, spent and contributed by month", body = Picture)), security(("session" = [])))]
async fn months(State(app): State<Arc<App>>, citizen: Citizen, StrictQuery(asked): StrictQuery<MonthsQuery>) -> Result<Json<Picture>, Problem> {
    let count = asked.months.unwrap_or(12);
    if !(1..=120).contains(&count) {
        return Err(Problem::field("months", "最多看 120 个月。", "months is 1 to 120"));
    }
    let now = app.now();
    let (year, month) = month_of(now);
    let index = |(year, month): (i16, i8)| i32::from(year) * 12 + i32::from(month) - 1;
    let last = index((year, month));
    let first = last - i32::from(count) + 1;
    let lines = app.engine.lines(citizen.subject, None, PICTURE_LINES_MAX, |line| index(month_of(line.at)) >= first).await?;
    let mut sums: BTreeMap<i32, [Fen; 4]> = (first..=last).map(|index| (index, [Fen::ZERO; 4])).collect();
    for line in lines {
        let Some(sums) = sums.get_mut(&index(month_of(line.at))) else { continue };
        let (at, amount) = match line.code {
            LineCode::TransferIn | LineCode::QuotaReturned => (0, line.amount),
            LineCode::TransferOut | LineCode::TransferBack | LineCode::CameBack => (1, -line.amount),
            LineCode::PaymentHold | LineCode::PaymentRelease | LineCode::PaymentRefund | LineCode::PremiumHold | LineCode::PremiumRelease => (2, -line.amount),
            LineCode::Contribution => (3, line.amount),
        };
        sums[at] += amount;
    }
    let body = |(index, [received, sent, spent, contributed]): (i32, [Fen; 4])| Month {
        month: format!("{:04}-{:02}", index.div_euclid(12), index.rem_euclid(12) + 1),
        received: received.into(),
        sent: sent.into(),
        spent: spent.into(),
        contributed: contributed.into(),
    };
    Ok(Json(Picture { months: sums.into_iter().map(body).collect(), as_of: rfc3339(now) }))
}
