//! Wallet, transfers, payments, premiums, statement.

use super::entry::areas;
use super::{Shelf, choices, daughter, key, mother, mother_me, qr, son, son_me, uncle};
use crate::pages::views::format::yuan;
use crate::pages::views::pay::{Attempt, Code, Request};
use crate::pages::views::premium::{self, InsuredChoice};
use crate::pages::views::statement::{Check, Chip, List, Month, MonthBar, OriginRow, Picture, Print, PrintRow, Receipt, Slice};
use crate::pages::views::transfer::{Confirm, Form, KnownReceiver, Nearby, Show};
use crate::pages::views::wallet::{
    EndingRelation, FamilyShare, Home, LotRow, Open, OpenFor, Origins, OwnAccount, Place, RelationRow, Relations, Trouble, Waiting,
};
use crate::pages::views::{Choice, Fact, Flash, Hidden, Layout, Link, MovementLine, Party, Problem, Reason, Report, Section, StepState, TimelineStep, Tone};

pub(super) fn fill(shelf: &mut Shelf) {
    wallet(shelf);
    relations(shelf);
    transfer_form(shelf);
    transfer_show(shelf);
    pay(shelf);
    premiums(shelf);
    statement(shelf);
    sheets(shelf);
}

fn reason(text: &str, next: &str, code: &str) -> Reason {
    Reason { text: text.into(), next: next.into(), link: None, code: code.into() }
}

fn movement(party: Party, icon: Option<&str>, what: &str, detail: &str, amount: &str, left: &str) -> MovementLine {
    MovementLine {
        href: "/movements/1".into(),
        party,
        icon: icon.map(String::from),
        what: what.into(),
        detail: detail.into(),
        amount: amount.into(),
        incoming: amount.starts_with('+'),
        left: left.into(),
        ..MovementLine::default()
    }
}

fn lines() -> Vec<MovementLine> {
    let mut waiting = movement(daughter(), None, "转给女儿 李敏", "11月22日 周日 09:40 · 江苏苏州", "−¥200.00", "余 ¥1,860.00");
    waiting.state = "等她收下,明天 06:00 前".into();
    waiting.state_tone = Tone::Wait;
    let mut refunded = movement(Party::default(), Some("hospital"), "在平安大药房江阳店买药", "11月20日 周五 16:20 · 四川泸州", "−¥36.50", "余 ¥2,060.00");
    refunded.state = "已退费 ¥12.00".into();
    refunded.state_tone = Tone::Good;
    vec![
        waiting,
        movement(son(), None, "儿子 李建国 转来", "11月21日 周六 10:05 · 山东济南", "+¥500.00", "余 ¥2,060.00"),
        refunded,
        movement(Party::default(), Some("umbrella"), "缴 2027 年居民医保", "11月18日 周三 11:30 · 泸州市", "−¥400.00", "余 ¥1,596.50"),
    ]
}

fn home(shelf: &Shelf) -> Home {
    let share = |party, amount: &str, note: &str| FamilyShare { party, amount: amount.into(), note: note.into() };
    Home {
        layout: shelf.signed("我的钱包", "/wallet"),
        owner: mother_me(),
        opened: true,
        balance: "¥1,860.00".into(),
        place: "四川泸州".into(),
        held: String::new(),
        own_account: None,
        family: vec![share(son(), "¥1,500.00", ""), share(daughter(), "¥360.00", "额度,不能再转")],
        waits: vec![Waiting {
            tone: Tone::Wait,
            title: "儿子 李建国 转来 ¥500.00".into(),
            text: "明天 06:00 前收下,过时自动退回。".into(),
            action: Link::new("/transfers/1", "去收下"),
        }],
        closed_now: String::new(),
        trouble: None,
        recent: lines(),
    }
}

