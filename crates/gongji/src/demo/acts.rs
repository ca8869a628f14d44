//! The journey, act by act. Money in fen; the people are those of `data/sandbox/`.

use super::client::{Answer, Caller, Client, check, fen, money, text};
use crate::cli::say;
use gongji_files::format_yuan;
use gongji_ledger::Fen;
use serde_json::{Value, json};

/// Somebody of the story.
#[derive(Clone, Copy)]
struct Person {
    name: &'static str,
    id_number: &'static str,
    password: &'static str,
}

const SON: Person = Person { name: "李强", id_number: "990137198405120013", password: "260001" };
const MOTHER: Person = Person { name: "王秀兰", id_number: "990151195203150023", password: "260002" };
const FATHER: Person = Person { name: "李建国", id_number: "990151195008020012", password: "730519" };
const WIFE: Person = Person { name: "陈静", id_number: "990132198609200021", password: "260004" };
const CHILD: Person = Person { name: "李沐阳", id_number: "990132201604080010", password: "" };
const MOTHER_IN_LAW: Person = Person { name: "周桂芳", id_number: "990134195711060028", password: "260006" };
const LANZHOU_SON: Person = Person { name: "马国栋", id_number: "990162197906180016", password: "260007" };
const TIANSHUI_FATHER: Person = Person { name: "马文华", id_number: "990162195102090016", password: "260008" };
const TIANSHUI_MOTHER: Person = Person { name: "杨玉梅", id_number: "990162195412210028", password: "" };
const JINAN_DAUGHTER: Person = Person { name: "马晓燕", id_number: "990137198310030023", password: "260010" };

const LUZHOU_HOSPITAL: &str = "H51050000001";
const LUZHOU_PHARMACY: &str = "P51050000001";
const LUZHOU_NOT_READY: &str = "H51050000004";
const JINAN_HOSPITAL: &str = "H37010000001";
const TIANSHUI_HOSPITAL: &str = "H62050000001";

struct Told<'a> {
    client: &'a Client,
    step: u32,
    keys: Vec<(String, String, String)>,
}

pub async fn play(client: &Client) -> anyhow::Result<()> {
    let keys = client.anybody().get("/sandbox/institutions").await?.ok()?;
    let keys = keys["institutions"].as_array().into_iter().flatten().map(|one| (text(&one["code"]), text(&one["name"]), text(&one["key"]))).collect();
    let mut told = Told { client, step: 0, keys };
    told.look_up().await?;
    told.register().await?;
    told.first_transfer().await?;
    told.limits_of_a_day().await?;
    told.closed_hours_and_return().await?;
    told.pay().await?;
    told.premium().await?;
    told.on_behalf().await?;
    told.quota().await?;
    told.place_change().await?;
    told.statement().await
}

fn yuan(amount: i64) -> String {
    format_yuan(Fen(amount))
}

impl<'a> Told<'a> {
    fn title(&mut self, title: &str) {
        self.step += 1;
        say(&format!("\n{}. {title}\n", self.step));
    }

    fn say(&self, line: &str) {
        say(&format!("   {line}\n"));
    }

    fn no(&self, line: &str, (sentence, next): (String, String)) {
        say(&format!("   {line} → 没办成:{sentence}{next}\n"));
    }

