//! Whatever arrives from outside ends in a clear refusal: never a fault, nothing half done.

use super::world::*;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

const CREATED: StatusCode = StatusCode::CREATED;
const OK: StatusCode = StatusCode::OK;

fn yuan(fen: i64) -> Value {
    json!({ "amount": fen, "currency": "CNY" })
}

/// A lawful transfer without its proof, to be spoilt.
fn transfer() -> Value {
    json!({ "receiver": { "name": MOTHER.0, "id_number": MOTHER.1 }, "relation": "52", "amount": yuan(100), "source": "personal_account" })
}

fn spoilt(pointer: &str, value: Value) -> Value {
    let mut body = transfer();
    match body.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => body[&pointer[1..]] = value,
    }
    body
}

async fn money(world: &World) -> (i64, u64) {
    let son = world.logged_in(&SON).await;
    let wallet = son.get("/wallet").await.expect(OK);
    (wallet.fen("/personal_accounts/0/balance"), wallet.body["limits"]["transfers_left"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_refused_with_the_fields_name() {
    let world = World::new(1).await;
    let son = world.logged_in(&SON).await;
    let before = money(&world).await;
    for body in ["{", "", "null", "[]", "\"转账\"", "{\"receiver\":{}}", "\u{feff}{}", "{\"a\":1}{\"b\":2}"] {
        let reply = son.raw("/transfers", body).await.refused(400, "JSON_MALFORMED");
        assert!(!reply.body["fields"].as_array().unwrap().is_empty(), "{body}");
    }
    son.raw("/transfers", vec![0xFF, 0xFE, 0x00]).await.refused(400, "JSON_MALFORMED");
    // Wrong types and unknown fields, each named.
    for (pointer, value, field) in [
        ("/amount", json!(100), "amount"),
        ("/amount/amount", json!("100"), "amount.amount"),
        ("/amount/amount", json!(100.5), "amount.amount"),
        ("/amount/amount", json!(1e30), "amount.amount"),
        ("/amount/amount", json!(null), "amount.amount"),
        ("/amount/currency", json!("USD"), "amount.currency"),
        ("/receiver/name", json!(["王秀兰"]), "receiver.name"),
        ("/receiver/id_number", json!(990_151), "receiver.id_number"),
        ("/relation", json!(52), "relation"),
        ("/source", json!("savings"), "source"),
        ("/proof", json!({}), "proof"),
        ("/memo", json!("生日快乐"), "memo"),
    ] {
        let reply = son.ask("/transfers", &spoilt(pointer, value)).await.refused(400, "JSON_MALFORMED");
        assert_eq!(reply.body["fields"][0]["field"], field, "{}", reply.body);
    }
    // Depth does not hurt.
    son.raw("/transfers", "[".repeat(60_000)).await.refused(400, "JSON_MALFORMED");
    son.raw("/transfers", " ".repeat(1_048_576)).await.refused(413, "BODY_TOO_LARGE");
    let mut request = son.request(Method::POST, "/transfers", Some("form"), "a=b".into());
    request.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    world.send(request).await.refused(415, "CONTENT_TYPE");
    assert_eq!(money(&world).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_read_strictly_and_rare_names_are_names() {
    let world = World::new(2).await;
    let son = world.logged_in(&SON).await;
    // One digit off, letters, full width, a 31st of February, too short, too long.
    for id_number in ["990151195203150024", "99015119520315002a", "990151195202310023", "9901511952", "", &"9".repeat(1000)] {
        let reply = son.ask("/transfers", &spoilt("/receiver/id_number", json!(id_number))).await.refused(422, "FIELDS_INVALID");
        assert_eq!(reply.body["fields"][0]["field"], "receiver.id_number");
    }
    for name in ["", " ", "王3", &"王".repeat(200), "王秀兰<script>", "王\u{202e}秀兰", "王秀兰\0", "Robert'); DROP TABLE person;--"] {
        let reply = son.ask("/transfers", &spoilt("/receiver/name", json!(name))).await.refused(422, "FIELDS_INVALID");
        assert_eq!(reply.body["fields"][0]["field"], "receiver.name", "{name}");
    }
    // Both wrong: both are told.
    let body = spoilt("/receiver", json!({ "name": "", "id_number": "1" }));
    assert_eq!(son.ask("/transfers", &body).await.refused(422, "FIELDS_INVALID").body["fields"].as_array().map(Vec::len), Some(2));
    for relation in ["", "5", "520", "父亲", "-1", "５２"] {
        let reply = son.ask("/transfers", &spoilt("/relation", json!(relation))).await.refused(422, "FIELDS_INVALID");
        assert_eq!(reply.body["fields"][0]["field"], "relation");
    }
    // Outside the basic plane, and with a middle dot however it was typed.
    for (sample, written) in [(RARE, RARE.0), (DOTTED, DOTTED.0), (DOTTED, "古丽娜尔•买买提")] {
        let preview = json!({ "receiver": { "name": written, "id_number": sample.1 }, "relation": "75", "amount": yuan(100), "source": "personal_account" });
        assert_eq!(son.post("/transfers/preview", &preview).await.expect(OK).body["is_possible"], true, "{written}");
    }
    // Full-width digits, as some keyboards write them, are digits.
    let named = Sample(RARE.0, "９９０１４２１９９００２２８００１８", "", 0, 0, 0, false);
    let body = son.transfer_body(&SON, &named, "73", 100).await;
    let sent = son.ask("/transfers", &body).await.expect(CREATED).text("id");
    assert_eq!(son.get(&format!("/transfers/{sent}")).await.expect(OK).text("state"), "awaiting_recipient");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amounts_beyond_reason_are_refused() {
    let world = World::new(1).await;
    let son = world.logged_in(&SON).await;
    let before = money(&world).await;
    for (fen, code) in [
        (0, "AMOUNT_TOO_SMALL"),
        (-1, "AMOUNT_TOO_SMALL"),
        (-200_000, "AMOUNT_TOO_SMALL"),
        (200_001, "AMOUNT_TOO_LARGE"),
        (1_000_000_000_000, "AMOUNT_TOO_LARGE"),
    ] {
        let body = son.transfer_body(&SON, &MOTHER, "52", fen).await;
        son.ask("/transfers", &body).await.refused(422, code);
    }
    for fen in [i64::MAX, i64::MIN, 1_000_000_000_001] {
        son.ask("/transfers", &spoilt("/amount", yuan(fen))).await.refused(422, "FIELDS_INVALID");
    }
    assert_eq!(money(&world).await, before);
    // The same at an institution.
    let wife = world.logged_in(&WIFE).await;
    wife.ask("/wallet", &json!({ "place": "510500" })).await.expect(CREATED);
    let hospital = world.institution(HOSPITAL);
    let code = wife.ask("/payment-codes", &json!({ "first": "personal_account" })).await.expect(CREATED).text("code");
    let bill = |total, fund, own, institution| json!({ "total": yuan(total), "fund": yuan(fund), "own": yuan(own), "institution": yuan(institution) });
    for (bill, status, code_of) in [
        (bill(100, 0, 99, 0), 422, "BILL_UNBALANCED"),
        (bill(0, 0, 0, 0), 422, "AMOUNT_TOO_SMALL"),
        (bill(100, 200, -100, 0), 422, "BILL_UNBALANCED"),
        (bill(100, -100, 200, 0), 422, "BILL_UNBALANCED"),
        (bill(100_000_001, 0, 100_000_001, 0), 422, "BILL_TOO_LARGE"),
        (bill(i64::MAX, i64::MAX, i64::MAX, i64::MAX), 422, "FIELDS_INVALID"),
        (bill(300_001, 0, 300_001, 0), 409, "INSUFFICIENT_FUNDS"),
    ] {
        let order = json!({ "order_no": format!("X-{}", world.key()), "payer": { "code": code }, "bill": bill });
        hospital.ask("/institutions/payments", &order).await.refused(status, code_of);
    }
    // None of it used the code up.
    let order = json!({ "order_no": "Y-1", "payer": { "code": code }, "bill": bill(100, 0, 100, 0) });
    let payment = hospital.ask("/institutions/payments", &order).await.expect(CREATED).text("payment");
    for (fen, status, code_of) in [
        (0, 422, "AMOUNT_TOO_SMALL"),
        (-5, 422, "AMOUNT_TOO_SMALL"),
        (101, 422, "CAPTURE_TOO_LARGE"),
        (i64::MAX, 422, "FIELDS_INVALID"),
        (999_999_999_999, 422, "CAPTURE_TOO_LARGE"),
    ] {
        hospital.ask(&format!("/institutions/payments/{payment}/capture"), &json!({ "amount": yuan(fen) })).await.refused(status, code_of);
    }
    for body in ["{\"order_no\":\"\"}", "{\"order_no\":\"Z\",\"payer\":{\"code\":\"1\",\"keypad\":{}}}"] {
        hospital.raw("/institutions/payments", body).await.refused(400, "JSON_MALFORMED");
    }
    for number in ["", "有", "a b", &"n".repeat(65)] {
        let order = json!({ "order_no": number, "payer": { "code": code }, "bill": bill(100, 0, 100, 0) });
        hospital.ask("/institutions/payments", &order).await.refused(422, "FIELDS_INVALID");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payment_codes_that_are_used_expired_or_foreign_pay_nothing() {
    let world = World::new(2).await;
    let wife = world.logged_in(&WIFE).await;
    let hospital = world.institution(HOSPITAL);
    wife.ask("/payment-codes", &json!({ "first": "wallet" })).await.refused(409, "WALLET_NOT_OPEN");
    wife.ask("/wallet", &json!({ "place": "510500" })).await.expect(CREATED);
    let pay =
        |number: &str, code: &str| json!({ "order_no": number, "payer": { "code": code }, "bill": { "total": yuan(100), "fund": yuan(0), "own": yuan(100) } });
    for code in ["", "0", "中文", "0000000000000000000", "ZZZ0000000000000000", &"0".repeat(5000), "<script>alert(1)</script>"] {
        hospital.ask("/institutions/payments", &pay(&world.key(), code)).await.refused(404, "CODE_UNKNOWN");
    }
    // A newer code replaces an older one.
    let old = wife.ask("/payment-codes", &json!({ "first": "personal_account" })).await.expect(CREATED).text("code");
    let new = wife.ask("/payment-codes", &json!({ "first": "personal_account" })).await.expect(CREATED).text("code");
    hospital.ask("/institutions/payments", &pay("A-1", &old)).await.refused(409, "CODE_EXPIRED");
    // Typed in small letters and groups it is the same code.
    let typed: Vec<String> = new.to_lowercase().as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    hospital.ask("/institutions/payments", &pay("A-2", &typed.join(" "))).await.expect(CREATED);
    hospital.ask("/institutions/payments", &pay("A-3", &new)).await.refused(409, "CODE_USED");
    // To the millisecond.
    let last = wife.ask("/payment-codes", &json!({ "first": "personal_account" })).await.expect(CREATED).text("code");
    assert!(world.clock.set(start_of_clock() + 60_000));
    assert_eq!(wife.post("/payment-codes/status", &json!({ "code": last })).await.expect(OK).text("state"), "expired");
    hospital.ask("/institutions/payments", &pay("A-4", &last)).await.refused(409, "CODE_EXPIRED");
    // The keypad: a wrong password, an unknown person: one answer, which is not about the institution's key.
    let keypad = |id_number: &str, password: &str| {
        json!({ "order_no": "K-1", "payer": { "keypad": { "id_number": id_number, "password": password, "first": "wallet" } },
        "bill": { "total": yuan(100), "fund": yuan(0), "own": yuan(100) } })
    };
    let known = hospital.ask("/institutions/payments", &keypad(WIFE.1, "111111")).await.refused(403, "LOGIN_REFUSED");
    let unknown = hospital.ask("/institutions/payments", &keypad(STRANGER.1, "111111")).await.refused(403, "LOGIN_REFUSED");
    assert_eq!((&known.body["title"], &known.body["next_step"]), (&unknown.body["title"], &unknown.body["next_step"]));
    for key in ["", "gk.", "gk.00010000.short", "gk.0001not-a-key.not-the-secret-of-anybody"] {
        let caller = Caller { world: &world, token: Some(key.to_owned()), acting_for: None };
        caller.get("/institutions/payments").await.refused(401, "INSTITUTION_KEY_REQUIRED");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proofs_are_good_for_one_thing_once_and_for_five_minutes() {
    let world = World::new(2).await;
    let son = world.logged_in(&SON).await;
    let body = son.transfer_body(&SON, &MOTHER, "52", 100).await;
    son.ask("/transfers", &transfer()).await.refused(403, "PROOF_MISSING");
    for proof in ["", "x", "不是凭证", &"A".repeat(98)] {
        son.ask("/transfers", &spoilt("/proof", json!(proof))).await.refused(403, "PROOF_MISMATCH");
    }
    // For another amount, another receiver, by another person.
    let mut other = body.clone();
    other["amount"] = yuan(101);
    son.ask("/transfers", &other).await.refused(403, "PROOF_MISMATCH");
    let mut other = body.clone();
    other["receiver"] = json!({ "name": RARE.0, "id_number": RARE.1 });
    son.ask("/transfers", &other).await.refused(403, "PROOF_MISMATCH");
    world.logged_in(&WIFE).await.ask("/transfers", &body).await.refused(403, "PROOF_MISMATCH");
    // The other source.
    let mut other = body.clone();
    other["source"] = json!("wallet");
    assert!(son.ask("/transfers", &other).await.refused(403, "PROOF_MISMATCH").codes().contains(&"WALLET_NOT_OPEN".to_owned()));
    // Once.
    son.ask("/transfers", &body).await.expect(CREATED);
    let id = son.get("/wallet").await.expect(OK).body["outgoing"][0]["id"].as_str().unwrap().to_owned();
    world.app.engine.settle().await.unwrap();
    son.ask(&format!("/transfers/{id}/cancel"), &json!({})).await.expect(OK);
    world.app.engine.settle().await.unwrap();
    son.ask("/transfers", &body).await.refused(403, "PROOF_USED");
    // To the millisecond.
    let body = son.transfer_body(&SON, &MOTHER, "52", 100).await;
    assert!(world.clock.set(start_of_clock() + 5 * 60_000));
    son.ask("/transfers", &body).await.refused(403, "PROOF_EXPIRED");
    // A wrong password, and a face chosen by hand.
    let what = json!({ "transfer": { "receiver": { "name": MOTHER.0, "id_number": MOTHER.1 }, "amount": yuan(100), "source": "personal_account" } });
    son.post("/proofs", &json!({ "method": "password", "password": "111111", "for": what })).await.refused(403, "PASSWORD_WRONG");
    son.post("/proofs", &json!({ "method": "password", "for": what })).await.refused(422, "FIELDS_INVALID");
    for (result, status) in [("fail", 403), ("unavailable", 503)] {
        world.guest().post("/sandbox/faces", &json!({ "id_number": SON.1, "result": result })).await.expect(OK);
        let code = if status == 403 { "FACE_FAILED" } else { "FACE_UNAVAILABLE" };
        son.post("/proofs", &json!({ "method": "face", "for": what })).await.refused(status, code);
    }
    world.guest().post("/sandbox/faces", &json!({ "id_number": SON.1, "result": "pass" })).await.expect(OK);
    let proof = son.post("/proofs", &json!({ "method": "face", "for": what })).await.expect(CREATED).text("proof");
    son.ask("/transfers", &spoilt("/proof", json!(proof))).await.expect(CREATED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anothers_wallet_stays_closed() {
    let world = World::new(2).await;
    let (son, wife) = (world.logged_in(&SON).await, world.logged_in(&WIFE).await);
    let body = son.transfer_body(&SON, &MOTHER, "52", 100).await;
    let id = son.ask("/transfers", &body).await.expect(CREATED).text("id");
    world.app.engine.settle().await.unwrap();
    for path in [format!("/transfers/{id}"), "/transfers/not-an-id".to_owned(), "/transfers/00000000-0000-0000-0000-000000000000".to_owned()] {
        wife.get(&path).await.refused(404, "NOT_FOUND");
    }
    for verb in ["accept", "decline", "cancel"] {
        wife.ask(&format!("/transfers/{id}/{verb}"), &json!({})).await.refused(404, "NOT_FOUND");
    }
    let mine = son.get("/me").await.expect(OK).text("id");
    for who in [mine.as_str(), "", "ffffffffffffffff", "0001000000000000", "不", "../me"] {
        let mut request = wife.request(Method::GET, "/wallet", None, axum::body::Body::empty());
        request.headers_mut().insert("gongji-for", axum::http::HeaderValue::from_bytes(who.as_bytes()).unwrap());
        world.send(request).await.refused(403, "NOT_YOURS");
    }
    // Ids that name nobody, or somebody one has nothing to do with: one answer.
    for who in [mine.as_str(), "ffffffffffffffff", "0002000000000001", "x"] {
        let ended = wife.ask(&format!("/wallet/relations/{who}/end"), &json!({})).await;
        assert!(ended.status.is_client_error(), "{}", ended.body);
        wife.ask(&format!("/wallet/relatives/{who}/stop"), &json!({})).await.refused(404, "NOT_FOUND");
    }
    let proof = wife.proof(&WIFE, &json!({ "premium": { "insured": mine, "area": "510500", "year": 2027 } })).await;
    let reply = wife.ask("/premiums/payments", &json!({ "insured": mine, "area": "510500", "year": 2027, "proof": proof })).await;
    assert!(reply.status == StatusCode::CONFLICT && reply.codes().contains(&"NOT_RELATED".to_owned()), "{}", reply.body);
    for path in ["/statement/zz", "/statement/ffffffffffffffff", "/statement/0000000000ffffff", "/premiums/payments/x", "/sessions"] {
        let reply = if path == "/sessions" { wife.delete("/sessions/0000000000000001").await } else { wife.get(path).await };
        reply.refused(404, "NOT_FOUND");
    }
    for path in
        ["/statement?limit=0", "/statement?limit=201", "/statement?cursor=x", "/statement?month=2026-13", "/statement?relative=x", "/statement/months?months=0"]
    {
        wife.get(path).await.refused(422, "FIELDS_INVALID");
    }
    for path in ["/statement?limit=-1", "/statement?kind=gift", "/statement?memo=1", "/regions?is_open=maybe"] {
        wife.get(path).await.refused(400, "JSON_MALFORMED");
    }
    for path in ["/me", "/wallet", "/transfers", "/statement", "/notices", "/sessions", "/wallet/agents"] {
        world.guest().get(path).await.refused(401, "LOGIN_REQUIRED");
        Caller { world: &world, token: Some("x".repeat(46)), acting_for: None }.get(path).await.refused(401, "LOGIN_REQUIRED");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_exists_is_not_told() {
    let world = World::new(2).await;
    let guest = world.guest();
    let same = |left: &Reply, right: &Reply| {
        let shape = |reply: &Reply| (reply.status, reply.body.as_object().map(|body| body.keys().cloned().collect::<Vec<_>>()));
        assert_eq!(shape(left), shape(right));
    };
    let known = guest.post("/sessions/codes", &json!({ "id_number": SON.1 })).await.expect(StatusCode::ACCEPTED);
    let unknown = guest.post("/sessions/codes", &json!({ "id_number": STRANGER.1 })).await.expect(StatusCode::ACCEPTED);
    same(&known, &unknown);
    let known = guest.post("/password/forgotten", &json!({ "id_number": WIFE.1 })).await.expect(StatusCode::ACCEPTED);
    let unknown = guest.post("/password/forgotten", &json!({ "id_number": FAR.1 })).await.expect(StatusCode::ACCEPTED);
    same(&known, &unknown);
    let known = guest.post("/registrations", &json!({ "name": MOTHER.0, "id_number": MOTHER.1, "phone": MOTHER.2 })).await;
    let wrong_phone = guest.post("/registrations", &json!({ "name": RARE.0, "id_number": RARE.1, "phone": "19900009999" })).await;
    same(&known, &wrong_phone);
    let login = |id_number: &str| json!({ "id_number": id_number, "password": "111111" });
    let known = guest.post("/sessions", &login(SON.1)).await.refused(401, "LOGIN_REFUSED");
    let unknown = guest.post("/sessions", &login("990111196001010013")).await;
    if unknown.status != StatusCode::UNPROCESSABLE_ENTITY {
        same(&known, &unknown);
    }
    let son = world.logged_in(&SON).await;
    let start =
        |name: &str, id_number: &str| json!({ "relative": { "name": name, "id_number": id_number }, "relation": "52", "consent": "act-on-behalf-2026-11" });
    let known = son.post("/wallet/relatives", &start(DOTTED.0, DOTTED.1)).await.expect(StatusCode::ACCEPTED);
    let unknown = son.post("/wallet/relatives", &start(STRANGER.0, STRANGER.1)).await;
    // The stranger's number was asked for once already in this minute.
    if unknown.status == StatusCode::ACCEPTED {
        same(&known, &unknown);
    } else {
        unknown.refused(429, "SMS_CODE_LIMIT");
    }
    // A minor's wallet is opened by a parent.
    let start = json!({ "relative": { "name": CHILD.0, "id_number": CHILD.1 }, "relation": "41", "consent": "act-on-behalf-2026-11" });
    son.post("/wallet/relatives", &start).await.refused(422, "FIELDS_INVALID");
}
