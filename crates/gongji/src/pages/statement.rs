//! Where every fen went: the statement, its picture, the printable sheets, the receipt of one movement.

use super::family::{self, Family};
use super::frame::{Member, Page, Trouble};
use super::movements::Teller;
use super::views::statement::{Chip, List, Month, MonthBar, OriginRow, Picture, Print, PrintRow, Receipt, Slice};
use super::views::{Choice, Fact, Link, Party, Report, Section, Tone, format};
use super::words;
use crate::app::App;
use crate::service::ServiceError;
use crate::service::sheet::{LINES_MAX, MonthSheet, Sheet, comes_in, count, month_of, month_sheet};
use crate::web::{parse_person_id, person_id};
use axum::Router;
use axum::extract::{Path, Query};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use gongji_ledger::{Fen, HolderId};
use gongji_wallet::ids::{PaymentId, TransferId};
use gongji_wallet::object::{Counterparty, Holder, Line, LineCode, Purse};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A page of the statement ends with the month in which it reaches this many lines.
const PAGE_LEN: usize = 40;

/// Lines read for one page at most: a month with more is continued on the next.
const READ_MAX: usize = 400;

/// Months offered for printing: this one and two years back.
const MONTHS_OFFERED: usize = 25;

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/statement", get(list))
        .route("/statement/picture", get(picture))
        .route("/statement/print", get(print))
        .route("/statement/table.csv", get(table))
        .route("/movements/{number}", get(receipt))
}

#[derive(Deserialize, Default)]
struct Filter {
    #[serde(default)]
    kind: String,
    who: Option<String>,
    before: Option<u64>,
    month: Option<String>,
}

const KINDS: [(&str, &str); 5] = [("", "全部"), ("transfer", "转账"), ("pay", "看病买药"), ("premium", "缴费"), ("refund", "退费退回")];

impl Filter {
    fn picks(&self, line: &Line) -> bool {
        use LineCode::*;
        let of_kind = match self.kind.as_str() {
            "transfer" => matches!(line.code, TransferOut | TransferIn | TransferBack | QuotaReturned | CameBack),
            "pay" => matches!(line.code, PaymentHold | PaymentRelease | PaymentRefund),
            "premium" => matches!(line.code, PremiumHold | PremiumRelease),
            "refund" => matches!(line.code, TransferBack | PaymentRelease | PaymentRefund | PremiumRelease | CameBack),
            _ => true,
        };
        let who = self.who.as_deref().and_then(parse_person_id);
        of_kind && who.is_none_or(|who| line.other == Counterparty::Holder(who) || line.lots.iter().any(|lot| lot.origin.contributor == who))
    }

    fn is_all(&self) -> bool {
        self.kind.is_empty() && self.who.is_none()
    }
}

