//! Looking up, registering, signing in, trouble, sandbox, reference.

use super::{Shelf, choices, daughter, key, mother, son};
use crate::pages::views::account::{ActFor, ActForRow, CodeEntry, Forgot, Login, NoticeRow, Notices, Register, SampleLogin, Security, SessionRow};
use crate::pages::views::lookup::{Answer, AnswerSide, AreaRow, InstitutionRow, Institutions, ProvinceTile, Regions, Start, TileState, Verdict, Way};
use crate::pages::views::reference::{CodeRow, Group, Item, Operation, Reference, Response};
use crate::pages::views::sandbox::{Face, FacePerson, Home, Inbox, InboxMessage};
use crate::pages::views::trouble::{Broken, Busy, Missing, Refusal};
use crate::pages::views::{AreaGroup, Choice, Fact, Flash, Hidden, Layout, Link, Problem, Readiness, Reason, Section, Tone};

/// Code, short name, long ending, state: F full, P part, U list not published, C closed.
const PROVINCES: [(&str, &str, &str, char, u32); 32] = [
    ("11", "北京", "市", 'C', 0),
    ("12", "天津", "市", 'C', 0),
    ("13", "河北", "省", 'F', 16),
    ("14", "山西", "省", 'C', 0),
    ("15", "内蒙", "古自治区", 'P', 12),
    ("21", "辽宁", "省", 'P', 1),
    ("22", "吉林", "省", 'U', 0),
    ("23", "黑龙江", "省", 'U', 0),
    ("31", "上海", "市", 'P', 1),
    ("32", "江苏", "省", 'P', 3),
    ("33", "浙江", "省", 'U', 0),
    ("34", "安徽", "省", 'F', 16),
    ("35", "福建", "省", 'C', 0),
    ("36", "江西", "省", 'C', 0),
    ("37", "山东", "省", 'F', 18),
    ("41", "河南", "省", 'F', 19),
    ("42", "湖北", "省", 'F', 18),
    ("43", "湖南", "省", 'C', 0),
    ("44", "广东", "省", 'C', 0),
    ("45", "广西", "壮族自治区", 'F', 15),
    ("46", "海南", "省", 'C', 0),
    ("50", "重庆", "市", 'P', 24),
    ("51", "四川", "省", 'F', 22),
    ("52", "贵州", "省", 'U', 0),
    ("53", "云南", "省", 'P', 2),
    ("54", "西藏", "自治区", 'F', 8),
    ("61", "陕西", "省", 'P', 1),
    ("62", "甘肃", "省", 'F', 17),
    ("63", "青海", "省", 'C', 0),
    ("64", "宁夏", "回族自治区", 'C', 0),
    ("65", "新疆", "维吾尔自治区", 'F', 15),
    ("66", "兵团", "", 'F', 15),
];

fn tiles() -> Vec<ProvinceTile> {
    let each = PROVINCES.iter().map(|(code, short, ending, state, open)| {
        let state = match state {
            'F' => TileState::Full,
            'P' => TileState::Part,
            'U' => TileState::Unlisted,
            _ => TileState::Closed,
        };
        ProvinceTile {
            code: (*code).into(),
            name: format!("{short}{ending}"),
            short: (*short).into(),
            state,
            note: format!("{open} 个地区已开通"),
            href: format!("/regions/{code}0000"),
        }
    });
    each.collect()
}

pub(super) fn areas(chosen: &str) -> Vec<AreaGroup> {
    let list = [
        ("山东省", &[("370100", "济南市"), ("370200", "青岛市"), ("370600", "烟台市")][..]),
        ("江苏省", &[("320200", "无锡市"), ("320500", "苏州市")][..]),
        ("四川省", &[("510100", "成都市"), ("510500", "泸州市"), ("513200", "阿坝藏族羌族自治州")][..]),
        ("新疆维吾尔自治区", &[("653100", "喀什地区"), ("653000", "克孜勒苏柯尔克孜自治州")][..]),
    ];
    let group = |(province, areas): (&str, &[(&str, &str)])| AreaGroup {
        province: province.into(),
        areas: areas.iter().map(|(code, name)| Choice::new(*code, *name, *code == chosen)).collect(),
    };
    list.into_iter().map(group).collect()
}

fn start(shelf: &Shelf) -> Start {
    Start {
        layout: Layout { sandbox: false, ..shelf.public("查一查能不能用", "/") },
        mine: areas(""),
        family: areas(""),
        answer: None,
        tiles: tiles(),
        tally: "到 2026年11月22日,21 个省和新疆生产建设兵团的 227 个统筹区已开通。".into(),
    }
}