fn wallet(shelf: &mut Shelf) {
    let page = home(shelf);
    shelf.add("wallet", &page);
    let account = OwnAccount { balance: "¥8,300.00".into(), area: "山东济南 · 职工医保".into(), note: String::new() };
    let mut empty = home(shelf);
    (empty.owner, empty.balance, empty.place) = (son_me(), "¥0.00".into(), "山东济南".into());
    empty.own_account = Some(OwnAccount { note: "其中 ¥500.00 已作为额度给了妈妈".into(), ..account.clone() });
    (empty.family, empty.waits, empty.recent) = (vec![], vec![], vec![]);
    empty.layout.unread = 0;
    empty.closed_now = "现在是 22:10,明早 6:00 后可以转账。收钱、付款不受影响。".into();
    shelf.add("wallet-empty", &empty);
    let mut fresh = empty;
    (fresh.opened, fresh.closed_now, fresh.own_account) = (false, String::new(), Some(account));
    fresh.layout.flash = Some(Flash { tone: Tone::Good, text: "注册好了,欢迎你,李建国。".into() });
    shelf.add("wallet-not-open", &fresh);
    let mut stuck = home(shelf);
    stuck.layout.acting_for = Some("王秀英".into());
    stuck.owner.me = false;
    stuck.trouble = Some(Trouble {
        title: "钱包被暂时冻结了".into(),
        text: "泸州市医保中心 11月20日 冻结,12月20日 前会有结果。这段时间不能付款、转账,钱不会少。".into(),
        next: Some(Link::new("/notices", "看冻结的原因")),
    });
    stuck.held = "其中 ¥30.00 正在付款,暂时不能用".into();
    stuck.family.push(FamilyShare { party: uncle(), amount: "¥80.00".into(), note: String::new() });
    shelf.add("wallet-frozen", &stuck);
    shelf.add(
        "wallet-open",
        &Open {
            layout: shelf.signed("确认使用钱包", "/wallet/open"),
            key: key(),
            places: choices(&[("370100", "山东 济南市", "职工医保 · 正常参保")]),
            phone: "19900000001".into(),
            consent: false,
            blocked: vec![],
        },
    );
    shelf.add(
        "wallet-open-blocked",
        &Open {
            layout: shelf.signed("确认使用钱包", "/wallet/open"),
            blocked: vec![reason("参保的城市广州还没有开通医保钱包。", "开通以后我们会发消息。", "REGION_CLOSED")],
            ..Open::default()
        },
    );
    let relations = vec![Choice::new("51", "父亲", false), Choice::new("52", "母亲", true), Choice::new("20", "儿子", false)];
    let mut layout = shelf.signed("替家人开通", "/wallet/open-for");
    layout.problems = vec![Problem::of("consent", "要家人本人同意,才能替他开通。")];
    shelf.add(
        "wallet-open-for",
        &OpenFor {
            layout,
            key: key(),
            name: "王秀英".into(),
            id_number: "990101195207080022".into(),
            relations,
            places: areas("510500"),
            ..OpenFor::default()
        },
    );
    let place = Place {
        layout: shelf.signed("变更使用地", "/place"),
        key: key(),
        current: "四川 泸州市".into(),
        since: "2026年11月1日".into(),
        places: choices(&[("340100", "安徽 合肥市", "居民医保 · 正常参保")]),
        blocked: vec![],
    };
    shelf.add("place", &place);
    let blocked = vec![
        reason("四川还没有开通使用地变更。", "开通以后再来换。", "CHANGE_NOT_OFFERED"),
        reason("还有一笔转账没有收下。", "收下或者退回以后再换。", "PENDING_TRANSFER"),
    ];
    shelf.add("place-blocked", &Place { blocked, ..place });
    let lot = |party, origin: &str, amount: &str, is_quota| LotRow {
        party,
        origin: origin.into(),
        since: "11月2日 周一 收到".into(),
        amount: amount.into(),
        kind: if is_quota { "额度:不能再转出,用不完会退回" } else { "转账:可以再转给家人" }.into(),
        is_quota,
    };
    let origins = Origins {
        layout: shelf.signed("钱从哪里来", "/origins"),
        owner: mother_me(),
        balance: "¥1,860.00".into(),
        lots: vec![lot(son(), "山东济南 个人账户", "¥1,500.00", false), lot(daughter(), "江苏苏州 个人账户", "¥360.00", true)],
    };
    shelf.add("origins", &origins);
    shelf.add("origins-empty", &Origins { lots: vec![], balance: "¥0.00".into(), ..origins });
}

