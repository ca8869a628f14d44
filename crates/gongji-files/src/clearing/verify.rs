//! A province checks its clearing file alone: everything in it is recomputed, from the file and the centre's public key.

use super::daily::DailyStatements;
use super::line::{Line, LineKind, Person, Role, commitment, from_hex, number, parse_line_id, signed};
use super::netting::{Pair, PairSum, Pairs};
use super::province_file::{CHECK_LEN, LINE_BYTES_MAX, StatementKind, VERSION, check_of, signed_digest};
use super::streaming::{Summing, root_of};
use super::tree::Digest;
use crate::signature::VerifyingKey;
use crate::{format_yuan, hex};
use gongji_ledger::{AreaCode, Fen, Part};
use gongji_wallet::clearing::{LineId, Month, PeriodTotals, Share};
use std::collections::BTreeMap;
use std::io::BufRead;

/// Largest amount of one line (fen): what a bill may be, and a hundred times more.
const LINE_FEN_MAX: i64 = 10_000_000_000;

/// Largest amount of a total (fen).
const TOTAL_FEN_MAX: i64 = 1_000_000_000_000_000_000;

/// Most areas, partitions, pairs and lines apart that a file may name.
const ROWS_MAX: usize = 2_000_000;

/// What is wrong, in the order in which it is looked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Wrong {
    /// The file cannot be read on.
    Unreadable,
    /// A line is not what was written.
    Changed,
    /// A line is no line of this format, or not at its place.
    Malformed,
    /// A line comes twice, or not in order.
    Order,
    /// A line of other provinces.
    Foreign,
    /// A line of another period, or one that is held out.
    Elsewhere,
    /// The lines of a pair are not those that its totals and root say.
    PairDiffers,
    /// Totals, nets or dues do not follow from the pairs.
    TotalsDiffer,
    RootDiffers,
    SignatureDiffers,
    /// Confirmed day by day, and not in the file.
    Missing,
    /// In the file, and never confirmed.
    Unconfirmed,
    /// Confirmed with another amount.
    AmountDiffers,
}

/// The first difference.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", self.zh())]
pub struct Difference {
    pub wrong: Wrong,
    /// Line of the file, from 1; 0 where it lies in none.
    pub at: u64,
    /// What about, with what was expected and found.
    pub what: String,
}

impl Difference {
    pub fn zh(&self) -> String {
        let place = if self.at == 0 { String::new() } else { format!("第 {} 行：", self.at) };
        let wrong = match self.wrong {
            Wrong::Unreadable => "文件读不下去",
            Wrong::Changed => "这一行被改动过，校验字对不上",
            Wrong::Malformed => "这一行不符合格式，或者不该出现在这里",
            Wrong::Order => "明细重复，或者次序不对",
            Wrong::Foreign => "明细和本省无关",
            Wrong::Elsewhere => "明细不属于这一期",
            Wrong::PairDiffers => "统筹区之间的合计和明细不符",
            Wrong::TotalsDiffer => "汇总数和各统筹区之间的合计不符",
            Wrong::RootDiffers => "总根和各统筹区之间的合计不符",
            Wrong::SignatureDiffers => "签名对不上：文件被改动过，或者公钥不是出具方的",
            Wrong::Missing => "每日确认单里有，清算文件里没有",
            Wrong::Unconfirmed => "清算文件里有，每日确认单里没有",
            Wrong::AmountDiffers => "和每日确认单的金额不同",
        };
        format!("{place}{wrong}。{}", self.what)
    }
}

/// What a file says that holds in every respect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    pub period: Month,
    pub is_released: bool,
    pub province: AreaCode,
    pub own_lines: u64,
    /// Of the whole country.
    pub lines: u64,
    pub root: Digest,
    pub pairs: Pairs,
    pub nets: Vec<(AreaCode, Fen)>,
    pub dues: Vec<(AreaCode, AreaCode, Fen)>,
    /// Lines in dispute, by whichever province.
    pub held: Vec<Share>,
    /// Confirmed day by day and in dispute, so rightly not in the file.
    pub confirmed: usize,
}

