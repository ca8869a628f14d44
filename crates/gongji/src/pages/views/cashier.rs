//! The cashier page of a designated institution (收银台).

use askama::Template;

use super::{Fact, Layout, Reason, TimelineStep, Tone};

/// The cashier's own part of the layout.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    /// "泸州市人民医院".
    pub institution: String,
    /// "四川泸州 · 三级医院".
    pub note: String,
}

/// `/cashier/login` — POST: `key`, `institution_key`, `back`.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "cashier/login.html")]
pub struct Login {
    pub layout: Layout,
    pub key: String,
    /// Sandbox only: (institution, key).
    pub samples: Vec<Fact>,
    /// The page that opens: the counter, or the institution's accounts.
    pub back: String,
}

/// The three amounts that must add up, as typed (yuan).
#[derive(Clone, Debug, Default)]
pub struct Amounts {
    pub total: String,
    pub fund: String,
    pub own: String,
    pub institution: String,
    /// Take what the wallet cannot pay in cash instead of refusing.
    pub rest_in_cash: bool,
}

/// `/cashier` — the counter.
///
/// POST `/cashier/hold`: `key`, `code`, `total`, `fund`, `own`, `institution`, `rest_in_cash` (=yes),
/// `order_no` (may be empty: one is made).
#[derive(Template, Clone, Debug, Default)]
#[template(path = "cashier/desk.html")]
pub struct Desk {
    pub layout: Layout,
    pub counter: Counter,
    pub key: String,
    pub code: String,
    pub amounts: Amounts,
    pub order_no: String,
    pub recent: Vec<OrderLine>,
    /// "今天 12 笔,钱包支付 ¥1,236.50".
    pub today: String,
}

#[derive(Clone, Debug, Default)]
pub struct OrderLine {
    pub order_no: String,
    pub at: String,
    /// "*秀英".
    pub payer: String,
    pub amount: String,
    pub state: String,
    pub tone: Tone,
}

/// `/cashier/orders/{order_no}` — one order: the big result and what can be done with it.
///
/// POST `/cashier/orders/{order_no}/capture|refund`: `key`, `amount` (yuan; empty = all).
/// POST `…/void`, `…/reverse`: `key`.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "cashier/order.html")]
pub struct Order {
    pub layout: Layout,
    pub counter: Counter,
    pub key: String,
    pub order_no: String,
    /// "已预占 ¥36.50", "已收 ¥36.50", "没有付成".
    pub heading: String,
    pub tone: Tone,
    /// From the wallet and account together.
    pub amount: String,
    /// "请另收现金 ¥12.00"; may be empty.
    pub cash: String,
    pub payer: String,
    pub facts: Vec<Fact>,
    pub steps: Vec<TimelineStep>,
    /// Why it was refused.
    pub reasons: Vec<Reason>,
    /// Left to capture, as typed: "36.50"; `None` hides the action.
    pub capture_left: Option<String>,
    /// Left to refund, as typed; `None` hides the action.
    pub refund_left: Option<String>,
    pub can_void: bool,
    pub can_reverse: bool,
    /// The last act came through the relative's confirmation that is still open.
    pub waiting: bool,
    /// State as a word; a change of it renews a waiting page.
    pub state: String,
}

/// `/cashier/no-phone` — ID number and 医保码 password on the keypad.
///
/// POST: `key`, `id_number`, `password`, the amounts, `order_no`; the second button sends `ask=relative`
/// and asks the authorised relative to confirm instead of the password.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "cashier/no_phone.html")]
pub struct NoPhone {
    pub layout: Layout,
    pub counter: Counter,
    pub key: String,
    pub id_number: String,
    pub amounts: Amounts,
    pub order_no: String,
}
