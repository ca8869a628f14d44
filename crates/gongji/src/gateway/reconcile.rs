//! 3201 and 3202, reconciling what an institution has with what the books have, and 9101 and 9102, the files for it.
//!
//! A line is a settlement or what went back of one, by the day it happened. A refund that gave back everything a settlement had taken counts
//! the whole bill back, any other only what went back. Files are plain text in UTF-8, one line each, columns apart by tabs, no heading.
//!
//! | file | columns |
//! | --- | --- |
//! | uploaded (9101) | setl_id, mdtrt_id, psn_no, medfee_sumamt, fund_pay_sumamt, acct_pay, refd_setl_flag |
//! | result (9102) | psn_no, mdtrt_id, setl_id, msgid, stmt_rslt, refd_setl_flag, memo |

use super::Call;
use super::envelope::time;
use super::node::Node;
use super::refusal::{Refusal, Wrong};
use super::settle::{INSURANCES, setl_id};
use crate::pages::views::typeset;
use crate::service::national::{letters, psn_no};
use gongji_files::parse_yuan;
use gongji_ledger::{Fen, GrantKind};
use gongji_store::seal::{from_base64url, to_base64url};
use gongji_store::vault::{GatewayFile, Vault};
use gongji_wallet::day::{DAY_MS, Day, day_of};
use gongji_wallet::object::{Business, Payee, Purpose, Taking, TakingKind};
use std::collections::HashMap;
use std::sync::Arc;

/// Days of one reconciliation at most.
const PERIOD_DAYS_MAX: i32 = 31;

/// Lines of one reconciliation at most.
pub const LINES_MAX: usize = 100_000;

/// Files are kept this long (ms).
const FILE_MS: i64 = 7 * DAY_MS;

/// Kinds of clearing, and the business they are.
const CLR_TYPES: [(&str, Business); 3] = [("11", Business::Outpatient), ("21", Business::Inpatient), ("41", Business::Pharmacy)];

/// Results (`stmt_rslt`): equal, only here, only at the institution, different.
mod result {
    pub const EQUAL: &str = "0";
    pub const UNEQUAL: &str = "1";
    pub const ONLY_HERE: &str = "101";
    pub const ONLY_THERE: &str = "102";
    pub const DIFFERENT: &str = "103";
}

/// A settlement, or what went back of one; amounts of a refund are negative.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    setl_id: String,
    psn_no: String,
    total: Fen,
    fund: Fen,
    account: Fen,
    is_refund: bool,
}

/// A line of the books.
struct Booked {
    line: Line,
    number: String,
    business: Business,
    insurance: u16,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Totals {
    total: Fen,
    fund: Fen,
    account: Fen,
    count: u64,
}

impl Totals {
    fn of<'a>(lines: impl Iterator<Item = &'a Line>) -> Totals {
        lines.fold(Totals::default(), |sum, line| Totals {
            total: sum.total + line.total,
            fund: sum.fund + line.fund,
            account: sum.account + line.account,
            count: sum.count + 1,
        })
    }
}

fn period(data: &super::fields::Fields<'_>) -> Result<(Day, Day), Refusal> {
    let (from, to) = (data.day("stmt_begndate")?, data.day("stmt_enddate")?);
    if from <= to && to - from < PERIOD_DAYS_MAX { Ok((from, to)) } else { Err(Wrong::PeriodTooLong.into()) }
}

