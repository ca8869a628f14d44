//! Looking up without signing in: is it open, and where can it be used?

use askama::Template;

use super::{AreaGroup, Choice, Hidden, Layout, Link, Readiness, Tone};

/// `/` — 我的城市 → 家人的城市. GET form: `mine`, `family` (area codes).
#[derive(Template, Clone, Debug, Default)]
#[template(path = "lookup/start.html")]
pub struct Start {
    pub layout: Layout,
    /// All areas, the chosen one of the sender marked.
    pub mine: Vec<AreaGroup>,
    /// All areas, the chosen one of the relative marked.
    pub family: Vec<AreaGroup>,
    pub answer: Option<Answer>,
    pub tiles: Vec<ProvinceTile>,
    /// "到 2026年11月22日:21 个省和兵团的 227 个地区已开通。"
    pub tally: String,
}

/// The answer to the start page's question in one sentence.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub verdict: Verdict,
    /// "可以。济南和泸州都已开通,钱能转到,也能在泸州用。"
    pub sentence: String,
    pub mine: AnswerSide,
    pub family: AnswerSide,
    /// What to do next: see the places there, sign in and transfer.
    pub next: Vec<Link>,
}

/// One city of the answer.
#[derive(Clone, Debug, Default)]
pub struct AnswerSide {
    pub city: String,
    /// "2025年5月8日 起已开通".
    pub state: String,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    Yes,
    No,
    /// The list of this province is not published (名单未公布): not the same as closed.
    #[default]
    Unknown,
}

impl Verdict {
    #[must_use]
    pub fn tone(&self) -> Tone {
        match self {
            Self::Yes => Tone::Good,
            Self::No => Tone::Alarm,
            Self::Unknown => Tone::Wait,
        }
    }

    #[must_use]
    pub fn words(&self) -> &'static str {
        match self {
            Self::Yes => "已开通",
            Self::No => "未开通",
            Self::Unknown => "名单未公布",
        }
    }
}

/// One province on the tile grid.
#[derive(Clone, Debug, Default)]
pub struct ProvinceTile {
    /// First two digits of the region code ("37"): places the tile.
    pub code: String,
    /// "山东省".
    pub name: String,
    /// "山东".
    pub short: String,
    pub state: TileState,
    /// "18 个地区已开通".
    pub note: String,
    /// `/regions/370000`.
    pub href: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TileState {
    /// The whole province is open.
    Full,
    /// Some of its areas are open.
    Part,
    /// Named as open, but its list is not published.
    Unlisted,
    #[default]
    Closed,
}

impl TileState {
    #[must_use]
    pub fn is_unlisted(&self) -> bool {
        *self == Self::Unlisted
    }

    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Part => "part",
            Self::Unlisted => "unlisted",
            Self::Closed => "closed",
        }
    }

    #[must_use]
    pub fn words(&self) -> &'static str {
        match self {
            Self::Full => "全域开通",
            Self::Part => "部分开通",
            Self::Unlisted => "名单未公布",
            Self::Closed => "未开通",
        }
    }
}

/// `/regions/{province}` — the areas of one province.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "lookup/regions.html")]
pub struct Regions {
    pub layout: Layout,
    pub province: String,
    pub state: TileState,
    /// "山东全省 18 个统筹区都已开通。"
    pub sentence: String,
    pub areas: Vec<AreaRow>,
    /// Other provinces to go to.
    pub others: Vec<Link>,
}

#[derive(Clone, Debug, Default)]
pub struct AreaRow {
    pub name: String,
    /// "地级市", "省本级".
    pub level: String,
    pub verdict: Verdict,
    /// "2025年5月8日 起"; may be empty.
    pub since: String,
    /// The place of use can be changed here.
    pub change_of_use: bool,
    /// `/institutions?area=…`
    pub href: String,
}

/// `/institutions` — where the wallet can be used. GET form: `area`, `kind`, `readiness`, `text`.
/// Report form of each row: POST `/institutions/{code}/report`: `key`, `what`, `back`.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "lookup/institutions.html")]
pub struct Institutions {
    pub layout: Layout,
    /// Idempotency key shared by the report forms; the code of the institution is part of the path.
    pub key: String,
    pub areas: Vec<AreaGroup>,
    /// Of the chosen area; empty where there is nothing to choose.
    pub districts: Vec<Choice>,
    pub kinds: Vec<Choice>,
    /// Counter, kiosk, mobile.
    pub terminals: Vec<Choice>,
    pub readiness: Vec<Choice>,
    pub text: String,
    /// What may be reported of a place.
    pub reports: Vec<Choice>,
    /// What POST `/institutions/near` keeps of the filters; the browser adds `latitude` and `longitude`.
    pub near: Vec<Hidden>,
    /// The nearest stand first.
    pub is_near: bool,
    /// Heading: "泸州市" or "全部地区".
    pub place: String,
    /// "12 家可用,3 家已开通但近期没有成功支付,5 家未开通。"
    pub summary: String,
    pub rows: Vec<InstitutionRow>,
    /// Next page.
    pub more: Option<String>,
}

/// One kind of terminal: "窗口", and whether it works.
#[derive(Clone, Debug, Default)]
pub struct Way {
    pub name: &'static str,
    pub readiness: Readiness,
}

impl Way {
    #[must_use]
    pub fn new(name: &'static str, readiness: Readiness) -> Self {
        Self { name, readiness }
    }

    /// In few words; the page says elsewhere what they mean.
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self.readiness {
            Readiness::Ready => "可用",
            Readiness::Quiet => "7 天没付成过",
            Readiness::Closed => "未开通",
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct InstitutionRow {
    pub code: String,
    pub name: String,
    /// "三级医院", "药店".
    pub kind: String,
    pub area: String,
    pub address: String,
    pub readiness: Readiness,
    /// Each kind of terminal; empty where nothing is enabled.
    pub ways: Vec<Way>,
    /// "约 850 米"; empty where no position is known.
    pub distance: String,
    /// "最近一次用钱包付款:昨天 16:20"; may be empty.
    pub last_paid: String,
    /// Notes such as "窗口可用,自助机不行"; may be empty.
    pub note: String,
}
