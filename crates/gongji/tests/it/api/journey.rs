//! The whole journey of a family by API, with everybody in one partition and with everybody apart.

use super::world::*;
use axum::http::StatusCode;
use serde_json::json;

const CREATED: StatusCode = StatusCode::CREATED;
const OK: StatusCode = StatusCode::OK;

fn yuan(fen: i64) -> serde_json::Value {
    json!({ "amount": fen, "currency": "CNY" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_family_walks_the_whole_way_in_one_partition() {
    walk(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_family_walks_the_whole_way_over_eight_partitions() {
    walk(8).await;
}

async fn walk(parts: u16) {
    let world = World::new(parts).await;
    let partition_of = |sample: &Sample| world.app.vault.partition_of(sample.1);
    let apart = [partition_of(&SON), partition_of(&MOTHER), world.app.engine.institution_part(gongji_ledger::InstitutionId::parse(HOSPITAL).unwrap())];
    assert_eq!(parts > 1, apart[0] != apart[1] && apart[1] != apart[2] && apart[0] != apart[2], "payer, receiver and institution are apart: {apart:?}");
    let guest = world.guest();

    // Look up before any money is sent.
    let region = guest.get("/regions/510500").await.expect(OK);
    assert_eq!((region.body["region"]["is_open"].as_bool(), region.body["readiness"]["quiet"].as_u64()), (Some(true), Some(1)));
    let closed = guest.get("/regions/110000").await.expect(OK);
    assert_eq!(closed.body["region"]["is_open"], false);
    let places = guest.get("/institutions?area=510500&readiness=quiet").await.expect(OK);
    assert_eq!(places.body["institutions"][0]["code"], HOSPITAL);

    // Register, log in.
    let son = world.logged_in(&SON).await;
    let mother = world.registered(&MOTHER).await;
    let me = mother.get("/me").await.expect(OK);
    assert_eq!((me.text("name"), me.text("id_number"), me.body["has_wallet"].as_bool()), ("王**".to_owned(), "990151********0023".to_owned(), Some(false)));

    // Preview, prove, transfer; the first of a pair waits.
    let wish = json!({ "receiver": { "name": MOTHER.0, "id_number": MOTHER.1 }, "relation": "52", "amount": yuan(150_000), "source": "personal_account" });
    let preview = son.post("/transfers/preview", &wish).await.expect(OK);
    assert_eq!(
        (preview.body["is_possible"].as_bool(), preview.body["is_confirmed"].as_bool(), preview.body["transfers_left"].as_u64()),
        (Some(true), Some(false), Some(3))
    );
    assert_eq!(preview.body.get("receiver_area"), None, "where she lives is told after the relation is confirmed");
    let body = son.transfer_body(&SON, &MOTHER, "52", 150_000).await;
    let sent = son.ask("/transfers", &body).await.expect(CREATED);
    let id = sent.text("id");
    assert_eq!(sent.headers["location"], format!("/api/v1/transfers/{id}"));
    assert_eq!(sent.body["rule"], json!({ "id": "wallet-rules", "version": 1 }));
    assert_eq!(sent.text("deadline"), "2026-11-24T06:00:00.000+08:00");
    let waiting = son.get(&format!("/transfers/{id}")).await.expect(OK);
    assert_eq!((waiting.text("state"), waiting.body["next_actions"].clone()), ("awaiting_recipient".to_owned(), json!(["cancel"])));

    // She sees it, confirms her wallet, takes it.
    let wallet = mother.get("/wallet").await.expect(OK);
    assert_eq!((wallet.body["is_open"].as_bool(), wallet.body["waiting"].as_array().map(Vec::len)), (Some(false), Some(1)));
    assert_eq!(wallet.body["waiting"][0]["relation"]["label"], "儿子");
    mother.ask(&format!("/transfers/{id}/accept"), &json!({})).await.refused(409, "WALLET_NOT_OPEN");
    mother.ask("/wallet", &json!({ "place": "510500" })).await.expect(CREATED);
    mother.ask("/wallet", &json!({ "place": "510500" })).await.refused(409, "WALLET_EXISTS");
    let taken = mother.ask(&format!("/transfers/{id}/accept"), &json!({})).await.expect(OK);
    assert_eq!(taken.text("state"), "credited");
    mother.ask(&format!("/transfers/{id}/accept"), &json!({})).await.refused(409, "TRANSFER_FINAL");
    // The sender's side learns of it by a message between the partitions.
    world.app.engine.settle().await.unwrap();
    son.ask(&format!("/transfers/{id}/cancel"), &json!({})).await.refused(409, "TRANSFER_FINAL");
    let relations = son.get("/wallet/relations").await.expect(OK);
    assert_eq!(relations.body["relations"][0]["person"]["relation"]["label"], "母亲");

    // Confirmed and active: credited at once. The receiver's area is told now.
    let preview = son.post("/transfers/preview", &wish).await.expect(OK);
    assert_eq!(preview.body["receiver_area"]["area"]["name"], "四川省泸州市");
    let body = son.transfer_body(&SON, &MOTHER, "52", 50_000).await;
    let second = son.ask("/transfers", &body).await.expect(CREATED).text("id");
    assert_eq!(son.get(&format!("/transfers/{second}")).await.expect(OK).text("state"), "credited");
    let wallet = mother.get("/wallet").await.expect(OK);
    assert_eq!((wallet.fen("/balance"), wallet.fen("/lots/0/amount")), (200_000, 200_000));
    assert_eq!(wallet.body["lots"][0]["area"]["code"], "370100", "the origin stays the son's area");
    assert_eq!(mother.get("/wallet/origins").await.expect(OK).fen("/origins/0/may_pass_on"), 200_000);

    // Paying by code: hold, capture in parts, refund in parts.
    let hospital = world.institution(HOSPITAL);
    let code = mother.ask("/payment-codes", &json!({ "first": "wallet" })).await.expect(CREATED).text("code");
    let bill = json!({ "total": yuan(100_000), "fund": yuan(60_000), "own": yuan(40_000) });
    let order = json!({ "order_no": "MZ-1", "payer": { "code": code }, "bill": bill });
    let held = hospital.ask("/institutions/payments", &order).await.expect(CREATED);
    assert_eq!((held.fen("/held"), held.fen("/wallet"), held.fen("/personal_account")), (40_000, 40_000, 0));
    let payment = held.text("payment");
    assert_eq!(mother.post("/payment-codes/status", &json!({ "code": code })).await.expect(OK).text("state"), "used");
    let again = json!({ "order_no": "MZ-2", "payer": { "code": code }, "bill": bill });
    hospital.ask("/institutions/payments", &again).await.refused(409, "CODE_USED");
    let part = hospital.ask(&format!("/institutions/payments/{payment}/capture"), &json!({ "amount": yuan(10_000) })).await.expect(OK);
    assert_eq!((part.text("state"), part.fen("/remaining")), ("partly_captured".to_owned(), 30_000));
    let whole = hospital.ask(&format!("/institutions/payments/{payment}/capture"), &json!({ "amount": yuan(20_000), "last": true })).await.expect(OK);
    assert_eq!((whole.text("state"), whole.fen("/captured"), whole.fen("/remaining")), ("captured".to_owned(), 30_000, 0));
    hospital.ask(&format!("/institutions/payments/{payment}/void"), &json!({})).await.refused(409, "PAYMENT_FINAL");
    hospital.ask(&format!("/institutions/payments/{payment}/refund"), &json!({ "amount": yuan(30_001) })).await.refused(422, "REFUND_TOO_LARGE");
    let refunded = hospital.ask(&format!("/institutions/payments/{payment}/refund"), &json!({ "amount": yuan(5_000) })).await.expect(OK);
    assert_eq!(refunded.fen("/refunded"), 5_000);
    let order = hospital.get("/institutions/payments/by-order/MZ-1").await.expect(OK);
    assert_eq!(order.body["steps"].as_array().map(Vec::len), Some(3));
    hospital.get("/institutions/payments/by-order/MZ-9").await.refused(404, "NOT_FOUND");
    // Another institution knows nothing of it.
    world.institution(PHARMACY).get(&format!("/institutions/payments/{payment}")).await.refused(404, "NOT_FOUND");

    // Without a phone, at the keypad; then the cashier thinks better of it.
    let keypad = json!({ "id_number": MOTHER.1, "password": password(MOTHER.2), "first": "wallet_only" });
    let order = json!({ "order_no": "MZ-3", "payer": { "keypad": keypad }, "bill": { "total": yuan(3_000), "fund": yuan(0), "own": yuan(2_000), "institution": yuan(1_000) } });
    let held = hospital.ask("/institutions/payments", &order).await.expect(CREATED).text("payment");
    assert_eq!(hospital.ask(&format!("/institutions/payments/{held}/void"), &json!({})).await.expect(OK).text("state"), "voided");
    // An answer was lost: reverse by number, whatever became of it.
    let code = mother.ask("/payment-codes", &json!({ "first": "wallet" })).await.expect(CREATED).text("code");
    let order = json!({ "order_no": "MZ-4", "payer": { "code": code }, "bill": { "total": yuan(700), "fund": yuan(0), "own": yuan(700) } });
    let held = hospital.ask("/institutions/payments", &order).await.expect(CREATED).text("payment");
    hospital.ask(&format!("/institutions/payments/{held}/capture"), &json!({})).await.expect(OK);
    assert_eq!(hospital.ask("/institutions/payments/by-order/MZ-4/reverse", &json!({})).await.expect(OK).text("outcome"), "reversed");
    assert_eq!(hospital.get("/institutions/payments/by-order/MZ-4").await.expect(OK).text("state"), "reversed");
    assert_eq!(hospital.ask("/institutions/payments/by-order/MZ-5/reverse", &json!({})).await.expect(OK).text("outcome"), "nothing_to_reverse");
    let never = json!({ "order_no": "MZ-5", "payer": { "code": code }, "bill": { "total": yuan(700), "fund": yuan(0), "own": yuan(700) } });
    hospital.ask("/institutions/payments", &never).await.refused(409, "ORDER_REVERSED");
    assert_eq!(hospital.get("/institutions/payments?limit=2").await.expect(OK).body["orders"].as_array().map(Vec::len), Some(2));
    // Her wallet is for Luzhou.
    let code = mother.ask("/payment-codes", &json!({ "first": "wallet" })).await.expect(CREATED).text("code");
    let order = json!({ "order_no": "YD-1", "payer": { "code": code }, "bill": { "total": yuan(700), "fund": yuan(0), "own": yuan(700) } });
    world.institution(PHARMACY).ask("/institutions/payments", &order).await.refused(409, "WRONG_PLACE");

    // The premium, once.
    let herself = mother.get("/me").await.expect(OK).text("id");
    let quote = mother.get("/premiums/quote?area=510500&year=2027").await.expect(OK);
    assert_eq!((quote.body["is_possible"].as_bool(), quote.fen("/premium/amount")), (Some(true), 42_000));
    let what = json!({ "insured": herself, "area": "510500", "year": 2027 });
    for state in ["captured", "PREMIUM_PAID"] {
        let proof = mother.proof(&MOTHER, &json!({ "premium": what })).await;
        let mut body = what.clone();
        body["proof"] = proof.into();
        let reply = mother.ask("/premiums/payments", &body).await;
        if state == "captured" {
            let paid = reply.expect(CREATED).text("payment");
            assert_eq!(mother.get(&format!("/premiums/payments/{paid}")).await.expect(OK).text("state"), "captured");
        } else if reply.status == CREATED {
            // The insured person's side refuses it, in the same answer.
            assert_eq!((reply.text("state"), reply.body["reason"]["code"].as_str()), ("refused".to_owned(), Some(state)));
        } else {
            reply.refused(409, state);
        }
    }

    // The place of use: already there, and Jinan is not where she is insured.
    let objections = mother.get("/wallet/place?place=370100").await.expect(OK);
    assert_eq!(objections.codes(), ["PLACE_NOT_INSURED"]);
    let proof = mother.proof(&MOTHER, &json!({ "place": { "place": "510500" } })).await;
    mother.ask("/wallet/place", &json!({ "place": "510500", "proof": proof })).await.refused(422, "PLACE_SAME");

    // For a child without a phone the guardian consents, and acts from then on.
    let wife = world.logged_in(&WIFE).await;
    let start = json!({ "relative": { "name": CHILD.0, "id_number": CHILD.1 }, "relation": "20", "consent": "act-on-behalf-2026-11" });
    let started = wife.post("/wallet/relatives", &start).await.expect(StatusCode::ACCEPTED);
    assert_eq!(started.text("code_goes_to"), "guardian");
    let confirm = json!({ "ticket": started.text("ticket"), "code": world.code_for(WIFE.1).await, "place": "510500" });
    let child = wife.post("/wallet/relatives/confirm", &confirm).await.expect(CREATED).text("relative");
    assert_eq!(wife.get("/wallet/relatives").await.expect(OK).body["relatives"][0]["person"]["id"], child.as_str());
    let body = wife.transfer_body(&WIFE, &CHILD, "20", 8_000).await;
    let gift = wife.ask("/transfers", &body).await.expect(CREATED).text("id");
    assert_eq!(wife.get(&format!("/transfers/{gift}")).await.expect(OK).text("state"), "awaiting_recipient");
    let for_child = Caller { acting_for: Some(child.clone()), ..wife.clone() };
    for_child.ask(&format!("/transfers/{gift}/accept"), &json!({})).await.expect(OK);
    assert_eq!(for_child.get("/wallet").await.expect(OK).fen("/balance"), 8_000);
    for_child.post("/transfers/preview", &wish).await.refused(403, "NOT_YOURS");
    // Others may not look.
    let nosy = Caller { acting_for: Some(child.clone()), ..son.clone() };
    nosy.get("/wallet").await.refused(403, "NOT_YOURS");
    wife.ask(&format!("/wallet/relatives/{child}/stop"), &json!({})).await.expect(OK);
    for_child.get("/wallet").await.refused(403, "NOT_YOURS");

    // The statement tells it all; its receipts and the monthly picture agree.
    let statement = mother.get("/statement?limit=200").await.expect(OK);
    let movements = statement.body["movements"].as_array().unwrap();
    let total: i64 = movements.iter().map(|movement| movement["amount"]["amount"].as_i64().unwrap()).sum();
    let balance = mother.get("/wallet").await.expect(OK).fen("/balance");
    assert_eq!(total, balance);
    assert_eq!(balance, 200_000 - 30_000 + 5_000 - 42_000);
    let first_page = mother.get("/statement?limit=2").await.expect(OK);
    let second_page = mother.get(&format!("/statement?limit=2&cursor={}", first_page.text("next_cursor"))).await.expect(OK);
    assert_eq!(second_page.body["movements"][0]["id"], movements[2]["id"]);
    let receipt = mother.get(&format!("/statement/{}", movements[0]["id"].as_str().unwrap())).await.expect(OK);
    assert_eq!(receipt.body["movement"], movements[0]);
    let given = mother.get("/statement?kind=transfer_in&month=2026-11").await.expect(OK);
    assert_eq!(given.body["movements"].as_array().map(Vec::len), Some(2));
    let picture = mother.get("/statement/months?months=3").await.expect(OK);
    assert_eq!((picture.fen("/months/2/received"), picture.fen("/months/2/spent")), (200_000, 67_000));
    son.get(&format!("/statement/{}", movements[0]["id"].as_str().unwrap())).await.refused(404, "NOT_FOUND");

    // What nobody takes goes back at six; at night transfers rest.
    let body = son.transfer_body(&SON, &RARE, "75", 100).await;
    let lost = son.ask("/transfers", &body).await.expect(CREATED).text("id");
    assert_eq!(son.get(&format!("/transfers/{lost}")).await.expect(OK).text("state"), "awaiting_recipient");
    guest.post("/sandbox/clock", &json!({ "preset": "22:00" })).await.expect(OK);
    // Nobody is logged in for twelve hours.
    let son = world.logged_in(&SON).await;
    let night = son.post("/transfers/preview", &wish).await.expect(OK);
    assert!(night.codes().contains(&"CLOSED_HOURS".to_owned()), "{:?}", night.codes());
    guest.post("/sandbox/clock", &json!({ "preset": "06:00" })).await.expect(OK);
    guest.post("/sandbox/clock", &json!({ "to": "2026-11-23T10:00:00+08:00" })).await.refused(422, "FIELDS_INVALID");
    let son = world.logged_in(&SON).await;
    assert_eq!(son.get(&format!("/transfers/{lost}")).await.expect(OK).text("state"), "returned");
    assert_eq!(son.get("/wallet").await.expect(OK).fen("/personal_accounts/0/balance"), 400_000);

    // Sessions are listed and revoked.
    let other = world.logged_in(&SON).await;
    let sessions = son.get("/sessions").await.expect(OK);
    let listed = sessions.body["sessions"].as_array().unwrap();
    let others: Vec<_> = listed.iter().filter(|session| session["is_this"] == false).collect();
    assert!(!others.is_empty() && others.len() + 1 == listed.len());
    son.delete("/sessions/others").await.expect(OK);
    other.get("/me").await.refused(401, "LOGIN_REQUIRED");
    son.delete("/sessions/current").await.expect(OK);
    son.get("/me").await.refused(401, "LOGIN_REQUIRED");

    drop((guest, son, mother, hospital, wife, for_child, nosy, other));
    world.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_reasons_are_told_at_once_and_nothing_of_the_receiver() {
    let world = World::new(2).await;
    let far = world.logged_in(&FAR).await;
    world.guest().post("/sandbox/clock", &json!({ "preset": "22:00" })).await.expect(OK);
    let far = Caller { token: world.logged_in(&FAR).await.token, ..far };
    let body = far.transfer_body(&FAR, &MOTHER, "56", 200_001).await;
    let refused = far.ask("/transfers", &body).await.refused(409, "REGION_NOT_OPEN");
    assert_eq!(refused.codes(), ["REGION_NOT_OPEN", "RELATION_NOT_ALLOWED", "AMOUNT_TOO_LARGE", "CLOSED_HOURS"]);
    let night = refused.body["reasons"].as_array().unwrap().iter().find(|reason| reason["code"] == "CLOSED_HOURS").unwrap();
    assert_eq!(night["not_before"], "2026-11-24T06:00:00.000+08:00");
    // Somebody on file who is not insured in an open area, and nobody at all: the same words.
    world.guest().post("/sandbox/clock", &json!({ "preset": "06:00" })).await.expect(OK);
    let son = world.logged_in(&SON).await;
    let mut told = Vec::new();
    for (name, id_number) in [(FAR.0, FAR.1), STRANGER, (MOTHER.0, CHILD.1)] {
        let person = Sample(name, id_number, "", 0, 0, 0, false);
        let body = son.transfer_body(&SON, &person, "75", 100).await;
        let sent = son.ask("/transfers", &body).await.expect(CREATED);
        let shown = son.get(&format!("/transfers/{}", sent.text("id"))).await.expect(OK);
        assert_eq!(
            (shown.text("state"), shown.body["receiver"]["name"].clone(), shown.body["receiver"]["id"].clone()),
            ("refused".to_owned(), json!(null), json!(null))
        );
        told.push(shown.body["reason"].clone());
    }
    assert_eq!(told[0]["code"], "RECEIVER_UNAVAILABLE");
    assert!(told.iter().all(|reason| *reason == told[0]));
    // What the receiver's side refused does not count to the day.
    assert_eq!(son.get("/wallet").await.expect(OK).body["limits"]["transfers_left"], 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_operators_and_registers_do_reaches_people_at_once() {
    let world = World::new(4).await;
    let guest = world.guest();
    let (son, wife) = (world.logged_in(&SON).await, world.logged_in(&WIFE).await);
    // Frozen by two, not by one; what is frozen does not go out.
    let freeze = |maker: &str, checker: &str| json!({ "id_number": SON.1, "reason": "investigation", "maker": maker, "checker": checker });
    guest.post("/sandbox/freezes", &freeze("张三", "张三")).await.refused(403, "SAME_OPERATOR");
    guest.post("/sandbox/freezes", &freeze("张三", "李四")).await.expect(OK);
    let body = son.transfer_body(&SON, &MOTHER, "52", 100).await;
    son.ask("/transfers", &body).await.refused(409, "FROZEN");
    assert_eq!(son.get("/me").await.expect(OK).body["is_frozen"], true);
    guest.post("/sandbox/unfreezes", &json!({ "id_number": SON.1, "maker": "张三", "checker": "李四" })).await.expect(OK);

    // The receiver dies while the money waits: it is back at once.
    let body = son.transfer_body(&SON, &MOTHER, "52", 70_000).await;
    let sent = son.ask("/transfers", &body).await.expect(CREATED).text("id");
    assert_eq!(son.get(&format!("/transfers/{sent}")).await.expect(OK).text("state"), "awaiting_recipient");
    guest.post("/sandbox/deaths", &json!({ "id_number": MOTHER.1 })).await.expect(OK);
    world.app.engine.settle().await.unwrap();
    assert_eq!(son.get(&format!("/transfers/{sent}")).await.expect(OK).text("state"), "returned");
    assert_eq!(son.get("/wallet").await.expect(OK).fen("/personal_accounts/0/balance"), 600_000);

    // Insured elsewhere from today on: the place of use follows when its owner says so, once in a month.
    wife.ask("/wallet", &json!({ "place": "510500" })).await.expect(CREATED);
    let enrolment = |area: &str| json!({ "id_number": WIFE.1, "area": area, "insurance": 310, "status": "normal" });
    guest.post("/sandbox/enrolments", &enrolment("370100")).await.expect(OK);
    let change = |proof: String, place: &str| json!({ "place": place, "proof": proof });
    let proof = wife.proof(&WIFE, &json!({ "place": { "place": "370100" } })).await;
    wife.ask("/wallet/place", &change(proof, "370100")).await.expect(OK);
    assert_eq!(wife.get("/wallet").await.expect(OK).body["place"]["code"], "370100");
    guest.post("/sandbox/enrolments", &enrolment("510500")).await.expect(OK);
    let proof = wife.proof(&WIFE, &json!({ "place": { "place": "510500" } })).await;
    let refused = wife.ask("/wallet/place", &change(proof, "510500")).await.refused(409, "PLACE_COOLDOWN");
    assert_eq!(refused.text("not_before"), "2026-12-23T10:00:00.000+08:00");

    // Nothing of it works on somebody who is not on file, or with words that are none.
    guest.post("/sandbox/deaths", &json!({ "id_number": STRANGER.1 })).await.refused(404, "NOT_FOUND");
    guest.post("/sandbox/clock", &json!({ "preset": "noon" })).await.refused(400, "JSON_MALFORMED");
    guest.post("/sandbox/clock", &json!({ "to": "2036-01-01T00:00:00+08:00" })).await.refused(422, "FIELDS_INVALID");
    drop((guest, son, wife));
    world.verify();
}
