//! Reconciliation: our totals and lines of a day, an institution's file beside them, and what does not agree.

use crate::api::wire::{Money, page_len};
use crate::app::App;
use crate::problem::{Edge, Problem};
use crate::service::ServiceError;
use crate::service::reconciliation::{self, BadRow, Booked, FILE_BYTES_MAX, NumberForm, Outcome};
use crate::time::{date, rfc3339};
use crate::web::{InstitutionCaller, StrictJson, StrictPath, StrictQuery};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse, Response};
use gongji_files::parse_date;
use gongji_files::reconcile::{BreakRow, Class, Encoding, FileFormat, Line, LineRow, ListWriter, Report, Scope, Totals};
use gongji_ledger::Fen;
use gongji_store::vault::{Reconciliation, ReconciliationState};
use gongji_wallet::day::Day;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    let upload = OpenApiRouter::new().routes(routes!(list, submit)).layer(DefaultBodyLimit::max(FILE_BYTES_MAX));
    OpenApiRouter::new()
        .merge(upload)
        .routes(routes!(day_totals))
        .routes(routes!(check))
        .routes(routes!(day_lines))
        .routes(routes!(show))
        .routes(routes!(breaks))
        .routes(routes!(breaks_file))
}

/// Totals of one class on one day. Amounts of refunds are negative and already taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TotalsBody {
    /// Captures and refunds together.
    lines: u64,
    refunds: u64,
    /// Of whole bills (medfee_sumamt).
    total: Money,
    /// Of the fund (fund_pay_sumamt).
    fund: Money,
    /// Of wallet and personal account (acct_pay).
    own: Money,
}