pub(super) fn fill(shelf: &mut Shelf) {
    lookup(shelf);
    institutions(shelf);
    account(shelf);
    trouble(shelf);
    sandbox(shelf);
    reference(shelf);
}

fn lookup(shelf: &mut Shelf) {
    let page = start(shelf);
    shelf.add("start", &page);
    let side = |city: &str, state: &str, verdict| AnswerSide { city: city.into(), state: state.into(), verdict };
    let yes = Answer {
        verdict: Verdict::Yes,
        sentence: "可以。济南和泸州都已开通:钱能转过去,家人在泸州看病、买药、缴居民医保都能用。".into(),
        mine: side("山东 济南市", "2025年5月8日 起", Verdict::Yes),
        family: side("四川 泸州市", "2025年5月8日 起", Verdict::Yes),
        next: vec![Link::new("/institutions?area=510500", "看泸州哪里能用"), Link::new("/login", "登录,转给家人")],
    };
    shelf.add("start-yes", &Start { answer: Some(yes), mine: areas("370100"), family: areas("510500"), ..start(shelf) });
    let unknown = Answer {
        verdict: Verdict::Unknown,
        sentence: "说不准。济南已开通,但浙江的名单没有公布,转钱之前先打杭州医保电话 12393 问一句。".into(),
        mine: side("山东 济南市", "2025年5月8日 起", Verdict::Yes),
        family: side("浙江 杭州市", "省里已宣布开通,没有列出地区", Verdict::Unknown),
        next: vec![],
    };
    shelf.add("start-unknown", &Start { answer: Some(unknown), ..start(shelf) });
    let layout = Layout { problems: vec![Problem::of("family", "请选家人参保的城市。")], ..shelf.public("查一查能不能用", "/?mine=370100") };
    shelf.add("start-wrong", &Start { layout, ..start(shelf) });
    let row = |name: &str, level: &str, verdict, since: &str| AreaRow {
        name: name.into(),
        level: level.into(),
        verdict,
        since: since.into(),
        change_of_use: verdict == Verdict::Yes,
        href: "/institutions?area=340100".into(),
    };
    let others: Vec<Link> = PROVINCES.iter().map(|(code, short, ..)| Link::new(format!("/regions/{code}0000"), *short)).collect();
    shelf.add(
        "regions",
        &Regions {
            layout: shelf.public("安徽省", "/regions/340000"),
            province: "安徽省".into(),
            state: TileState::Full,
            sentence: "全省 16 个统筹区都已开通,也都能变更使用地。".into(),
            areas: vec![
                row("合肥市", "地级市", Verdict::Yes, "2025年5月8日 起"),
                row("芜湖市", "地级市", Verdict::Yes, "2025年5月8日 起"),
                row("亳州市", "地级市", Verdict::No, "2026年3月1日 暂停"),
            ],
            others: others.clone(),
        },
    );
    shelf.add(
        "regions-unlisted",
        &Regions {
            layout: shelf.public("浙江省", "/regions/330000"),
            province: "浙江省".into(),
            state: TileState::Unlisted,
            sentence: "已宣布开通 1 个地区,没有公布是哪一个。".into(),
            areas: vec![],
            others,
        },
    );
}

