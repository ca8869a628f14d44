//! The national envelope (`docs/institutions/gateway.md`): head, sign-in, settling, cancelling, reversing, querying, and what does not balance.

use crate::conformance::client::{Answer, Came, Message, is, same};
use crate::conformance::kit::Kit;
use crate::conformance::{Checked, Run};
use serde_json::{Value, json};

const PATH: &str = "/fsi/api/callFsiService/callService";
const CLERK: &str = "ck-clerk";

/// Heads that are wrong: name, sentence, field, its value (`None` leaves it out), code.
type Head = (&'static str, &'static str, &'static str, Option<&'static str>, &'static str);
const HEADS: &[Head] = &[
    ("gateway.head-institution", "fixmedins_code 不是签名的机构:INSTITUTION_DIFFERS。", "fixmedins_code", Some("H99999999999"), "INSTITUTION_DIFFERS"),
    ("gateway.head-area", "mdtrtarea_admvs 不是本机构的区划:AREA_DIFFERS。", "mdtrtarea_admvs", Some("110000"), "AREA_DIFFERS"),
    ("gateway.head-area-short", "mdtrtarea_admvs 只有五位:FIELD_FORMAT。", "mdtrtarea_admvs", Some("41010"), "FIELD_FORMAT"),
    ("gateway.head-operator-kind", "opter_type 不在代码表里:CODE_TABLE。", "opter_type", Some("4"), "CODE_TABLE"),
    ("gateway.head-operator-missing", "没有 opter:FIELD_MISSING。", "opter", None, "FIELD_MISSING"),
    ("gateway.head-version-missing", "没有 infver:FIELD_MISSING。", "infver", None, "FIELD_MISSING"),
    ("gateway.head-time", "inf_time 没有这一天:FIELD_FORMAT。", "inf_time", Some("2026-02-30 10:00:00"), "FIELD_FORMAT"),
    ("gateway.head-long", "recer_sys_code 超过 10 位:FIELD_LENGTH。", "recer_sys_code", Some("12345678901"), "FIELD_LENGTH"),
    ("gateway.head-msgid", "msgid 不是 30 位:MSGID_MALFORMED。", "msgid", Some("123"), "MSGID_MALFORMED"),
    ("gateway.head-infno", "没有这个交易:INFNO_UNKNOWN。", "infno", Some("22X6"), "INFNO_UNKNOWN"),
    ("gateway.head-not-signed-in", "签到编号不对:SIGN_IN_REQUIRED。", "sign_no", Some("NOBODY"), "SIGN_IN_REQUIRED"),
    ("gateway.head-insured-area", "insuplc_admdvs 不是参保地:INSURED_AREA_DIFFERS。", "insuplc_admdvs", Some("370100"), "INSURED_AREA_DIFFERS"),
    ("gateway.head-insured-area-missing", "结算没有 insuplc_admdvs:FIELD_MISSING。", "insuplc_admdvs", None, "FIELD_MISSING"),
];

/// Inputs that are wrong: name, sentence, where, what (`null` takes it away), code.
type Input = (&'static str, &'static str, &'static str, fn() -> Value, &'static str);
const INPUTS: &[Input] = &[
    ("gateway.data-missing", "没有 data 节点:FIELD_MISSING。", "/data", || Value::Null, "FIELD_MISSING"),
    ("gateway.person-missing", "没有 psn_no:FIELD_MISSING。", "/data/psn_no", || Value::Null, "FIELD_MISSING"),
    ("gateway.person-long", "psn_no 超过 30 位:FIELD_LENGTH。", "/data/psn_no", || json!("9".repeat(31)), "FIELD_LENGTH"),
    ("gateway.person-differs", "psn_no 不是付款人:PERSON_DIFFERS。", "/data/psn_no", || json!("SOMEBODYELSE"), "PERSON_DIFFERS"),
    ("gateway.care-inpatient", "住院不在网关里结:BUSINESS_DIFFERS。", "/data/med_type", || json!("21"), "BUSINESS_DIFFERS"),
    ("gateway.care-format", "med_type 写法不对:CODE_TABLE。", "/data/med_type", || json!("1A"), "CODE_TABLE"),
    ("gateway.insurance-code", "insutype 不在代码表里:CODE_TABLE。", "/data/insutype", || json!("311"), "CODE_TABLE"),
    ("gateway.account-not-used", "acct_used_flag 是 0 的单子不用送来:ACCOUNT_NOT_USED。", "/data/acct_used_flag", || json!("0"), "ACCOUNT_NOT_USED"),
    ("gateway.amount-three-places", "金额有三位小数:AMOUNT_FORMAT。", "/data/medfee_sumamt", || json!("10.001"), "AMOUNT_FORMAT"),
    ("gateway.amount-negative", "金额是负数:AMOUNT_FORMAT。", "/data/medfee_sumamt", || json!(-10), "AMOUNT_FORMAT"),
    ("gateway.amount-words", "金额不是数:AMOUNT_FORMAT。", "/data/medfee_sumamt", || json!("十元"), "AMOUNT_FORMAT"),
    ("gateway.certificate-kind", "凭证类型不在 01、02、03 里:CERTIFICATE_KIND。", "/data/mdtrt_cert_type", || json!("04"), "CERTIFICATE_KIND"),
    ("gateway.token-unknown", "令牌是编的:TOKEN_UNKNOWN。", "/data/mdtrt_cert_no", || json!("4".repeat(38)), "TOKEN_UNKNOWN"),
    ("gateway.split-missing", "没有基金分担:SPLIT_MISSING。", "/setlinfo", || Value::Null, "SPLIT_MISSING"),
    ("gateway.total-unbalanced", "总额不等于基金加个人:TOTAL_UNBALANCED。", "/setlinfo/psn_part_amt", || json!("9.99"), "TOTAL_UNBALANCED"),
    ("gateway.hospital-share", "多出一分医院负担,总额就不平:TOTAL_UNBALANCED。", "/setlinfo/hosp_part_amt", || json!("0.01"), "TOTAL_UNBALANCED"),
    ("gateway.account-paid", "送来的分担里账户已经付过:ACCOUNT_PAID_ALREADY。", "/setlinfo/acct_pay", || json!("0.01"), "ACCOUNT_PAID_ALREADY"),
    (
        "gateway.detail-unbalanced",
        "分项之和不等于基金支付:FUND_UNBALANCED。",
        "/setldetail",
        || json!([{ "fund_pay_type": "310100", "fund_payamt": "20.01" }]),
        "FUND_UNBALANCED",
    ),
];

/// Who stands at the counter, decoded.
struct Person {
    psn_no: String,
    token: String,
}

/// A settlement that was carried out.
struct Settled {
    person: Person,
    msgid: String,
    setl_id: String,
    input: Value,
    answer: Answer,
}

fn put(body: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    if let Some(Value::Object(fields)) = body.pointer_mut(parent) {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.to_owned(), value);
        }
    }
}