fn relations(shelf: &mut Shelf) {
    let row = |id: &str, party, quota: &str, state: &str, tone| RelationRow {
        id: id.into(),
        party,
        sent: "转出 ¥1,500.00 · 收到 ¥0.00".into(),
        since: "2026年11月2日 收下第一笔时确认".into(),
        quota: quota.into(),
        state: state.into(),
        state_tone: tone,
        can_end: state == "有效",
    };
    let page = Relations {
        layout: shelf.signed("我的家人", "/relations"),
        key: key(),
        rows: vec![
            row("m", mother(), "", "有效", Tone::Good),
            row("d", daughter(), "还有 ¥300.00 额度没用完", "有效", Tone::Good),
            row("u", uncle(), "", "已解除", Tone::Plain),
        ],
        ending: None,
    };
    shelf.add("relations", &page);
    let ending = EndingRelation {
        id: "d".into(),
        party: daughter(),
        consequences: vec![
            "没用完的额度 ¥300.00 马上回到你的个人账户。".into(),
            "她已经花掉的 ¥200.00 不用还。".into(),
            "以后再转,要重新等她收下一次。".into(),
        ],
    };
    shelf.add("relations-end", &Relations { ending: Some(ending), ..page.clone() });
    shelf.add("relations-empty", &Relations { rows: vec![], ..page });
}

fn form(shelf: &Shelf) -> Form {
    let known = |id: &str, party, chosen| KnownReceiver {
        id: id.into(),
        party,
        note: "尾号 0022 · 上次 11月2日 ¥500.00".into(),
        nearby: "泸州:近处 12 家可用".into(),
        chosen,
    };
    Form {
        layout: shelf.signed("转给谁", "/transfer"),
        me: son_me(),
        known: vec![known("m", mother(), true), known("d", daughter(), false)],
        new_chosen: false,
        relations: vec![Choice::new("51", "父亲", false), Choice::new("52", "母亲", false), Choice::new("20", "儿子", false)],
        sources: choices(&[("account", "我的个人账户", "有 ¥8,300.00 · 山东济南"), ("wallet", "我的钱包", "有 ¥0.00")]),
        limits: "今天还能转 2 次,每次最多 ¥2,000.00。".into(),
        ..Form::default()
    }
}

fn transfer_form(shelf: &mut Shelf) {
    let page = form(shelf);
    shelf.add("transfer", &page);
    let mut first = form(shelf);
    first.known = vec![];
    first.new_chosen = true;
    first.name = "王秀英".into();
    first.id_number = "990101195207080025".into();
    first.amount = "2500".into();
    first.layout.problems = vec![
        Problem::of("id_number", "身份证号第 18 位不对,请再核对一遍。"),
        Problem::of("relation", "请选他是你的什么人。"),
        Problem::of("amount", "每次最多转 ¥2,000.00。"),
    ];
    shelf.add("transfer-wrong", &first);
    let mut closed = form(shelf);
    closed.blocked = vec![
        reason("现在是 22:10,转账每天 6:00 到 22:00 办理。", "明早 6:00 后可以转。", "CLOSED_HOURS"),
        Reason {
            link: Some(Link::new("/transfers/1", "去看那一笔")),
            ..reason("转给李敏的 ¥200.00 还没被收下,一次只能等一笔。", "等她收下,或者先取消。", "ONE_PENDING")
        },
    ];
    shelf.add("transfer-closed", &closed);
    let confirm = Confirm {
        layout: shelf.signed("再看一遍", "/transfer"),
        key: key(),
        hidden: vec![Hidden::new("receiver", "m"), Hidden::new("amount", "500.00")],
        from: son_me(),
        to: mother(),
        amount: "¥500.00".into(),
        facts: vec![Fact::new("收款人", "王秀英 · 尾号 0022"), Fact::new("从哪里转", "我的个人账户"), Fact::new("转完还剩", "¥7,800.00")],
        blocked: vec![],
        outcome: "第一次转给妈妈:要她在明天 06:00 前收下,过时自动退回。".into(),
        outcome_tone: Tone::Wait,
        nearby: Nearby {
            place: "泸州".into(),
            sentence: "近处 12 家可用:医院 4 家,药店 8 家。".into(),
            ways: "窗口 12 家,自助机 3 家,手机 5 家能付。".into(),
            tone: Tone::Good,
            ready: "12".into(),
            quiet: "3".into(),
            closed: "5".into(),
            href: "/institutions?area=510500".into(),
        },
        limits: "转完这一次,今天还能转 1 次。".into(),
        face: true,
    };
    shelf.add("transfer-confirm", &confirm);
    let blocked = vec![
        reason("孙女婿不在近亲属之内,不能转。", "可以先转给孙女,由她来用。", "RELATION_NOT_ALLOWED"),
        reason("个人账户只有 ¥300.00,不够转 ¥500.00。", "少转一些。", "BALANCE_SHORT"),
    ];
    shelf.add("transfer-confirm-blocked", &Confirm { blocked, ..confirm });
}