fn institutions(shelf: &mut Shelf) {
    let row = |code: &str, name: &str, kind: &str, readiness, last: &str, note: &str| InstitutionRow {
        code: code.into(),
        name: name.into(),
        kind: kind.into(),
        area: "四川泸州".into(),
        address: "江阳区示范路 8 号".into(),
        readiness,
        ways: if readiness == Readiness::Closed {
            vec![]
        } else {
            vec![Way::new("窗口", readiness), Way::new("自助机", Readiness::Quiet), Way::new("手机", Readiness::Closed)]
        },
        distance: if readiness == Readiness::Ready { "约 850 米".into() } else { String::new() },
        last_paid: last.into(),
        note: note.into(),
    };
    let page = Institutions {
        layout: Layout { section: Section::Places, ..shelf.public("在哪里能用", "/institutions?area=510500") },
        key: key(),
        areas: areas("510500"),
        kinds: choices(&[("hospital", "医院", ""), ("pharmacy", "药店", "")]).into_iter().map(|choice| Choice { chosen: false, ..choice }).collect(),
        districts: choices(&[("江阳区", "江阳区", ""), ("龙马潭区", "龙马潭区", "")]),
        terminals: choices(&[("counter", "窗口", ""), ("kiosk", "自助机", ""), ("mobile", "手机", "")]),
        near: vec![Hidden::new("area", "510500")],
        is_near: false,
        readiness: choices(&[("ready", "可用", ""), ("quiet", "已开通,近 7 天没有成功支付", ""), ("closed", "未开通", "")])
            .into_iter()
            .map(|choice| Choice { chosen: false, ..choice })
            .collect(),
        reports: choices(&[("counter", "窗口说不能用钱包", ""), ("other", "别的情况", "")]),
        text: String::new(),
        place: "泸州市".into(),
        summary: "12 家可用,3 家已开通但近期没有成功支付,5 家未开通。".into(),
        rows: vec![
            row("H51050001", "泸州市示范人民医院", "三级医院", Readiness::Ready, "最近一次用钱包付款:昨天 16:20", "窗口可用,自助机暂时不行。"),
            row("P51050002", "平安大药房江阳店", "药店", Readiness::Ready, "最近一次用钱包付款:今天 09:12", ""),
            row("H51050003", "龙马潭社区卫生服务中心", "社区医院", Readiness::Quiet, "最近一次用钱包付款:11月2日 周一 10:05", ""),
            row("P51050004", "百姓药房", "药店", Readiness::Closed, "", ""),
        ],
        more: Some("/institutions?area=510500&after=x".into()),
    };
    shelf.add("institutions", &page);
    let layout = Layout { section: Section::Places, ..shelf.signed("在哪里能用", "/institutions") };
    shelf.add("institutions-empty", &Institutions { layout, rows: vec![], more: None, text: "同仁".into(), summary: "没有符合的。".into(), ..page });
}

fn account(shelf: &mut Shelf) {
    let register = Register { layout: shelf.public("注册", "/register"), key: key(), ..Register::default() };
    shelf.add("register", &register);
    let mut layout = shelf.public("注册", "/register");
    layout.problems = vec![Problem::of("id_number", "身份证号第 18 位不对,请再核对一遍。"), Problem::of("phone", "手机号要 11 位数字,现在是 10 位。")];
    let wrong =
        Register {
            layout, name: "阿卜杜拉·买买提江".into(), id_number: "990101197903120016".into(), phone: "1990000001".into(), consent: true, ..register
        };
    shelf.add("register-wrong", &wrong);
    let code = CodeEntry {
        layout: shelf.public("验证码", "/register/code"),
        key: key(),
        heading: "验证码是多少?".into(),
        sent_to: "199****0001".into(),
        action: "/register/code".into(),
        resend: "/register/code/resend".into(),
        valid_until: "10:10".into(),
        hidden: vec![Hidden::new("attempt", "a1")],
        new_password: true,
        submit: "完成注册".into(),
    };
    shelf.add("register-code", &code);
    let mut layout = shelf.public("验证码", "/login/code");
    layout.problems = vec![Problem::of("code", "验证码不对,还能试 2 次。")];
    let login_code = CodeEntry { layout, action: "/login/code".into(), new_password: false, submit: "登录".into(), sent_to: String::new(), ..code };
    shelf.add("login-code-wrong", &login_code);
    let sample = |name: &str, id: &str, note: &str| SampleLogin { name: name.into(), id_number: id.into(), password: "258147".into(), note: note.into() };
    let people = vec![
        sample("李建国", "990101197903120015", "济南 · 职工医保 · 个人账户 ¥8,300.00"),
        sample("王秀英", "990101195207080022", "泸州 · 居民医保 · 还没开通钱包"),
        sample("李敏", "99010119830425004X", "苏州 · 职工医保 · 用额度,不转钱"),
    ];
    let login = Login { layout: shelf.public("登录", "/login"), key: key(), account: String::new(), back: "/wallet".into(), samples: people.clone() };
    shelf.add("login", &login);
    let mut layout = Layout { sandbox: false, ..shelf.public("登录", "/login") };
    layout.problems = vec![Problem::general("号码或密码不对。再错 2 次,就要等 15 分钟。")];
    shelf.add("login-wrong", &Login { layout, account: "19900000001".into(), samples: vec![], ..login });
    shelf.add("forgot", &Forgot { layout: shelf.public("忘了密码", "/forgot"), key: key(), ..Forgot::default() });
    let session = |id: &str, device: &str, current| SessionRow {
        id: id.into(),
        device: device.into(),
        since: "11月20日 周五 08:31".into(),
        seen: "今天 10:05".into(),
        current,
    };
    shelf.add(
        "security",
        &Security {
            layout: shelf.signed("账号与安全", "/security"),
            key: key(),
            name: "李建国".into(),
            id_number_masked: "990101********0015".into(),
            phone_masked: "199****0001".into(),
            password_since: "2026年11月1日".into(),
            sessions: vec![session("s1", "安卓手机 · Chrome", true), session("s2", "Windows 电脑 · Edge", false)],
        },
    );
    let notice = |title: &str, text: &str, tone, unread| NoticeRow {
        title: title.into(),
        text: text.into(),
        at: "11月22日 周日 10:05".into(),
        tone,
        unread,
        href: Some("/transfers/1".into()),
    };
    let notices = Notices {
        layout: Layout { section: Section::Notices, ..shelf.signed("消息", "/notices") },
        key: key(),
        rows: vec![
            notice("妈妈收下了 ¥500.00", "11月22日 10:05 到账。以后再转给妈妈,马上到账。", Tone::Good, true),
            notice("有一笔还没收下", "转给李敏的 ¥200.00,明天 06:00 前没收下会自动退回。", Tone::Wait, true),
            notice("¥200.00 退回来了", "李敏没有收下,钱回到你的个人账户。", Tone::Plain, false),
        ],
        more: Some("/notices?after=x".into()),
    };
    shelf.add("notices", &notices);
    shelf.add("notices-empty", &Notices { layout: Layout { unread: 0, ..notices.layout.clone() }, rows: vec![], more: None, ..notices });
    let act =
        |id: &str, party, chosen| ActForRow {
            id: id.into(), party, may: "可以替她收钱、出示付款码、看明细".into(), since: "2026年11月1日 起".into(), chosen
        };
    let layout = Layout { acting_for: Some("王秀英".into()), ..shelf.signed("替谁办", "/act-for") };
    shelf.add("act-for", &ActFor { layout, key: key(), people: vec![act("m", mother(), true)], helpers: vec![act("d", daughter(), false)] });
    shelf.add("act-for-empty", &ActFor { layout: shelf.signed("替谁办", "/act-for"), key: key(), people: vec![], helpers: vec![] });
}

