//! The national-style gateway: messages in, answers out, as text.
//!
//! Every file of `gateway/*.txt` is a case. What it says is played, and each answer compared with the `.out` file beside it.
//!
//! | line | what happens |
//! | --- | --- |
//! | `# …` | a remark, told again |
//! | `institution hospital` | who sends from here on |
//! | `sign in` | the operator signs in, as every morning |
//! | `open wife 510500` | a person's wallet, and where it pays |
//! | `transfer son wife 20000` | fen, sent and taken |
//! | `code C wife account` | a payment code; `$C` is what its QR says |
//! | `clock +61s` | time goes on |
//! | `inside 510500` | from today mutual aid is counted inside the personal account's payment there |
//! | `> 2207 #0007 opter_type=3` | a message: transaction, serial, what its head has otherwise (`-` for nothing) |
//! | `{…}` | its `input`, until a blank line; `$C` and the like stand for what was kept |
//! | `= S output.setlinfo.setl_id` | keeps something of the answer, and tells it as `$S` |

use super::world::*;
use axum::http::{Method, Request, StatusCode};
use gongji::identity::{AdapterConfig, HttpAdapter};
use gongji::trust::{platform_key, public_key};
use gongji_files::signature::{Profile, SigningKey};
use gongji_wallet::command::Request as Asked;
use gongji_wallet::day::day_of;
use gongji_wallet::directory::DirectoryChange;
use gongji_wallet::rules::{RuleChange, Scope, Setting};
use gongji_wallet::{Command, Decision, Outcome};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const CLERK: &str = "clerk-7";

struct Play {
    world: World,
    institution: &'static str,
    kept: BTreeMap<String, String>,
    told: String,
    /// How often somebody has signed in.
    mornings: u32,
}

fn sample(name: &str) -> &'static Sample {
    match name {
        "son" => &SON,
        "wife" => &WIFE,
        "mother" => &MOTHER,
        other => panic!("nobody is called {other}"),
    }
}

pub fn msgid(institution: &str, serial: &str) -> String {
    format!("{institution}20261123100000{serial}")
}

impl Play {
    async fn new(parts: u16) -> Play {
        Play { world: World::new(parts).await, institution: HOSPITAL, kept: BTreeMap::new(), told: String::new(), mornings: 0 }
    }