fn step(label: &str, at: &str, note: &str, state: StepState) -> TimelineStep {
    TimelineStep { label: label.into(), at: at.into(), note: note.into(), state }
}

fn transfer_show(shelf: &mut Shelf) {
    let waiting = Show {
        layout: shelf.signed("等妈妈收下", "/transfers/1"),
        key: key(),
        id: "1".into(),
        heading: "等妈妈收下".into(),
        tone: Tone::Wait,
        from: son_me(),
        to: mother(),
        amount: "¥500.00".into(),
        deadline: "明天 06:00 前没有收下,钱自动退回你的个人账户。".into(),
        steps: vec![
            step("已提交", "11月22日 周日 10:05", "", StepState::Done),
            step("等妈妈收下", "明天 06:00 前", "已经给妈妈发了短信", StepState::Now),
            step("到账", "", "", StepState::Ahead),
        ],
        facts: vec![Fact::new("转账号", "7F3K-2M9Q"), Fact::new("从哪里转", "个人账户 · 山东济南")],
        state: "awaiting".into(),
        waiting: true,
        can_cancel: true,
        ..Show::default()
    };
    shelf.add("transfer-waiting", &waiting);
    let mut receiver = waiting.clone();
    receiver.heading = "儿子转来一笔钱".into();
    (receiver.from, receiver.to) = (son(), mother_me());
    receiver.deadline = "明天 06:00 前收下,过时自动退回。".into();
    (receiver.can_cancel, receiver.can_accept, receiver.can_decline) = (false, true, true);
    receiver.accept_note = "收下就等于确认:李建国是你的儿子。以后他再转来,马上到账。".into();
    receiver.steps[1].label = "等你收下".into();
    shelf.add("transfer-accept", &receiver);
    receiver.places = areas("510500");
    receiver.layout.problems = vec![Problem::of("place", "请选在哪里用这笔钱。")];
    shelf.add("transfer-accept-open", &receiver);
    let mut done = waiting.clone();
    (done.heading, done.tone, done.deadline) = ("妈妈收到了".into(), Tone::Good, String::new());
    (done.waiting, done.can_cancel) = (false, false);
    done.steps = vec![
        step("已提交", "11月22日 周日 10:05", "", StepState::Done),
        step("妈妈收下", "11月22日 周日 10:31", "", StepState::Done),
        step("到账", "11月22日 周日 10:31", "", StepState::Done),
    ];
    done.receipt_href = Some("/movements/1".into());
    done.next = vec![Link::new("/institutions?area=510500", "看妈妈在哪里能用"), Link::new("/transfer", "再转一笔")];
    shelf.add("transfer-done", &done);
    let mut back = done;
    (back.heading, back.tone) = ("没有收下,钱已退回".into(), Tone::Plain);
    back.deadline = "¥500.00 回到了你的个人账户。这一次也算在今天的次数里。".into();
    back.steps = vec![
        step("已提交", "11月22日 周日 10:05", "", StepState::Done),
        step("没有收下", "11月23日 周一 06:00", "", StepState::Ended),
        step("已退回", "11月23日 周一 06:00", "", StepState::Done),
    ];
    shelf.add("transfer-returned", &back);
}

