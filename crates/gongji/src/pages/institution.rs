//! The page of an institution: what the platform has booked of a day, and what does not agree with its own books.

use super::cashier::{Till, order_path};
use super::frame::{Page, Trouble, to};
use super::places;
use super::views::institution::{BadLine, BreakItem, ClassLine, Compared, DayLine, Home, Sent};

use super::views::{Choice, Fact, Problem, Readiness, Section, Tone, format};
use crate::api::institutions::reconciliations::{file, id_text, lines_file};
use crate::app::App;
use crate::service::ServiceError;
use crate::service::readiness;
use crate::service::reconciliation::{self, FILE_BYTES_MAX, NumberForm, Outcome};
use crate::time::date;
use crate::web::StrictQuery;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Multipart, Path};
use axum::routing::{get, post};
use gongji_files::parse_date;
use gongji_files::reconcile::{BreakRow, Class, Direction, Encoding, FileFormat, Line, Report, Scope, Totals};
use gongji_store::vault::{InstitutionKey, Reconciliation, ReconciliationState};
use gongji_wallet::day::{Day, day_of, instant};
use serde::Deserialize;
use std::sync::Arc;

/// Captures and refunds on the page; all of them are in the file.
const LINES_MAX: usize = 50;

/// Breaks and bad lines on a page; all of them are in the file.
const SHOWN_MAX: usize = 200;

/// Files of a day on the page.
const SENT_MAX: usize = 30;

/// What a form has beside its file.
const FORM_BYTES: usize = 64 * 1024;

pub fn routes() -> Router<Arc<App>> {
    let upload =
        Router::new().route("/institution/files", post(submit).get(|| async { to("/institution") })).layer(DefaultBodyLimit::max(FILE_BYTES_MAX + FORM_BYTES));
    Router::new()
        .route("/institution", get(home))
        .route("/institution/lines.csv", get(lines))
        .route("/institution/files/{id}", get(compared))
        .route("/institution/files/{id}/breaks.csv", get(breaks))
        .merge(upload)
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    day: String,
    #[serde(default)]
    class: String,
    #[serde(default)]
    encoding: String,
    #[serde(default)]
    form: String,
}

/// The day that was asked for; today where it cannot be one.
fn day_asked(till: &Till, text: &str, problems: &mut Vec<Problem>) -> Day {
    let today = day_of(till.visit.now);
    if text.is_empty() {
        return today;
    }
    let checked = parse_date(text).ok_or("日期写成 2026-11-22 这样。").and_then(|day| reconciliation::check_day(day, till.visit.now).map(|()| day));
    checked.unwrap_or_else(|words| {
        problems.push(Problem::of("day", words));
        today
    })
}

fn class_asked(text: &str) -> Option<Class> {
    let (clr_type, insutype) = text.split_once('-')?;
    Class::of(clr_type.parse().ok()?, insutype.parse().ok()?)
}

fn class_word(class: Class) -> String {
    format!("{}-{}", class.clr_type, class.insutype)
}

async fn home(till: Till, StrictQuery(asked): StrictQuery<Asked>) -> Page {
    let mut problems = Vec::new();
    let day = day_asked(&till, &asked.day, &mut problems);
    home_page(&till, day, &asked.class, problems).await
}

async fn home_page(till: &Till, day: Day, class: &str, problems: Vec<Problem>) -> Page {
    let app = &till.visit.app;
    let today = day_of(till.visit.now);
    let mut layout = till.visit.public_layout("对账", Section::None);
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let booked = reconciliation::lines(app, till.id, day, NumberForm::Plain).await.map_err(ServiceError::from)?;
    let rows = reconciliation::list(app, till.id, Some(day), SENT_MAX).await.map_err(ServiceError::from)?;
    let in_day = Scope { day: Some(day), class: None };
    let mut lines: Vec<(i64, Line)> = booked.at.iter().copied().zip(booked.listing.iter()).filter(|(_, line)| in_day.covers(line)).collect();
    lines.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let classes = Class::ALL.into_iter().map(|class| (class, booked.listing.totals(&Scope { day: Some(day), class: Some(class) })));
    let classes: Vec<(Class, Totals)> = classes.filter(|(_, totals)| totals.lines > 0).collect();
    let (part, institution) = (app.engine.institution_part(till.id), till.id.to_string());
    let keys = app.vault(move |vault| vault.institution_keys(part, &institution)).await?;
    let standing = app.directory().institutions.get(&till.id).map(|institution| readiness::standing(app, institution, till.visit.now));
    let usual = class_asked(class).or_else(|| classes.iter().max_by_key(|(_, totals)| totals.lines).map(|(class, _)| *class));
    let view = Home {
        layout,
        counter: till.counter(),
        day: date(day),
        day_first: date(today - reconciliation::DAYS_BACK_MAX),
        day_last: date(today),
        day_words: format::day(instant(day, 12 * 60)),
        is_today: day == today,
        classes: classes.iter().map(|(class, totals)| class_line(day, *class, totals)).collect(),
        choices: Class::ALL.into_iter().map(|class| Choice::new(class_word(class), class.label(), usual == Some(class))).collect(),
        more: if lines.len() > LINES_MAX { format!("最近 {LINES_MAX} 笔,共 {} 笔;下载明细看全部", lines.len()) } else { String::new() },
        lines: lines.iter().take(LINES_MAX).map(|(at, line)| day_line(*at, line)).collect(),
        sent: rows.iter().map(|row| sent(row, till.visit.now)).collect(),
        keys: keys.iter().filter(|key| key.revoked_ms.is_none()).map(key_fact).collect(),
        readiness: standing.map_or(Readiness::Closed, |standing| places::shown(standing.state)),
        ways: standing.as_ref().map(places::ways).unwrap_or_default(),
        last_paid: standing.as_ref().map(places::last_paid).unwrap_or_default(),
    };
    if is_wrong { till.visit.wrong(&view) } else { till.visit.page(&view) }
}