    fn area(&self) -> &'static str {
        if self.institution == HOSPITAL { "510500" } else { "370100" }
    }

    fn filled(&self, text: &str) -> String {
        // The longest name first: $SX is not $S with an X.
        self.kept.iter().rev().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value))
    }

    /// The envelope of a message. `head` changes it.
    fn envelope(&self, infno: &str, serial: &str, head: &[(&str, &str)], input: &str) -> String {
        let mut fields: Vec<(String, String)> = [
            ("infno", infno),
            ("msgid", &msgid(self.institution, serial)),
            ("mdtrtarea_admvs", self.area()),
            ("recer_sys_code", "GONGJI"),
            ("infver", "V1.0"),
            ("opter_type", "1"),
            ("opter", CLERK),
            ("opter_name", "收费员"),
            ("inf_time", "2026-11-23 10:00:00"),
            ("fixmedins_code", self.institution),
            ("fixmedins_name", "测试机构"),
            ("sign_no", self.kept.get("SIGN").map_or("", String::as_str)),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        for (name, value) in head {
            fields.retain(|(known, _)| known != name);
            if *value != "-" {
                fields.push(((*name).to_owned(), self.filled(value)));
            }
        }
        let head: Vec<String> = fields.iter().map(|(name, value)| format!("{}:{}", json!(name), json!(value))).collect();
        format!("{{{},\"input\":{input}}}", head.join(","))
    }

    async fn post(&self, body: String) -> Reply {
        let request = Request::builder()
            .method(Method::POST)
            .uri(gongji::gateway::PATH)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", institution_key(self.institution, self.world.app.engine.parts())));
        self.world.send(request.body(body.into()).unwrap()).await
    }

    async fn sign_in(&mut self) {
        let input = json!({ "signIn": { "opter_no": CLERK, "mac": "00-00-5E-00-53-01", "ip": "192.0.2.7" } }).to_string();
        self.mornings += 1;
        let serial = format!("9{:03}", self.mornings);
        let answer = self.post(self.envelope("9001", &serial, &[], &input)).await.expect(StatusCode::OK);
        self.kept.insert("SIGN".to_owned(), answer.body["output"]["signinoutb"]["sign_no"].as_str().unwrap().to_owned());
    }

    async fn change(&self, change: DirectoryChange) {
        let decided = self.world.app.engine.ask(0, Asked { idempotency: None, command: Command::ChangeDirectory(vec![change]) }).await.unwrap();
        assert_eq!(decided.decision, Decision::New(Outcome::Done));
        self.world.app.engine.settle().await.unwrap();
    }

    async fn caller(&self, name: &str) -> Caller<'_> {
        if name == "mother" { self.world.registered(&MOTHER).await } else { self.world.logged_in(sample(name)).await }
    }

    async fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["institution", name] => {
                self.institution = if name == "hospital" { HOSPITAL } else { PHARMACY };
                self.kept.remove("SIGN");
            }
            ["sign", "in"] => self.sign_in().await,
            ["open", who, place] => {
                self.caller(who).await.ask("/wallet", &json!({ "place": place })).await.expect(StatusCode::CREATED);
            }
            ["transfer", from, to, fen] => {
                let sender = self.caller(from).await;
                let body = sender.transfer_body(sample(from), sample(to), "10", fen.parse().unwrap()).await;
                let id = sender.ask("/transfers", &body).await.expect(StatusCode::CREATED).text("id");
                self.caller(to).await.ask(&format!("/transfers/{id}/accept"), &json!({})).await.expect(StatusCode::OK);
                self.world.app.engine.settle().await.unwrap();
            }
            ["code", name, who, first] => {
                let first = if first == "account" { "personal_account" } else { first };
                let code = self.caller(who).await.ask("/payment-codes", &json!({ "first": first })).await.expect(StatusCode::CREATED).text("qr");
                self.kept.insert(name.to_owned(), code);
            }
            ["clock", by] => {
                let seconds: i64 = by.trim_start_matches('+').trim_end_matches('s').parse().unwrap();
                assert!(self.world.clock.set(self.world.app.now() + seconds * 1_000));
            }
            ["inside", area] => {
                let (scope, from) = (Scope::Area(area.parse().unwrap()), day_of(self.world.app.now()));
                self.change(DirectoryChange::Rules(RuleChange { version: 7, scope, from, settings: vec![Setting::MutualAidInside(true)] })).await;
            }
            _ => panic!("what is {line:?}?"),
        }
    }

    async fn message(&mut self, first: &str, rest: &[&str]) {
        let mut words = first.trim_start_matches("> ").split_whitespace();
        let (infno, serial) = (words.next().unwrap(), words.next().unwrap().trim_start_matches('#'));
        let head: Vec<(&str, &str)> = words.map(|word| word.split_once('=').unwrap()).collect();
        let (saves, input): (Vec<&str>, Vec<&str>) = rest.iter().partition(|line| line.starts_with("= "));
        let input = self.filled(&input.join("\n"));
        let reply = self.post(self.envelope(infno, serial, &head, &input)).await;
        for save in saves {
            let (name, path) = save[2..].split_once(' ').unwrap();
            let value = path.split('.').fold(&reply.body, |value, step| &value[step]);
            self.kept.insert(name.to_owned(), value.as_str().unwrap_or_else(|| panic!("{first}: no {path} in {}", reply.body)).to_owned());
        }
        assert!(reply.status == StatusCode::OK, "{first}: {} {}", reply.status, reply.body);
        let mut text = pretty(std::str::from_utf8(&reply.bytes).unwrap());
        let mut kept: Vec<(&String, &String)> = self.kept.iter().filter(|(_, value)| value.len() > 8).collect();
        kept.sort_by_key(|(name, value)| (std::cmp::Reverse(value.len()), *name));
        for (name, value) in kept {
            text = text.replace(value.as_str(), &format!("${name}"));
        }
        let _ = writeln!(self.told, "{first}\n{text}\n");
    }
}