fn pay(shelf: &mut Shelf) {
    let code = Code {
        layout: shelf.signed("付款码", "/pay"),
        key: key(),
        owner: mother_me(),
        qr_svg: qr("付款码"),
        code_text: "7F3K 2M9Q 0041".into(),
        valid_until: "10:06:30".into(),
        valid_until_ms: 1_795_313_190_000,
        now_ms: 1_795_313_100_000,
        usable: "¥1,860.00".into(),
        place: "四川泸州".into(),
        first: choices(&[("account", "先用自己的个人账户", "有 ¥120.00"), ("wallet", "先用钱包", "有 ¥1,860.00")]),
        state: "waiting".into(),
        progress: String::new(),
        blocked: vec![],
        nearby: "近处 12 家可用:窗口 12 家,自助机 3 家,手机 5 家。".into(),
        places_href: "/institutions?area=510500".into(),
        attempt: None,
        attempt_reasons: vec![],
        report: None,
    };
    shelf.add("pay", &code);
    let report =
        Report {
            place: "泸州市示范人民医院".into(), choices: choices(&[("refused", "扫了码,没有付成", ""), ("other", "别的情况", "")]), ..Report::default()
        };
    let attempt = Attempt { sentence: "泸州市示范人民医院 10:05 想收 ¥3,650.00,没有收成".into(), state: "1".into() };
    let attempt_reasons = vec![reason("余额不够,能用的只有 ¥1,860.00。", "请收银员只收能用的部分,其余付现金。", "INSUFFICIENT_FUNDS")];
    shelf.add("pay-refused", &Code { attempt: Some(attempt), attempt_reasons, report: Some(report), ..code.clone() });
    shelf.add("pay-held", &Code { progress: "泸州市示范人民医院 正在收 ¥36.50".into(), state: "held".into(), ..code.clone() });
    shelf.add("pay-none", &Code { qr_svg: None, state: "expired".into(), ..code.clone() });
    let blocked = vec![reason("钱包被暂时冻结了,不能付款。", "12月20日 前会有结果。急着看病,可以先付现金。", "WALLET_FROZEN")];
    shelf.add("pay-blocked", &Code { blocked, ..code });
    let request = Request {
        layout: shelf.signed("替家人付款", "/pay/requests/1"),
        key: key(),
        id: "1".into(),
        hidden: vec![],
        payer: mother(),
        institution: "泸州市示范人民医院".into(),
        amount: "¥36.50".into(),
        facts: vec![Fact::new("总额", "¥120.00"), Fact::new("医保基金付", "¥83.50"), Fact::new("从谁的钱包付", "王秀英")],
        deadline: "10:12 前确认,过时就不付了。".into(),
        open: true,
        outcome: String::new(),
        next: vec![],
    };
    shelf.add("pay-request", &request);
    let next = vec![Link::new("/wallet", "回钱包")];
    shelf.add("pay-request-done", &Request { open: false, outcome: "已经付好了".into(), next, ..request });
}