type Result<T = ()> = std::result::Result<T, Difference>;

/// Recomputes a whole file. `daily`: what the province's institutions have confirmed of the period, if it has that at hand.
///
/// # Errors
/// The first difference.
pub fn verify(file: impl BufRead, key: &VerifyingKey, daily: Option<&DailyStatements>) -> Result<Verified> {
    let mut reading = Reading::new(file);
    let mut checking = Checking::default();
    while let Some(line) = reading.next()? {
        checking.line(reading.at, &line, key)?;
    }
    let at = reading.at;
    checking.finish(at, daily)
}

/// The file line by line, each with its check.
struct Reading<R> {
    file: R,
    at: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Reading<R> {
    fn new(file: R) -> Reading<R> {
        Reading { file, at: 0, buffer: Vec::with_capacity(LINE_BYTES_MAX) }
    }

    fn next(&mut self) -> Result<Option<String>> {
        self.buffer.clear();
        self.at += 1;
        let difference = |wrong, at, what: &str| Difference { wrong, at, what: what.to_owned() };
        let mut bounded = std::io::Read::take(&mut self.file, LINE_BYTES_MAX as u64 + 1);
        let read = bounded.read_until(b'\n', &mut self.buffer);
        let read = read.map_err(|error| difference(Wrong::Unreadable, self.at, &error.to_string()))?;
        if read == 0 {
            self.at -= 1;
            return Ok(None);
        }
        let changed = |what: &str| difference(Wrong::Changed, self.at, what);
        let line = self.buffer.strip_suffix(b"\n").ok_or_else(|| changed("行尾缺失，或者这一行太长。"))?;
        // " #" and the check.
        let split = line.len().checked_sub(CHECK_LEN + 2).ok_or_else(|| changed("没有校验字。"))?;
        let (content, check) = line.split_at(split);
        let expected = format!(" #{:08x}", check_of(content));
        if check != expected.as_bytes() {
            return Err(changed(""));
        }
        let text = std::str::from_utf8(content).map_err(|_| difference(Wrong::Malformed, self.at, "不是 UTF-8 文字。"))?;
        Ok(Some(text.to_owned()))
    }
}

/// How far a file has been read: its sections come in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
enum Section {
    #[default]
    Start,
    Version,
    Period,
    Province,
    Areas,
    Parts,
    Carried,
    Held,
    Lines,
    Count,
    Pairs,
    Nets,
    Dues,
    Root,
    Signature,
}

struct Range {
    after: u64,
    to: u64,
    totals: PeriodTotals,
}

#[derive(Default)]
struct Checking {
    section: Section,
    period: Month,
    is_released: bool,
    province: AreaCode,
    secret: Digest,
    provinces: BTreeMap<AreaCode, AreaCode>,
    parts: BTreeMap<Part, Range>,
    carried: BTreeMap<LineId, Share>,
    held: BTreeMap<LineId, Share>,
    summing: Summing,
    last: Option<LineId>,
    own_lines: u64,
    own: Pairs,
    /// Payments of own institutions, and apart their refunds.
    taken: BTreeMap<([u8; 16], bool), (i128, u64)>,
    held_out: BTreeMap<LineId, u64>,
    pairs: Pairs,
    nets: Vec<(AreaCode, Fen)>,
    dues: Vec<(AreaCode, AreaCode, Fen)>,
    root: Digest,
    lines: u64,
    /// Everything but `line` lines, as signed.
    signed: Vec<u8>,
    rows: usize,
}

fn total(text: &str) -> Option<i64> {
    signed(text).filter(|fen| fen.abs() <= TOTAL_FEN_MAX)
}

fn positive_total(text: &str) -> Option<Fen> {
    total(text).filter(|fen| *fen >= 0).map(Fen)
}

fn share(fields: &[&str]) -> Option<Share> {
    let [id, debtor, creditor, amount] = fields else { return None };
    let amount = Fen(signed(amount).filter(|fen| fen.abs() <= LINE_FEN_MAX && *fen != 0)?);
    Some(Share { id: parse_line_id(id)?, debtor: number(debtor)?, creditor: number(creditor)?, amount })
}

impl Checking {
    fn line(&mut self, at: u64, text: &str, key: &VerifyingKey) -> Result {
        let malformed = || Difference { wrong: Wrong::Malformed, at, what: format!("“{}”", text.chars().take(80).collect::<String>()) };
        let (name, rest) = text.split_once(' ').ok_or_else(malformed)?;
        let (section, may_follow) = match name {
            "gongji-clearing" => (Section::Version, Section::Start),
            "period" => (Section::Period, Section::Version),
            "province" => (Section::Province, Section::Period),
            "area" => (Section::Areas, Section::Province),
            "part" => (Section::Parts, Section::Province),
            "carried" => (Section::Carried, Section::Parts),
            "held" => (Section::Held, Section::Parts),
            "line" => (Section::Lines, Section::Parts),
            "lines" => (Section::Count, Section::Parts),
            "pair" => (Section::Pairs, Section::Count),
            "net" => (Section::Nets, Section::Count),
            "due" => (Section::Dues, Section::Count),
            "root" => (Section::Root, Section::Count),
            "signature" => (Section::Signature, Section::Root),
            _ => return Err(malformed()),
        };
        let repeats = matches!(
            section,
            Section::Areas | Section::Parts | Section::Carried | Section::Held | Section::Lines | Section::Pairs | Section::Nets | Section::Dues
        );
        let is_in_place = self.section >= may_follow && (self.section < section || (repeats && self.section == section));
        if !is_in_place {
            return Err(malformed());
        }
        self.section = section;
        if section == Section::Lines {
            return self.own_line(at, rest);
        }
        self.rows += 1;
        if self.rows > ROWS_MAX {
            return Err(malformed());
        }
        let fields: Vec<&str> = rest.split(' ').collect();
        if section == Section::Signature {
            return self.signature(at, &fields, key).ok_or_else(malformed)?;
        }
        self.signed.extend_from_slice(text.as_bytes());
        self.signed.extend_from_slice(format!(" #{:08x}\n", check_of(text.as_bytes())).as_bytes());
        if section == Section::Count {
            self.own = std::mem::take(&mut self.summing).into_pairs();
        }
        self.row(section, rest, &fields).ok_or_else(malformed)
    }