impl From<Totals> for TotalsBody {
    fn from(totals: Totals) -> TotalsBody {
        TotalsBody { lines: totals.lines, refunds: totals.refunds, total: totals.total.into(), fund: totals.fund.into(), own: totals.own.into() }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct DayTotals {
    #[schema(example = "2026-11-22")]
    day: String,
    /// Classes without lines are left out.
    classes: Vec<ClassTotals>,
    as_of: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct ClassTotals {
    /// 11 outpatient, 21 inpatient, 41 pharmacy.
    #[schema(example = 11)]
    clr_type: u16,
    /// 310 employee, 390 resident insurance.
    #[schema(example = 310)]
    insutype: u16,
    totals: TotalsBody,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CheckRequest {
    #[schema(example = 11)]
    clr_type: u16,
    #[schema(example = 310)]
    insutype: u16,
    totals: TotalsBody,
}

/// Both sides' totals.
#[derive(Debug, Serialize, ToSchema)]
struct CheckAnswer {
    /// All five figures are equal. Equal totals do not prove equal lines: send the lines too.
    agrees: bool,
    theirs: TotalsBody,
    ours: TotalsBody,
    as_of: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Subject {
    /// Business day, `2026-11-22`; at most 92 days back.
    day: String,
    /// 11 outpatient, 21 inpatient, 41 pharmacy.
    clr_type: u16,
    /// 310 employee, 390 resident insurance.
    insutype: u16,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Lines {
    /// 11 outpatient, 21 inpatient, 41 pharmacy.
    clr_type: u16,
    /// 310 employee, 390 resident insurance.
    insutype: u16,
    /// `utf-8-bom` unless given, `utf-8` or `gbk`.
    #[serde(default)]
    encoding: Option<String>,
    /// `csv` unless given, or `tab`: the seven national columns without a header, payments numbered as the national interface does.
    #[serde(default)]
    form: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Encoded {
    /// `utf-8-bom` unless given, `utf-8` or `gbk`.
    #[serde(default)]
    encoding: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Listed {
    /// Only of this business day.
    #[serde(default)]
    day: Option<String>,
    /// Rows, 1 to 200; 50 unless given.
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Paged {
    /// Breaks to pass over, from `next`.
    #[serde(default)]
    after: usize,
    /// Rows, 1 to 200; 50 unless given.
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ReconciliationBody {
    id: String,
    #[schema(example = "2026-11-22")]
    day: String,
    clr_type: u16,
    insutype: u16,
    /// `running`: ask again in some seconds. `refused`: the file could not be used, see `bad_lines`. `done`.
    #[schema(example = "done")]
    state: &'static str,
    /// Breaks to put right, or bad lines.
    open_count: u64,
    made_at: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bad_lines: Vec<BadLineBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ResultBody>,
}

#[derive(Debug, Serialize, ToSchema)]
struct BadLineBody {
    line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    reason: String,
    reason_en: String,
}

/// What came out of a file.
#[derive(Debug, Serialize, ToSchema)]
struct ResultBody {
    /// No break is to be put right.
    agrees: bool,
    theirs: TotalsBody,
    ours: TotalsBody,
    /// Pairs that agree in full.
    matched: u64,
    /// Lines of bills of which the wallet paid nothing; left out.
    unpaid: u64,
    /// What the institution lists more than we do; the differences of all breaks add up to it.
    difference: Money,
    counts: Vec<BreakCount>,
}

#[derive(Debug, Serialize, ToSchema)]
struct BreakCount {
    #[schema(example = "AMOUNT_DIFFERS")]
    kind: &'static str,
    title: &'static str,
    count: u64,
    /// Sums agree and only the way of listing differs.
    note: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct ReconciliationList {
    reconciliations: Vec<ReconciliationBody>,
    as_of: String,
}

/// Lines that do not agree.
#[derive(Debug, Serialize, ToSchema)]
struct BreakBody {
    #[schema(example = "AMOUNT_DIFFERS")]
    kind: &'static str,
    title: &'static str,
    /// What is so, and the likely cause.
    cause: String,
    proposal: ProposalBody,
    /// What the institution lists more than we do (own share).
    difference: Money,
    theirs: Vec<LineBody>,
    ours: Vec<LineBody>,
}

/// A proposal to people. Nothing moves by itself.
#[derive(Debug, Serialize, ToSchema)]
struct ProposalBody {
    #[schema(example = "CHECK_BILL")]
    code: &'static str,
    text: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReconciledLine)]
struct LineBody {
    /// Line of the file.
    line: u32,
    order_no: String,
    setl_id: String,
    psn_no: String,
    refund: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    own: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fund: Option<Money>,
}

#[derive(Debug, Serialize, ToSchema)]
struct BreakList {
    breaks: Vec<BreakBody>,
    /// For `after`, where there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<usize>,
    /// Breaks that are counted and not kept in words.
    left_out: u64,
}

fn day_of_text(text: &str, now: i64) -> Result<Day, Problem> {
    let day = parse_date(text).ok_or_else(|| Problem::field("day", "日期写成 2026-11-22 这样。", "day is written 2026-11-22"))?;
    let why_not = |words| Problem::field("day", words, format!("day is today or at most {} days back", reconciliation::DAYS_BACK_MAX));
    reconciliation::check_day(day, now).map_err(why_not)?;
    Ok(day)
}

fn class_of(clr_type: u16, insutype: u16) -> Result<Class, Problem> {
    let wrong = || Problem::field("clr_type", "清算类别是 11、21 或 41,险种是 310 或 390。", "clr_type is 11, 21 or 41 and insutype 310 or 390");
    Class::of(clr_type, insutype).ok_or_else(wrong)
}

fn encoding_of(text: Option<&str>) -> Result<Encoding, Problem> {
    let wrong = || Problem::field("encoding", "编码是 utf-8-bom、utf-8 或 gbk。", "encoding is utf-8-bom, utf-8 or gbk");
    text.map_or(Some(Encoding::Utf8Bom), Encoding::from_word).ok_or_else(wrong)
}

fn id_of(text: &str) -> Result<u64, Problem> {
    u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16).ok_or_else(Problem::not_found)
}

/// Why a file did not arrive whole.
fn unread(rejection: &BytesRejection) -> Problem {
    let mut problem = Problem::from(if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { Edge::BodyTooLarge } else { Edge::JsonMalformed });
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        problem.body.title_en = "The file is larger than 32 MiB".into();
        problem.body.next_step = "文件最大 32 MB;更大的用 gongji reconcile 在本机对。".to_owned();
    }
    problem
}

/// A download. Its name says what it is and nothing of whom.
pub fn file(name: &str, encoding: Encoding, bytes: Vec<u8>) -> Response {
    let kind = format!("text/csv; charset={}", encoding.charset());
    ([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))], bytes).into_response()
}

/// Our totals of a day
#[utoipa::path(get, path = "/reconciliations/days/{day}", tag = "reconciliation", params(("day" = String, Path, description = "Business day, `2026-11-22`")),
    responses((status = 200, description = "Totals of each class", body = DayTotals)), security(("institution" = [])))]
async fn day_totals(State(app): State<Arc<App>>, institution: InstitutionCaller, StrictPath(day): StrictPath<String>) -> Result<Json<DayTotals>, Problem> {
    let of_day = day_of_text(&day, app.now())?;
    let totals = reconciliation::totals(&app, institution.id, of_day).await.map_err(ServiceError::from)?;
    let of = |(class, totals): (Class, Totals)| ClassTotals { clr_type: class.clr_type, insutype: class.insutype, totals: totals.into() };
    Ok(Json(DayTotals { day, classes: totals.into_iter().map(of).collect(), as_of: rfc3339(app.now()) }))
}

/// Compare totals of a day
#[utoipa::path(post, path = "/reconciliations/days/{day}/check", tag = "reconciliation", params(("day" = String, Path, description = "Business day, `2026-11-22`")), request_body = CheckRequest,
    responses((status = 200, description = "Both sides' totals", body = CheckAnswer)), security(("institution" = [])))]
async fn check(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    StrictPath(day): StrictPath<String>,
    StrictJson(asked): StrictJson<CheckRequest>,
) -> Result<Json<CheckAnswer>, Problem> {
    let day = day_of_text(&day, app.now())?;
    let class = class_of(asked.clr_type, asked.insutype)?;
    let totals = reconciliation::totals(&app, institution.id, day).await.map_err(ServiceError::from)?;
    let ours: TotalsBody = totals.into_iter().find(|(of, _)| *of == class).map(|(_, totals)| totals).unwrap_or_default().into();
    Ok(Json(CheckAnswer { agrees: ours == asked.totals, theirs: asked.totals, ours, as_of: rfc3339(app.now()) }))
}

/// Our lines of a day as a file
#[utoipa::path(get, path = "/reconciliations/days/{day}/lines.csv", tag = "reconciliation", params(("day" = String, Path, description = "Business day, `2026-11-22`"), Lines),
    responses((status = 200, description = "A capture or refund a line", content_type = "text/csv", body = String)), security(("institution" = [])))]