pub async fn totals(call: &Call<'_>) -> Result<Node, Refusal> {
    let data = call.input.node("data")?;
    let insutype = data.code("insutype", &INSURANCES)?;
    let clr_type = data.text("clr_type", 6)?;
    let business = CLR_TYPES.iter().find(|(code, _)| *code == clr_type).map(|(_, business)| *business);
    let business = business.ok_or_else(|| data.wrong("clr_type", Wrong::CodeTable))?;
    data.area("setl_optins")?;
    let (from, to) = period(&data)?;
    let flag = data.code_if("refd_setl_flag", &["0", "1"])?;
    let said = Totals {
        total: signed(&data, "medfee_sumamt")?,
        fund: signed(&data, "fund_pay_sumamt")?,
        account: signed(&data, "acct_pay")?,
        count: data.count("fixmedins_setl_cnt")?,
    };
    let lines = booked(call, from, to).await?;
    let is_meant = |booked: &&Booked| {
        booked.business == business && booked.insurance.to_string() == insutype && flag.as_deref().is_none_or(|flag| booked.line.is_refund == (flag == "1"))
    };
    let ours = Totals::of(lines.iter().filter(is_meant).map(|booked| &booked.line));
    let is_equal = ours == said;
    let words = match is_equal {
        true => "一致".to_owned(),
        false => format!("平台有 {} 笔,医疗费总额 {},基金 {},个人账户 {}", ours.count, ours.total, ours.fund, ours.account),
    };
    let info = Node::new()
        .text("setl_optins", format!("{:06}", call.area))
        .text("stmt_rslt", if is_equal { result::EQUAL } else { result::UNEQUAL })
        .text("stmt_rslt_dscr", typeset(&words));
    let ours = Node::new()
        .yuan("medfee_sumamt", ours.total)
        .yuan("fund_pay_sumamt", ours.fund)
        .yuan("acct_pay", ours.account)
        .number("fixmedins_setl_cnt", i64::try_from(ours.count).unwrap_or(i64::MAX));
    Ok(Node::new().node("stmtinfo", info).node("wlt", ours))
}

/// What the books have of this institution, in the order in which it happened.
async fn booked(call: &Call<'_>, from: Day, to: Day) -> Result<Vec<Booked>, Refusal> {
    let (app, institution, area) = (Arc::clone(call.app), call.institution, call.area);
    let read = move || {
        let mut lines = Vec::new();
        for part in 1..=app.engine.parts() {
            let is_in_time = |taking: &Taking| day_of(taking.at) >= from;
            let takings = app.engine.takings(part, Payee::Institution(institution), None, usize::MAX, is_in_time)?;
            for taking in takings {
                if day_of(taking.at) > to || !matches!(taking.kind, TakingKind::Captured | TakingKind::Refunded) {
                    continue;
                }
                let Purpose::Order { order, bill, visit, insurance, .. } = &taking.purpose else { continue };
                let Some(payment) = app.engine.payment(taking.payment)? else { continue };
                let number = app.engine.order(*order)?.map(|order| order.number).unwrap_or_default();
                let rules = app.directory().rules(area, day_of(payment.held_at));
                let part_of = |is_own: bool| taking.lots.iter().filter(|lot| (lot.origin.kind == GrantKind::Own) == is_own).map(|lot| lot.amount).sum::<Fen>();
                let account = part_of(true) + if rules.mutual_aid_inside { part_of(false) } else { Fen::ZERO };
                let amount = taking.amount();
                let is_refund = taking.kind == TakingKind::Refunded;
                // Which refund it is, by its place among the payment's.
                let nth = payment.refunds.iter().position(|(at, sum)| (*at, *sum) == (taking.at, amount)).map_or(0, |at| at + 1);
                let is_whole = if is_refund { amount == payment.captured() } else { payment.captures.first().is_some_and(|(at, _)| *at == taking.at) };
                let (total, fund) = match (is_whole, is_refund) {
                    (true, _) => (bill.total, bill.fund),
                    (false, true) => (amount, Fen::ZERO),
                    // A later part of what was counted with the first.
                    (false, false) => (Fen::ZERO, Fen::ZERO),
                };
                let sign = |amount: Fen| if is_refund { -amount } else { amount };
                let line = Line {
                    setl_id: if is_refund { format!("{}R{nth}", setl_id(payment.id)) } else { setl_id(payment.id) },
                    psn_no: psn_no(app.vault.keys(), institution, payment.holder),
                    total: sign(total),
                    fund: sign(fund),
                    account: sign(account),
                    is_refund,
                };
                lines.push((taking.at, Booked { line, number, business: visit.business, insurance: *insurance }));
            }
            if lines.len() > LINES_MAX {
                return Ok(None);
            }
        }
        lines.sort_by(|(at, one), (other_at, other)| (at, &one.line.setl_id).cmp(&(other_at, &other.line.setl_id)));
        Ok::<_, gongji_store::Fault>(Some(merged(lines.into_iter().map(|(_, line)| line))))
    };
    let read = tokio::task::spawn_blocking(read).await.map_err(crate::app::AppError::from)?;
    read?.ok_or_else(|| Wrong::PeriodTooLong.into())
}