/// By the end of its number, as it stands in logs and letters.
fn key_fact(key: &InstitutionKey) -> Fact {
    let tail = key.key_id.get(key.key_id.len().saturating_sub(4)..).unwrap_or_default();
    Fact::new(format!("密钥,尾号 {tail}"), format!("{} 起", format::date(key.created_ms)))
}

fn class_line(day: Day, class: Class, totals: &Totals) -> ClassLine {
    ClassLine {
        label: class.label(),
        captures: totals.lines - totals.refunds,
        refunds: totals.refunds,
        own: format::yuan(totals.own.0),
        fund: format::yuan(totals.fund.0),
        query: format!("day={}&class={}", date(day), class_word(class)),
    }
}

fn day_line(at: i64, line: &Line) -> DayLine {
    let (what, tone) = match (line.is_undone, line.direction) {
        (true, _) => ("已取消", Tone::Plain),
        (false, Direction::Payment) => ("收款", Tone::Good),
        (false, Direction::Refund) => ("退费", Tone::Wait),
    };
    DayLine {
        href: order_path(line.order_no),
        order_no: line.order_no.to_owned(),
        what: what.to_owned(),
        at: format::clock(at),
        class: line.class.map(Class::label).unwrap_or_default(),
        amount: format::yuan(line.own.0),
        tone,
    }
}

fn sent(row: &Reconciliation, now: i64) -> Sent {
    let (state, tone) = match (row.state, row.open_count) {
        (ReconciliationState::Running, _) => ("正在对".to_owned(), Tone::Wait),
        (ReconciliationState::Refused, count) => (format!("文件没用上,{count} 处不对"), Tone::Alarm),
        (ReconciliationState::Done, 0) => ("对平了".to_owned(), Tone::Good),
        (ReconciliationState::Done, count) => (format!("{count} 处要核对"), Tone::Alarm),
    };
    let class = Class { clr_type: row.clr_type, insutype: row.insutype };
    Sent { href: result_path(row.id), label: class.label(), at: format!("{} 对的", format::when_from(row.made_ms, now)), state, tone }
}

fn result_path(id: u64) -> String {
    format!("/institution/files/{}", id_text(id))
}

/// Our lines of a day and class, as a file.
async fn lines(till: Till, StrictQuery(asked): StrictQuery<Asked>) -> Page {
    let mut problems = Vec::new();
    let day = day_asked(&till, &asked.day, &mut problems);
    let (Some(class), true) = (class_asked(&asked.class), problems.is_empty()) else { return Err(Trouble::Missing) };
    let (format, form, ending) = match asked.form.as_str() {
        "tab" => (FileFormat::Tab, NumberForm::Letters, "txt"),
        _ => (FileFormat::Comma, NumberForm::Plain, "csv"),
    };
    let encoding = Encoding::from_word(&asked.encoding).unwrap_or(Encoding::Utf8Bom);
    let booked = reconciliation::lines(&till.visit.app, till.id, day, form).await.map_err(ServiceError::from)?;
    let bytes = lines_file(&booked, Scope { day: Some(day), class: Some(class) }, format, encoding);
    Ok(file(&format!("gongji-{}-{}.{ending}", date(day), class_word(class)), encoding, bytes))
}

async fn submit(till: Till, mut form: Multipart) -> Page {
    let (mut day, mut class, mut bytes) = (String::new(), String::new(), Vec::new());
    let mut is_cut = false;
    while let Some(field) = form.next_field().await.map_err(|_| Trouble::Malformed)? {
        match field.name() {
            Some("day") => day = field.text().await.map_err(|_| Trouble::Malformed)?,
            Some("class") => class = field.text().await.map_err(|_| Trouble::Malformed)?,
            Some("file") => match field.bytes().await {
                Ok(read) => bytes = read.into(),
                Err(_) => {
                    is_cut = true;
                    break;
                }
            },
            _ => {}
        }
    }
    let mut problems = Vec::new();
    let day = day_asked(&till, &day, &mut problems);
    let chosen = class_asked(&class);
    if chosen.is_none() {
        problems.push(Problem::of("class", "先选这是哪一类的明细。"));
    }
    if is_cut || bytes.len() > FILE_BYTES_MAX {
        problems.push(Problem::of("file", "文件没有传完整,或者超过 32 MB。更大的文件用命令行 gongji reconcile 对。"));
    } else if bytes.is_empty() {
        problems.push(Problem::of("file", "先选要对的明细文件。"));
    }
    let (Some(chosen), true) = (chosen, problems.is_empty()) else { return home_page(&till, day, &class, problems).await };
    let id = reconciliation::submit(&till.visit.app, till.id, day, chosen, bytes).await.map_err(ServiceError::from)?;
    Ok(to(&result_path(id)))
}

