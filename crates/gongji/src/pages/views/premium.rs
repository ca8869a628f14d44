//! The yearly premium of the resident insurance (居民医保参保缴费).

use askama::Template;

use super::{Choice, Fact, Hidden, Layout, Link, Party, Reason, TimelineStep, Tone};

/// `/premium` — POST `/premium`: `insured` (id of myself or a relative), `year`. Answered by [`Confirm`].
#[derive(Template, Clone, Debug, Default)]
#[template(path = "premium/form.html")]
pub struct Form {
    pub layout: Layout,
    pub insured: Vec<InsuredChoice>,
    pub years: Vec<Choice>,
    /// Money in the wallet: "¥1,860.00".
    pub balance: String,
    pub blocked: Vec<Reason>,
}

/// Somebody whose premium can be paid.
#[derive(Clone, Debug, Default)]
pub struct InsuredChoice {
    pub id: String,
    pub party: Party,
    /// "2027 年 · 每人 ¥400.00 · 2026年9月1日 到 12月31日 可缴".
    pub note: String,
    pub chosen: bool,
    /// Already paid, or no table for this area and year; the note says which.
    pub disabled: bool,
}

/// `/premium/confirm` — POST: `key`, `hidden`, `password`.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "premium/confirm.html")]
pub struct Confirm {
    pub layout: Layout,
    pub key: String,
    pub hidden: Vec<Hidden>,
    pub payer: Party,
    pub insured: Party,
    pub year: String,
    pub amount: String,
    pub facts: Vec<Fact>,
    /// What the local office says, paragraph by paragraph.
    pub instructions: Vec<String>,
    /// "泸州市医疗保障事务中心".
    pub office: String,
    pub blocked: Vec<Reason>,
}

/// `/premium/{id}` — the result and receipt.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "premium/receipt.html")]
pub struct Receipt {
    pub layout: Layout,
    pub heading: String,
    pub tone: Tone,
    pub payer: Party,
    pub insured: Party,
    pub amount: String,
    pub steps: Vec<TimelineStep>,
    pub facts: Vec<Fact>,
    pub instructions: Vec<String>,
    /// "state" of the payment; a change of it renews a waiting page.
    pub state: String,
    pub waiting: bool,
    pub receipt_href: Option<String>,
    pub next: Vec<Link>,
}