async fn day_lines(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    StrictPath(day): StrictPath<String>,
    StrictQuery(asked): StrictQuery<Lines>,
) -> Result<Response, Problem> {
    let of_day = day_of_text(&day, app.now())?;
    let class = class_of(asked.clr_type, asked.insutype)?;
    let encoding = encoding_of(asked.encoding.as_deref())?;
    let (format, form) = match asked.form.as_deref() {
        None | Some("csv") => (FileFormat::Comma, NumberForm::Plain),
        Some("tab") => (FileFormat::Tab, NumberForm::Letters),
        Some(_) => return Err(Problem::field("form", "格式是 csv 或 tab。", "form is csv or tab")),
    };
    let booked = reconciliation::lines(&app, institution.id, of_day, form).await.map_err(ServiceError::from)?;
    let bytes = lines_file(&booked, Scope { day: Some(of_day), class: Some(class) }, format, encoding);
    Ok(file(&format!("gongji-{day}-{}-{}.{}", class.clr_type, class.insutype, if format == FileFormat::Tab { "txt" } else { "csv" }), encoding, bytes))
}

/// The lines of a scope as a file.
pub fn lines_file(booked: &Booked, scope: Scope, format: FileFormat, encoding: Encoding) -> Vec<u8> {
    let mut writer = ListWriter::new(format, encoding);
    let mut lines: Vec<(i64, Line)> = booked.at.iter().copied().zip(booked.listing.iter()).filter(|(_, line)| !line.is_undone && scope.covers(line)).collect();
    lines.sort_by_key(|(at, _)| *at);
    for (at, line) in lines {
        // 2026-11-22T09:30:00.123+08:00
        let time = rfc3339(at);
        writer.line(&line, Some(&format!("{} {}", &time[..10], &time[11..19])));
    }
    writer.finish()
}