fn envelope(kit: &Kit, infno: &str, msgid: &str, head: &[(&str, Option<&str>)], input: &Value) -> Value {
    let (year, month, day) = (&kit.day[..4], &kit.day[4..6], &kit.day[6..8]);
    let sign_no = kit.sign_no.borrow().clone().unwrap_or_default();
    let mut body = json!({
        "infno": infno, "msgid": msgid, "mdtrtarea_admvs": kit.us.area, "insuplc_admdvs": kit.payer.area, "recer_sys_code": "GONGJI", "infver": "V1.0",
        "opter_type": "1", "opter": CLERK, "opter_name": "收费员", "inf_time": format!("{year}-{month}-{day} 10:00:00"),
        "fixmedins_code": kit.us.code, "fixmedins_name": "测试机构", "sign_no": sign_no, "input": input,
    });
    for (name, value) in head {
        put(&mut body, &format!("/{name}"), value.map_or(Value::Null, |value| json!(value)));
    }
    body
}

async fn send(kit: &Kit, infno: &str, msgid: &str, head: &[(&str, Option<&str>)], input: &Value) -> Checked<Answer> {
    kit.send(Message::post(PATH, &envelope(kit, infno, msgid, head, input))).await?.ok(200)
}

async fn call(kit: &Kit, infno: &str, input: &Value) -> Checked<Answer> {
    send(kit, infno, &kit.msgid(), &[], input).await
}

