//! Sending money to a relative: the form, the check before it moves, the result.

use askama::Template;

use super::{AreaGroup, Choice, Fact, Hidden, Layout, Link, Party, Reason, TimelineStep, Tone};

/// `/transfer` — four small steps on one page.
///
/// POST `/transfer`: `receiver` (id of a known relative, or `new`), for `new`: `name`, `id_number`,
/// `relation`, `near` (area or empty); then `source` (`account` or `wallet`), `amount` (yuan as typed). Answered by [`Confirm`];
/// with `edit` (=yes) by the form once more, with what was typed.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "transfer/form.html")]
pub struct Form {
    pub layout: Layout,
    pub me: Party,
    pub known: Vec<KnownReceiver>,
    /// "new" is chosen, or nobody is known yet.
    pub new_chosen: bool,
    pub name: String,
    pub id_number: String,
    /// Kinds of relation with the GB/T 4761 code as value.
    pub relations: Vec<Choice>,
    /// Where the relative sees a doctor, to show what can be used there; may stay open.
    pub near: Vec<AreaGroup>,
    /// `account` and `wallet`, the balance in the note; one that cannot be used is disabled with its reason.
    pub sources: Vec<Choice>,
    pub amount: String,
    /// "今天还能转 2 次,每次最多 ¥2,000.00。"
    pub limits: String,
    /// Why nothing can be sent now (closed hours, one pending, frozen). The form stays readable, the button is off.
    pub blocked: Vec<Reason>,
}

#[derive(Clone, Debug, Default)]
pub struct KnownReceiver {
    pub id: String,
    pub party: Party,
    /// "尾号 0027 · 上次 11月2日 ¥500.00".
    pub note: String,
    /// "近处 6 家可用"; may be empty.
    pub nearby: String,
    pub chosen: bool,
}

/// `/transfer/confirm` — everything once more, then the identity check.
///
/// POST `/transfer/confirm`: `key`, the `hidden` draft, `check` (`password` or `face`), `password`.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "transfer/confirm.html")]
pub struct Confirm {
    pub layout: Layout,
    pub key: String,
    pub hidden: Vec<Hidden>,
    pub from: Party,
    pub to: Party,
    pub amount: String,
    pub facts: Vec<Fact>,
    /// All that speaks against it now; non-empty hides the check.
    pub blocked: Vec<Reason>,
    /// What will happen: credited at once, or waits until "明天 06:00".
    pub outcome: String,
    pub outcome_tone: Tone,
    /// Places near the receiver that take the wallet.
    pub nearby: Nearby,
    /// "转完这一次,今天还能转 1 次。"
    pub limits: String,
    /// The face check is available.
    pub face: bool,
}

/// Readiness near the receiver, before the money is sent.
#[derive(Clone, Debug, Default)]
pub struct Nearby {
    /// "泸州"; empty hides the block.
    pub place: String,
    /// "近处 12 家可用:医院 4 家,药店 8 家。"
    pub sentence: String,
    /// "窗口 12 家,自助机 3 家,手机 4 家能付。"; may be empty.
    pub ways: String,
    pub tone: Tone,
    pub ready: String,
    pub quiet: String,
    pub closed: String,
    pub href: String,
}

/// `/transfers/{id}` — what became of it.
///
/// POST `/transfers/{id}/accept|decline|cancel`: `key`. Waiting ones renew themselves where script runs.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "transfer/show.html")]
pub struct Show {
    pub layout: Layout,
    pub key: String,
    pub id: String,
    /// "妈妈已收到", "等妈妈接收", "没有收下,钱已退回".
    pub heading: String,
    pub tone: Tone,
    pub from: Party,
    pub to: Party,
    pub amount: String,
    /// "明天 06:00 前没有接收,钱会自动退回。"; may be empty.
    pub deadline: String,
    pub steps: Vec<TimelineStep>,
    pub facts: Vec<Fact>,
    /// State as a word; a change of it makes a waiting page renew itself.
    pub state: String,
    pub waiting: bool,
    pub can_accept: bool,
    pub can_decline: bool,
    pub can_cancel: bool,
    /// Said beside the accept button: taking the first transfer confirms the relation.
    pub accept_note: String,
    pub receipt_href: Option<String>,
    pub next: Vec<Link>,
    /// For the receiver without a confirmed wallet: `places` to choose while accepting. POST adds `place`.
    pub places: Vec<AreaGroup>,
}