/// Send an institution's list of a day
///
/// The body is the file: CSV or the national tab form, UTF-8 or GBK, at most 32 MiB. The same file of the same list is compared once. A bad file
/// is `refused` with every bad line, and nothing of it is used.
#[utoipa::path(post, path = "/reconciliations", tag = "reconciliation", params(Subject), request_body(content = String, content_type = "text/csv"),
    responses((status = 200, description = "What came out", body = ReconciliationBody), (status = 202, description = "Still running; ask for it by its id", body = ReconciliationBody)),
    security(("institution" = [])))]
async fn submit(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    StrictQuery(asked): StrictQuery<Subject>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let bytes = bytes.map_err(|rejection| unread(&rejection))?;
    let day = day_of_text(&asked.day, app.now())?;
    let class = class_of(asked.clr_type, asked.insutype)?;
    let id = reconciliation::submit(&app, institution.id, day, class, bytes.into()).await.map_err(ServiceError::from)?;
    let body = find(&app, institution, id).await?;
    let status = if body.state == "running" { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, [(LOCATION, format!("/api/v1/institutions/reconciliations/{}", body.id))], Json(body)).into_response())
}

/// The institution's reconciliations, newest first
#[utoipa::path(get, path = "/reconciliations", tag = "reconciliation", params(Listed),
    responses((status = 200, description = "Without their results", body = ReconciliationList)), security(("institution" = [])))]
async fn list(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    StrictQuery(asked): StrictQuery<Listed>,
) -> Result<Json<ReconciliationList>, Problem> {
    let day = asked.day.map(|day| day_of_text(&day, app.now())).transpose()?;
    let rows = reconciliation::list(&app, institution.id, day, page_len(asked.limit)?).await.map_err(ServiceError::from)?;
    let reconciliations = rows.iter().map(|row| body_of(row, None)).collect();
    Ok(Json(ReconciliationList { reconciliations, as_of: rfc3339(app.now()) }))
}

/// A reconciliation
#[utoipa::path(get, path = "/reconciliations/{id}", tag = "reconciliation", params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "Its state and result", body = ReconciliationBody)), security(("institution" = [])))]
async fn show(State(app): State<Arc<App>>, institution: InstitutionCaller, StrictPath(id): StrictPath<String>) -> Result<Json<ReconciliationBody>, Problem> {
    Ok(Json(find(&app, institution, id_of(&id)?).await?))
}

/// What does not agree
#[utoipa::path(get, path = "/reconciliations/{id}/breaks", tag = "reconciliation", params(("id" = String, Path, description = "Its id"), Paged),
    responses((status = 200, description = "Breaks in the order of the file", body = BreakList)), security(("institution" = [])))]
async fn breaks(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    StrictPath(id): StrictPath<String>,
    StrictQuery(asked): StrictQuery<Paged>,
) -> Result<Json<BreakList>, Problem> {
    let report = report(&app, institution, &id).await?;
    let len = page_len(asked.limit)?;
    let breaks: Vec<BreakBody> = report.breaks.iter().skip(asked.after).take(len).map(BreakBody::from).collect();
    let end = asked.after.saturating_add(breaks.len());
    Ok(Json(BreakList { breaks, next: (end < report.breaks.len()).then_some(end), left_out: report.left_out }))
}

