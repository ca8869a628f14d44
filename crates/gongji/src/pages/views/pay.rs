//! Paying at an institution, seen by the payer.

use askama::Template;

use super::{Choice, Fact, Hidden, Layout, Link, Party, Reason, Report};

/// `/pay` — the payment code. POST `/pay`: `key`, `first` (`account` or `wallet`) makes a new code.
///
/// GET shows the code that counts; where script runs the page renews itself when `state` changes.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "pay/code.html")]
pub struct Code {
    pub layout: Layout,
    pub key: String,
    pub owner: Party,
    /// The QR as trusted SVG made by this program; `None` when there is no valid code.
    pub qr_svg: Option<String>,
    /// The same code to read aloud or type: "7F3K 2M9Q 0041".
    pub code_text: String,
    /// "10:06:30".
    pub valid_until: String,
    /// Unix time in milliseconds of the end, for the countdown.
    pub valid_until_ms: i64,
    /// Unix time in milliseconds of this answer: the countdown never trusts the phone's clock.
    pub now_ms: i64,
    /// What can be used here: "¥1,860.00".
    pub usable: String,
    pub place: String,
    /// Which is used first.
    pub first: Vec<Choice>,
    /// "waiting", "held", "paid", "expired": changes renew the page.
    pub state: String,
    /// "泸州市人民医院 正在收款 ¥36.50"; may be empty.
    pub progress: String,
    /// Why no code can be made.
    pub blocked: Vec<Reason>,
    /// "近处 6 家可用:窗口 6 家,自助机 3 家,手机 4 家。"
    pub nearby: String,
    /// The list of them.
    pub places_href: String,
    /// What was last refused to this code.
    pub attempt: Option<Attempt>,
    /// And why.
    pub attempt_reasons: Vec<Reason>,
    /// About an order that did not work.
    pub report: Option<Report>,
}

/// A refused attempt to take money with the code that is shown.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// "泸州安和医院 10:06 想收 ¥36.50,没有收成".
    pub sentence: String,
    /// Another attempt renews the page.
    pub state: String,
}

/// `/pay/requests/{id}` — a relative without a phone is paying; the authorised relative confirms.
///
/// POST `/pay/requests/{id}/confirm`: `key`, `hidden`, `password`. POST `…/decline`: `key`.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "pay/request.html")]
pub struct Request {
    pub layout: Layout,
    pub key: String,
    pub id: String,
    pub hidden: Vec<Hidden>,
    pub payer: Party,
    pub institution: String,
    pub amount: String,
    pub facts: Vec<Fact>,
    /// "10:12 前确认"; may be empty.
    pub deadline: String,
    /// False shows only what became of it.
    pub open: bool,
    /// "已付款", "没有付", when it is not open any more.
    pub outcome: String,
    pub next: Vec<Link>,
}
