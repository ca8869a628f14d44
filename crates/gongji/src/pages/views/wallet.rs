//! The wallet itself: home, opening, place of use, where the money comes from, relations.

use askama::Template;

use super::{AreaGroup, Choice, Layout, Link, MovementLine, Party, Tone};

/// `/wallet` — home.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "wallet/home.html")]
pub struct Home {
    pub layout: Layout,
    /// Whose wallet: the signed-in person, or the one acted for.
    pub owner: Party,
    /// Before the use of the wallet is confirmed the page asks for that first.
    pub opened: bool,
    /// "¥1,860.00".
    pub balance: String,
    /// "四川泸州".
    pub place: String,
    /// "其中 ¥30.00 正在付款,暂时不能用"; may be empty.
    pub held: String,
    /// The own personal account, for employees.
    pub own_account: Option<OwnAccount>,
    /// Where the wallet's money comes from; largest first, at most five.
    pub family: Vec<FamilyShare>,
    /// What waits for me, most urgent first.
    pub waits: Vec<Waiting>,
    /// "现在是 22:10,明早 6:00 后可以转账"; empty by day.
    pub closed_now: String,
    /// Freeze, lost insurance, closed region.
    pub trouble: Option<Trouble>,
    pub recent: Vec<MovementLine>,
}

#[derive(Clone, Debug, Default)]
pub struct OwnAccount {
    pub balance: String,
    /// "山东济南 · 职工医保".
    pub area: String,
    /// "其中 ¥500.00 已作为额度给了妈妈"; may be empty.
    pub note: String,
}

#[derive(Clone, Debug, Default)]
pub struct FamilyShare {
    pub party: Party,
    pub amount: String,
    /// "额度,不能再转出"; may be empty.
    pub note: String,
}

#[derive(Clone, Debug, Default)]
pub struct Waiting {
    pub tone: Tone,
    /// "儿子李建国转来 ¥500.00".
    pub title: String,
    /// "明天 06:00 前收下,过时自动退回。"
    pub text: String,
    pub action: Link,
}

/// Something that stops the wallet as a whole.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    pub title: String,
    pub text: String,
    pub next: Option<Link>,
}

/// `/wallet/open` — confirm use (确认使用钱包). POST: `key`, `place` (area code), `consent` (=yes).
#[derive(Template, Clone, Debug, Default)]
#[template(path = "wallet/open.html")]
pub struct Open {
    pub layout: Layout,
    pub key: String,
    /// Areas where the person is actively insured and the wallet is open.
    pub places: Vec<Choice>,
    /// Registered phone, masked; empty where there is none.
    pub phone: String,
    pub consent: bool,
    /// Why it cannot be opened now; the form is not shown then.
    pub blocked: Vec<super::Reason>,
}

/// `/wallet/open-for` — open for a relative (代开通), step one. Step two is a [`super::account::CodeEntry`]: the relative's consent, or the guardian's.
///
/// POST: `key`, `name`, `id_number`, `relation`, `place`, `consent` (=yes).
#[derive(Template, Clone, Debug, Default)]
#[template(path = "wallet/open_for.html")]
pub struct OpenFor {
    pub layout: Layout,
    pub key: String,
    pub name: String,
    pub id_number: String,
    pub relations: Vec<Choice>,
    pub places: Vec<AreaGroup>,
    pub consent: bool,
}

/// `/place` — change the place of use. POST: `key`, `place`, `password`.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "wallet/place.html")]
pub struct Place {
    pub layout: Layout,
    pub key: String,
    pub current: String,
    pub since: String,
    pub places: Vec<Choice>,
    /// All reasons why it cannot be changed now; the form is not shown then.
    pub blocked: Vec<super::Reason>,
}

/// `/origins` — where the wallet's money comes from, by lot, in the order it will be used.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "wallet/origins.html")]
pub struct Origins {
    pub layout: Layout,
    pub owner: Party,
    pub balance: String,
    pub lots: Vec<LotRow>,
}

#[derive(Clone, Debug, Default)]
pub struct LotRow {
    /// Whose personal account it came from.
    pub party: Party,
    /// "山东济南 职工医保个人账户".
    pub origin: String,
    /// "11月2日 周一 收到".
    pub since: String,
    pub amount: String,
    /// "转账:归你,可以再转给家人" or "额度:用不完会退回".
    pub kind: String,
    pub is_quota: bool,
}

/// `/relations` — confirmed relatives, and how to end a relation or take a quota back.
///
/// POST `/relations/{id}/end`: `key`. With `ending` set the page asks once more about that one.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "wallet/relations.html")]
pub struct Relations {
    pub layout: Layout,
    pub key: String,
    pub rows: Vec<RelationRow>,
    /// The relation about to be ended: GET `/relations?end={id}`.
    pub ending: Option<EndingRelation>,
}

#[derive(Clone, Debug, Default)]
pub struct RelationRow {
    pub id: String,
    pub party: Party,
    /// "你转给她 ¥1,500.00;她转给你 ¥0.00".
    pub sent: String,
    /// "2026年11月2日 第一次收下时确认".
    pub since: String,
    /// Unused quota that would go back; empty when there is none.
    pub quota: String,
    /// "有效", "已解除".
    pub state: String,
    pub state_tone: Tone,
    pub can_end: bool,
}

#[derive(Clone, Debug, Default)]
pub struct EndingRelation {
    pub id: String,
    pub party: Party,
    /// What will happen, each one sentence.
    pub consequences: Vec<String>,
}