/// What does not agree, as a file
#[utoipa::path(get, path = "/reconciliations/{id}/breaks.csv", tag = "reconciliation", params(("id" = String, Path, description = "Its id"), Encoded),
    responses((status = 200, description = "A break a line", content_type = "text/csv", body = String)), security(("institution" = [])))]
async fn breaks_file(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    StrictPath(id): StrictPath<String>,
    StrictQuery(asked): StrictQuery<Encoded>,
) -> Result<Response, Problem> {
    let encoding = encoding_of(asked.encoding.as_deref())?;
    let report = report(&app, institution, &id).await?;
    Ok(file(&format!("gongji-breaks-{id}.csv"), encoding, report.breaks_file(encoding)))
}

async fn report(app: &Arc<App>, institution: InstitutionCaller, id: &str) -> Result<Report, Problem> {
    match reconciliation::show(app, institution.id, id_of(id)?).await.map_err(ServiceError::from)? {
        Some((_, Some(Outcome::Done(report)))) => Ok(*report),
        _ => Err(Problem::not_found()),
    }
}

async fn find(app: &Arc<App>, institution: InstitutionCaller, id: u64) -> Result<ReconciliationBody, Problem> {
    let (row, outcome) = reconciliation::show(app, institution.id, id).await.map_err(ServiceError::from)?.ok_or_else(Problem::not_found)?;
    Ok(body_of(&row, outcome))
}

/// The number of a reconciliation as it is written.
pub fn id_text(id: u64) -> String {
    format!("{id:016x}")
}

fn body_of(row: &Reconciliation, outcome: Option<Outcome>) -> ReconciliationBody {
    let (bad, report) = match outcome {
        Some(Outcome::Refused(bad)) => (bad, None),
        Some(Outcome::Done(report)) => (Vec::new(), Some(report)),
        None => (Vec::new(), None),
    };
    let bad_line = |BadRow { line, column, reason_zh, reason_en }| BadLineBody { line, column, reason: reason_zh, reason_en };
    ReconciliationBody {
        id: id_text(row.id),
        day: date(row.day),
        clr_type: row.clr_type,
        insutype: row.insutype,
        state: match row.state {
            ReconciliationState::Running => "running",
            ReconciliationState::Refused => "refused",
            ReconciliationState::Done => "done",
        },
        open_count: row.open_count,
        made_at: rfc3339(row.made_ms),
        bad_lines: bad.into_iter().map(bad_line).collect(),
        result: report.map(|report| ResultBody {
            agrees: report.open_count() == 0,
            theirs: report.theirs.into(),
            ours: report.ours.into(),
            matched: report.matched,
            unpaid: report.unpaid,
            difference: report.difference().into(),
            counts: report
                .counts
                .iter()
                .map(|(kind, count)| BreakCount { kind: kind.code(), title: kind.title(), count: *count, note: kind.is_note() })
                .collect(),
        }),
    }
}

impl From<&BreakRow> for BreakBody {
    fn from(found: &BreakRow) -> BreakBody {
        let proposal = found.kind.proposal();
        BreakBody {
            kind: found.kind.code(),
            title: found.kind.title(),
            cause: found.cause_zh.clone(),
            proposal: ProposalBody { code: proposal.code(), text: proposal.sentence() },
            difference: found.difference.into(),
            theirs: found.theirs.iter().map(LineBody::from).collect(),
            ours: found.ours.iter().map(LineBody::from).collect(),
        }
    }
}

impl From<&LineRow> for LineBody {
    fn from(line: &LineRow) -> LineBody {
        let money = |amount: Option<Fen>| amount.map(Money::from);
        LineBody {
            line: line.row,
            order_no: line.order_no.clone(),
            setl_id: line.settlement.clone(),
            psn_no: line.person.clone(),
            refund: line.is_refund,
            day: line.day.map(date),
            own: line.own.into(),
            total: money(line.total),
            fund: money(line.fund),
        }
    }
}