fn done(answer: Answer) -> Checked<Answer> {
    if answer.at("/infcode") == 0 { Ok(answer) } else { Err(format!("应该 infcode 0,回的是 {} {}", answer.at("/infcode"), answer.at("/err_msg"))) }
}

fn not_done(answer: Answer, code: &str) -> Checked<Answer> {
    let told = answer.at("/err_msg").as_str().unwrap_or_default().to_owned();
    let is_right = answer.at("/infcode") == -1 && told.starts_with(&format!("[{code}]")) && told.chars().count() <= 200;
    if is_right { Ok(answer) } else { Err(format!("应该 infcode -1、err_msg 以 [{code}] 开头,回的是 {} {told}", answer.at("/infcode"))) }
}

/// Fen of an amount in yuan.
fn fen(answer: &Answer, name: &str) -> Checked<i64> {
    let value = answer.at(&format!("/output{name}"));
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (is_back, digits) = text.strip_prefix('-').map_or((false, text.as_str()), |digits| (true, digits));
    let amount = gongji_files::parse_yuan(digits).map_err(|_| format!("output{name} 不是金额:{value}"))?;
    Ok(if is_back { -amount.0 } else { amount.0 })
}

async fn sign_in(kit: &Kit) -> Checked {
    if kit.sign_no.borrow().is_some() {
        return Ok(());
    }
    let input = json!({ "signIn": { "opter_no": CLERK, "mac": "00-00-5E-00-53-01", "ip": "192.0.2.7" } });
    let sign_no = done(call(kit, "9001", &input).await?)?.text("/output/signinoutb/sign_no")?;
    kit.sign_no.replace(Some(sign_no));
    Ok(())
}

async fn decode(kit: &Kit, code: &str) -> Checked<Answer> {
    done(call(kit, "1162", &json!({ "data": { "ecQrcode": code, "businessType": "01301", "operatorId": CLERK } })).await?)
}

async fn person(kit: &Kit, first: &str) -> Checked<Person> {
    sign_in(kit).await?;
    let answer = decode(kit, &kit.code_with(first).await?).await?;
    Ok(Person { psn_no: answer.text("/output/ecIndexNo")?, token: answer.text("/output/ecToken")? })
}

/// A bill of 30 yuan, 20 of them from the fund.
fn bill(person: &Person) -> Value {
    json!({
        "data": {
            "psn_no": person.psn_no, "mdtrt_cert_type": "01", "mdtrt_cert_no": person.token, "med_type": "11", "medfee_sumamt": "30.00", "mdtrt_id": "MZ1",
            "insutype": "310", "acct_used_flag": "1",
        },
        "setlinfo": { "fund_pay_sumamt": "20.00", "psn_part_amt": "10.00" },
    })
}

async fn settled_with(kit: &Kit, first: &str) -> Checked<Settled> {
    let person = person(kit, first).await?;
    let (msgid, input) = (kit.msgid(), bill(&person));
    let answer = done(send(kit, "2207", &msgid, &[], &input).await?)?;
    let setl_id = answer.text("/output/setlinfo/setl_id")?;
    Ok(Settled { person, msgid, setl_id, input, answer })
}

async fn settled(kit: &Kit) -> Checked<Settled> {
    settled_with(kit, "personal_account").await
}

async fn cancel(kit: &Kit, settled: &Settled) -> Checked<Answer> {
    call(kit, "2208", &json!({ "data": { "psn_no": settled.person.psn_no, "setl_id": settled.setl_id, "mdtrt_id": "MZ1" } })).await
}

