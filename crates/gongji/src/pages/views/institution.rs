//! The page of an institution: its day, its files, what does not agree.

use askama::Template;

use super::cashier::Counter;
use super::lookup::Way;
use super::{Choice, Fact, Layout, Readiness, Tone};

/// `/institution` — one business day (GET: `day`).
///
/// POST `/institution/files` (multipart): `day`, `class`, `file`.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "institution/home.html")]
pub struct Home {
    pub layout: Layout,
    pub counter: Counter,
    /// "2026-11-22", and the first and last day that may be chosen.
    pub day: String,
    pub day_first: String,
    pub day_last: String,
    /// "11月22日 周日".
    pub day_words: String,
    pub is_today: bool,
    pub classes: Vec<ClassLine>,
    /// Classes a file may be of.
    pub choices: Vec<Choice>,
    /// Newest first.
    pub lines: Vec<DayLine>,
    /// "还有 120 笔,下载明细看全部"; may be empty.
    pub more: String,
    pub sent: Vec<Sent>,
    /// Its keys: number and since when.
    pub keys: Vec<Fact>,
    /// What citizens are shown of it, and of each kind of terminal.
    pub readiness: Readiness,
    pub ways: Vec<Way>,
    /// "最近一次用钱包付成:11月20日"; may be empty.
    pub last_paid: String,
}

/// Our totals of one class.
#[derive(Clone, Debug, Default)]
pub struct ClassLine {
    /// "门诊 · 职工医保".
    pub label: String,
    pub captures: u64,
    pub refunds: u64,
    /// From wallet and account, refunds taken off.
    pub own: String,
    pub fund: String,
    /// Query of the downloads: "day=2026-11-22&class=11-310".
    pub query: String,
}

/// A capture or refund.
#[derive(Clone, Debug, Default)]
pub struct DayLine {
    pub href: String,
    pub order_no: String,
    /// "收款", "退费", "已取消".
    pub what: String,
    pub at: String,
    pub class: String,
    pub amount: String,
    pub tone: Tone,
}

/// A file that was sent.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    pub href: String,
    pub label: String,
    pub at: String,
    pub state: String,
    pub tone: Tone,
}

/// `/institution/files/{id}` — what came of one file.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "institution/result.html")]
pub struct Compared {
    pub layout: Layout,
    pub counter: Counter,
    /// "对平了", "有 3 处要核对", "文件没有用上", "正在对".
    pub heading: String,
    pub note: String,
    pub tone: Tone,
    pub facts: Vec<Fact>,
    pub breaks: Vec<BreakItem>,
    /// "还有 120 处,下载看全部"; may be empty.
    pub more: String,
    pub bad_lines: Vec<BadLine>,
    /// Path of the breaks as a file; empty hides it.
    pub download: String,
    /// Back to the day.
    pub back: String,
    pub waiting: bool,
}

#[derive(Clone, Debug, Default)]
pub struct BreakItem {
    pub title: String,
    pub cause: String,
    pub proposal: String,
    pub code: String,
    /// "第 12 行 · MZ20261122-0007".
    pub place: String,
    /// "机构比平台多 ¥1.00"; may be empty.
    pub difference: String,
    pub tone: Tone,
}

#[derive(Clone, Debug, Default)]
pub struct BadLine {
    /// "第 12 行 · acct_pay".
    pub place: String,
    pub reason: String,
}