/// What was captured of one settlement in parts is one line.
fn merged(lines: impl Iterator<Item = Booked>) -> Vec<Booked> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut all: Vec<Booked> = Vec::new();
    for booked in lines {
        match places.get(&booked.line.setl_id) {
            Some(place) if !booked.line.is_refund => {
                let line = &mut all[*place].line;
                (line.total, line.fund, line.account) = (line.total + booked.line.total, line.fund + booked.line.fund, line.account + booked.line.account);
            }
            _ => {
                places.insert(booked.line.setl_id.clone(), all.len());
                all.push(booked);
            }
        }
    }
    all
}

/// 9101: the institution's lines, kept for a week.
pub async fn upload(call: &Call<'_>) -> Result<Node, Refusal> {
    let data = call.input.node("fsUploadIn")?;
    if data.text("fixmedins_code", 30)? != call.code() {
        return Err(Wrong::InstitutionDiffers.into());
    }
    let name = data.text("filename", 200)?;
    let body = bytes(data.raw("in").map_or("", |body| body.get())).ok_or_else(|| data.wrong("in", Wrong::FieldFormat))?;
    let body = String::from_utf8(body).map_err(|_| Refusal::detailed(Wrong::FileMalformed, "文件要是 UTF-8。"))?;
    read_lines(&body)?;
    let number = file_number(call, "upload");
    let end = keep(call, &number, &name, body).await?;
    Ok(Node::new().text("file_qury_no", number).text("filename", name).text("fixmedins_code", call.code()).text("dld_endtime", end))
}

/// 9102: a file by its number.
pub async fn download(call: &Call<'_>) -> Result<Node, Refusal> {
    let data = call.input.node("fsDownloadIn")?;
    if data.text("fixmedins_code", 30)? != call.code() {
        return Err(Wrong::InstitutionDiffers.into());
    }
    data.text_if("filename", 200)?;
    let number = data.text("file_qury_no", 30)?;
    let (name, body) = file(call, &number).await?;
    let padding = "=".repeat((3 - body.len() % 3) % 3);
    let base64 = to_base64url(body.as_bytes()).replace('-', "+").replace('_', "/") + &padding;
    Ok(Node::new().text("file_qury_no", number).text("filename", name).text("fixmedins_code", call.code()).text("out", base64))
}

/// 3202: line by line.
pub async fn details(call: &Call<'_>) -> Result<Node, Refusal> {
    let data = call.input.node("data")?;
    data.area("setl_optins")?;
    let (from, to) = period(&data)?;
    signed(&data, "cash_payamt")?;
    let said = (signed(&data, "medfee_sumamt")?, signed(&data, "fund_pay_sumamt")?, data.count("fixmedins_setl_cnt")?);
    let (_, body) = file(call, &data.text("file_qury_no", 30)?).await?;
    let theirs = read_lines(&body)?;
    let sums = Totals::of(theirs.iter().map(|(line, _)| line));
    if (sums.total, sums.fund, sums.count) != said {
        return Err(Wrong::FileDiffers.into());
    }
    let ours = booked(call, from, to).await?;
    let compared = compare(&theirs, &ours);
    let count = |wanted: &str| i64::try_from(compared.iter().filter(|row| row.result == wanted).count()).unwrap_or(i64::MAX);
    let breaks = Node::new()
        .number("equal_cnt", count(result::EQUAL))
        .number("only_here_cnt", count(result::ONLY_HERE))
        .number("only_there_cnt", count(result::ONLY_THERE))
        .number("different_cnt", count(result::DIFFERENT));
    let text: String = compared.iter().map(Row::written).collect();
    let number = file_number(call, "result");
    let name = format!("{}_3202.txt", call.code());
    let end = keep(call, &number, &name, text).await?;
    let info = Node::new().text("file_qury_no", number).text("filename", name).text("dld_endtime", end);
    Ok(Node::new().node("fileinfo", info).node("wlt", breaks))
}

/// A line of the result.
struct Row {
    psn_no: String,
    mdtrt_id: String,
    setl_id: String,
    number: String,
    result: &'static str,
    is_refund: bool,
    memo: String,
}

impl Row {
    fn written(&self) -> String {
        let flag = if self.is_refund { "1" } else { "0" };
        format!("{}\t{}\t{}\t{}\t{}\t{flag}\t{}\n", self.psn_no, self.mdtrt_id, self.setl_id, self.number, self.result, self.memo)
    }
}

