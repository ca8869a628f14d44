//! One side's lines of a day, packed: a million of them take about 120 MB.

use gongji_ledger::Fen;
use gongji_wallet::day::Day;
use serde::{Deserialize, Serialize};

/// Longest order number, settlement number or person number: printable ASCII.
pub const NUMBER_LEN_MAX: usize = 64;

/// Which list a line belongs to: 清算类别 (clr_type) and 险种 (insutype), as the national tables number them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    /// 11 outpatient, 21 inpatient, 41 pharmacy.
    pub clr_type: u16,
    /// 310 employee, 390 resident insurance.
    pub insutype: u16,
}

impl Class {
    pub const ALL: [Class; 6] = {
        const fn class(clr_type: u16, insutype: u16) -> Class {
            Class { clr_type, insutype }
        }
        [class(11, 310), class(11, 390), class(21, 310), class(21, 390), class(41, 310), class(41, 390)]
    };

    /// `None` where the numbers are not among those that are reconciled here.
    pub fn of(clr_type: u16, insutype: u16) -> Option<Class> {
        let class = Class { clr_type, insutype };
        Class::ALL.contains(&class).then_some(class)
    }

    /// "门诊 · 职工医保".
    pub fn label(self) -> String {
        let business = match self.clr_type {
            11 => "门诊",
            21 => "住院",
            41 => "药店购药",
            _ => "其他",
        };
        let insurance = match self.insutype {
            310 => "职工医保",
            390 => "居民医保",
            _ => "其他险种",
        };
        format!("{business} · {insurance}")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    Payment,
    Refund,
}

/// One settlement: a capture or a refund. Amounts of refunds are negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Line of its file; in our lists their position.
    pub row: u32,
    /// The institution's own number (mdtrt_id).
    pub order_no: &'a str,
    /// The number we gave (setl_id); may be empty.
    pub settlement: &'a str,
    /// psn_no; may be empty.
    pub person: &'a str,
    pub direction: Direction,
    /// The business day, where the line says one.
    pub day: Option<Day>,
    pub class: Option<Class>,
    /// Ours alone: the order was undone on its day, nothing is kept of it. It counts in no total; listed by nobody it is no break.
    pub is_undone: bool,
    /// What the wallet or the own account paid (acct_pay).
    pub own: Fen,
    /// The whole bill (medfee_sumamt), where known.
    pub total: Option<Fen>,
    /// The fund's share (fund_pay_sumamt), where known.
    pub fund: Option<Fen>,
}

/// What the two lists are about. `None` compares none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    pub day: Option<Day>,
    pub class: Option<Class>,
}

impl Scope {
    /// Whether a line that says this belongs to these lists; what says nothing does.
    pub fn covers(&self, line: &Line) -> bool {
        let differs = |here: bool, there: bool, same: bool| here && there && !same;
        !differs(self.day.is_some(), line.day.is_some(), self.day == line.day) && !differs(self.class.is_some(), line.class.is_some(), self.class == line.class)
    }
}

/// Sums of one side, refunds negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Payments and refunds together: fixmedins_setl_cnt.
    pub lines: u64,
    pub refunds: u64,
    /// medfee_sumamt of the lines that know it.
    pub total: Fen,
    /// fund_pay_sumamt of the lines that know it.
    pub fund: Fen,
    /// acct_pay.
    pub own: Fen,
}

impl Totals {
    pub fn add(&mut self, line: &Line) {
        self.lines += 1;
        self.refunds += u64::from(line.direction == Direction::Refund);
        self.total += line.total.unwrap_or(Fen::ZERO);
        self.fund += line.fund.unwrap_or(Fen::ZERO);
        self.own += line.own;
    }
}

/// The lines of one side in the order of their file.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    texts: Vec<u8>,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    own: i64,
    total: i64,
    fund: i64,
    /// Where its three numbers begin in `texts`, one after the other.
    at: u32,
    row: u32,
    day: Day,
    class: Class,
    order_len: u8,
    settlement_len: u8,
    person_len: u8,
    flags: u8,
}

