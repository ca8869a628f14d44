//! Where every fen went: the statement, its picture, the printable sheets.

use askama::Template;

use super::{Choice, Fact, Layout, Link, MovementLine, Party, Report, Tone};

/// `/statement` — months as headings; filters are links.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "statement/list.html")]
pub struct List {
    pub layout: Layout,
    pub owner: Party,
    pub balance: String,
    /// "全部", "转账", "看病买药", "缴费", "退费", then relatives.
    pub chips: Vec<Chip>,
    pub months: Vec<Month>,
    /// Next page.
    pub more: Option<String>,
    pub print_href: String,
    pub picture_href: String,
    pub csv_href: Option<String>,
    /// "到 11月22日 周日 10:05 为止".
    pub as_of: String,
}

#[derive(Clone, Debug, Default)]
pub struct Chip {
    pub label: String,
    pub href: String,
    pub chosen: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Month {
    /// "2026年11月".
    pub heading: String,
    pub incoming: String,
    pub outgoing: String,
    pub lines: Vec<MovementLine>,
}

/// `/statement/picture` — the monthly chart with its table.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "statement/picture.html")]
pub struct Picture {
    pub layout: Layout,
    pub owner: Party,
    /// One sentence on top: "近 12 个月收到 ¥6,000.00,用了 ¥4,140.00。"
    pub sentence: String,
    /// Oldest first, at most twelve.
    pub months: Vec<MonthBar>,
    /// What it was used for, and by whom it was given.
    pub uses: Vec<Slice>,
    pub givers: Vec<Slice>,
}

#[derive(Clone, Debug, Default)]
pub struct MonthBar {
    /// "6月".
    pub label: String,
    /// "2026年6月".
    pub full: String,
    pub incoming_fen: i64,
    pub outgoing_fen: i64,
    pub incoming: String,
    pub outgoing: String,
    /// What was left at the end of the month.
    pub left: String,
}

/// A part of a whole, drawn as a bar.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    pub label: String,
    pub amount: String,
    /// 0–100.
    pub percent: u32,
}

/// A bar of the chart in the units of its drawing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bar {
    pub x: i64,
    pub y: i64,
    pub height: i64,
}

impl Picture {
    /// Height of the tallest bar; the chart is 360 × 196, its axis at 170: wide enough for labels a phone can show.
    const AREA: i64 = 160;
    const AXIS: i64 = 170;
    const WIDTH: i64 = 360;

    fn tallest(&self) -> i64 {
        self.months.iter().flat_map(|month| [month.incoming_fen, month.outgoing_fen]).max().unwrap_or(0).max(1)
    }

    fn slot(&self) -> i64 {
        let months = i64::try_from(self.months.len().max(1)).expect("a dozen months fit an i64");
        Self::WIDTH / months
    }

    fn bar(&self, index: &usize, fen: i64, shift: i64) -> Bar {
        let index = i64::try_from(*index).expect("a dozen months fit an i64");
        // An amount above zero stays visible, however small beside the tallest.
        let height = if fen <= 0 { 0 } else { (fen.saturating_mul(Self::AREA) / self.tallest()).max(3) };
        Bar { x: index * self.slot() + self.slot() / 2 + shift, y: Self::AXIS - height, height }
    }

    /// Bar of what came in during the month at `index`.
    #[must_use]
    pub fn incoming_bar(&self, index: &usize) -> Bar {
        self.bar(index, self.months[*index].incoming_fen, -10)
    }

    /// Bar of what was used during the month at `index`.
    #[must_use]
    pub fn outgoing_bar(&self, index: &usize) -> Bar {
        self.bar(index, self.months[*index].outgoing_fen, 1)
    }

    /// Centre of the month's label.
    #[must_use]
    pub fn label_x(&self, index: &usize) -> i64 {
        self.bar(index, 0, 0).x
    }
}

/// `/statement/print` — A4 sheet of a period.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "statement/print.html")]
pub struct Print {
    pub layout: Layout,
    pub owner: Party,
    pub facts: Vec<Fact>,
    /// `month`: which month is shown.
    pub months: Vec<Choice>,
    pub rows: Vec<PrintRow>,
    pub incoming: String,
    pub outgoing: String,
    pub opening: String,
    pub closing: String,
    /// Trusted SVG with which the sheet can be checked; none where there is no line.
    pub qr_svg: Option<String>,
    /// Where the code leads.
    pub check_href: Option<String>,
    /// Empty where there is no line.
    pub number: String,
}

/// `/check/{code}` — where the QR code of a sheet leads; `facts` is empty where there is no such sheet.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "statement/check.html")]
pub struct Check {
    pub layout: Layout,
    pub heading: String,
    pub tone: Tone,
    pub facts: Vec<Fact>,
}

#[derive(Clone, Debug, Default)]
pub struct PrintRow {
    pub at: String,
    pub what: String,
    pub party: String,
    pub place: String,
    pub amount: String,
    pub left: String,
    pub number: String,
}

/// `/movements/{id}` — the receipt of one movement, with the origin of each fen.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "statement/receipt.html")]
pub struct Receipt {
    pub layout: Layout,
    /// "医保钱包付款凭证".
    pub heading: String,
    pub amount: String,
    pub tone: Tone,
    /// Shown for transfers.
    pub from: Option<Party>,
    pub to: Option<Party>,
    pub facts: Vec<Fact>,
    pub origins: Vec<OriginRow>,
    /// Refunds and reversals of this movement, or the movement it corrects.
    pub related: Vec<Link>,
    pub number: String,
    /// Trusted SVG.
    pub qr_svg: Option<String>,
    /// Where the code leads.
    pub check_href: Option<String>,
    /// Rule version the decision was made under: "转账规则 2025-05-08 版".
    pub rule: String,
    /// Of a payment at an institution.
    pub report: Option<Report>,
}

/// From where how much of it came.
#[derive(Clone, Debug, Default)]
pub struct OriginRow {
    pub party: Party,
    /// "山东济南 职工医保个人账户".
    pub origin: String,
    /// "11月2日 周一 转入".
    pub since: String,
    pub kind: String,
    pub amount: String,
}
