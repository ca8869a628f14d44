//! What people entrust to the program is found nowhere but sealed: not in logs, journals, books, metrics or addresses.
//!
//! A whole journey goes through the real program with its logs wide open. Then every file it has written and every line it has said is
//! searched for each name, number, password, code, token and key of the journey and of all sample people.

use crate::program::{Program, Said};
use crate::silence::Needles;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Who asks, and with what.
#[derive(Clone, Default)]
struct Visitor {
    bearer: Option<String>,
    cookie: Option<String>,
}

struct Journey {
    program: Program,
    http: reqwest::Client,
    /// What must be found nowhere, and what it is.
    secrets: Vec<(String, &'static str)>,
    /// Addresses that answers have sent the browser to.
    addresses: Vec<String>,
    asked: usize,
}

fn yuan(fen: i64) -> Value {
    json!({ "amount": fen, "currency": "CNY" })
}

impl Journey {
    fn new(program: Program) -> Journey {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Journey { program, http, secrets: Vec::new(), addresses: Vec::new(), asked: 0 }
    }

    fn guard(&mut self, secret: &Value, what: &'static str) -> String {
        let secret = secret.as_str().unwrap_or_else(|| panic!("no {what}: {secret}")).to_owned();
        self.secrets.push((secret.clone(), what));
        secret
    }

    async fn ask(&mut self, who: &Visitor, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        self.asked += 1;
        let mut request =
            self.http.request(method, format!("{}/api/v1{path}", self.program.origin)).header("Idempotency-Key", format!("canary-{}", self.asked));
        if let Some(token) = &who.bearer {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        self.addresses.extend(response.headers().get(header::LOCATION).map(|address| address.to_str().unwrap().to_owned()));
        (response.status(), response.json().await.unwrap_or(Value::Null))
    }

    #[track_caller]
    fn post<'a>(&'a mut self, who: &'a Visitor, path: &'a str, body: Value) -> impl Future<Output = Value> + 'a {
        let at = std::panic::Location::caller();
        async move {
            let (status, answer) = self.ask(who, Method::POST, path, Some(body)).await;
            assert!(status.is_success(), "{at}: {path} → {status} {answer}");
            answer
        }
    }

    async fn get(&mut self, who: &Visitor, path: &str) -> Value {
        let (status, answer) = self.ask(who, Method::GET, path, None).await;
        assert!(status.is_success(), "{path} → {status} {answer}");
        answer
    }

    /// Sends a form as a browser does; the cookies of the answer are kept.
    async fn form(&mut self, who: &mut Visitor, path: &str, fields: &[(&str, &str)]) -> (StatusCode, String) {
        let encoded: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
        let origin = self.program.origin.clone();
        let mut request =
            self.http.post(format!("{origin}{path}")).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").header(header::ORIGIN, origin);
        if let Some(cookie) = &who.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        self.page(who, request.body(encoded.join("&"))).await
    }

    async fn look(&mut self, who: &mut Visitor, path: &str) -> (StatusCode, String) {
        let mut request = self.http.get(format!("{}{path}", self.program.origin));
        if let Some(cookie) = &who.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        self.page(who, request).await
    }