/// Their lines in their order, then what only the books have.
fn compare(theirs: &[(Line, String)], ours: &[Booked]) -> Vec<Row> {
    let mut open: HashMap<&str, &Booked> = ours.iter().map(|booked| (booked.line.setl_id.as_str(), booked)).collect();
    let known: HashMap<&str, ()> = ours.iter().map(|booked| (booked.line.setl_id.as_str(), ())).collect();
    let mut rows = Vec::with_capacity(theirs.len());
    for (line, mdtrt_id) in theirs {
        let booked = open.remove(line.setl_id.as_str());
        let (result, memo) = match booked {
            Some(booked) if booked.line == *line => (result::EQUAL, String::new()),
            Some(booked) => (result::DIFFERENT, difference(line, &booked.line)),
            None if known.contains_key(line.setl_id.as_str()) => (result::DIFFERENT, "文件里重复".to_owned()),
            None => (result::ONLY_THERE, "平台没有这一笔".to_owned()),
        };
        // A refund is undone by nobody: its message is not named.
        let number = booked.filter(|booked| !booked.line.is_refund).map(|booked| booked.number.clone()).unwrap_or_default();
        let (psn_no, setl_id) = (line.psn_no.clone(), line.setl_id.clone());
        rows.push(Row { psn_no, mdtrt_id: mdtrt_id.clone(), setl_id, number, result, is_refund: line.is_refund, memo });
    }
    for booked in ours.iter().filter(|booked| open.contains_key(booked.line.setl_id.as_str())) {
        let Line { setl_id, psn_no, is_refund, .. } = booked.line.clone();
        let number = if is_refund { String::new() } else { booked.number.clone() };
        let memo = format!("平台:总额 {},基金 {},个人账户 {}", booked.line.total, booked.line.fund, booked.line.account);
        rows.push(Row { psn_no, mdtrt_id: String::new(), setl_id, number, result: result::ONLY_HERE, is_refund, memo });
    }
    rows
}

fn difference(theirs: &Line, ours: &Line) -> String {
    let mut words = Vec::new();
    if theirs.psn_no != ours.psn_no {
        words.push("人员编号不同".to_owned());
    }
    for (what, there, here) in [("总额", theirs.total, ours.total), ("基金", theirs.fund, ours.fund), ("个人账户", theirs.account, ours.account)] {
        if there != here {
            words.push(format!("{what}:平台 {here}"));
        }
    }
    if theirs.is_refund != ours.is_refund {
        words.push("退费标志不同".to_owned());
    }
    words.join(";")
}

// Files.

fn file_number(call: &Call<'_>, kind: &str) -> String {
    letters(&call.app.vault.keys().token_mac("gateway file", &[call.code().as_bytes(), call.sender.msgid.as_bytes(), kind.as_bytes()])[..15])
}

/// Keeps a file and says until when.
async fn keep(call: &Call<'_>, number: &str, name: &str, body: String) -> Result<String, Refusal> {
    let (part, code, number, name, now) = (call.part(), call.code(), number.to_owned(), name.to_owned(), call.now);
    let ends = now + FILE_MS;
    let put = move |vault: &Vault| {
        let file = GatewayFile { institution: &code, file_no: &number, name: &name, body: &body, ends_ms: ends };
        vault.put_gateway_file(part, &file, now)
    };
    call.app.vault(put).await?;
    Ok(time(ends))
}

async fn file(call: &Call<'_>, number: &str) -> Result<(String, String), Refusal> {
    let (part, code, number, now) = (call.part(), call.code(), number.to_owned(), call.now);
    let found = call.app.vault(move |vault| vault.gateway_file(part, &code, &number, now)).await?;
    let (name, body) = found.ok_or(Wrong::FileUnknown)?;
    Ok((name, body.reveal().to_owned()))
}

/// Bytes as a JSON list of numbers, or as Base64 text.
fn bytes(raw: &str) -> Option<Vec<u8>> {
    if raw.starts_with('[') {
        return serde_json::from_str(raw).ok();
    }
    let text: String = serde_json::from_str(raw).ok()?;
    from_base64url(text.trim_end_matches('=').replace('+', "-").replace('/', "_").as_str())
}