fn premiums(shelf: &mut Shelf) {
    let insured = |id: &str, party, note: &str, chosen, disabled| InsuredChoice { id: id.into(), party, note: note.into(), chosen, disabled };
    let form = premium::Form {
        layout: shelf.signed("缴居民医保", "/premium"),
        insured: vec![
            insured("m", mother(), "泸州 · 每人 ¥400.00 · 12月31日 前缴", true, false),
            insured("u", uncle(), "喀什 · 2027 年已经缴过了", false, true),
        ],
        years: choices(&[("2027", "2027 年", "9月1日 到 12月31日 缴")]),
        balance: "¥1,860.00".into(),
        blocked: vec![],
    };
    shelf.add("premium", &form);
    let none = vec![reason("还没有可以替缴的家人。", "先转给家人一笔,他收下就确认了关系。", "NO_RELATION")];
    shelf.add("premium-blocked", &premium::Form { insured: vec![], blocked: none, ..form });
    let instructions = vec!["缴费期 2026年9月1日 到 12月31日,2027年1月1日 起享受待遇。".into(), "新生儿出生 90 天内可以随时缴,从出生那天起享受待遇。".into()];
    let confirm = premium::Confirm {
        layout: shelf.signed("再看一遍", "/premium"),
        key: key(),
        hidden: vec![Hidden::new("insured", "m")],
        payer: son_me(),
        insured: mother(),
        year: "2027".into(),
        amount: "¥400.00".into(),
        facts: vec![Fact::new("参保地", "四川 泸州市"), Fact::new("缴完钱包还剩", "¥1,460.00")],
        instructions: instructions.clone(),
        office: "泸州市医疗保障事务中心".into(),
        blocked: vec![],
    };
    shelf.add("premium-confirm", &confirm);
    let steps = vec![step("钱包已扣", "11月22日 周日 10:05", "", StepState::Done), step("当地确认参保", "11月22日 周日 10:05", "", StepState::Done)];
    shelf.add(
        "premium-receipt",
        &premium::Receipt {
            layout: shelf.signed("缴好了", "/premium/1"),
            heading: "妈妈明年的居民医保缴好了".into(),
            tone: Tone::Good,
            payer: son_me(),
            insured: mother(),
            amount: "¥400.00".into(),
            steps,
            facts: vec![Fact::new("缴费号", "7F3K-2M9Q"), Fact::new("待遇开始", "2027年1月1日")],
            instructions,
            state: "paid".into(),
            waiting: false,
            receipt_href: Some("/movements/1".into()),
            next: vec![Link::new("/premium", "再给一位家人缴")],
        },
    );
}

fn statement(shelf: &mut Shelf) {
    let chip = |label: &str, chosen| Chip { label: label.into(), href: "/statement".into(), chosen };
    let month = |heading: &str, lines| Month { heading: heading.into(), incoming: "¥500.00".into(), outgoing: "¥636.50".into(), lines };
    let list = List {
        layout: Layout { section: Section::Statement, ..shelf.signed("明细", "/statement") },
        owner: mother_me(),
        balance: "¥1,860.00".into(),
        chips: vec![chip("全部", true), chip("转账", false), chip("看病买药", false), chip("缴费", false), chip("退费", false), chip("李建国", false)],
        months: vec![
            month("2026年11月", lines()),
            month("2026年10月", vec![movement(uncle(), None, "弟弟 𬭚建业 转来", "10月8日 周四 08:00 · 新疆喀什", "+¥1,000.00", "余 ¥1,996.50")]),
        ],
        more: Some("/statement?after=x".into()),
        print_href: "/statement/print".into(),
        picture_href: "/statement/picture".into(),
        csv_href: Some("/statement.csv".into()),
        as_of: "到 11月22日 周日 10:05 为止。".into(),
    };
    shelf.add("statement", &list);
    shelf.add("statement-empty", &List { months: vec![], more: None, balance: "¥0.00".into(), ..list });
    let amounts = [(0, 0), (80_000, 12_050), (50_000, 36_000), (0, 45_500), (150_000, 28_000), (50_000, 61_250), (0, 8_000), (100_000, 40_000)];
    let bar = |(index, (incoming, outgoing)): (usize, &(i64, i64))| MonthBar {
        label: format!("{}月", index + 4),
        full: format!("2026年{}月", index + 4),
        incoming_fen: *incoming,
        outgoing_fen: *outgoing,
        incoming: yuan(*incoming),
        outgoing: yuan(*outgoing),
        left: "¥1,860.00".into(),
    };
    let slice = |label: &str, amount: &str, percent| Slice { label: label.into(), amount: amount.into(), percent };
    let picture = Picture {
        layout: Layout { section: Section::Statement, ..shelf.signed("每月收支", "/statement/picture") },
        owner: mother_me(),
        sentence: "近 8 个月收到 ¥4,300.00,用了 ¥2,308.00。".into(),
        months: amounts.iter().enumerate().map(bar).collect(),
        uses: vec![slice("看病", "¥1,308.00", 57), slice("买药", "¥600.00", 26), slice("缴居民医保", "¥400.00", 17)],
        givers: vec![slice("儿子 李建国", "¥3,300.00", 77), slice("女儿 李敏", "¥1,000.00", 23)],
    };
    shelf.add("statement-picture", &picture);
    shelf.add("statement-picture-empty", &Picture { months: vec![], sentence: "还没有收支。".into(), ..picture });
}