async fn reverse(kit: &Kit, psn_no: &str, msgid: &str) -> Checked<Answer> {
    call(kit, "2601", &json!({ "data": { "psn_no": psn_no, "omsgid": msgid, "oinfno": "2207" } })).await
}

pub async fn play(run: &mut Run<'_>) {
    run.group("国家接口风格的网关");
    run.case("gateway.sign-in-first", "没签到就办业务:SIGN_IN_REQUIRED。", async |kit| {
        let answer = send(kit, "2206", &kit.msgid(), &[("sign_no", None)], &json!({})).await?;
        not_done(answer, "SIGN_IN_REQUIRED").map(drop)
    })
    .await;
    run.case("gateway.sign-in", "9001 签到,得到签到编号。", async |kit| sign_in(kit).await).await;
    run.case("gateway.envelope", "回答的报文头齐全:infcode、inf_refmsgid 30 位、refmsg_time、respond_time、err_msg。", async |kit| {
        sign_in(kit).await?;
        let answer = decode(kit, &kit.code().await?).await?;
        same("inf_refmsgid 的位数", &answer.text("/inf_refmsgid")?.len(), &30)?;
        is(answer.text("/refmsg_time")?.len() == 17 && answer.text("/respond_time")?.len() == 17, "时间不是 17 位")
    })
    .await;
    run.case("gateway.decode", "1162 解码:38 位令牌,姓名和证件号打码。", async |kit| {
        sign_in(kit).await?;
        let answer = decode(kit, &kit.code().await?).await?;
        same("令牌的位数", &answer.text("/output/ecToken")?.len(), &38)?;
        let text = String::from_utf8_lossy(&answer.bytes).into_owned();
        is(!text.contains(&kit.payer.name) && !text.contains(&kit.payer.id_number), "姓名或证件号没有打码")
    })
    .await;
    run.case("gateway.pre-settle", "2206 预结算只是算一下:不留钱,没有 setl_id。", async |kit| {
        let before = kit.has().await?;
        let person = person(kit, "personal_account").await?;
        let answer = done(call(kit, "2206", &bill(&person)).await?)?;
        same("setl_id", &answer.text("/output/setlinfo/setl_id")?.as_str(), &"")?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("gateway.settle", "2207 结算办成:付款人付 10 元。", async |kit| {
        let before = kit.has().await?;
        settled(kit).await?;
        kit.moved(before, -1_000).await
    })
    .await;
    for (name, first) in [("gateway.settle-balances", "personal_account"), ("gateway.settle-balances-wallet", "wallet")] {
        run.case(name, "结算的金额要平:个人负担 = 个人账户 + 共济 + 现金;含不含共济由 mulaid_in_acct 说明。", async |kit| {
            let answer = settled_with(kit, first).await?.answer;
            let sum = |name: &str| fen(&answer, &format!("/setlinfo/{name}"));
            let (account, aid, cash) = (sum("acct_pay")?, sum("acct_mulaid_pay")?, sum("psn_cash_pay")?);
            let paid = if answer.at("/output/wlt/mulaid_in_acct") == "1" { account + cash } else { account + aid + cash };
            same("三项之和", &paid, &sum("psn_part_amt")?)?;
            let parts = fen(&answer, "/wlt/self_acct_pay")? + fen(&answer, "/wlt/wlt_pay")? + fen(&answer, "/wlt/cash_pay")?;
            same("扩展节点之和", &parts, &sum("psn_part_amt")?)
        })
        .await;
    }
    run.case("gateway.settle-total", "总额 = 基金 + 个人 + 医院,回答里也要平。", async |kit| {
        let answer = settled(kit).await?.answer;
        let sum = |name: &str| fen(&answer, &format!("/setlinfo/{name}"));
        same("三项之和", &(sum("fund_pay_sumamt")? + sum("psn_part_amt")? + sum("hosp_part_amt")?), &sum("medfee_sumamt")?)
    })
    .await;
    run.case("gateway.same-msgid", "同一个 msgid、同样的 input 再发:原来的回答,钱只动一次。", async |kit| {
        let before = kit.has().await?;
        let first = settled(kit).await?;
        let again = done(send(kit, "2207", &first.msgid, &[], &first.input).await?)?;
        same("再发的回答", &again.at("/output").clone(), &first.answer.at("/output").clone())?;
        kit.moved(before, -1_000).await
    })
    .await;
    run.case("gateway.same-msgid-other-input", "同一个 msgid 换了 input:MSGID_REUSED,钱不动。", async |kit| {
        let before = kit.has().await?;
        let mut first = settled(kit).await?;
        put(&mut first.input, "/data/mdtrt_id", json!("MZ2"));
        not_done(send(kit, "2207", &first.msgid, &[], &first.input).await?, "MSGID_REUSED")?;
        kit.moved(before, -1_000).await
    })
    .await;
    run.case("gateway.token-once", "令牌只能付一次:第二张单子 CODE_USED。", async |kit| {
        let before = kit.has().await?;
        let first = settled(kit).await?;
        not_done(send(kit, "2207", &kit.msgid(), &[], &first.input).await?, "CODE_USED")?;
        kit.moved(before, -1_000).await
    })
    .await;
    run.case("gateway.lost-reply", "结算的回答丢了:原报文重发,得到结果,钱只动一次。", async |kit| {
        let before = kit.has().await?;
        let person = person(kit, "personal_account").await?;
        let (msgid, input) = (kit.msgid(), bill(&person));
        let message = Message::post(PATH, &envelope(kit, "2207", &msgid, &[], &input));
        match kit.client.send(&kit.signed(message.header("test-fault", "lost-reply"))).await {
            Came::Nothing(_) => {}
            Came::Answer(answer) => return Err(format!("lost-reply 应该断开不回答,回了 {}", answer.status)),
        }
        done(send(kit, "2207", &msgid, &[], &input).await?)?;
        kit.moved(before, -1_000).await
    })
    .await;
    run.case("gateway.cancel", "2208 撤销结算:钱全部退回,金额是负数。", async |kit| {
        let before = kit.has().await?;
        let settled = settled(kit).await?;
        let answer = done(cancel(kit, &settled).await?)?;
        same("medfee_sumamt", &fen(&answer, "/setlinfo/medfee_sumamt")?, &-3_000)?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("gateway.cancel-twice", "撤销两次:第二次 ALREADY_CANCELLED,不会退两次。", async |kit| {
        let before = kit.has().await?;
        let settled = settled(kit).await?;
        done(cancel(kit, &settled).await?)?;
        not_done(cancel(kit, &settled).await?, "ALREADY_CANCELLED")?;
        kit.moved(before, 0).await
    })
    .await;
    for (name, by_msgid) in [("gateway.query-by-settlement", false), ("gateway.query-by-msgid", true)] {
        run.case(name, "5203 查询:和结算当时的金额一样。按 setl_id 或结算的 msgid 都行。", async |kit| {
            let settled = settled(kit).await?;
            let (setl_id, medins) = if by_msgid { ("", settled.msgid.as_str()) } else { (settled.setl_id.as_str(), "") };
            let data = json!({ "psn_no": settled.person.psn_no, "setl_id": setl_id, "medins_setl_id": medins, "mdtrt_id": "MZ1" });
            let answer = done(call(kit, "5203", &json!({ "data": data })).await?)?;
            for field in ["medfee_sumamt", "psn_part_amt", "acct_pay", "psn_cash_pay"] {
                same(field, &fen(&answer, &format!("/setlinfo/{field}"))?, &fen(&settled.answer, &format!("/setlinfo/{field}"))?)?;
            }
            Ok(())
        })
        .await;
    }
    run.case("gateway.query-unknown", "没有的 setl_id:SETTLEMENT_UNKNOWN。", async |kit| {
        let person = person(kit, "personal_account").await?;
        let data = json!({ "psn_no": person.psn_no, "setl_id": "A".repeat(26), "mdtrt_id": "MZ1" });
        not_done(call(kit, "5203", &json!({ "data": data })).await?, "SETTLEMENT_UNKNOWN").map(drop)
    })
    .await;
    run.case("gateway.reverse", "2601 冲正办成的结算:rvs_rslt 1,钱全部退回。", async |kit| {
        let before = kit.has().await?;
        let settled = settled(kit).await?;
        done(reverse(kit, &settled.person.psn_no, &settled.msgid).await?)?.has(&[("/output/wlt/rvs_rslt", json!("1"))])?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("gateway.reverse-twice", "冲正两次:都成功,只退一次。", async |kit| {
        let before = kit.has().await?;
        let settled = settled(kit).await?;
        for _ in 0..2 {
            done(reverse(kit, &settled.person.psn_no, &settled.msgid).await?)?;
        }
        kit.moved(before, 0).await
    })
    .await;
    run.case("gateway.reverse-before", "2601 比结算先到:rvs_rslt 0;后到的结算不办,钱不动。", async |kit| {
        let before = kit.has().await?;
        let person = person(kit, "personal_account").await?;
        let msgid = kit.msgid();
        done(reverse(kit, &person.psn_no, &msgid).await?)?.has(&[("/output/wlt/rvs_rslt", json!("0"))])?;
        let late = send(kit, "2207", &msgid, &[], &bill(&person)).await?;
        is(late.at("/infcode") == -1, "冲正过的结算办成了")?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("gateway.reverse-other-kind", "查询不能冲正:NOT_REVERSIBLE。", async |kit| {
        let person = person(kit, "personal_account").await?;
        let data = json!({ "psn_no": person.psn_no, "omsgid": kit.msgid(), "oinfno": "5203" });
        not_done(call(kit, "2601", &json!({ "data": data })).await?, "NOT_REVERSIBLE").map(drop)
    })
    .await;
    run.case("gateway.totals", "3201 总额对账:照平台的数报就是平(0),差一分就是不平(1)。", async |kit| {
        settled(kit).await?;
        let date = format!("{}-{}-{}", &kit.day[..4], &kit.day[4..6], &kit.day[6..8]);
        let ask = |total: &Value, fund: &Value, account: &Value, count: &Value| {
            json!({ "data": {
                "insutype": kit.payer.insurance, "clr_type": "11", "setl_optins": kit.us.area, "stmt_begndate": date, "stmt_enddate": date,
                "medfee_sumamt": total, "fund_pay_sumamt": fund, "acct_pay": account, "fixmedins_setl_cnt": count,
            }})
        };
        let wrong = done(call(kit, "3201", &ask(&json!("0.01"), &json!(0), &json!(0), &json!(0))).await?)?;
        wrong.clone().has(&[("/output/stmtinfo/stmt_rslt", json!("1"))])?;
        let of = |name: &str| wrong.at(&format!("/output/wlt/{name}")).clone();
        let right = ask(&of("medfee_sumamt"), &of("fund_pay_sumamt"), &of("acct_pay"), &of("fixmedins_setl_cnt"));
        done(call(kit, "3201", &right).await?)?.has(&[("/output/stmtinfo/stmt_rslt", json!("0"))]).map(drop)
    })
    .await;
    for (name, says, field, value, code) in HEADS {
        run.case(name, says, async |kit| {
            let before = kit.has().await?;
            let person = person(kit, "personal_account").await?;
            not_done(send(kit, "2207", &kit.msgid(), &[(field, *value)], &bill(&person)).await?, code)?;
            kit.moved(before, 0).await
        })
        .await;
    }
    for (name, says, pointer, value, code) in INPUTS {
        run.case(name, says, async |kit| {
            let before = kit.has().await?;
            let mut input = bill(&person(kit, "personal_account").await?);
            put(&mut input, pointer, value());
            not_done(call(kit, "2207", &input).await?, code)?;
            kit.moved(before, 0).await
        })
        .await;
    }
}