async fn list(member: Member, Query(filter): Query<Filter>) -> Page {
    let app = member.app();
    let holder = member.subject()?;
    let mut lines = app.engine.lines(holder.id, filter.before, READ_MAX, |line| filter.picks(line)).await.map_err(ServiceError::from)?;
    let was_full = lines.len() == READ_MAX;
    let mut more = was_full.then(|| lines.last().map(|line| line.number)).flatten();
    // Whole months, so that their sums are right.
    if let Some(last) = lines.get(PAGE_LEN).map(|line| month_of(line.at)) {
        let end = lines.iter().position(|line| month_of(line.at) < last).unwrap_or(lines.len());
        if end < lines.len() {
            lines.truncate(end);
            more = lines.last().map(|line| line.number);
        }
    }
    let teller = Teller::new(app, &holder, &lines).await?;
    let mut months: Vec<Month> = Vec::new();
    let mut sums: Vec<(Fen, Fen)> = Vec::new();
    let mut current = None;
    for line in &lines {
        if current != Some(month_of(line.at)) {
            current = Some(month_of(line.at));
            months.push(Month { heading: format::month(line.at), ..Month::default() });
            sums.push((Fen::ZERO, Fen::ZERO));
        }
        let (month, sum) = (months.last_mut().expect("a month was begun"), sums.last_mut().expect("a sum was begun"));
        count(line, sum);
        month.lines.push(teller.line(line)?);
    }
    for (month, (incoming, outgoing)) in months.iter_mut().zip(sums) {
        (month.incoming, month.outgoing) = (format::yuan(incoming.0), format::yuan(outgoing.0));
    }
    let mut chips: Vec<Chip> = KINDS
        .iter()
        .map(|(value, label)| Chip {
            label: (*label).to_owned(),
            href: if value.is_empty() { "/statement".to_owned() } else { format!("/statement?kind={value}") },
            chosen: filter.who.is_none() && filter.kind == *value,
        })
        .collect();
    for relation in &holder.relations {
        let id = person_id(relation.other);
        let chosen = filter.who.as_deref() == Some(id.as_str());
        chips.push(Chip { label: teller.family.name(relation.other), href: format!("/statement?who={id}"), chosen });
    }
    let layout = member.layout("明细", Section::Statement).await?;
    let owner = owner(&member, &teller.family, &holder);
    let query = |before: u64| {
        let who = filter.who.as_deref().and_then(parse_person_id).map(|who| format!("&who={}", person_id(who))).unwrap_or_default();
        let kind = KINDS.iter().find(|(value, _)| !value.is_empty() && *value == filter.kind).map(|(value, _)| format!("&kind={value}")).unwrap_or_default();
        format!("/statement?before={before}{kind}{who}")
    };
    member.visit.page(&List {
        layout,
        owner,
        balance: format::yuan(holder.wallet_total().0),
        chips,
        months,
        more: more.map(query),
        print_href: "/statement/print".to_owned(),
        picture_href: "/statement/picture".to_owned(),
        csv_href: filter.is_all().then(|| "/statement/table.csv".to_owned()),
        as_of: format!("到 {} 为止", format::when(member.visit.now)),
    })
}

fn owner(member: &Member, family: &Family, holder: &Holder) -> Party {
    let area = family::own_area(&member.app().directory(), holder);
    if member.is_acting() { Party::new(family.name(holder.id), "", area) } else { family.me(holder.id, &area) }
}

/// The last twelve months in figures: what came in, what was used (money that came back is not used), and what was left.
async fn picture(member: Member) -> Page {
    let app = member.app();
    let holder = member.subject()?;
    let (year, month) = month_of(member.visit.now);
    // Twelve months, this one included.
    let first = if month == 12 { (year, 1) } else { (year - 1, month + 1) };
    let mut lines = app.engine.lines(holder.id, None, LINES_MAX, |line| month_of(line.at) >= first).await.map_err(ServiceError::from)?;
    lines.reverse();
    let teller = Teller::new(app, &holder, &lines).await?;
    let mut months: Vec<MonthBar> = Vec::new();
    let (mut uses, mut givers): (BTreeMap<String, Fen>, BTreeMap<String, Fen>) = Default::default();
    let (mut all_in, mut all_out) = (Fen::ZERO, Fen::ZERO);
    let mut left = (Fen::ZERO, Fen::ZERO);
    for line in &lines {
        let full = format::month(line.at);
        if months.last().is_none_or(|bar| bar.full != full) {
            let label = format!("{}月", month_of(line.at).1);
            months.push(MonthBar { label, full, ..MonthBar::default() });
        }
        let bar = months.last_mut().expect("a month was begun");
        match direction(line) {
            Direction::In => {
                bar.incoming_fen += line.amount.0;
                all_in += line.amount;
                *givers.entry(giver(&teller, line)).or_default() += line.amount;
            }
            Direction::Use(what) => {
                bar.outgoing_fen -= line.amount.0;
                all_out -= line.amount;
                *uses.entry(what.to_owned()).or_default() -= line.amount;
            }
        }
        match line.purse {
            Purse::Wallet => left.0 = line.wallet_after,
            Purse::Personal { .. } => left.1 = line.personal_after,
        }
        bar.left = format::yuan((left.0 + left.1).0);
    }
    for bar in &mut months {
        (bar.incoming, bar.outgoing) = (format::yuan(bar.incoming_fen), format::yuan(bar.outgoing_fen.max(0)));
    }
    let sentence = format!("近 12 个月收到 {},用了 {}。", format::yuan(all_in.0), format::yuan(all_out.0.max(0)));
    let layout = member.layout("每月收支", Section::Statement).await?;
    let owner = owner(&member, &teller.family, &holder);
    member.visit.page(&Picture { layout, owner, sentence, months, uses: slices(uses), givers: slices(givers) })
}