fn trouble(shelf: &mut Shelf) {
    let reason = |text: &str, next: &str, link: Option<Link>, code: &str| Reason { text: text.into(), next: next.into(), link, code: code.into() };
    shelf.add(
        "refusal",
        &Refusal {
            layout: shelf.signed("没有办成", "/transfer"),
            heading: "钱没有转出".into(),
            certain: "钱还在个人账户里,一分没动。".into(),
            reasons: vec![
                reason("现在是 22:10,转账每天 6:00 到 22:00 办理。", "明早 6:00 后再转。", None, "CLOSED_HOURS"),
                reason("这一笔 ¥2,500.00,超过每次 ¥2,000.00 的上限。", "少转一些,或者分两次转。", None, "AMOUNT_OVER_MAX"),
                reason("还有一笔转给李敏的钱没被收下。", "等她收下,或者先取消那一笔。", Some(Link::new("/transfers/1", "去看那一笔")), "ONE_PENDING"),
            ],
            again: "明天 06:00 后可以再办。".into(),
            number: "7F3K-2M9Q".into(),
            back: Link::new("/transfer", "回去改"),
        },
    );
    shelf.add("missing", &Missing { layout: shelf.public("没有这一页", "/nowhere") });
    shelf.add("broken", &Broken { layout: shelf.signed("出了问题", "/transfer"), number: "7F3K-2M9Q".into(), safe_to_retry: true });
    shelf.add(
        "busy",
        &Busy {
            layout: shelf.signed("请稍等", "/wallet"), heading: "办事的人有点多".into(), again: "约 10 秒后再点一次。".into(), number: "7F3K-2M9Q".into()
        },
    );
}

