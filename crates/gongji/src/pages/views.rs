//! What each page shows: plain structs of display-ready values, one template each.
//!
//! A handler fills a view, calls [`page`], and is done: views hold no domain
//! types, no clock and no I/O, so every state of every page can be rendered in a test (see
//! [`super::preview`]). Money arrives as [`format::yuan`], instants as [`format::when`].
//!
//! Conventions shared by all forms:
//! - forms post `application/x-www-form-urlencoded`; the doc comment of a view lists its fields;
//! - every form that changes something carries a hidden `key` (the idempotency key);
//! - what was typed comes back in the view (never passwords), and [`Layout::problems`] holds what is
//!   wrong: a problem naming a field is shown at the top *and* beside that field;
//! - list values such as `relation` or `area` come from [`Choice::value`].

pub mod account;
pub mod cashier;
pub mod format;
pub mod institution;
pub mod lookup;
pub mod pay;
pub mod premium;
pub mod reference;
pub mod sandbox;
pub mod statement;
pub mod transfer;
pub mod trouble;
mod typeset;
pub mod wallet;

pub use typeset::typeset;

/// The whole page as HTML, its Chinese punctuation set.
///
/// # Errors
///
/// Only where a value's own `Display` fails, which no view has.
pub fn page(view: &impl askama::Template) -> askama::Result<String> {
    view.render().map(|html| typeset(&html))
}

/// The part of a page outside its own content: header, notices, elder mode, ribbon.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Document title, without the product's name.
    pub title: String,
    /// Path and query of this page, where the elder switch returns to.
    pub path: String,
    /// Short name of who is signed in ("李建国"); `None` shows the public header.
    pub signed_in: Option<String>,
    /// Name of the relative this person acts for at the moment.
    pub acting_for: Option<String>,
    /// Notices not yet read.
    pub unread: u32,
    /// Elder mode (长辈版): larger text and targets, 您 instead of 你.
    pub elder: bool,
    /// Shows the sandbox ribbon.
    pub sandbox: bool,
    /// What the movable clock says, [`format::when`]; empty hides it.
    pub sandbox_clock: String,
    /// Which entry of the navigation is current.
    pub section: Section,
    /// One sentence about what just happened.
    pub flash: Option<Flash>,
    /// All that is wrong with the form, in the order of its fields.
    pub problems: Vec<Problem>,
}

impl Layout {
    /// The second person: 您 in elder mode, 你 otherwise.
    #[must_use]
    pub fn you(&self) -> &'static str {
        if self.elder { "您" } else { "你" }
    }

    /// Label of the password of the person who is signed in, where another's name stands beside it.
    #[must_use]
    pub fn own_password(&self) -> &'static str {
        if self.elder { "您自己的医保码密码" } else { "你自己的医保码密码" }
    }

    /// What is wrong with the field of this name.
    #[must_use]
    pub fn problem(&self, field: &str) -> Option<&str> {
        let hit = self.problems.iter().find(|problem| problem.field.as_deref() == Some(field));
        hit.map(|problem| problem.text.as_str())
    }

    /// Whether the navigation entry of this name is the current one.
    #[must_use]
    pub fn current(&self, name: &str) -> bool {
        name == match self.section {
            Section::None => "",
            Section::Lookup => "lookup",
            Section::Wallet => "wallet",
            Section::Statement => "statement",
            Section::Places => "places",
            Section::Notices => "notices",
        }
    }

    /// Address of an embedded file with the version of them all, so that it may be cached for ever.
    #[must_use]
    pub fn asset(&self, name: &str) -> String {
        format!("/assets/{name}?v={ASSETS_VERSION:016x}")
    }
}