async fn find(till: &Till, id: &str) -> Result<(Reconciliation, Option<Outcome>), Trouble> {
    let id = u64::from_str_radix(id, 16).ok().filter(|_| id.len() == 16).ok_or(Trouble::Missing)?;
    reconciliation::show(&till.visit.app, till.id, id).await.map_err(ServiceError::from)?.ok_or(Trouble::Missing)
}

async fn compared(till: Till, Path(id): Path<String>) -> Page {
    let (row, outcome) = find(&till, &id).await?;
    let layout = till.visit.public_layout("对账结果", Section::None);
    let class = Class { clr_type: row.clr_type, insutype: row.insutype };
    let subject = format!("{} · {}", format::day(instant(row.day, 12 * 60)), class.label());
    let back = format!("/institution?day={}", date(row.day));
    let mut view = Compared { layout, counter: till.counter(), note: subject, back, ..Compared::default() };
    match outcome {
        None => {
            (view.heading, view.tone, view.waiting) = ("正在对".to_owned(), Tone::Wait, true);
        }
        Some(Outcome::Refused(bad)) => {
            (view.heading, view.tone) = ("文件没有用上".to_owned(), Tone::Alarm);
            view.note = format!("{}。有 {} 处不对,一行也没有对。改好再传一次。", view.note, bad.len());
            view.more = left(bad.len(), "处");
            view.bad_lines = bad
                .into_iter()
                .take(SHOWN_MAX)
                .map(|bad| BadLine { place: place(bad.line, bad.column.as_deref().unwrap_or_default()), reason: bad.reason_zh })
                .collect();
        }
        Some(Outcome::Done(report)) => fill(&mut view, &report, &row),
    }
    till.visit.page(&view)
}

fn left(count: usize, unit: &str) -> String {
    if count > SHOWN_MAX { format!("先显示 {SHOWN_MAX} {unit},共 {count} {unit}") } else { String::new() }
}

fn place(line: u32, rest: &str) -> String {
    if rest.is_empty() { format!("第 {line} 行") } else { format!("第 {line} 行 · {rest}") }
}

fn fill(view: &mut Compared, report: &Report, row: &Reconciliation) {
    let open = report.open_count();
    (view.heading, view.tone) = if open == 0 { ("对平了".to_owned(), Tone::Good) } else { (format!("有 {open} 处要核对"), Tone::Alarm) };
    let side = |totals: &Totals| format!("{} 笔,{}", totals.lines, format::yuan(totals.own.0));
    view.facts = vec![
        Fact::new("机构的文件", side(&report.theirs)),
        Fact::new("平台", side(&report.ours)),
        Fact::new("机构比平台多", format::yuan(report.difference().0)),
        Fact::new("两边一致", format!("{} 笔", report.matched)),
    ];
    if report.unpaid > 0 {
        view.facts.push(Fact::new("钱包没有付钱、没算进来", format!("{} 行", report.unpaid)));
    }
    view.facts.extend(report.counts.iter().map(|(kind, count)| Fact::new(kind.title(), format!("{count} 处"))));
    view.breaks = report.breaks.iter().take(SHOWN_MAX).map(break_item).collect();
    view.more = left(usize::try_from(report.break_count()).unwrap_or(usize::MAX), "处");
    view.download = format!("{}/breaks.csv", result_path(row.id));
}

fn break_item(found: &BreakRow) -> BreakItem {
    let order = found.theirs.first().or(found.ours.first()).map_or("", |line| line.order_no.as_str());
    let difference = found.difference.0;
    BreakItem {
        title: found.kind.title().to_owned(),
        cause: found.cause_zh.clone(),
        proposal: found.kind.proposal().sentence().to_owned(),
        code: found.kind.code().to_owned(),
        place: found.theirs.first().map_or_else(|| format!("平台 · {order}"), |line| place(line.row, order)),
        difference: match difference {
            0 => String::new(),
            more if more > 0 => format!("机构多 {}", format::yuan(more)),
            less => format!("平台多 {}", format::yuan(-less)),
        },
        tone: if found.kind.is_note() { Tone::Plain } else { Tone::Alarm },
    }
}

/// What does not agree, as a file.
async fn breaks(till: Till, Path(id): Path<String>, StrictQuery(asked): StrictQuery<Asked>) -> Page {
    let (_, Some(Outcome::Done(report))) = find(&till, &id).await? else { return Err(Trouble::Missing) };
    let encoding = Encoding::from_word(&asked.encoding).unwrap_or(Encoding::Utf8Bom);
    Ok(file(&format!("gongji-breaks-{id}.csv"), encoding, report.breaks_file(encoding)))
}