    fn row(&mut self, section: Section, rest: &str, fields: &[&str]) -> Option<()> {
        match (section, fields) {
            (Section::Version, [version]) => number::<u32>(version).filter(|version| *version == VERSION).map(drop),
            (Section::Period, [period, kind, made]) => {
                self.period = number(period)?;
                self.is_released =
                    [StatementKind::Stated, StatementKind::Released].into_iter().find(|known| known.as_str() == *kind)? == StatementKind::Released;
                signed(made).map(drop)
            }
            (Section::Province, [province, secret]) => {
                (self.province, self.secret) = (number(province)?, from_hex(secret)?);
                Some(())
            }
            (Section::Areas, [code, province, ..]) => {
                rest.splitn(3, ' ').nth(2)?;
                self.provinces.insert(number(code)?, number(province)?).is_none().then_some(())
            }
            (Section::Parts, [part, after, to, lines, captured, premiums, refunded]) => {
                let totals = PeriodTotals {
                    lines: number(lines)?,
                    captured: positive_total(captured)?,
                    premiums: positive_total(premiums)?,
                    refunded: positive_total(refunded)?,
                };
                let range = Range { after: number(after)?, to: number(to)?, totals };
                let is_next = range.after <= range.to && range.totals.lines < 1 << 48;
                (is_next && self.parts.insert(number(part)?, range).is_none()).then_some(())
            }
            (Section::Carried, fields) => {
                let share = share(fields)?;
                self.carried.insert(share.id, share).is_none().then_some(())
            }
            (Section::Held, [fields @ .., side]) => {
                let share = share(fields)?;
                number::<AreaCode>(side)?;
                self.held.insert(share.id, share).is_none().then_some(())
            }
            (Section::Count, [lines]) => (number::<u64>(lines)? == self.own_lines).then_some(()),
            (Section::Pairs, [debtor, creditor, lines, paid, refunded, root]) => {
                let pair: Pair = (number(debtor)?, number(creditor)?);
                let is_next = self.pairs.keys().next_back().is_none_or(|last| *last < pair);
                let sum = PairSum { lines: number(lines)?, paid: positive_total(paid)?, refunded: positive_total(refunded)?, root: from_hex(root)? };
                (is_next && sum.lines > 0 && sum.lines < 1 << 48 && self.pairs.insert(pair, sum).is_none()).then_some(())
            }
            (Section::Nets, [province, net]) => {
                self.nets.push((number(province)?, Fen(total(net)?)));
                Some(())
            }
            (Section::Dues, [from, to, amount]) => {
                self.dues.push((number(from)?, number(to)?, positive_total(amount)?));
                Some(())
            }
            (Section::Root, [lines, amount, root]) => {
                (self.lines, self.root) = (number(lines)?, from_hex(root)?);
                total(amount).map(drop)
            }
            _ => None,
        }
    }