    async fn log_in(&self, person: Person) -> anyhow::Result<Caller<'a>> {
        let body = self.client.anybody().post("/sessions", json!({ "id_number": person.id_number, "password": person.password })).await?.ok()?;
        Ok(self.client.with(&text(&body["token"])))
    }

    fn institution(&self, code: &str) -> anyhow::Result<(Caller<'a>, &str)> {
        let found = self.keys.iter().find(|(known, ..)| known == code);
        let (_, name, key) = found.ok_or_else(|| anyhow::anyhow!("样例机构里没有 {code}"))?;
        Ok((self.client.with(key), name))
    }

    /// Moves the clock; sessions that were not used for half an hour are over then.
    async fn clock(&self, preset: &str) -> anyhow::Result<()> {
        let body = self.client.anybody().post("/sandbox/clock", json!({ "preset": preset })).await?.ok()?;
        self.say(&format!("⏰ 时钟拨到 {}", told_time(&text(&body["now"]))));
        Ok(())
    }

    /// The newest one-time code that went to this person.
    async fn code_of(&self, person: Person) -> anyhow::Result<String> {
        let inbox = self.client.anybody().get(&format!("/sandbox/inbox?id_number={}", person.id_number)).await?.ok()?;
        let messages = inbox["messages"].as_array().into_iter().flatten();
        messages.map(|message| text(&message["code"])).find(|code| !code.is_empty()).ok_or_else(|| anyhow::anyhow!("{} 没有收到验证码", person.name))
    }

    async fn proof(&self, from: &Caller<'_>, password: &str, what: Value) -> anyhow::Result<String> {
        let body = from.post("/proofs", json!({ "method": "password", "password": password, "for": what })).await?.ok()?;
        Ok(text(&body["proof"]))
    }

    /// Asks for a transfer after the identity check.
    async fn submit(&self, from: &Caller<'_>, sender: Person, receiver: Person, relation: &str, amount: i64, source: &str) -> anyhow::Result<Answer> {
        let receiver = json!({ "name": receiver.name, "id_number": receiver.id_number });
        let what = json!({ "transfer": { "receiver": receiver, "amount": money(amount), "source": source } });
        let proof = self.proof(from, sender.password, what).await?;
        let request = json!({ "receiver": receiver, "relation": relation, "amount": money(amount), "source": source, "proof": proof });
        from.post("/transfers", request).await
    }

    /// As [`Self::submit`], and waits for the receiver's side: id, state, deadline.
    async fn send(&self, from: &Caller<'_>, sender: Person, receiver: Person, relation: &str, amount: i64) -> anyhow::Result<(String, String, String)> {
        let submitted = self.submit(from, sender, receiver, relation, amount, "personal_account").await?.ok()?;
        let id = text(&submitted["id"]);
        let shown = from.get(&format!("/transfers/{id}")).await?.ok()?;
        Ok((id, text(&shown["state"]), text(&shown["deadline"])))
    }

    async fn state_of(&self, reader: &Caller<'_>, id: &str) -> anyhow::Result<String> {
        Ok(text(&reader.get(&format!("/transfers/{id}")).await?.ok()?["state"]))
    }

    /// Balance of the wallet and of the current personal account.
    async fn balances(&self, of: &Caller<'_>) -> anyhow::Result<(i64, i64)> {
        let wallet = of.get("/wallet").await?.ok()?;
        let personal = wallet["personal_accounts"].as_array().into_iter().flatten().find(|account| account["is_current"] == true);
        Ok((fen(&wallet["balance"]), personal.map_or(0, |account| fen(&account["balance"]))))
    }

    async fn check_balances(&self, of: &Caller<'_>, name: &str, wallet: i64, personal: i64) -> anyhow::Result<()> {
        let found = self.balances(of).await?;
        check(found == (wallet, personal), &format!("{name}的钱包应是 {},个人账户应是 {}", yuan(wallet), yuan(personal)), &json!(found))?;
        match (wallet, personal) {
            (_, 0) => self.say(&format!("{name}的钱包:{}", yuan(wallet))),
            (0, _) => self.say(&format!("{name}的个人账户:{}", yuan(personal))),
            _ => self.say(&format!("{name}的钱包:{},个人账户:{}", yuan(wallet), yuan(personal))),
        }
        Ok(())
    }

    async fn look_up(&mut self) -> anyhow::Result<()> {
        self.title("先查一查:我的城市和家人的城市能不能用");
        let anybody = self.client.anybody();
        for (code, name, is_open) in [("370100", "济南", true), ("510500", "泸州", true), ("110000", "北京", false)] {
            let region = anybody.get(&format!("/regions/{code}")).await?.ok()?;
            check(region["region"]["is_open"] == is_open, &format!("{name}的开通情况不对"), &region["region"]["is_open"])?;
            self.say(&format!("{name}:{}", if is_open { "已开通" } else { "还没有开通" }));
        }
        let shaanxi = anybody.get("/regions/610000").await?.ok()?;
        check(shaanxi["region"]["coverage"] == "unlisted", "陕西应是名单未公布", &shaanxi["region"]["coverage"])?;
        self.say("陕西:名单未公布(有地区开通,但没有公布是哪些)");
        let luzhou = anybody.get("/regions/510500").await?.ok()?;
        let count = |word: &str| luzhou["readiness"][word].as_u64().unwrap_or_default();
        check(count("ready") > 0 && count("quiet") > 0 && count("off") > 0, "泸州应有三种状态的机构", &luzhou["readiness"])?;
        self.say(&format!("妈妈附近:{} 家可用,{} 家已开通但近 7 天没有成功支付,{} 家未开通", count("ready"), count("quiet"), count("off")));
        Ok(())
    }

    async fn register(&mut self) -> anyhow::Result<()> {
        self.title("注册和登录");
        let anybody = self.client.anybody();
        let start = json!({ "name": FATHER.name, "id_number": FATHER.id_number, "phone": "19900000003" });
        let started = anybody.post("/registrations", start).await?.ok()?;
        let code = self.code_of(FATHER).await?;
        self.say(&format!("父亲{}填了姓名、身份证号、手机号,手机收到验证码 {code}", FATHER.name));
        let weak = json!({ "ticket": started["ticket"], "code": code, "password": "123456" });
        let refused = anybody.post("/registrations/confirm", weak).await?;
        check(refused.status == 422, "太简单的密码应被拒绝", &refused.body)?;
        self.say(&format!("密码设成 123456 → 没办成:{}", text(&refused.body["title"])));
        let confirm = json!({ "ticket": started["ticket"], "code": code, "password": FATHER.password });
        anybody.post("/registrations/confirm", confirm).await?.ok()?;
        self.say("换一个密码,注册好了");
        let nobody = anybody.post("/sessions", json!({ "id_number": "990151195203150023", "password": "111222" })).await?;
        check(nobody.status == 401, "密码错应是 401", &nobody.body)?;
        self.say(&format!("用错的密码登录 → 没办成:{}", text(&nobody.body["title"])));
        let son = self.log_in(SON).await?;
        let me = son.get("/me").await?.ok()?;
        self.say(&format!("儿子{}登录,在{}参加{}", text(&me["name"]), text(&me["insurance"]["area"]["name"]), text(&me["insurance"]["label"])));
        self.check_balances(&son, SON.name, 0, 600_000).await
    }

    async fn first_transfer(&mut self) -> anyhow::Result<()> {
        self.title("第一次转给妈妈:等她接收,收下就确认了关系");
        let (son, mother) = (self.log_in(SON).await?, self.log_in(MOTHER).await?);
        let wish = json!({ "receiver": { "name": MOTHER_IN_LAW.name, "id_number": MOTHER_IN_LAW.id_number }, "relation": "56", "amount": money(200_001), "source": "personal_account" });
        let preview = son.post("/transfers/preview", wish).await?.ok()?;
        let reasons: Vec<String> = preview["reasons"].as_array().into_iter().flatten().map(|reason| text(&reason["title"])).collect();
        check(reasons.len() >= 2, "岳母和 2,000.01 元两条理由应一次说完", &preview["reasons"])?;
        self.say(&format!("想转 ¥2,000.01 给岳母{} → 没办成,理由一次说完:{}", MOTHER_IN_LAW.name, reasons.join(" ")));
        let (id, state, deadline) = self.send(&son, SON, MOTHER, "52", 80_000).await?;
        check(state == "awaiting_recipient", "第一次应等妈妈接收", &json!(state))?;
        self.say(&format!("转给妈妈{} {} → 等妈妈接收,{} 前没人接收就自动退回", MOTHER.name, yuan(80_000), told_time(&deadline)));
        let second = self.submit(&son, SON, MOTHER, "52", 100, "personal_account").await?.refused("TRANSFER_PENDING")?;
        self.no("等的时候再转一笔", second);
        let early = mother.post(&format!("/transfers/{id}/accept"), json!({})).await?.refused("WALLET_NOT_OPEN")?;
        self.no("妈妈还没有确认使用钱包就接收", early);
        mother.post("/wallet", json!({ "place": "510500" })).await?.ok()?;
        self.say("妈妈确认使用钱包,使用地泸州");
        let key = crate::service::key::fresh();
        let accepted = mother.post_keyed(&format!("/transfers/{id}/accept"), &key, json!({})).await?.ok()?;
        check(accepted["state"] == "credited", "接收后应到账", &accepted["state"])?;
        let again = mother.post_keyed(&format!("/transfers/{id}/accept"), &key, json!({})).await?;
        check(again.replayed && again.body == accepted, "重复的请求应得到同样的答复", &again.body)?;
        self.say("妈妈接收 → 到账;手一抖点了两次,也只算一次");
        self.check_balances(&mother, MOTHER.name, 80_000, 0).await?;
        let (_, state, _) = self.send(&son, SON, MOTHER, "52", 50_000).await?;
        check(state == "credited", "确认过关系以后应直接到账", &json!(state))?;
        self.say(&format!("再转 {} → 关系确认过了,直接到账", yuan(50_000)));
        self.check_balances(&mother, MOTHER.name, 130_000, 0).await?;
        self.check_balances(&son, SON.name, 0, 470_000).await
    }

    async fn limits_of_a_day(&mut self) -> anyhow::Result<()> {
        self.title("退回和每天的次数");
        let (son, father) = (self.log_in(SON).await?, self.log_in(FATHER).await?);
        let (id, state, _) = self.send(&son, SON, FATHER, "51", 30_000).await?;
        check(state == "awaiting_recipient", "第一次应等父亲接收", &json!(state))?;
        father.post(&format!("/transfers/{id}/decline"), json!({})).await?.ok()?;
        let state = self.state_of_final(&son, &id).await?;
        check(state == "declined", "父亲不收,应是已退回", &json!(state))?;
        self.say(&format!("转给父亲{} {} → 父亲点了不收,钱回到儿子的个人账户", FATHER.name, yuan(30_000)));
        self.check_balances(&son, SON.name, 0, 470_000).await?;
        let fourth = self.submit(&son, SON, MOTHER, "52", 100, "personal_account").await?.refused("DAILY_COUNT")?;
        self.no("今天的第 4 笔", fourth);
        Ok(())
    }

    /// The sender's side of a transfer that the receiver's side has just ended.
    async fn state_of_final(&self, reader: &Caller<'_>, id: &str) -> anyhow::Result<String> {
        for _ in 0..200 {
            let state = self.state_of(reader, id).await?;
            if state != "submitted" && state != "awaiting_recipient" {
                return Ok(state);
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        anyhow::bail!("转账 {id} 的结果没有回到转出方")
    }

    async fn closed_hours_and_return(&mut self) -> anyhow::Result<()> {
        self.title("晚上不转账,没人接收的早上 6:00 退回");
        self.clock("22:00").await?;
        let son = self.log_in(SON).await?;
        let late = self.submit(&son, SON, MOTHER, "52", 100, "personal_account").await?;
        let not_before = text(&late.body["not_before"]);
        self.no("22:00 想转账", late.refused("CLOSED_HOURS")?);
        check(not_before.contains("T06:00:00"), "应说明早上 6:00 以后可以", &json!(not_before))?;
        self.clock("06:00").await?;
        let son = self.log_in(SON).await?;
        let (id, state, _) = self.send(&son, SON, FATHER, "51", 10_000).await?;
        check(state == "awaiting_recipient", "应等父亲接收", &json!(state))?;
        son.post(&format!("/transfers/{id}/cancel"), json!({})).await?.ok()?;
        let state = self.state_of_final(&son, &id).await?;
        check(state == "cancelled", "应是已撤回", &json!(state))?;
        self.say(&format!("转给父亲 {},填错了,趁他还没收撤回来", yuan(10_000)));
        let (id, _, deadline) = self.send(&son, SON, FATHER, "51", 20_000).await?;
        self.say(&format!("重新转 {},父亲一整天没看手机(截止 {})", yuan(20_000), told_time(&deadline)));
        self.clock("06:00").await?;
        let (son, father) = (self.log_in(SON).await?, self.log_in(FATHER).await?);
        let state = self.state_of_final(&son, &id).await?;
        check(state == "returned", "到点应自动退回", &json!(state))?;
        let late = father.post(&format!("/transfers/{id}/accept"), json!({})).await?.refused("TRANSFER_FINAL")?;
        self.no("6:00 整父亲想接收", late);
        self.check_balances(&son, SON.name, 0, 470_000).await
    }

    async fn hold(&self, at: &Caller<'_>, order: &str, payer: Value, total: i64, fund: i64, own: i64) -> anyhow::Result<Answer> {
        let bill = json!({ "total": money(total), "fund": money(fund), "own": money(own) });
        at.post("/institutions/payments", json!({ "order_no": order, "payer": payer, "bill": bill })).await
    }

    async fn code(&self, of: &Caller<'_>) -> anyhow::Result<Value> {
        Ok(json!({ "code": of.post("/payment-codes", json!({ "first": "wallet" })).await?.ok()?["code"] }))
    }

    async fn pay(&mut self) -> anyhow::Result<()> {
        self.title("妈妈看病、买药");
        let mother = self.log_in(MOTHER).await?;
        let (hospital, name) = self.institution(LUZHOU_HOSPITAL)?;
        let (pharmacy, pharmacy_name) = self.institution(LUZHOU_PHARMACY)?;
        let code = self.code(&mother).await?;
        let held = self.hold(&hospital, "DEMO-1", code.clone(), 32_000, 21_000, 11_000).await?.ok()?;
        check(fen(&held["held"]) == 11_000, "应先占住个人部分", &held)?;
        let captured = hospital.post(&format!("/institutions/payments/{}/capture", text(&held["payment"])), json!({ "last": true })).await?.ok()?;
        check(captured["state"] == "captured", "应已扣款", &captured)?;
        self.say(&format!("{name}扫付款码:总费用 {},基金付 {},个人 {} 从钱包付", yuan(32_000), yuan(21_000), yuan(11_000)));
        let used = self.hold(&hospital, "DEMO-2", code, 1_000, 0, 1_000).await?.refused("CODE_USED")?;
        self.no("同一个付款码再扫一次", used);
        self.check_balances(&mother, MOTHER.name, 119_000, 0).await?;

        let held = self.hold(&hospital, "DEMO-3", self.code(&mother).await?, 15_000, 0, 15_000).await?.ok()?;
        let payment = text(&held["payment"]);
        hospital.post(&format!("/institutions/payments/{payment}/capture"), json!({ "amount": money(9_000) })).await?.ok()?;
        hospital.post(&format!("/institutions/payments/{payment}/capture"), json!({ "amount": money(4_000), "last": true })).await?.ok()?;
        self.say(&format!("分次扣款:先占 {},两次扣了 {} 和 {},剩下的放回", yuan(15_000), yuan(9_000), yuan(4_000)));
        let refunded = hospital.post(&format!("/institutions/payments/{payment}/refund"), json!({ "amount": money(3_000) })).await?.ok()?;
        check(fen(&refunded["refunded"]) == 3_000, "应退 30 元", &refunded)?;
        self.say(&format!("退了一盒药:退 {},回到原来的那份钱里", yuan(3_000)));
        let more = hospital.post(&format!("/institutions/payments/{payment}/refund"), json!({ "amount": money(10_001) })).await?.refused("REFUND_TOO_LARGE")?;
        self.no("想退得比付的多", more);
        self.check_balances(&mother, MOTHER.name, 109_000, 0).await?;

        let held = self.hold(&hospital, "DEMO-4", self.code(&mother).await?, 5_000, 0, 5_000).await?.ok()?;
        hospital.post(&format!("/institutions/payments/{}/void", text(&held["payment"])), json!({})).await?.ok()?;
        self.hold(&hospital, "DEMO-5", self.code(&mother).await?, 6_000, 0, 6_000).await?.ok()?;
        let reversed = hospital.post("/institutions/payments/by-order/DEMO-5/reverse", json!({})).await?.ok()?;
        check(reversed["outcome"] == "reversed", "应已冲正", &reversed)?;
        self.say("一笔没看成,撤销;一笔收银机断网,按单号冲正,钱都回来了");
        let keypad = json!({ "keypad": { "id_number": MOTHER.id_number, "password": MOTHER.password, "first": "wallet" } });
        let held = self.hold(&pharmacy, "DEMO-K1", keypad, 6_000, 0, 6_000).await?.ok()?;
        pharmacy.post(&format!("/institutions/payments/{}/capture", text(&held["payment"])), json!({ "last": true })).await?.ok()?;
        self.say(&format!("没带手机,在{pharmacy_name}输身份证号和密码付了 {}", yuan(6_000)));
        self.check_balances(&mother, MOTHER.name, 103_000, 0).await?;
        let (elsewhere, jinan) = self.institution(JINAN_HOSPITAL)?;
        let wrong = self.hold(&elsewhere, "DEMO-6", self.code(&mother).await?, 1_000, 0, 1_000).await?.refused("WRONG_PLACE")?;
        self.no(&format!("到{jinan}付款"), wrong);
        let (off, off_name) = self.institution(LUZHOU_NOT_READY)?;
        let closed = self.hold(&off, "DEMO-7", self.code(&mother).await?, 1_000, 0, 1_000).await?.refused("INSTITUTION_NOT_READY")?;
        self.no(&format!("到{off_name}付款"), closed);
        let sums = self.hold(&hospital, "DEMO-8", self.code(&mother).await?, 1_000, 100, 1_000).await?.refused("BILL_UNBALANCED")?;
        self.no("账单三个数加不起来", sums);
        Ok(())
    }

    async fn premium(&mut self) -> anyhow::Result<()> {
        self.title("缴 2027 年居民医保");
        let mother = self.log_in(MOTHER).await?;
        let own = text(&mother.get("/me").await?.ok()?["id"]);
        let quote = mother.get("/premiums/quote?area=510500&year=2027").await?.ok()?;
        let amount = fen(&quote["premium"]["amount"]);
        check(quote["is_possible"] == true && amount == 42_000, "应能缴 420 元", &quote)?;
        self.say(&format!("{} {} 年:{},{}", text(&quote["premium"]["area"]["name"]), 2027, yuan(amount), text(&quote["premium"]["instructions"])));
        for is_first in [true, false] {
            let what = json!({ "insured": own, "area": "510500", "year": 2027 });
            let proof = self.proof(&mother, MOTHER.password, json!({ "premium": what })).await?;
            let request = json!({ "insured": own, "area": "510500", "year": 2027, "proof": proof });
            let paid = mother.post("/premiums/payments", request).await?.ok()?;
            let shown = mother.get(&format!("/premiums/payments/{}", text(&paid["payment"]))).await?.ok()?;
            if is_first {
                check(shown["state"] == "captured", "应已缴", &shown)?;
                self.say(&format!("妈妈从钱包缴了 {},用的是儿子转来的钱", yuan(amount)));
            } else {
                check(shown["state"] == "refused" && shown["reason"]["code"] == "PREMIUM_PAID", "同一年不能缴两次", &shown)?;
                self.say(&format!("不放心再缴一次 → 没办成:{}钱已放回钱包", text(&shown["reason"]["title"])));
            }
        }
        self.check_balances(&mother, MOTHER.name, 61_000, 0).await
    }

    async fn on_behalf(&mut self) -> anyhow::Result<()> {
        self.title("替孩子代开通");
        let wife = self.log_in(WIFE).await?;
        let relative = json!({ "name": CHILD.name, "id_number": CHILD.id_number });
        let asked = json!({ "relative": relative, "relation": "20", "consent": crate::identity::CONSENT_TEXT });
        let started = wife.post("/wallet/relatives", asked).await?.ok()?;
        check(started["code_goes_to"] == "guardian", "未成年人的验证码应发给监护人", &started)?;
        let code = self.code_of(WIFE).await?;
        let done = wife.post("/wallet/relatives/confirm", json!({ "ticket": started["ticket"], "code": code, "place": "320500" })).await?.ok()?;
        let for_child = wife.acting_for(&text(&done["relative"]));
        self.say(&format!("妈妈{}替 10 岁的{}确认使用钱包,使用地苏州,验证码发到妈妈手机", WIFE.name, CHILD.name));
        let son = self.log_in(SON).await?;
        let (id, state, _) = self.send(&son, SON, CHILD, "20", 20_000).await?;
        check(state == "awaiting_recipient", "应等孩子接收", &json!(state))?;
        for_child.post(&format!("/transfers/{id}/accept"), json!({})).await?.ok()?;
        self.say(&format!("爸爸转来 {},妈妈替他接收", yuan(20_000)));
        self.check_balances(&for_child, CHILD.name, 20_000, 0).await
    }

    async fn quota(&mut self) -> anyhow::Result<()> {
        self.title("甘肃用“共济额度”:没用完的退回来");
        let (son, father, daughter) = (self.log_in(LANZHOU_SON).await?, self.log_in(TIANSHUI_FATHER).await?, self.log_in(JINAN_DAUGHTER).await?);
        father.post("/wallet", json!({ "place": "620500" })).await?.ok()?;
        for (sender, from, amount) in [(LANZHOU_SON, &son, 100_000), (JINAN_DAUGHTER, &daughter, 30_000)] {
            let (id, _, _) = self.send(from, sender, TIANSHUI_FATHER, "51", amount).await?;
            father.post(&format!("/transfers/{id}/accept"), json!({})).await?.ok()?;
        }
        let wallet = father.get("/wallet").await?.ok()?;
        let kinds: Vec<String> = wallet["lots"].as_array().into_iter().flatten().map(|lot| text(&lot["kind"])).collect();
        check(kinds == ["quota", "transfer"], "应有一份额度、一份转账", &wallet["lots"])?;
        self.say(&format!(
            "同一个父亲{}:儿子{}(兰州)给额度 {},女儿{}(济南)转账 {}",
            TIANSHUI_FATHER.name,
            LANZHOU_SON.name,
            yuan(100_000),
            JINAN_DAUGHTER.name,
            yuan(30_000)
        ));
        let passed = self.submit(&father, TIANSHUI_FATHER, TIANSHUI_MOTHER, "12", 50_000, "wallet").await?.refused("QUOTA_NOT_TRANSFERABLE")?;
        self.no("父亲想把额度转给老伴", passed);
        let (hospital, name) = self.institution(TIANSHUI_HOSPITAL)?;
        let held = self.hold(&hospital, "DEMO-T1", self.code(&father).await?, 40_000, 28_000, 12_000).await?.ok()?;
        hospital.post(&format!("/institutions/payments/{}/capture", text(&held["payment"])), json!({ "last": true })).await?.ok()?;
        self.say(&format!("父亲在{name}看病,先用最早的那份:额度用掉 {}", yuan(12_000)));
        let relations = son.get("/wallet/relations").await?.ok()?;
        let relation = text(&relations["relations"][0]["person"]["id"]);
        son.post(&format!("/wallet/relations/{relation}/end"), json!({})).await?.ok()?;
        for _ in 0..200 {
            if self.balances(&son).await? == (0, 880_000 - 12_000) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        self.say(&format!("儿子解除共济关系,没用完的 {} 退回他的个人账户", yuan(88_000)));
        self.check_balances(&son, LANZHOU_SON.name, 0, 868_000).await?;
        self.check_balances(&father, TIANSHUI_FATHER.name, 30_000, 0).await
    }

    async fn place_change(&mut self) -> anyhow::Result<()> {
        self.title("使用地变更:父亲搬到兰州和儿子住");
        let father = self.log_in(TIANSHUI_FATHER).await?;
        let what = json!({ "place": { "place": "620100" } });
        let proof = self.proof(&father, TIANSHUI_FATHER.password, what.clone()).await?;
        let early = father.post("/wallet/place", json!({ "place": "620100", "proof": proof })).await?.refused("PLACE_NOT_INSURED")?;
        self.no("医保还在天水时想改到兰州", early);
        let moved = json!({ "id_number": TIANSHUI_FATHER.id_number, "area": "620100", "insurance": 390, "status": "normal" });
        self.client.anybody().post("/sandbox/enrolments", moved).await?.ok()?;
        let proof = self.proof(&father, TIANSHUI_FATHER.password, what).await?;
        father.post("/wallet/place", json!({ "place": "620100", "proof": proof })).await?.ok()?;
        let wallet = father.get("/wallet").await?.ok()?;
        check(wallet["place"]["code"] == "620100" && fen(&wallet["balance"]) == 30_000, "应改到兰州,钱不变", &wallet["place"])?;
        self.say(&format!("医保转到兰州以后,使用地改好了:{},钱包里的 {} 和它的来源都不变", text(&wallet["place"]["name"]), yuan(fen(&wallet["balance"]))));
        Ok(())
    }

    async fn statement(&mut self) -> anyhow::Result<()> {
        self.title("妈妈的明细:每一分钱从哪里来");
        let mother = self.log_in(MOTHER).await?;
        let statement = mother.get("/statement?limit=200").await?.ok()?;
        let movements = statement["movements"].as_array().cloned().unwrap_or_default();
        let sum: i64 = movements.iter().map(|movement| fen(&movement["amount"])).sum();
        check(sum == 61_000, "各笔加起来应等于余额", &json!(sum))?;
        self.say(&format!("{} 笔明细,加起来正好是余额 {}", movements.len(), yuan(sum)));
        let newest = movements.first().map(|movement| text(&movement["id"])).unwrap_or_default();
        let receipt = mother.get(&format!("/statement/{newest}")).await?.ok()?;
        let lot = &receipt["movement"]["lots"][0];
        check(lot["area"]["code"] == "370100", "来源应是济南", lot)?;
        self.say(&format!(
            "最近一笔 {} 的来源:{}的个人账户,{}",
            yuan(fen(&receipt["movement"]["amount"])),
            text(&lot["contributor"]["name"]),
            text(&lot["area"]["name"])
        ));
        let months = mother.get("/statement/months?months=3").await?.ok()?;
        for month in months["months"].as_array().into_iter().flatten() {
            self.say(&format!("{}:收到 {},花了 {}", text(&month["month"]), yuan(fen(&month["received"])), yuan(fen(&month["spent"]))));
        }
        Ok(())
    }
}

/// `11月24日 6:00` of RFC 3339.
fn told_time(rfc3339: &str) -> String {
    let number = |at: std::ops::Range<usize>| rfc3339.get(at).and_then(|digits| digits.parse::<u32>().ok()).unwrap_or_default();
    format!("{}月{}日 {}:{:02}", number(5..7), number(8..10), number(11..13), number(14..16))
}