enum Direction {
    In,
    /// Money used, or used money that came back (a negative use).
    Use(&'static str),
}

fn direction(line: &Line) -> Direction {
    match line.code {
        code if comes_in(code) => Direction::In,
        LineCode::TransferOut | LineCode::TransferBack => Direction::Use("转给家人"),
        LineCode::PaymentHold | LineCode::PaymentRelease | LineCode::PaymentRefund => match line.other {
            Counterparty::Institution(id) if id.is_pharmacy() => Direction::Use("药店买药"),
            _ => Direction::Use("医院看病"),
        },
        LineCode::PremiumHold | LineCode::PremiumRelease => Direction::Use("缴居民医保"),
        _ => Direction::Use("额度退回"),
    }
}

fn giver(teller: &Teller<'_>, line: &Line) -> String {
    match line.other {
        Counterparty::Holder(other) => teller.family.name(other),
        _ => "单位和本人缴费划入".to_owned(),
    }
}

fn slices(sums: BTreeMap<String, Fen>) -> Vec<Slice> {
    let total: i64 = sums.values().map(|sum| sum.0.max(0)).sum();
    let mut sums: Vec<(String, Fen)> = sums.into_iter().filter(|(_, sum)| sum.is_positive()).collect();
    sums.sort_by_key(|(_, sum)| std::cmp::Reverse(*sum));
    let percent = |sum: Fen| u32::try_from((sum.0 * 100 + total / 2) / total.max(1)).expect("a part of a whole");
    sums.into_iter().map(|(label, sum)| Slice { label, amount: format::yuan(sum.0), percent: percent(sum) }).collect()
}

/// `2026-11`, or the month of now.
fn wanted_month(filter: &Filter, now: i64) -> (i16, i8) {
    let typed = filter.month.as_deref().and_then(|text| {
        let (year, month) = text.split_once('-')?;
        Some((year.parse().ok()?, month.parse().ok().filter(|month| (1..=12).contains(month))?))
    });
    typed.unwrap_or_else(|| month_of(now))
}

/// The newest months first, the wanted one chosen; an older one stands at the end.
fn months_offered(wanted: (i16, i8), now: i64) -> Vec<Choice> {
    let before = |(year, month): (i16, i8)| if month == 1 { (year - 1, 12) } else { (year, month - 1) };
    let mut months: Vec<(i16, i8)> = std::iter::successors(Some(month_of(now)), |month| Some(before(*month))).take(MONTHS_OFFERED).collect();
    if !months.contains(&wanted) {
        months.push(wanted);
    }
    let choice = |(year, month): (i16, i8)| Choice::new(format!("{year:04}-{month:02}"), format!("{year}年{month}月"), (year, month) == wanted);
    months.into_iter().map(choice).collect()
}

async fn print(member: Member, Query(filter): Query<Filter>) -> Page {
    let app = member.app();
    let holder = member.subject()?;
    let wanted = wanted_month(&filter, member.visit.now);
    let MonthSheet { lines, incoming, outgoing, opening, closing } = month_sheet(app, holder.id, wanted, None).await.map_err(ServiceError::from)?;
    let teller = Teller::new(app, &holder, &lines).await?;
    let sheet = lines.last().map(|last| Sheet::month(holder.id, last.number, wanted));
    let mut rows = Vec::new();
    for line in &lines {
        let shown = teller.line(line)?;
        let place = match line.other {
            Counterparty::Institution(id) => app.directory().institutions.get(&id).map(|institution| words::place(&app.directory(), institution.area)),
            Counterparty::Area(area) => Some(words::place(&app.directory(), area)),
            _ => None,
        };
        rows.push(PrintRow {
            at: format::when(line.at),
            what: shown.what,
            party: shown.party.name,
            place: place.unwrap_or_default(),
            amount: shown.amount,
            left: format::yuan(line.wallet_after.0),
            number: Sheet::receipt(line).number(),
        });
    }
    let layout = member.layout("明细单", Section::Statement).await?;
    let owner = owner(&member, &teller.family, &holder);
    let id_number = teller.family.person(holder.id).map(|person| person.masked_id_number(gongji_store::vault::KeepLast::Four)).unwrap_or_default();
    let facts = vec![
        Fact::new("身份证号", id_number),
        Fact::new("期间", format!("{}年{}月", wanted.0, wanted.1)),
        Fact::new("打印时间", format::date_and_clock(member.visit.now)),
    ];
    member.visit.page(&Print {
        layout,
        owner,
        facts,
        months: months_offered(wanted, member.visit.now),
        rows,
        incoming: format::yuan(incoming.0),
        outgoing: format::yuan(outgoing.0),
        opening: format::yuan(opening.0),
        closing: format::yuan(closing.0),
        qr_svg: sheet.and_then(|sheet| sheet.qr_svg(app.vault.keys(), &member.visit.origin)),
        check_href: sheet.map(|sheet| sheet.path(app.vault.keys())),
        number: sheet.map(Sheet::number).unwrap_or_default(),
    })
}

async fn table(member: Member) -> Page {
    let app = member.app();
    let holder = member.subject()?;
    let lines = app.engine.lines(holder.id, None, LINES_MAX, |_| true).await.map_err(ServiceError::from)?;
    let teller = Teller::new(app, &holder, &lines).await?;
    let mut table = gongji_files::CsvTable::new(&["时间", "事项", "哪里的钱", "金额(元)", "之后的余额(元)", "凭证号"], gongji_files::Bom::With);
    for line in &lines {
        let (purse, left) = match line.purse {
            Purse::Wallet => ("钱包", line.wallet_after),
            Purse::Personal { .. } => ("个人账户", line.personal_after),
        };
        table.row(&[
            crate::time::rfc3339(line.at),
            teller.what(line)?,
            purse.to_owned(),
            line.amount.to_string(),
            left.to_string(),
            Sheet::receipt(line).number(),
        ]);
    }
    let headers = [(CONTENT_TYPE, "text/csv; charset=utf-8"), (CONTENT_DISPOSITION, "attachment; filename=\"gongji-statement.csv\"")];
    Ok((headers, table.finish()).into_response())
}

async fn receipt(member: Member, Path(number): Path<String>) -> Page {
    let app = member.app();
    let holder = member.subject()?;
    let number = number.parse::<u64>().map_err(|_| Trouble::Missing)?;
    let line = app.engine.line(holder.id, number).await.map_err(ServiceError::from)?.ok_or(Trouble::Missing)?;
    let directory = app.directory();
    let related =
        app.engine.lines(holder.id, None, 20, |other| line.reference != [0; 16] && other.reference == line.reference).await.map_err(ServiceError::from)?;
    let teller = Teller::new(app, &holder, &related.iter().cloned().chain([line.clone()]).collect::<Vec<_>>()).await?;
    let shown = teller.line(&line)?;
    let mut facts = vec![
        Fact::new("事项", shown.what.clone()),
        Fact::new("时间", format::date_and_clock(line.at)),
        Fact::new("大写", gongji_files::capital_amount(Fen(line.amount.0.abs()))),
        Fact::new("哪里的钱", if line.purse == Purse::Wallet { "医保钱包" } else { "个人账户" }),
        Fact::new("之后的余额", shown.left.clone()),
    ];
    let mut rule = String::new();
    let (mut from, mut to) = (None, None);
    let mut report = None;
    match line.code {
        LineCode::TransferOut | LineCode::TransferBack => {
            let outgoing = app.engine.outgoing(holder.id, TransferId(line.reference)).map_err(ServiceError::from)?;
            if let Some(outgoing) = outgoing {
                rule = words::rule_words(outgoing.transfer.rule);
                (from, to) = (Some(owner(&member, &teller.family, &holder)), Some(shown.party.clone()));
                if line.code == LineCode::TransferBack {
                    (from, to) = (to, from);
                }
            }
        }
        LineCode::TransferIn => {
            let incoming = app.engine.incoming(holder.id, TransferId(line.reference)).map_err(ServiceError::from)?;
            if let Some(incoming) = incoming {
                rule = words::rule_words(incoming.transfer.rule);
                (from, to) = (Some(shown.party.clone()), Some(owner(&member, &teller.family, &holder)));
            }
        }
        LineCode::PaymentHold | LineCode::PaymentRelease | LineCode::PaymentRefund | LineCode::PremiumHold | LineCode::PremiumRelease => {
            let payment = app.engine.payment(PaymentId(line.reference)).map_err(ServiceError::from)?;
            if let Some(payment) = payment {
                rule = words::rule_words(payment.rule);
                facts.extend(payment_facts(app, &payment));
                if let gongji_wallet::object::Purpose::Order { order, .. } = payment.purpose {
                    report = Some(Report {
                        place: words::institution_name(&directory, order.institution),
                        payment: words::id_text(payment.id.0),
                        back: format!("/statement/{number}"),
                        choices: super::places::report_choices(),
                    });
                }
                if payment.by != holder.id {
                    let by = Family::load(app, [payment.by]).await?.name(payment.by);
                    facts.push(Fact::new("谁确认的", by));
                }
            }
        }
        _ => {}
    }
    let mut links: Vec<Link> = Vec::new();
    for other in related.iter().filter(|other| other.number != line.number) {
        let other_line = teller.line(other)?;
        links.push(Link::new(other_line.href, format!("{} {}", other_line.what, other_line.amount)));
    }
    match line.code {
        LineCode::TransferOut | LineCode::TransferIn | LineCode::TransferBack => {
            links.push(Link::new(format!("/transfers/{}", words::id_text(line.reference)), "这笔转账的经过"));
        }
        LineCode::PremiumHold | LineCode::PremiumRelease => links.push(Link::new(format!("/premium/{}", words::id_text(line.reference)), "这次缴费的经过")),
        _ => {}
    }
    let layout = member.layout("凭证", Section::Statement).await?;
    let sheet = Sheet::receipt(&line);
    member.visit.page(&Receipt {
        layout,
        heading: heading(line.code).to_owned(),
        amount: shown.amount,
        tone: if line.amount.is_positive() { Tone::Good } else { Tone::Plain },
        from,
        to,
        facts,
        origins: line.lots.iter().map(|lot| origin(&teller, &directory, &holder, lot)).collect(),
        related: links,
        number: sheet.number(),
        qr_svg: sheet.qr_svg(app.vault.keys(), &member.visit.origin),
        check_href: Some(sheet.path(app.vault.keys())),
        rule,
        report,
    })
}

/// What a receipt of such a line is called.
pub fn heading(code: LineCode) -> &'static str {
    match code {
        LineCode::Contribution => "个人账户划入凭证",
        LineCode::TransferOut | LineCode::TransferIn => "医保钱包转账凭证",
        LineCode::TransferBack => "转账退回凭证",
        LineCode::PaymentHold => "医保钱包付款凭证",
        LineCode::PaymentRelease | LineCode::PaymentRefund => "医保钱包退费凭证",
        LineCode::PremiumHold => "居民医保缴费凭证",
        LineCode::PremiumRelease => "居民医保退回凭证",
        LineCode::QuotaReturned | LineCode::CameBack => "共济额度退回凭证",
    }
}