    fn province_of(&self, area: AreaCode) -> AreaCode {
        self.provinces.get(&area).copied().unwrap_or(area / 10_000 * 10_000)
    }

    fn own_line(&mut self, at: u64, text: &str) -> Result {
        let wrong = |wrong, what: String| Err(Difference { wrong, at, what });
        let parsed = Line::parse(text).filter(|(line, _)| line.amount.0.abs() <= LINE_FEN_MAX);
        let Some((line, persons)) = parsed else { return wrong(Wrong::Malformed, format!("“{}”", text.chars().take(80).collect::<String>())) };
        let told = format!("明细 {}-{}-{}", line.id.part, line.id.taking, line.id.lot);
        if self.last.is_some_and(|last| last >= line.id) {
            return wrong(Wrong::Order, format!("{told}。"));
        }
        self.last = Some(line.id);
        let sides = [self.province_of(line.debtor), self.province_of(line.creditor)];
        if !sides.contains(&self.province) {
            return wrong(Wrong::Foreign, format!("{told}：{} 付给 {}。", line.debtor, line.creditor));
        }
        let range = self.parts.get(&line.id.part);
        let is_marked = range.is_some_and(|range| line.id.taking > range.after && line.id.taking <= range.to);
        let as_share = Share { id: line.id, debtor: line.debtor, creditor: line.creditor, amount: line.amount };
        let is_carried = self.carried.get(&line.id) == Some(&as_share);
        if !(is_marked || is_carried) || self.held.contains_key(&line.id) {
            return wrong(Wrong::Elsewhere, format!("{told}。"));
        }
        let mut commitments = [Digest::default(); 2];
        for (at_side, (person, role)) in persons.into_iter().zip([Role::Contributor, Role::Spender]).enumerate() {
            // Own people stand by their number, everybody else by a commitment.
            if person.is_known() != (sides[at_side] == self.province) {
                return wrong(Wrong::Malformed, format!("{told}：人员一栏写法不对。"));
            }
            commitments[at_side] = match person {
                Person::Known(holder) => commitment(&self.secret, line.id, role, holder),
                Person::Hidden(digest) => digest,
            };
        }
        let mut facts = String::with_capacity(160);
        line.write_facts(&mut facts);
        self.summing.line(line.id.part, (line.debtor, line.creditor), Line::leaf(&facts, &commitments), line.amount);
        self.own_lines += 1;
        if let LineKind::Care { .. } = line.kind
            && sides[1] == self.province
        {
            let known = self.taken.entry((line.payment, line.amount.is_negative())).or_insert((0, at));
            known.0 += i128::from(line.amount.0.abs());
        }
        Ok(())
    }

