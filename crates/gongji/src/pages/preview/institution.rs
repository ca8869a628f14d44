//! The institution's pages.

use super::Shelf;
use crate::pages::views::cashier::Counter;
use crate::pages::views::institution::{BadLine, BreakItem, ClassLine, Compared, DayLine, Home, Sent};
use crate::pages::views::lookup::Way;
use crate::pages::views::{Choice, Fact, Problem, Readiness, Tone};

pub(super) fn fill(shelf: &mut Shelf) {
    let layout = shelf.public("对账", "/institution");
    let counter = Counter { institution: "泸州市示范人民医院".into(), note: "四川泸州 · 三级医院".into() };
    let class = |label: &str, captures, refunds, own: &str, fund: &str| ClassLine {
        label: label.into(),
        captures,
        refunds,
        own: own.into(),
        fund: fund.into(),
        query: "day=2026-11-22&class=11-310".into(),
    };
    let line = |number: &str, at: &str, what: &str, amount: &str, tone| DayLine {
        href: format!("/cashier/orders/{number}"),
        order_no: number.into(),
        what: what.into(),
        at: at.into(),
        class: "门诊 · 职工医保".into(),
        amount: amount.into(),
        tone,
    };
    let sent = |label: &str, state: &str, tone| Sent {
        href: "/institution/files/0001000000000001".into(),
        label: label.into(),
        at: "今天 17:30 对的".into(),
        state: state.into(),
        tone,
    };
    let home = Home {
        layout: layout.clone(),
        counter: counter.clone(),
        day: "2026-11-22".into(),
        day_first: "2026-08-22".into(),
        day_last: "2026-11-22".into(),
        day_words: "11月22日 周日".into(),
        is_today: true,
        classes: vec![class("门诊 · 职工医保", 318, 4, "¥12,365.50", "¥40,112.00"), class("住院 · 居民医保", 12, 0, "¥98,400.00", "¥310,020.00")],
        choices: vec![Choice::new("11-310", "门诊 · 职工医保", true), Choice::new("11-390", "门诊 · 居民医保", false)],
        lines: vec![
            line("MZ20261122-0318", "17:28", "收款", "¥36.50", Tone::Good),
            line("MZ20261122-0311", "17:20", "退费", "−¥128.00", Tone::Wait),
            line("MZ20261122-0310", "17:19", "已取消", "¥60.00", Tone::Plain),
        ],
        more: "最近 50 笔,共 334 笔;下载明细看全部".into(),
        sent: vec![
            sent("门诊 · 职工医保", "3 处要核对", Tone::Alarm),
            sent("住院 · 居民医保", "对平了", Tone::Good),
            sent("药店购药 · 职工医保", "正在对", Tone::Wait),
        ],
        keys: vec![Fact::new("密钥 0001a1b2c3d4", "2026年11月1日 起")],
        readiness: Readiness::Ready,
        ways: vec![Way::new("窗口", Readiness::Ready), Way::new("自助机", Readiness::Quiet), Way::new("手机", Readiness::Closed)],
        last_paid: "最近一次用钱包付成:11月22日 周日".into(),
    };
    shelf.add("institution", &home);
    let empty = Home { classes: vec![], lines: vec![], sent: vec![], more: String::new(), ..home.clone() };
    shelf.add("institution-empty", &empty);
    let mut wrong = home;
    wrong.layout.problems = vec![Problem::of("class", "先选这是哪一类的明细。"), Problem::of("file", "先选要对的明细文件。")];
    shelf.add("institution-wrong", &wrong);
    let found = |title: &str, cause: &str, proposal: &str, code: &str, difference: &str, tone| BreakItem {
        title: title.into(),
        cause: cause.into(),
        proposal: proposal.into(),
        code: code.into(),
        place: "第 12 行 · MZ20261122-0007".into(),
        difference: difference.into(),
        tone,
    };
    let facts = |difference: &str| {
        vec![
            Fact::new("机构的文件", "322 笔,¥12,375.50"),
            Fact::new("平台", "322 笔,¥12,365.50"),
            Fact::new("机构比平台多", difference),
            Fact::new("两边一致", "320 笔"),
        ]
    };
    let done = Compared {
        layout: layout.clone(),
        counter,
        heading: "有 1 处要核对".into(),
        note: "11月22日 周日 · 门诊 · 职工医保".into(),
        tone: Tone::Alarm,
        facts: facts("¥10.00"),
        breaks: vec![
            found(
                "金额不一样",
                "机构列 ¥46.50,平台是 ¥36.50:可能改过账单,或者有一部分没有确认收款。",
                "机构对照账单核对。平台收多了,把多的部分退费;收少了,差额请病人另付,不改原来这一笔。",
                "AMOUNT_DIFFERS",
                "机构多 ¥10.00",
                Tone::Alarm,
            ),
            found(
                "分几次收的,合成了一行",
                "同一单号,机构列 1 行,平台是 2 次收款,合计都是 ¥90.00。",
                "合计一样,不用补退。下次请一次收款(退费)列一行。",
                "CAPTURES_SUMMED",
                "",
                Tone::Plain,
            ),
        ],
        download: "/institution/files/0001000000000001/breaks.csv".into(),
        back: "/institution?day=2026-11-22".into(),
        ..Compared::default()
    };
    shelf.add("institution-breaks", &done);
    let agreed = Compared { heading: "对平了".into(), tone: Tone::Good, facts: facts("¥0.00"), breaks: vec![], ..done.clone() };
    shelf.add("institution-agreed", &agreed);
    let bad = |place: &str, reason: &str| BadLine { place: place.into(), reason: reason.into() };
    let refused = Compared {
        heading: "文件没有用上".into(),
        note: "11月22日 周日 · 门诊 · 职工医保。有 2 处不对,一行也没有对。改好再传一次。".into(),
        facts: vec![],
        breaks: vec![],
        bad_lines: vec![
            bad("第 12 行 · acct_pay", "金额最多写到分,也就是小数点后两位。"),
            bad("第 31 行 · mdtrt_id", "这个编号被表格软件改成了科学计数,数字已经丢了。请从系统里重新导出。"),
        ],
        ..done.clone()
    };
    shelf.add("institution-refused", &refused);
    let running = Compared { heading: "正在对".into(), tone: Tone::Wait, waiting: true, facts: vec![], breaks: vec![], ..done };
    shelf.add("institution-running", &running);
}