fn payment_facts(app: &App, payment: &gongji_wallet::object::Payment) -> Vec<Fact> {
    let directory = app.directory();
    match payment.purpose {
        gongji_wallet::object::Purpose::Order { order, area, bill, .. } => {
            let mut facts = vec![
                Fact::new("机构", words::institution_name(&directory, order.institution)),
                Fact::new("地点", words::place(&directory, area)),
                Fact::new("账单总额", format::yuan(bill.total.0)),
                Fact::new("医保基金付", format::yuan(bill.fund.0)),
                Fact::new("个人付", format::yuan(bill.own.0)),
            ];
            if payment.refunded().is_positive() {
                facts.push(Fact::new("已退费", format::yuan(payment.refunded().0)));
            }
            facts
        }
        gongji_wallet::object::Purpose::Premium { area, year, .. } => {
            vec![Fact::new("年度", format!("{year} 年")), Fact::new("参保地", words::place(&directory, area))]
        }
    }
}

fn origin(teller: &Teller<'_>, directory: &gongji_wallet::directory::Directory, holder: &Holder, lot: &gongji_ledger::Lot) -> OriginRow {
    let contributor: HolderId = lot.origin.contributor;
    OriginRow {
        party: teller.family.party(holder, contributor, ""),
        origin: format!("{} 职工医保个人账户", words::place(directory, lot.origin.area)),
        since: format!("{} 起", format::day(lot.since)),
        kind: words::kind_of_money(lot.origin.kind).to_owned(),
        amount: format::yuan(lot.amount.0),
    }
}