    /// `None` where the line is malformed.
    fn signature(&mut self, at: u64, fields: &[&str], key: &VerifyingKey) -> Option<Result> {
        let [profile, key_id, signature] = fields else { return None };
        let signature: [u8; 64] = from_hex(signature)?;
        let differs = |what: String| Some(Err(Difference { wrong: Wrong::SignatureDiffers, at, what }));
        // Sums and roots first: they say where it is wrong, the signature only that it is.
        if let Err(difference) = self.sums() {
            return Some(Err(difference));
        }
        if (*profile, *key_id) != (key.profile().as_str(), key.key_id()) {
            return differs(format!("文件由密钥 {key_id}（{profile}）签名，给出的公钥是 {}（{}）。", key.key_id(), key.profile().as_str()));
        }
        if key.verify(&signed_digest(&self.signed), &signature) { Some(Ok(())) } else { differs(String::new()) }
    }

    /// Own pairs from own lines; everything else from the pairs.
    fn sums(&self) -> Result {
        let wrong = |wrong, what: String| Err(Difference { wrong, at: 0, what });
        let name = |pair: Pair| format!("{} 付给 {}", pair.0, pair.1);
        let is_own = |pair: &Pair| [pair.0, pair.1].iter().any(|area| self.province_of(*area) == self.province);
        for (pair, sum) in self.pairs.iter().filter(|(pair, _)| is_own(pair)) {
            let Some(own) = self.own.get(pair) else {
                return wrong(Wrong::PairDiffers, format!("{}：应有 {} 条明细，文件里一条也没有。", name(*pair), sum.lines));
            };
            if own.lines != sum.lines {
                return wrong(Wrong::PairDiffers, format!("{}：应有 {} 条明细，文件里有 {} 条。", name(*pair), sum.lines, own.lines));
            }
            if (own.paid, own.refunded) != (sum.paid, sum.refunded) {
                let told = |sum: &PairSum| format!("支付 {} 元、退费 {} 元", format_yuan(sum.paid), format_yuan(sum.refunded));
                return wrong(Wrong::PairDiffers, format!("{}：合计写的是{}，明细加起来是{}。", name(*pair), told(sum), told(own)));
            }
            if own.root != sum.root {
                let told = format!("{}：笔数和金额相符，但有明细的内容（时间、机构、支付编号或人员）不是出具时的。", name(*pair));
                return wrong(Wrong::PairDiffers, told);
            }
        }
        if let Some((pair, own)) = self.own.iter().find(|(pair, _)| !self.pairs.contains_key(pair)) {
            return wrong(Wrong::PairDiffers, format!("{}：文件里有 {} 条明细，合计里没有。", name(*pair), own.lines));
        }
        self.totals()
    }

    fn totals(&self) -> Result {
        let wrong = |wrong, what: String| Err(Difference { wrong, at: 0, what });
        let mut nets: BTreeMap<AreaCode, i128> = BTreeMap::new();
        let (mut lines, mut amount) = (0_i128, 0_i128);
        for ((debtor, creditor), sum) in &self.pairs {
            let net = i128::from(sum.paid.0) - i128::from(sum.refunded.0);
            *nets.entry(self.province_of(*creditor)).or_default() += net;
            *nets.entry(self.province_of(*debtor)).or_default() -= net;
            (lines, amount) = (lines + i128::from(sum.lines), amount + net);
        }
        // The marks, what was carried over and what is held out say how many lines the country has, and what they come to.
        let (mut marked, mut marked_amount) = (0_i128, 0_i128);
        for Range { totals, .. } in self.parts.values() {
            marked += i128::from(totals.lines);
            marked_amount += i128::from(totals.captured.0) + i128::from(totals.premiums.0) - i128::from(totals.refunded.0);
        }
        let held = self.held.values().filter(|_| self.is_released);
        for (share, sign) in self.carried.values().map(|share| (share, 1)).chain(held.map(|share| (share, -1))) {
            (marked, marked_amount) = (marked + sign, marked_amount + sign * i128::from(share.amount.0));
        }
        if (lines, i128::from(self.lines)) != (marked, marked) || amount != marked_amount {
            let told = format!("切账时共 {marked} 条、{marked_amount} 分；各统筹区之间合计 {lines} 条、{amount} 分；文件写 {} 条。", self.lines);
            return wrong(Wrong::TotalsDiffer, told);
        }
        let told: BTreeMap<AreaCode, i128> = self.nets.iter().map(|(province, net)| (*province, i128::from(net.0))).collect();
        if told != nets || told.len() != self.nets.len() {
            let province = nets.keys().chain(told.keys()).find(|province| nets.get(province) != told.get(province)).copied().unwrap_or_default();
            let show = |nets: &BTreeMap<AreaCode, i128>| nets.get(&province).map_or("没有".to_owned(), |net| format!("{net} 分"));
            return wrong(Wrong::TotalsDiffer, format!("{province} 的轧差应为 {}，文件写 {}。", show(&nets), show(&told)));
        }
        let mut open = nets;
        for (from, to, amount) in &self.dues {
            *open.entry(*from).or_default() += i128::from(amount.0);
            *open.entry(*to).or_default() -= i128::from(amount.0);
        }
        if let Some((province, rest)) = open.iter().find(|(_, rest)| **rest != 0) {
            return wrong(Wrong::TotalsDiffer, format!("{province} 的应付应收和轧差差 {rest} 分。"));
        }
        let root = root_of(&self.pairs);
        if root != self.root {
            return wrong(Wrong::RootDiffers, format!("算出 {}，文件写 {}。", hex(&root), hex(&self.root)));
        }
        Ok(())
    }