    async fn page(&mut self, who: &mut Visitor, request: reqwest::RequestBuilder) -> (StatusCode, String) {
        let response = request.send().await.unwrap();
        self.addresses.extend(response.headers().get(header::LOCATION).map(|address| address.to_str().unwrap().to_owned()));
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap_or_default().to_owned();
            if let Some((name, value)) = pair.split_once('=')
                && name.starts_with("gongji")
                && value.len() > 20
            {
                self.secrets.push((value.to_owned(), "a cookie"));
                who.cookie = Some(pair);
            }
        }
        (response.status(), response.text().await.unwrap())
    }

    /// A proof that this person has just confirmed exactly this.
    async fn prove(&mut self, who: &Visitor, password: &str, what: Value) -> String {
        let proof = self.post(who, "/proofs", json!({ "method": "password", "password": password, "for": what })).await["proof"].clone();
        self.guard(&proof, "a proof")
    }

    /// The newest one-time code that went to a person.
    async fn texted(&mut self, id_number: &str) -> String {
        let inbox = self.get(&Visitor::default(), &format!("/sandbox/inbox?id_number={id_number}")).await;
        let code = inbox["messages"].as_array().unwrap().iter().find_map(|message| message["code"].as_str()).expect("a code was sent").to_owned();
        self.guard(&json!(code), "a one-time code")
    }
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Every file of the data folder, as it lies there. Gives what was searched.
fn search(folder: &Path, secrets: &[(String, &'static str)]) -> usize {
    let needles = Needles::new(secrets);
    let public = [("泸州安和医院".to_owned(), "an institution's name")];
    let (mut len, mut public_found) = (0, 0);
    // One file is made to tell of somebody: of the sample payer of the conformance kit, to its owner, and of nobody else.
    let of_the_kit = folder.join("institution-keys/conformance.json");
    let told: serde_json::Value = serde_json::from_slice(&fs::read(&of_the_kit).unwrap()).unwrap();
    let payer: Vec<&str> = told["payer"].as_object().unwrap().values().filter_map(|value| value.as_str()).collect();
    let of_others: Vec<_> = secrets.iter().filter(|(secret, _)| !payer.contains(&secret.as_str())).cloned().collect();
    let of_others = Needles::new(&of_others);
    assert_eq!(fs::metadata(&of_the_kit).unwrap().permissions().mode() & 0o077, 0, "the file of the kit is its owner's");
    for path in files(folder) {
        let bytes = fs::read(&path).unwrap();
        len += bytes.len();
        let needles = if path == of_the_kit { &of_others } else { &needles };
        assert_eq!(needles.found_in(&bytes), None, "{}", path.display());
        public_found += usize::from(Needles::new(&public).found_in(&bytes).is_some());
    }
    assert!(public_found > 0, "what is public is found: the search looks where texts stand");
    len
}

/// What it said, without what the sandbox tells on purpose at its start, and without the times in front of each line.
fn logged(said: &Said) -> String {
    let after_start = said.stdout.split_once("按 Ctrl-C 停下。").map_or("", |(_, rest)| rest);
    let without_time = |line: &str| line.split_once("Z ").map_or(line, |(_, rest)| rest).to_owned();
    let lines: Vec<String> = said.stderr.lines().map(without_time).chain([after_start.to_owned()]).collect();
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_personal_is_in_logs_journals_books_metrics_or_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut journey = Journey::new(Program::sandbox(&data, &["--partitions", "4"], "debug"));
    let nobody = Visitor::default();
    everybody(&mut journey).await;
    by_api(&mut journey).await;
    by_pages(&mut journey).await;
    // What is malformed is refused; that too is logged.
    for body in [json!({ "id_number": 990_151, "password": "260002" }), json!({ "id_number": "990151195203150023", "password": { "260002": "王秀兰" } })] {
        let (status, _) = journey.ask(&nobody, Method::POST, "/sessions", Some(body)).await;
        assert!(status.is_client_error(), "{status}");
    }
    assert_eq!(journey.ask(&nobody, Method::GET, "/nowhere/990151195203150023/19900000002?name=王秀兰", None).await.0, StatusCode::NOT_FOUND);

    // What is watched tells of nobody.
    let (status, metrics) = journey.look(&mut Visitor::default(), "/metrics").await;
    assert!(status.is_success() && metrics.contains("/api/v1/transfers/{id}/accept"), "{status}");

    // As they are, and as they would stand in an address.
    let mut secrets = std::mem::take(&mut journey.secrets);
    secrets.extend(secrets.clone().into_iter().filter(|(secret, _)| !secret.is_ascii()).map(|(secret, what)| (percent(&secret), what)));
    assert_eq!(Needles::new(&secrets).found_in(metrics.as_bytes()), None, "{metrics}");
    for address in &journey.addresses {
        assert_eq!(Needles::new(&secrets).found_in(address.as_bytes()), None, "{address}");
    }
    // While it runs, with its write-ahead logs, and after it has stopped.
    let running = search(&data, &secrets);
    let Journey { program, addresses, asked, .. } = journey;
    let said = program.stop();
    assert!(said.status.success(), "{}", said.stderr);
    let stopped = search(&data, &secrets);
    let log = logged(&said);
    assert!(log.matches("answered").count() > asked && log.contains("/api/v1/transfers/{id}/accept"), "the log has a line for each request:\n{log}");
    assert!(log.contains("a session began") && log.contains("refused"), "logins that worked and such that did not are told:\n{log}");
    let needles = Needles::new(&secrets);
    for line in log.lines() {
        assert_eq!(needles.found_in(line.as_bytes()), None, "{line}");
    }
    println!(
        "{} secrets, {asked} requests, {} addresses, {} lines of log, {running} bytes while running and {stopped} after: none found",
        secrets.len(),
        addresses.len(),
        log.lines().count()
    );
}

/// Everybody the sandbox knows.
async fn everybody(journey: &mut Journey) {
    let persons = include_str!("../../../../data/sandbox/persons.csv");
    for line in persons.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        for (secret, what) in fields.iter().zip(["an ID number", "a name", "a phone"]).filter(|(secret, _)| !secret.is_empty()) {
            journey.secrets.push(((*secret).to_owned(), what));
        }
    }
    let logins = journey.get(&Visitor::default(), "/sandbox/logins").await;
    for login in logins["logins"].as_array().unwrap() {
        journey.guard(&login["password"], "a password");
    }
    let tills = journey.get(&Visitor::default(), "/sandbox/institutions").await;
    for till in tills["institutions"].as_array().unwrap() {
        // The part behind the last dot is the secret; what is before it names the key.
        let key = till["key"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
        journey.guard(&json!(key), "an institution's key");
    }
}

async fn by_api(journey: &mut Journey) {
    let nobody = Visitor::default();
    // Registering, a wrong password, a code instead of it.
    let asked = json!({ "name": "李建国", "id_number": "990151195008020012", "phone": "19900000003" });
    let ticket = journey.post(&nobody, "/registrations", asked).await["ticket"].clone();
    let ticket = journey.guard(&ticket, "a ticket");
    let code = journey.texted("990151195008020012").await;
    let confirmed = journey.post(&nobody, "/registrations/confirm", json!({ "ticket": ticket, "code": code, "password": "741852" })).await;
    journey.guard(&confirmed["token"], "a session");
    journey.guard(&json!("741852"), "a password");
    let wrong = json!({ "id_number": "990151195008020012", "password": "963258" });
    journey.guard(&json!("963258"), "a wrong password");
    assert_eq!(journey.ask(&nobody, Method::POST, "/sessions", Some(wrong)).await.0, StatusCode::UNAUTHORIZED);

    let mut visitors = Vec::new();
    for (id_number, password) in [("990137198405120013", "260001"), ("990151195203150023", "260002")] {
        let token = journey.post(&nobody, "/sessions", json!({ "id_number": id_number, "password": password })).await["token"].clone();
        visitors.push(Visitor { bearer: Some(journey.guard(&token, "a session")), cookie: None });
    }
    let [son, mother] = <[Visitor; 2]>::try_from(visitors).ok().unwrap();
    journey.post(&mother, "/wallet", json!({ "place": "510500" })).await;
    let receiver = json!({ "name": "王秀兰", "id_number": "990151195203150023" });
    let bound = json!({ "transfer": { "receiver": receiver, "amount": yuan(60_000), "source": "personal_account" } });
    let proof = journey.prove(&son, "260001", bound).await;
    let wish = json!({ "receiver": receiver, "relation": "52", "amount": yuan(60_000), "source": "personal_account" });
    journey.post(&son, "/transfers/preview", wish.clone()).await;
    let mut wish = wish;
    wish["proof"] = json!(proof);
    let id = journey.post(&son, "/transfers", wish).await["id"].as_str().unwrap().to_owned();
    journey.get(&son, &format!("/transfers/{id}")).await;
    journey.post(&mother, &format!("/transfers/{id}/accept"), json!({})).await;

    // A code, and without a phone.
    let tills = journey.get(&nobody, "/sandbox/institutions").await;
    let key = tills["institutions"].as_array().unwrap().iter().find(|till| till["code"] == "H51050000001").unwrap()["key"].as_str().unwrap().to_owned();
    let till = Visitor { bearer: Some(key), cookie: None };
    let code = journey.post(&mother, "/payment-codes", json!({ "first": "wallet" })).await["code"].clone();
    let code = journey.guard(&code, "a payment code");
    journey.post(&mother, "/payment-codes/status", json!({ "code": code })).await;
    let keypad = json!({ "keypad": { "id_number": "990151195203150023", "password": "260002", "first": "wallet" } });
    for (number, payer) in [("MZ-1", json!({ "code": code })), ("MZ-2", keypad)] {
        let bill = json!({ "total": yuan(9_000), "fund": yuan(6_000), "own": yuan(3_000) });
        let held = journey.post(&till, "/institutions/payments", json!({ "order_no": number, "payer": payer, "bill": bill })).await;
        let path = format!("/institutions/payments/{}", held["payment"].as_str().unwrap());
        journey.post(&till, &format!("{path}/capture"), json!({ "amount": yuan(2_000), "last": true })).await;
        journey.post(&till, &format!("{path}/refund"), json!({ "amount": yuan(500) })).await;
    }
    // The same code once more: refused.
    let bill = json!({ "total": yuan(100), "fund": yuan(0), "own": yuan(100) });
    let again = json!({ "order_no": "MZ-3", "payer": { "code": code }, "bill": bill });
    assert_eq!(journey.ask(&till, Method::POST, "/institutions/payments", Some(again)).await.1["code"], "CODE_USED");
    by_envelope(journey, &till, &mother).await;

    let insured = journey.get(&mother, "/me").await["id"].clone();
    let bound = json!({ "insured": insured, "area": "510500", "year": 2027 });
    let proof = journey.prove(&mother, "260002", json!({ "premium": bound })).await;
    journey.post(&mother, "/premiums/payments", json!({ "insured": insured, "area": "510500", "year": 2027, "proof": proof })).await;
    for path in ["/me", "/wallet", "/wallet/origins", "/wallet/relations", "/statement", "/notices", "/sessions", "/transfers"] {
        journey.get(&mother, path).await;
    }
    // Opening for a relative, once another code may be asked for.
    let now = gongji::time::parse_rfc3339(journey.get(&nobody, "/sandbox/clock").await["now"].as_str().unwrap()).unwrap();
    journey.post(&nobody, "/sandbox/clock", json!({ "to": gongji::time::rfc3339(now + 120_000) })).await;
    let on_behalf = json!({ "relative": { "name": "李建国", "id_number": "990151195008020012" }, "relation": "51", "consent": "act-on-behalf-2026-11" });
    let started = journey.post(&son, "/wallet/relatives", on_behalf).await;
    let ticket = journey.guard(&started["ticket"], "a ticket");
    let code = journey.texted("990151195008020012").await;
    journey.post(&son, "/wallet/relatives/confirm", json!({ "ticket": ticket, "code": code, "place": "510500" })).await;
    // A changed password.
    journey.guard(&json!("159753"), "a password");
    let changed = journey.ask(&son, Method::POST, "/password", Some(json!({ "old_password": "260001", "new_password": "159753" }))).await;
    assert!(changed.0.is_success(), "{changed:?}");
}

/// In the national envelope: an e-code that settles a bill, and ID number and password on the keypad.
async fn by_envelope(journey: &mut Journey, till: &Visitor, mother: &Visitor) {
    let now = journey.get(&Visitor::default(), "/sandbox/clock").await["now"].as_str().unwrap().to_owned();
    let day: String = now.chars().take(10).filter(char::is_ascii_digit).collect();
    let code = journey.post(mother, "/payment-codes", json!({ "first": "wallet" })).await["qr"].clone();
    let code = journey.guard(&code, "an e-code");
    let (mut sign_no, mut token, mut psn_no) = (String::new(), String::new(), String::new());
    for (serial, infno) in ["9001", "1162", "2207", "1101"].into_iter().enumerate() {
        let input = match infno {
            "9001" => json!({ "signIn": { "opter_no": "7", "mac": "00-00-5E-00-53-01", "ip": "192.0.2.7" } }),
            "1162" => json!({ "data": { "ecQrcode": code, "businessType": "01301", "operatorId": "7" } }),
            "2207" => json!({
                "data": { "psn_no": psn_no, "mdtrt_cert_type": "01", "mdtrt_cert_no": token, "med_type": "11", "medfee_sumamt": 10, "mdtrt_id": "MZ9", "insutype": "390", "acct_used_flag": "1" },
                "setlinfo": { "fund_pay_sumamt": 6, "psn_part_amt": 4 },
            }),
            _ => json!({
                "data": { "mdtrt_cert_type": "02", "mdtrt_cert_no": "990151195203150023", "psn_name": "王秀兰" },
                "wlt": { "psn_pwd": "260002" },
            }),
        };
        let message = json!({
            "infno": infno, "msgid": format!("H51050000001{day}100000{serial:04}"), "mdtrtarea_admvs": "510500", "insuplc_admdvs": "510500",
            "recer_sys_code": "GONGJI", "infver": "V1.0", "opter_type": "1", "opter": "7", "opter_name": "收费员", "inf_time": "2026-11-23 10:00:00",
            "fixmedins_code": "H51050000001", "fixmedins_name": "医院", "sign_no": sign_no, "input": input,
        });
        let answer = journey.post(till, "/fsi", message).await;
        assert_eq!(answer["infcode"], 0, "{answer}");
        match infno {
            "9001" => answer["output"]["signinoutb"]["sign_no"].as_str().unwrap().clone_into(&mut sign_no),
            "1162" => {
                token = journey.guard(&answer["output"]["ecToken"], "a token");
                psn_no = journey.guard(&answer["output"]["ecIndexNo"], "a person's number");
            }
            _ => {}
        }
    }
}

async fn by_pages(journey: &mut Journey) {
    let mut mother = Visitor::default();
    let (status, page) = journey.form(&mut mother, "/login", &[("account", "990151195203150023"), ("password", "260002")]).await;
    assert!(status.is_redirection() && mother.cookie.is_some(), "{status} {page}");
    for path in ["/", "/wallet", "/statement", "/notices", "/transfer", "/pay", "/premium", "/relations", "/security", "/place", "/act-for"] {
        let (status, page) = journey.look(&mut mother, path).await;
        assert!(status.is_success(), "{path} → {status} {page}");
    }
    let (status, page) = journey
        .form(
            &mut mother,
            "/transfer",
            &[("receiver", "new"), ("name", "李强"), ("id_number", "990137198405120013"), ("relation", "20"), ("amount", "10"), ("source", "wallet")],
        )
        .await;
    assert!(status.is_success() || status.is_client_error(), "{status} {page}");
    let mut stranger = Visitor::default();
    for (path, fields) in [
        ("/login", vec![("account", "990151195203150023"), ("password", "963258")]),
        ("/forgot", vec![("account", "990151195203150023")]),
        ("/register", vec![("name", "王秀兰"), ("id_number", "990151195203150023"), ("phone", "19900000002")]),
    ] {
        let (status, page) = journey.form(&mut stranger, path, &fields).await;
        assert!(!status.is_server_error(), "{path} → {status} {page}");
    }
}