fn sheets(shelf: &mut Shelf) {
    let row = |what: &str, party: &str, amount: &str| PrintRow {
        at: "2026年11月21日 10:05".into(),
        what: what.into(),
        party: party.into(),
        place: "四川泸州".into(),
        amount: amount.into(),
        left: "¥1,860.00".into(),
        number: "7F3K-2M9Q".into(),
    };
    let rows: Vec<PrintRow> =
        (0..24).map(|index| if index % 3 == 0 { row("转入", "李建国", "+¥500.00") } else { row("付款", "平安大药房江阳店", "−¥36.50") }).collect();
    shelf.add(
        "statement-print",
        &Print {
            layout: Layout { section: Section::Statement, ..shelf.signed("明细单", "/statement/print") },
            owner: mother_me(),
            facts: vec![
                Fact::new("身份证号", "990101********0022"),
                Fact::new("使用地", "四川 泸州市"),
                Fact::new("期间", "2026年10月1日 到 11月22日"),
                Fact::new("打印时间", "2026年11月22日 10:05"),
            ],
            months: choices(&[("2026-11", "2026年11月", ""), ("2026-10", "2026年10月", "")]),
            rows,
            incoming: "¥4,000.00".into(),
            outgoing: "¥584.00".into(),
            opening: "¥0.00".into(),
            closing: "¥1,860.00".into(),
            qr_svg: qr("核对这张单子"),
            check_href: Some("/check/1-42-202611.AAAA".into()),
            number: "S-7F3K-2M9Q".into(),
        },
    );
    let check = Check {
        layout: shelf.public("核对凭证", "/check/1-42.AAAA"),
        heading: "账上有这张单子".into(),
        tone: Tone::Good,
        facts: vec![
            Fact::new("凭证号", "1-42"),
            Fact::new("是什么", "医保钱包付款凭证"),
            Fact::new("时间", "2026年11月20日 16:20"),
            Fact::new("金额", "−¥36.50"),
        ],
    };
    shelf.add("check", &check);
    shelf.add("check-none", &Check { heading: "没有这样的单子".into(), tone: Tone::Alarm, facts: Vec::new(), ..check });
    let origin = |party, amount: &str| OriginRow {
        party,
        origin: "山东济南 个人账户".into(),
        since: "11月2日 周一 转入".into(),
        kind: "转账".into(),
        amount: amount.into(),
    };
    shelf.add(
        "receipt-transfer",
        &Receipt {
            layout: Layout { section: Section::Statement, ..shelf.signed("转账凭证", "/movements/1") },
            heading: "转账凭证".into(),
            amount: "¥500.00".into(),
            from: Some(son_me()),
            to: Some(mother()),
            facts: vec![Fact::new("时间", "2026年11月22日 10:05"), Fact::new("事项", "转给家人,已到账"), Fact::new("关系", "母亲")],
            origins: vec![origin(son(), "¥500.00")],
            number: "7F3K-2M9Q".into(),
            qr_svg: qr("核对这张凭证"),
            rule: "转账规则 2025年5月8日 版".into(),
            ..Receipt::default()
        },
    );
    shelf.add(
        "receipt-payment",
        &Receipt {
            layout: Layout { section: Section::Statement, ..shelf.signed("付款凭证", "/movements/2") },
            heading: "付款凭证".into(),
            amount: "¥36.50".into(),
            facts: vec![
                Fact::new("时间", "2026年11月20日 16:20"),
                Fact::new("在哪里", "平安大药房江阳店 · 四川泸州"),
                Fact::new("总额", "¥120.00"),
                Fact::new("医保基金付", "¥83.50"),
                Fact::new("钱包付", "¥36.50"),
            ],
            origins: vec![origin(son(), "¥24.50"), origin(daughter(), "¥12.00")],
            related: vec![Link::new("/movements/3", "11月21日 退费 ¥12.00")],
            number: "7F3K-2M9R".into(),
            qr_svg: qr("核对这张凭证"),
            ..Receipt::default()
        },
    );
}