    fn finish(mut self, at: u64, daily: Option<&DailyStatements>) -> Result<Verified> {
        if self.section != Section::Signature {
            return Err(Difference { wrong: Wrong::Unreadable, at, what: "文件不完整：没有到签名那一行。".to_owned() });
        }
        let mut confirmed = 0;
        if let Some(daily) = daily {
            confirmed = daily.len();
            self.compare(daily)?;
        }
        Ok(Verified {
            period: self.period,
            is_released: self.is_released,
            province: self.province,
            own_lines: self.own_lines,
            lines: self.lines,
            root: self.root,
            pairs: self.pairs,
            nets: self.nets,
            dues: self.dues,
            held: std::mem::take(&mut self.held).into_values().collect(),
            confirmed,
        })
    }

    /// Own institutions' payments and refunds against what was confirmed day by day. Lines that were held out or carried over are told by their own lists.
    fn compare(&mut self, daily: &DailyStatements) -> Result {
        let is_whole = self.held.is_empty() && self.carried.is_empty();
        let kind = |is_refund: bool| if is_refund { "退费" } else { "支付" };
        for ((payment, is_refund), confirmed) in &daily.lines {
            let told = format!("{} {} {}，机构 {}", kind(*is_refund), uuid(payment), format_yuan(confirmed.amount), confirmed.institution);
            match self.taken.remove(&(*payment, *is_refund)) {
                Some((amount, at)) if amount != i128::from(confirmed.amount.0) && is_whole => {
                    return Err(Difference { wrong: Wrong::AmountDiffers, at, what: format!("{told}；清算文件里是 {amount} 分。") });
                }
                Some(_) => {}
                None if self.explains(confirmed.amount) => {}
                None => return Err(Difference { wrong: Wrong::Missing, at: 0, what: format!("{told}。") }),
            }
        }
        let stranger = self.taken.iter().find(|_| is_whole);
        match stranger {
            Some(((payment, is_refund), (amount, at))) => {
                Err(Difference { wrong: Wrong::Unconfirmed, at: *at, what: format!("{} {}，{amount} 分。", kind(*is_refund), uuid(payment)) })
            }
            None => Ok(()),
        }
    }

    /// Whether a line in dispute stands for a confirmed amount that the file lacks; each does for one.
    fn explains(&mut self, amount: Fen) -> bool {
        let own = |share: &Share| share.amount.0.abs() == amount.0 && self.province_of(share.creditor) == self.province;
        let found = self.held.values().find(|share| own(share) && !self.held_out.contains_key(&share.id)).map(|share| share.id);
        found.is_some_and(|id| self.held_out.insert(id, 1).is_none())
    }
}

fn uuid(id: &[u8; 16]) -> String {
    let text = hex(id);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}