/// The lines of an uploaded file, with their `mdtrt_id`. Nothing of a file with a wrong line is used.
fn read_lines(body: &str) -> Result<Vec<(Line, String)>, Refusal> {
    let mut lines = Vec::new();
    for (at, text) in body.trim_start_matches('\u{feff}').lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let wrong = |why: &str| Refusal::detailed(Wrong::FileMalformed, &format!("第 {} 行:{why}", at + 1));
        if lines.len() == LINES_MAX {
            return Err(wrong("行数太多。"));
        }
        let columns: Vec<&str> = text.trim_end_matches('\r').split('\t').collect();
        let [setl_id, mdtrt_id, psn_no, total, fund, account, flag] = columns[..] else { return Err(wrong("要有 7 列,用制表符隔开。")) };
        if [setl_id, mdtrt_id, psn_no].iter().any(|text| text.chars().count() > 30) || setl_id.is_empty() {
            return Err(wrong("编号太长或没有填。"));
        }
        let amount = |text: &str| signed_yuan(text).ok_or_else(|| wrong("金额写法不对。"));
        let is_refund = match flag {
            "0" => false,
            "1" => true,
            _ => return Err(wrong("退费标志要是 0 或 1。")),
        };
        let line =
            Line { setl_id: setl_id.to_owned(), psn_no: psn_no.to_owned(), total: amount(total)?, fund: amount(fund)?, account: amount(account)?, is_refund };
        lines.push((line, mdtrt_id.to_owned()));
    }
    Ok(lines)
}

fn signed_yuan(text: &str) -> Option<Fen> {
    match text.strip_prefix('-') {
        Some(text) => parse_yuan(text).ok().map(|amount| -amount),
        None => parse_yuan(text).ok(),
    }
}

fn signed(data: &super::fields::Fields<'_>, field: &str) -> Result<Fen, Refusal> {
    signed_yuan(&data.text(field, 17)?).ok_or_else(|| data.wrong(field, Wrong::AmountFormat))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let good = "\u{feff}S1\tMZ1\tP1\t100.00\t60.00\t40.00\t0\r\nS1R1\tMZ1\tP1\t-100.00\t-60.00\t-40.00\t1\n\n";
        let lines = read_lines(good).unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[1].0.account, lines[1].0.is_refund), (Fen(-4_000), true));
        for (wrong, told) in [
            ("S1\tMZ1\tP1\t1\t1\t1", "第 1 行:要有 7 列"),
            ("S1\tMZ1\tP1\t1\t1\t1\t0\nS2\tMZ1\tP1\t1.001\t1\t1\t0", "第 2 行:金额"),
            ("S1\tMZ1\tP1\t1\t1\t--1\t0", "第 1 行:金额"),
            ("S1\tMZ1\tP1\t1\t1\t1\t2", "第 1 行:退费标志"),
            ("\tMZ1\tP1\t1\t1\t1\t0", "第 1 行:编号"),
        ] {
            let refusal = read_lines(wrong).unwrap_err().told();
            assert!(refusal.contains(&told.replace(':', "：")), "{refusal}");
        }
    }

    #[test]
    fn bytes_come_as_numbers_or_as_base64() {
        assert_eq!(bytes("[65,66,67,255]"), Some(vec![65, 66, 67, 255]));
        assert_eq!(bytes(r#""QUJD/w==""#), Some(vec![65, 66, 67, 255]));
        for wrong in ["", "[256]", "[-1]", "1", r#""***""#] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_kind_of_difference_is_told_apart() {
        let line =
            |id: &str, total| Line { setl_id: id.to_owned(), psn_no: "P".to_owned(), total: Fen(total), fund: Fen(0), account: Fen(total), is_refund: false };
        let booked = |id: &str, total| Booked { line: line(id, total), number: format!("msg-{id}"), business: Business::Outpatient, insurance: 310 };
        let ours = [booked("A", 1), booked("B", 2), booked("C", 3)];
        let theirs = [(line("A", 1), "m".to_owned()), (line("B", 5), String::new()), (line("D", 4), String::new()), (line("A", 1), String::new())];
        let rows: String = compare(&theirs, &ours).iter().map(Row::written).collect();
        assert_eq!(
            rows,
            "P\tm\tA\tmsg-A\t0\t0\t\nP\t\tB\tmsg-B\t103\t0\t总额:平台 0.02;个人账户:平台 0.02\nP\t\tD\t\t102\t0\t平台没有这一笔\nP\t\tA\t\t103\t0\t文件里重复\nP\t\tC\tmsg-C\t101\t0\t平台:总额 0.03,基金 0.00,个人账户 0.03\n"
        );
    }
}