const REFUND: u8 = 1;
const UNDONE: u8 = 2;
const HAS_DAY: u8 = 4;
const HAS_CLASS: u8 = 8;
const HAS_TOTAL: u8 = 16;
const HAS_FUND: u8 = 32;

impl Listing {
    pub fn new() -> Listing {
        Listing::default()
    }

    /// # Panics
    /// When a number is longer than [`NUMBER_LEN_MAX`], or the list reaches 4 GiB of numbers: readers bound both.
    pub fn push(&mut self, line: &Line) {
        let at = u32::try_from(self.texts.len()).expect("a list has less than 4 GiB of numbers");
        let mut put = |text: &str| {
            assert!(text.len() <= NUMBER_LEN_MAX, "a number of {} letters in a list", text.len());
            self.texts.extend_from_slice(text.as_bytes());
            u8::try_from(text.len()).expect("a number's length fits a byte")
        };
        let (order_len, settlement_len, person_len) = (put(line.order_no), put(line.settlement), put(line.person));
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        self.rows.push(Row {
            own: line.own.0,
            total: line.total.unwrap_or(Fen::ZERO).0,
            fund: line.fund.unwrap_or(Fen::ZERO).0,
            at,
            row: line.row,
            day: line.day.unwrap_or(0),
            class: line.class.unwrap_or(Class { clr_type: 0, insutype: 0 }),
            order_len,
            settlement_len,
            person_len,
            flags: flag(line.direction == Direction::Refund, REFUND)
                | flag(line.is_undone, UNDONE)
                | flag(line.day.is_some(), HAS_DAY)
                | flag(line.class.is_some(), HAS_CLASS)
                | flag(line.total.is_some(), HAS_TOTAL)
                | flag(line.fund.is_some(), HAS_FUND),
        });
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The line at a position below [`Listing::len`].
    pub fn get(&self, position: u32) -> Line<'_> {
        let row = &self.rows[position as usize];
        let (order_no, settlement, person) = self.numbers(row);
        let some = |flag: u8, fen: i64| (row.flags & flag != 0).then_some(Fen(fen));
        Line {
            row: row.row,
            order_no,
            settlement,
            person,
            direction: if row.flags & REFUND != 0 { Direction::Refund } else { Direction::Payment },
            day: (row.flags & HAS_DAY != 0).then_some(row.day),
            class: (row.flags & HAS_CLASS != 0).then_some(row.class),
            is_undone: row.flags & UNDONE != 0,
            own: Fen(row.own),
            total: some(HAS_TOTAL, row.total),
            fund: some(HAS_FUND, row.fund),
        }
    }

    fn numbers(&self, row: &Row) -> (&str, &str, &str) {
        let order = row.at as usize;
        let settlement = order + usize::from(row.order_len);
        let person = settlement + usize::from(row.settlement_len);
        let end = person + usize::from(row.person_len);
        let text = |from: usize, to: usize| std::str::from_utf8(&self.texts[from..to]).expect("numbers are put in as text");
        (text(order, settlement), text(settlement, person), text(person, end))
    }

    pub(super) fn order_no(&self, position: u32) -> &[u8] {
        let row = &self.rows[position as usize];
        &self.texts[row.at as usize..][..usize::from(row.order_len)]
    }

    pub(super) fn settlement(&self, position: u32) -> &[u8] {
        let row = &self.rows[position as usize];
        &self.texts[row.at as usize + usize::from(row.order_len)..][..usize::from(row.settlement_len)]
    }

    pub fn iter(&self) -> impl Iterator<Item = Line<'_>> {
        (0..self.rows.len()).map(|position| self.get(u32::try_from(position).expect("a list has less than 2^32 lines")))
    }

    /// Sums of what counts in this scope.
    pub fn totals(&self, scope: &Scope) -> Totals {
        let mut totals = Totals::default();
        self.iter().filter(|line| !line.is_undone && scope.covers(line)).for_each(|line| totals.add(&line));
        totals
    }
}