/// One field a line, numbers as they were written.
fn pretty(json: &str) -> String {
    let (mut told, mut depth, mut is_text, mut was_escape) = (String::new(), 0_usize, false, false);
    let mut letters = json.chars().peekable();
    while let Some(letter) = letters.next() {
        if is_text {
            told.push(letter);
            is_text = was_escape || letter != '"';
            was_escape = letter == '\\' && !was_escape;
            continue;
        }
        let line = |told: &mut String, depth: usize| told.push_str(&format!("\n{}", "  ".repeat(depth)));
        match letter {
            '{' | '[' if matches!(letters.peek(), Some('}' | ']')) => told.extend([letter, letters.next().unwrap()]),
            '{' | '[' => {
                depth += 1;
                told.push(letter);
                line(&mut told, depth);
            }
            '}' | ']' => {
                depth -= 1;
                line(&mut told, depth);
                told.push(letter);
            }
            ',' => {
                told.push(letter);
                line(&mut told, depth);
            }
            ':' => told.push_str(": "),
            other => {
                is_text = other == '"';
                told.push(other);
            }
        }
    }
    told
}

async fn play(path: &Path, parts: u16) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let mut play = Play::new(parts).await;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with('>') {
            let mut rest = Vec::new();
            while let Some(more) = lines.next_if(|line| !line.is_empty()) {
                rest.push(more);
            }
            play.message(line, &rest).await;
        } else if line.starts_with('#') {
            let _ = writeln!(play.told, "{line}\n");
        } else if !line.is_empty() {
            play.line(line).await;
        }
    }
    let told = play.told.clone();
    play.world.verify();
    told
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/api/gateway");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|kind| kind == "txt"));
    cases.sort();
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_answered_as_its_case_says() {
    let mut different = Vec::new();
    for path in cases() {
        let told = play(&path, 1).await;
        let beside = path.with_extension("out");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&beside, &told).unwrap();
        } else if std::fs::read_to_string(&beside).unwrap_or_default() != told {
            different.push((path, told));
        }
    }
    assert!(different.is_empty(), "answers have changed (UPDATE=1 writes them anew): {different:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_answered_alike_when_everybody_stands_apart() {
    if std::env::var_os("UPDATE").is_some() {
        // What it is compared with is being written.
        return;
    }
    // Numbers that are given out here carry the partition; what is decided does not depend on it.
    let decided = |told: &str| {
        let is_decided = |line: &&str| !line.contains("inf_refmsgid");
        told.lines().filter(is_decided).map(str::to_owned).collect::<Vec<_>>()
    };
    for name in ["outpatient", "reversal", "mobile"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/api/gateway/{name}.txt"));
        let one = std::fs::read_to_string(path.with_extension("out")).unwrap();
        assert_eq!(decided(&play(&path, 8).await), decided(&one), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_envelope_there_is_a_status() {
    let play = Play::new(1).await;
    for body in ["", "[]", "{", "\u{feff}{}", r#"{"infno":"9001","infno":"9002"}"#] {
        play.post(body.to_owned()).await.refused(400, "JSON_MALFORMED");
    }
    let large = format!("{{\"input\":\"{}\"}}", "a".repeat(gongji::gateway::MESSAGE_LEN_MAX));
    play.post(large).await.refused(413, "BODY_TOO_LARGE");
    let stranger = Request::builder().method(Method::POST).uri(gongji::gateway::PATH).header("host", "localhost").body("{}".into()).unwrap();
    play.world.send(stranger).await.refused(401, "INSTITUTION_KEY_REQUIRED");
    // An object is an envelope, whatever it lacks; so is a long one.
    let answer = play.post("{}".to_owned()).await.expect(StatusCode::OK);
    assert!(answer.body["err_msg"].as_str().unwrap().starts_with("[FIELD_MISSING] fixmedins_code"), "{}", answer.body);
    let long = play.envelope("9001", "0001", &[], &format!("{{\"signIn\":\"{}\"}}", "长".repeat(40_000)));
    let answer = play.post(long).await.expect(StatusCode::OK);
    assert!(answer.body["err_msg"].as_str().unwrap().starts_with("[INPUT_TOO_LONG]"), "{}", answer.body);
}

/// Somebody who pays forty yuan of a hundred by code: the settling message.
async fn settling(play: &mut Play, serial: &str) -> String {
    play.line("open wife 510500").await;
    play.sign_in().await;
    play.line("code C wife account").await;
    let decode = play.filled(r#"{"data":{"ecQrcode":"$C","businessType":"01301","operatorId":"clerk-7"}}"#);
    let decoded = play.post(play.envelope("1162", "8001", &[], &decode)).await.expect(StatusCode::OK);
    let [token, psn_no] = ["ecToken", "ecIndexNo"].map(|field| decoded.body["output"][field].as_str().unwrap().to_owned());
    let data = json!({ "psn_no": psn_no, "mdtrt_cert_type": "01", "mdtrt_cert_no": token, "med_type": "11", "medfee_sumamt": "100.00", "mdtrt_id": "MZ1", "insutype": "310", "acct_used_flag": "1" });
    let input = json!({ "data": data, "setlinfo": { "fund_pay_sumamt": "60.00", "psn_part_amt": "40.00" } });
    play.envelope("2207", serial, &[("insuplc_admdvs", "510500")], &input.to_string())
}

fn faulty(play: &Play, body: &str, fault: &str) -> Request<axum::body::Body> {
    Request::builder()
        .method(Method::POST)
        .uri(gongji::gateway::SHORT_PATH)
        .header("host", "localhost")
        .header("authorization", format!("Bearer {}", institution_key(play.institution, play.world.app.engine.parts())))
        .header("test-fault", fault)
        .body(body.to_owned().into())
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_on_the_way_is_rehearsed_in_the_envelope() {
    let mut play = Play::new(1).await;
    let message = settling(&mut play, "0001").await;
    let declined = play.world.send(faulty(&play, &message, "decline=INSUFFICIENT_FUNDS")).await.expect(StatusCode::OK);
    assert_eq!(declined.body["infcode"], -1);
    assert!(declined.body["err_msg"].as_str().unwrap().starts_with("[INSUFFICIENT_FUNDS] "), "{}", declined.body);
    // Both arrive at the same time, and are answered with the same words; so is whoever asks again.
    let twice = play.world.send(faulty(&play, &message, "duplicate")).await.expect(StatusCode::OK);
    assert_eq!(twice.body["infcode"], 0, "{}", twice.body);
    let again = play.post(message.clone()).await.expect(StatusCode::OK);
    assert_eq!(again.bytes, twice.bytes);
    let orders = play.world.institution(HOSPITAL).get("/institutions/payments").await.expect(StatusCode::OK);
    assert_eq!(orders.body["orders"].as_array().map(Vec::len), Some(1), "{}", orders.body);
    assert_eq!(orders.body["orders"][0]["captured"]["amount"], 4_000);
    play.world.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_institution_knows_nothing_of_another_ones() {
    let mut play = Play::new(1).await;
    let message = settling(&mut play, "0001").await;
    let settled = play.post(message).await.expect(StatusCode::OK);
    let [setl_id, psn_no] = ["setl_id", "psn_no"].map(|field| settled.body["output"]["setlinfo"][field].as_str().unwrap().to_owned());
    play.line("institution pharmacy").await;
    play.sign_in().await;
    let input = json!({ "data": { "psn_no": psn_no, "setl_id": setl_id } }).to_string();
    for (serial, infno) in [("0002", "5203"), ("0003", "2103")] {
        let answer = play.post(play.envelope(infno, serial, &[], &input)).await.expect(StatusCode::OK);
        assert!(answer.body["err_msg"].as_str().unwrap().starts_with("[SETTLEMENT_UNKNOWN]"), "{}", answer.body);
    }
}

/// A settlement of the pooling area that gives its answers in order, and remembers what it was asked.
async fn settlement(answers: Vec<(u16, Value)>) -> (gongji::gateway::Settings, Arc<Mutex<Vec<Value>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (answers, asked) = (Arc::new(Mutex::new(answers)), Arc::new(Mutex::new(Vec::new())));
    let questions = Arc::clone(&asked);
    let answer = move |axum::Json(question): axum::Json<Value>| {
        questions.lock().unwrap().push(question);
        let (status, answer) = answers.lock().unwrap().remove(0);
        async move { (StatusCode::from_u16(status).unwrap(), axum::Json(answer)) }
    };
    let router = axum::Router::new().route("/v1/splits", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config = AdapterConfig { url, token: None, timeout_ms: 30_000, attempts: 1 };
    let settlement = Some(HttpAdapter::new("settlement", &config).unwrap());
    (gongji::gateway::Settings { settlement, ..Default::default() }, asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pooling_area_is_asked_for_a_split_that_did_not_come_along() {
    let split = json!({ "setlinfo": { "fund_pay_sumamt": 60.00, "psn_part_amt": "40.00" } });
    let wrong = json!({ "setlinfo": { "fund_pay_sumamt": 60.00, "psn_part_amt": "41.00" } });
    let answers = vec![(503, json!({})), (200, split), (422, json!({ "reason": "not_in_catalogue" })), (200, wrong), (200, json!([]))];
    let (settings, asked) = settlement(answers).await;
    let mut play = Play::new(1).await;
    play.world = World::with_gateway(settings).await;
    let message = settling(&mut play, "0001").await;
    let bare = |message: &str| {
        let mut message: Value = serde_json::from_str(message).unwrap();
        message["input"].as_object_mut().unwrap().remove("setlinfo");
        message["input"]["wlt"] = json!({ "psn_pwd": "260004" });
        message
    };
    let message = bare(&message);
    // Away: nothing is settled, and the same message may come again.
    let away = play.post(message.to_string()).await.expect(StatusCode::OK);
    assert!(away.body["err_msg"].as_str().unwrap().starts_with("[SPLIT_UNAVAILABLE]"), "{}", away.body);
    let settled = play.post(message.to_string()).await.expect(StatusCode::OK);
    assert_eq!((&settled.body["infcode"], &settled.body["output"]["setlinfo"]["acct_pay"]), (&json!(0), &json!(40.0)), "{}", settled.body);
    for (serial, told) in [("0002", "[SPLIT_REFUSED]"), ("0003", "[TOTAL_UNBALANCED]"), ("0004", "[SPLIT_UNAVAILABLE]")] {
        let mut other = message.clone();
        other["msgid"] = json!(msgid(HOSPITAL, serial));
        let refused = play.post(other.to_string()).await.expect(StatusCode::OK);
        assert!(refused.body["err_msg"].as_str().unwrap().starts_with(told), "{}", refused.body);
    }
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked[0], asked[1], "the same message is the same question");
    assert_eq!((asked[0]["request_id"].clone(), asked[0]["insuplc_admdvs"].clone()), (json!(msgid(HOSPITAL, "0001")), json!("510500")));
    assert!(!asked[0].to_string().contains("260004"), "what was typed on a keypad goes nowhere");
    play.world.verify();
}

/// Signs a message inside, as `docs/institutions/gateway.md` says.
fn signed_inside(message: &str, key: &SigningKey) -> String {
    let fields: Value = serde_json::from_str(message).unwrap();
    let input = message.split_once(",\"input\":").unwrap().1.strip_suffix('}').unwrap();
    let digest = |text: &str| gongji_files::hex(&Profile::Sm2.digest(text.as_bytes()));
    let field = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
    let mut lines = vec!["gongji-fsi-request".to_owned()];
    lines.extend(["infno", "msgid", "fixmedins_code", "opter", "inf_time", "sign_no"].map(field));
    lines.push(digest(input));
    let cainfo = key.sign_base64(lines.join("\n").as_bytes());
    message.replacen(",\"input\":", &format!(",\"signtype\":\"SM2\",\"cainfo\":{},\"input\":", json!(cainfo)), 1)
}

/// Whether the platform has signed this answer to that message.
fn is_vouched_for(play: &Play, msgid: &str, answer: &Reply) -> bool {
    let text = std::str::from_utf8(&answer.bytes).unwrap();
    let Some(cainfo) = answer.body["cainfo"].as_str() else { return false };
    assert_eq!(answer.body["signtype"], "SM2");
    let output = text.split_once(",\"output\":").unwrap().1.split_once(",\"signtype\":").unwrap().0;
    let field = |name: &str| answer.body[name].as_str().unwrap().to_owned();
    let digest = gongji_files::hex(&Profile::Sm2.digest(output.as_bytes()));
    let lines = [
        "gongji-fsi-answer".to_owned(),
        msgid.to_owned(),
        answer.body["infcode"].to_string(),
        field("inf_refmsgid"),
        field("respond_time"),
        field("err_msg"),
        digest,
    ];
    platform_key(&play.world.app.vault, Profile::Sm2, 1).verifying_key().verify_base64(lines.join("\n").as_bytes(), cainfo)
}

#[tokio::test]
async fn a_message_signed_inside_is_checked_and_its_answer_is_signed_likewise() {
    let play = Play::new(1).await;
    let (vault, now) = (&play.world.app.vault, play.world.app.now());
    let key = |first: u8| SigningKey::from_seed(Profile::Sm2, &[first; 32]).unwrap();
    let institution = |code: &str| gongji_ledger::InstitutionId::parse(code).unwrap();
    for (code, one) in [(HOSPITAL, key(71)), (HOSPITAL, key(72)), (PHARMACY, key(73))] {
        vault.register_public_key(&public_key(institution(code), one.verifying_key(), None), now).unwrap();
    }
    let input = json!({ "signIn": { "opter_no": CLERK, "mac": "00-00-5E-00-53-01", "ip": "192.0.2.7" } }).to_string();
    let message = |serial: &str| play.envelope("9001", serial, &[], &input);
    let wrong = |answer: &Reply| answer.body["err_msg"].as_str().unwrap().starts_with("[SIGNATURE_WRONG]");

    // Somebody else's key, a changed message, a text that is no signature: refused, unsigned, and the number is free for the right one.
    let right = signed_inside(&message("0001"), &key(71));
    for changed in [
        signed_inside(&message("0001"), &key(73)),
        signed_inside(&message("0001"), &key(99)),
        right.replacen("192.0.2.7", "192.0.2.8", 1),
        right.replacen("2026-11-23 10:00:00", "2026-11-23 10:00:01", 1),
        message("0001").replacen(",\"input\":", ",\"signtype\":\"SM2\",\"cainfo\":\"AAAA\",\"input\":", 1),
    ] {
        let refused = play.post(changed).await.expect(StatusCode::OK);
        assert!(wrong(&refused) && refused.body["cainfo"].is_null(), "{}", refused.body);
    }
    let half = message("0001").replacen(",\"input\":", ",\"signtype\":\"SM2\",\"input\":", 1);
    assert!(play.post(half).await.body["err_msg"].as_str().unwrap().starts_with("[FIELD_MISSING] cainfo"));
    let other = right.replacen("\"SM2\"", "\"RSA\"", 1);
    assert!(play.post(other).await.body["err_msg"].as_str().unwrap().starts_with("[CODE_TABLE] signtype"));

    // Signed rightly, by either key: done, and the answer is the platform's, also when it comes again.
    let done = play.post(right.clone()).await.expect(StatusCode::OK);
    assert_eq!(done.body["infcode"], 0, "{}", done.body);
    assert!(is_vouched_for(&play, &msgid(HOSPITAL, "0001"), &done));
    assert!(!is_vouched_for(&play, &msgid(HOSPITAL, "0002"), &done), "the answer to another message");
    assert_eq!(play.post(right).await.bytes, done.bytes);
    let second = play.post(signed_inside(&message("0002"), &key(72))).await;
    assert!(second.body["infcode"] == 0 && is_vouched_for(&play, &msgid(HOSPITAL, "0002"), &second), "{}", second.body);
    // A refusal is vouched for as well; what was not signed is not.
    let refused = play.post(signed_inside(&message("0002").replacen(CLERK, "clerk-8", 1).replacen("192.0.2.7", "192.0.2.9", 1), &key(72))).await;
    assert!(refused.body["infcode"] == -1 && is_vouched_for(&play, &msgid(HOSPITAL, "0002"), &refused), "{}", refused.body);
    assert!(play.post(message("0003")).await.body["cainfo"].is_null());

    // Revoked at once.
    vault.revoke_public_key(key(72).verifying_key().key_id(), now).unwrap();
    assert!(wrong(&play.post(signed_inside(&message("0004"), &key(72))).await));
}

#[test]
fn the_vendors_page_lists_every_code_of_the_gateway() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/institutions/gateway.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once("<!-- generated: codes -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /generated -->").unwrap();
    let now = format!("{before}<!-- generated: codes -->\n{}<!-- /generated -->{after}", gongji::gateway::markdown());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap() == now, "docs/institutions/gateway.md: UPDATE=1 cargo test -p gongji --test it vendors_page");
}