fn sandbox(shelf: &mut Shelf) {
    let login = |name: &str, id: &str, note: &str| SampleLogin { name: name.into(), id_number: id.into(), password: "258147".into(), note: note.into() };
    shelf.add(
        "sandbox",
        &Home {
            layout: Layout {
                flash: Some(Flash { tone: Tone::Good, text: "时间调到了 11月23日 周一 10:00。".into() }), ..shelf.public("沙箱", "/sandbox")
            },
            key: key(),
            now: "2026年11月23日 周一 10:00".into(),
            now_typed: "2026-11-23T10:00".into(),
            presets: choices(&[
                ("21:59", "21:59", "马上停办"),
                ("22:00", "22:00", "转账停办"),
                ("06:00", "06:00", "没收的退回"),
                ("next-month", "下个月", "开始清算"),
            ]),
            people: vec![
                login("李建国", "990101197903120015", "济南 · 职工医保 · 个人账户 ¥8,300.00"),
                login("王秀英", "990101195207080022", "泸州 · 居民医保 · 还没开通钱包"),
                login("李敏", "99010119830425004X", "苏州 · 职工医保 · 用额度,不转钱"),
            ],
            institutions: vec![Fact::new("泸州市示范人民医院", "sandbox-H51050001-8c1f"), Fact::new("平安大药房江阳店", "sandbox-P51050002-77ad")],
            links: vec![
                Link::new("/sandbox/inbox", "短信收件箱"),
                Link::new("/sandbox/face", "刷脸结果"),
                Link::new("/cashier", "收银台"),
                Link::new("/docs", "接口文档"),
            ],
        },
    );
    let message = |code: &str, text: &str| InboxMessage {
        phone: "19900000001".into(),
        name: "李建国".into(),
        at: "11月23日 周一 10:01".into(),
        code: code.into(),
        text: text.into(),
    };
    let inbox = Inbox {
        layout: shelf.public("短信收件箱", "/sandbox/inbox"),
        phone: String::new(),
        messages: vec![
            message("402817", "【共济】验证码 402817,用来注册,10:06 前有效。不要告诉别人。"),
            message("", "【共济】李建国转给你 ¥500.00,明天 06:00 前收下。"),
        ],
    };
    shelf.add("sandbox-inbox", &inbox);
    shelf.add("sandbox-inbox-empty", &Inbox { messages: vec![], ..inbox });
    let person = |id: &str, name: String, result: &str| FacePerson { id: id.into(), name, result: result.into() };
    let people = vec![person("0", son().name, "是本人"), person("1", mother().name, "没有回音")];
    shelf.add("sandbox-face", &Face { layout: shelf.public("刷脸结果", "/sandbox/face"), key: key(), people });
}

fn reference(shelf: &mut Shelf) {
    let item = |name: &str, place: &str, kind: &str, required, text: &str| Item {
        name: name.into(),
        place: place.into(),
        kind: kind.into(),
        required,
        text: text.into(),
    };
    let operation = |id: &str, method: &str, path: &str, summary: &str| Operation {
        id: id.into(),
        method: method.into(),
        path: path.into(),
        summary: summary.into(),
        text: "先看规则,再动钱;所有不行的原因一次说完。".into(),
        parameters: vec![item("Idempotency-Key", "header", "string", true, "客户端生成,同一笔重发用同一个。")],
        body: vec![
            item("receiver", "", "object", true, "收款的家人。"),
            item("receiver.id_number", "", "string", true, "18 位身份证号。"),
            item("amount.amount", "", "integer", true, "分。"),
        ],
        responses: vec![
            Response { status: "201".into(), text: "已经提交".into(), fields: vec![item("id", "", "string", true, "转账号。")] },
            Response { status: "422".into(), text: "规则不允许".into(), fields: vec![item("code", "", "string", true, "稳定的代码。")] },
        ],
        example: "POST /api/v1/transfers\n{\"receiver\": {\"name\": \"王秀英\"}, \"amount\": {\"amount\": 50000, \"currency\": \"CNY\"}}".into(),
    };
    shelf.add(
        "docs",
        &Reference {
            layout: shelf.public("接口文档", "/docs"),
            version: "0.0.0".into(),
            introduction: vec!["金额一律是整数分。时间带时区。每次改动都要带幂等键。".into()],
            groups: vec![
                Group {
                    id: "transfers".into(),
                    name: "转账".into(),
                    text: "从个人账户或钱包转给近亲属。".into(),
                    operations: vec![
                        operation("create-transfer", "POST", "/api/v1/transfers", "转给家人"),
                        operation("get-transfer", "GET", "/api/v1/transfers/{id}", "看一笔转账"),
                    ],
                },
                Group {
                    id: "payments".into(),
                    name: "付款".into(),
                    text: String::new(),
                    operations: vec![operation("hold", "POST", "/api/v1/institutions/payments", "预占")],
                },
            ],
            codes: vec![CodeRow {
                code: "CLOSED_HOURS".into(), status: "422".into(), title: "现在不在办理时间。".into(), next: "明早 6:00 后再来。".into()
            }],
        },
    );
}