/// FNV-1a over the embedded files: changes whenever one of them does.
pub const ASSETS_VERSION: u64 = {
    let hash = fnv1a(0xcbf2_9ce4_8422_2325, include_bytes!("../../assets/app.css"));
    let hash = fnv1a(hash, include_bytes!("../../assets/app.js"));
    let hash = fnv1a(hash, include_bytes!("../../assets/console.css"));
    let hash = fnv1a(hash, include_bytes!("../../assets/console.js"));
    let hash = fnv1a(hash, include_bytes!("../../assets/icons.svg"));
    fnv1a(hash, include_bytes!("../../assets/mark.svg"))
};

const fn fnv1a(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u64).wrapping_mul(0x0100_0000_01b3);
        index += 1;
    }
    hash
}

/// Entries of the navigation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Section {
    #[default]
    None,
    Lookup,
    Wallet,
    Statement,
    Places,
    Notices,
}

/// One sentence at the top of a page about what just happened.
#[derive(Clone, Debug)]
pub struct Flash {
    pub tone: Tone,
    pub text: String,
}

/// How a message is meant; always told by words and a sign too, never by colour alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    Good,
    Wait,
    Alarm,
}

impl Tone {
    /// CSS class of the tone.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Wait => "wait",
            Self::Alarm => "alarm",
        }
    }

    /// Icon of the tone.
    #[must_use]
    pub fn icon(&self) -> &'static str {
        match self {
            Self::Plain => "info",
            Self::Good => "check",
            Self::Wait => "clock",
            Self::Alarm => "alert",
        }
    }
}

/// One thing wrong with what was typed.
#[derive(Clone, Debug, Default)]
pub struct Problem {
    /// Name of the form field it belongs to (also the `id` of the input).
    pub field: Option<String>,
    /// Plain sentence that says what to do: "身份证号第 18 位不对,请再核对一遍。"
    pub text: String,
}

impl Problem {
    /// A problem of one field.
    #[must_use]
    pub fn of(field: &str, text: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), text: text.into() }
    }

    /// A problem of the form as a whole.
    #[must_use]
    pub fn general(text: impl Into<String>) -> Self {
        Self { field: None, text: text.into() }
    }
}

/// An option of a select, a radio group or a filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    pub value: String,
    pub label: String,
    /// Second line in small print; may be empty.
    pub note: String,
    pub chosen: bool,
    /// Shown, but cannot be chosen now (the note says why).
    pub disabled: bool,
}

impl Choice {
    #[must_use]
    pub fn new(value: impl Into<String>, label: impl Into<String>, chosen: bool) -> Self {
        Self { value: value.into(), label: label.into(), chosen, ..Self::default() }
    }

    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// The areas of one province in a select.
#[derive(Clone, Debug, Default)]
pub struct AreaGroup {
    pub province: String,
    pub areas: Vec<Choice>,
}

/// A link with its words.
#[derive(Clone, Debug, Default)]
pub struct Link {
    pub href: String,
    pub label: String,
}

impl Link {
    #[must_use]
    pub fn new(href: impl Into<String>, label: impl Into<String>) -> Self {
        Self { href: href.into(), label: label.into() }
    }
}

/// A hidden field that carries a checked draft from one step to the next.
#[derive(Clone, Debug, Default)]
pub struct Hidden {
    pub name: String,
    pub value: String,
}

impl Hidden {
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// A person in the family line: avatar of the surname, name, relation, area.
#[derive(Clone, Debug, Default)]
pub struct Party {
    pub name: String,
    /// "儿子", "本人"; may be empty.
    pub relation: String,
    /// "四川泸州"; may be empty.
    pub area: String,
    /// The viewer's own avatar is filled.
    pub me: bool,
}

impl Party {
    #[must_use]
    pub fn new(name: impl Into<String>, relation: impl Into<String>, area: impl Into<String>) -> Self {
        Self { name: name.into(), relation: relation.into(), area: area.into(), me: false }
    }

    /// The viewer: 我.
    #[must_use]
    pub fn me(name: impl Into<String>, area: impl Into<String>) -> Self {
        Self { name: name.into(), relation: "我".into(), area: area.into(), me: true }
    }

