//! The cashier's pages.

use super::{Shelf, key};
use crate::pages::views::cashier::{Amounts, Counter, Desk, Login, NoPhone, Order, OrderLine};
use crate::pages::views::{Fact, Problem, Reason, StepState, TimelineStep, Tone};

pub(super) fn fill(shelf: &mut Shelf) {
    let layout = shelf.public("收银台", "/cashier");
    let counter = Counter { institution: "泸州市示范人民医院".into(), note: "四川泸州 · 三级医院".into() };
    let samples = vec![Fact::new("泸州市示范人民医院", "sandbox-H51050001-8c1f")];
    shelf.add("cashier-login", &Login { layout: layout.clone(), key: key(), samples, back: "/cashier".into() });
    let order = |number: &str, payer: &str, amount: &str, state: &str, tone| OrderLine {
        order_no: number.into(),
        at: "10:05".into(),
        payer: payer.into(),
        amount: amount.into(),
        state: state.into(),
        tone,
    };
    let desk = Desk {
        layout: layout.clone(),
        counter: counter.clone(),
        key: key(),
        recent: vec![
            order("20261122-0012", "*秀英", "¥36.50", "已预占,等确认", Tone::Wait),
            order("20261122-0011", "*建国", "¥128.00", "已收", Tone::Good),
            order("20261122-0010", "*敏", "¥60.00", "没有付成", Tone::Alarm),
        ],
        today: "今天 12 笔,钱包付 ¥1,236.50".into(),
        ..Desk::default()
    };
    shelf.add("cashier", &desk);
    let mut wrong = desk.clone();
    wrong.amounts = Amounts { total: "120.00".into(), fund: "83.50".into(), own: "30.00".into(), institution: "0".into(), rest_in_cash: true };
    wrong.code = "7F3K2M9Q0041".into();
    wrong.layout.problems = vec![Problem::of("code", "这个码已经用过了,请付款人换一个新码。"), Problem::of("total", "总额 ¥120.00 不等于三部分之和 ¥113.50。")];
    wrong.recent = vec![];
    shelf.add("cashier-wrong", &wrong);
    let step = |label: &str, state| TimelineStep { label: label.into(), at: "10:05:12".into(), note: String::new(), state };
    let held = Order {
        layout: layout.clone(),
        counter: counter.clone(),
        key: key(),
        order_no: "20261122-0012".into(),
        heading: "已预占,请确认收款".into(),
        tone: Tone::Wait,
        amount: "¥36.50".into(),
        cash: "请另收现金 ¥12.00".into(),
        payer: "*秀英".into(),
        facts: vec![Fact::new("总额", "¥132.00"), Fact::new("医保基金付", "¥83.50"), Fact::new("个人付", "¥48.50"), Fact::new("钱包付", "¥36.50")],
        steps: vec![step("已预占", StepState::Done), step("确认收款", StepState::Now)],
        capture_left: Some("36.50".into()),
        can_void: true,
        ..Order::default()
    };
    shelf.add("cashier-held", &held);
    let done = Order {
        heading: "已收".into(),
        tone: Tone::Good,
        cash: String::new(),
        steps: vec![step("已预占", StepState::Done), step("已确认", StepState::Done)],
        capture_left: None,
        can_void: false,
        refund_left: Some("36.50".into()),
        can_reverse: true,
        ..held.clone()
    };
    shelf.add("cashier-captured", &done);
    let part =
        Order { heading: "已收一部分".into(), capture_left: Some("16.50".into()), refund_left: Some("20.00".into()), can_reverse: true, ..held.clone() };
    shelf.add("cashier-part", &part);
    let refused = Order {
        heading: "没有付成".into(),
        tone: Tone::Alarm,
        amount: String::new(),
        cash: "请收现金 ¥48.50".into(),
        reasons: vec![Reason {
            text: "钱包里的钱不够:要付 ¥48.50,现在能用 ¥36.50。".into(),
            next: "勾上“其余收现金”再收一次,或者全收现金。".into(),
            link: None,
            code: "BALANCE_SHORT".into(),
        }],
        steps: vec![],
        capture_left: None,
        can_void: false,
        ..held.clone()
    };
    shelf.add("cashier-refused", &refused);
    let asked = Order { heading: "等家人在手机上确认".into(), cash: String::new(), capture_left: None, waiting: true, state: "asked".into(), ..held };
    shelf.add("cashier-waiting", &asked);
    shelf.add("cashier-no-phone", &NoPhone { layout, counter, key: key(), ..NoPhone::default() });
}