    /// The surname's first character, rare ones included.
    #[must_use]
    pub fn surname(&self) -> String {
        self.name.trim_start_matches('*').chars().next().map_or_else(|| "家".to_owned(), String::from)
    }
}

/// A label and a value, as in the summary before a confirmation.
#[derive(Clone, Debug, Default)]
pub struct Fact {
    pub label: String,
    pub value: String,
}

impl Fact {
    #[must_use]
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into() }
    }
}

/// Why something cannot be done, what to do instead, and when it works again.
#[derive(Clone, Debug, Default)]
pub struct Reason {
    /// "现在是 22:10,转账每天 6:00 到 22:00 办理。"
    pub text: String,
    /// "明早 6:00 后再来转。"; may be empty.
    pub next: String,
    /// Where the next step is done.
    pub link: Option<Link>,
    /// Stable code, told after the words.
    pub code: String,
}

/// Whether an institution takes the wallet (钱包支付开通状态).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Readiness {
    /// Took a wallet payment within the last 7 days.
    Ready,
    /// Enabled, but no successful payment for 7 days.
    Quiet,
    /// Not enabled.
    #[default]
    Closed,
}

impl Readiness {
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self {
            Self::Ready => "可用",
            Self::Quiet => "已开通,近 7 天没有成功支付",
            Self::Closed => "未开通",
        }
    }

    #[must_use]
    pub fn tone(&self) -> Tone {
        match self {
            Self::Ready => Tone::Good,
            Self::Quiet => Tone::Wait,
            Self::Closed => Tone::Plain,
        }
    }

    #[must_use]
    pub fn icon(&self) -> &'static str {
        match self {
            Self::Ready => "check",
            Self::Quiet => "clock",
            Self::Closed => "cross",
        }
    }
}

/// The form "这里付不了" about one order. POST `/pay/report`: `what`, `payment` (empty: what was last refused to the code on the screen), `back`.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Where it was tried: "泸州安和医院".
    pub place: String,
    pub payment: String,
    pub back: String,
    pub choices: Vec<Choice>,
}

/// One step of a time line.
#[derive(Clone, Debug, Default)]
pub struct TimelineStep {
    pub label: String,
    /// Clock time it happened, or by when it must: [`format::when`]; may be empty.
    pub at: String,
    pub note: String,
    pub state: StepState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StepState {
    Done,
    Now,
    #[default]
    Ahead,
    /// Ended otherwise: declined, returned, cancelled.
    Ended,
}

impl StepState {
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Now => "now",
            Self::Ahead => "ahead",
            Self::Ended => "ended",
        }
    }

    /// The state in a word, for those who do not see the line.
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self {
            Self::Done => "已完成",
            Self::Now => "进行中",
            Self::Ahead => "还没到",
            Self::Ended => "已结束",
        }
    }
}

/// One line of the statement (also "最近" on the wallet's home).
#[derive(Clone, Debug, Default)]
pub struct MovementLine {
    /// The receipt: `/movements/{id}`, or the transfer that still waits.
    pub href: String,
    /// The relative or the institution.
    pub party: Party,
    /// Institutions have no surname; an icon stands in.
    pub icon: Option<String>,
    /// "转给妈妈", "在泸州市人民医院看病", "缴 2027 年居民医保".
    pub what: String,
    /// "11月22日 周日 10:05 · 四川泸州".
    pub detail: String,
    /// Signed: "+¥200.00", "−¥36.50".
    pub amount: String,
    pub incoming: bool,
    /// What is left after it: "余 ¥1,200.00"; empty where it does not apply.
    pub left: String,
    /// "等妈妈接收", "已退费 ¥20.00"; may be empty.
    pub state: String,
    pub state_tone: Tone,
}

impl MovementLine {
    /// The parts of the detail, which may stand on lines of their own on a phone.
    #[must_use]
    pub fn parts(&self) -> Vec<&str> {
        self.detail.split(" · ").filter(|part| !part.is_empty()).collect()
    }
}
