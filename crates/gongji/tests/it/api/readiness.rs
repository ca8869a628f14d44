//! Readiness of institutions from what really happened there, and reports of what did not.

use super::world::*;
use axum::http::{Method, Request, StatusCode};
use gongji::activity::catch_up;
use gongji::trace::trace;
use gongji_ledger::InstitutionId;
use gongji_store::vault::PlaceReport;
use gongji_wallet::day::DAY_MS;
use gongji_wallet::object::Terminal;
use serde_json::{Value, json};

const OK: StatusCode = StatusCode::OK;
const CREATED: StatusCode = StatusCode::CREATED;

fn yuan(fen: i64) -> Value {
    json!({ "amount": fen, "currency": "CNY" })
}

async fn noted(world: &World) {
    for part in 1..=world.app.engine.parts() {
        catch_up(&world.app, part).await.unwrap();
    }
}

/// The wife pays from her own account: hold, and capture if `is_captured`. The payment's id.
async fn pay(world: &World, wife: &Caller<'_>, order_no: &str, is_captured: bool) -> String {
    let hospital = world.institution(HOSPITAL);
    let code = wife.ask("/payment-codes", &json!({ "first": "personal_account" })).await.expect(CREATED).text("code");
    let bill = json!({ "total": yuan(5_000), "fund": yuan(3_000), "own": yuan(2_000) });
    let order = json!({ "order_no": order_no, "payer": { "code": code }, "bill": bill });
    let payment = hospital.ask("/institutions/payments", &order).await.expect(CREATED).text("payment");
    if is_captured {
        hospital.ask(&format!("/institutions/payments/{payment}/capture"), &json!({})).await.expect(OK);
    }
    payment
}

/// What everybody sees of the hospital: its own state and its three terminals'.
async fn shown(world: &World) -> (String, Vec<String>) {
    let place = world.guest().get(&format!("/institutions/{HOSPITAL}")).await.expect(OK);
    let terminals = place.body["terminals"].as_array().unwrap().iter().map(|one| one["readiness"].as_str().unwrap().to_owned()).collect();
    (place.text("readiness"), terminals)
}

fn states(all: [&str; 4]) -> (String, Vec<String>) {
    (all[0].to_owned(), all[1..].iter().map(|state| (*state).to_owned()).collect())
}

#[tokio::test]
async fn a_captured_payment_makes_ready_for_seven_days_and_nothing_else_does() {
    for parts in [1, 4] {
        let world = World::new(parts).await;
        let wife = world.logged_in(&WIFE).await;
        wife.ask("/wallet", &json!({ "place": "510500" })).await.expect(CREATED);
        assert_eq!(shown(&world).await, states(["quiet", "quiet", "off", "off"]), "enabled by the list, and nobody has paid");

        let beat = world.institution(HOSPITAL).post("/institutions/readiness", &json!({ "terminals": ["counter"] })).await.expect(OK);
        assert_eq!((beat.text("readiness"), beat.body["terminals"][0]["readiness"].as_str()), ("quiet".to_owned(), Some("quiet")));
        pay(&world, &wife, "MZ-1", false).await;
        noted(&world).await;
        assert_eq!(shown(&world).await.0, "quiet", "to be up and to hold are promises");

        let payment = pay(&world, &wife, "MZ-2", true).await;
        noted(&world).await;
        assert_eq!(shown(&world).await, states(["ready", "ready", "off", "off"]));
        let region = world.guest().get("/regions/510500").await.expect(OK);
        assert_eq!(
            (region.body["readiness"]["counter"].clone(), region.body["readiness"]["ready"].clone()),
            (json!({ "ready": 1, "quiet": 0, "off": 0 }), json!(1))
        );
        // A refund does not unsay that it worked.
        world.institution(HOSPITAL).ask(&format!("/institutions/payments/{payment}/refund"), &json!({})).await.expect(OK);
        let paid_at = world.app.activity.seen(InstitutionId::parse(HOSPITAL).unwrap(), Terminal::Counter).paid_at;
        world.clock.set(paid_at + 7 * DAY_MS - 1);
        assert_eq!(shown(&world).await.0, "ready");
        world.clock.set(paid_at + 7 * DAY_MS);
        assert_eq!(shown(&world).await, states(["quiet", "quiet", "off", "off"]));
        let place = world.guest().get(&format!("/institutions/{HOSPITAL}")).await.expect(OK);
        assert_eq!(place.text("last_paid_on"), "2026-11-23", "a day and no hour");
    }
}

#[tokio::test]
async fn each_kind_of_terminal_stands_for_itself() {
    let world = World::new(1).await;
    let wife = world.logged_in(&WIFE).await;
    wife.ask("/wallet", &json!({ "place": "510500" })).await.expect(CREATED);
    let code = wife.ask("/payment-codes", &json!({ "first": "personal_account" })).await.expect(CREATED).text("code");
    let bill = json!({ "total": yuan(700), "fund": yuan(0), "own": yuan(700) });
    let order = json!({ "order_no": "ZZ-1", "payer": { "code": code }, "bill": bill, "terminal": "kiosk" });
    let hospital = world.institution(HOSPITAL);
    let payment = hospital.ask("/institutions/payments", &order).await.expect(CREATED).text("payment");
    hospital.ask(&format!("/institutions/payments/{payment}/capture"), &json!({})).await.expect(OK);
    noted(&world).await;
    assert_eq!(shown(&world).await, states(["ready", "quiet", "ready", "off"]), "the list did not know of the kiosk");
    world.clock.set(world.app.now() + 7 * DAY_MS);
    assert_eq!(shown(&world).await, states(["quiet", "quiet", "off", "off"]));
}

#[tokio::test]
async fn what_was_noted_survives_and_can_be_read_off_the_journal_again() {
    let world = World::new(2).await;
    let wife = world.logged_in(&WIFE).await;
    wife.ask("/wallet", &json!({ "place": "510500" })).await.expect(CREATED);
    pay(&world, &wife, "MZ-1", true).await;
    let (vault, now) = (world.app.vault.clone(), world.app.now());
    let hospital = InstitutionId::parse(HOSPITAL).unwrap();
    noted(&world).await;
    let seen = world.app.activity.seen(hospital, Terminal::Counter);
    world.app.activity.keep(&vault, now).unwrap();
    let rows = vault.activities(0).unwrap();
    assert_eq!(
        rows.iter().map(|row| (row.institution.as_str(), row.terminal.as_str(), row.paid_ms)).collect::<Vec<_>>(),
        [(HOSPITAL, "counter", seen.paid_at)]
    );
    // Another start reads the rows and goes on behind them; one without rows and marks reads the journal.
    let next = gongji::activity::Activity::default();
    next.load(&vault, now).unwrap();
    assert_eq!(next.seen(hospital, Terminal::Counter), seen);
    assert!((1..=2).all(|part| vault.activity_read(part).unwrap().is_some()));
    assert_eq!(gongji::activity::Activity::default().seen(hospital, Terminal::Counter).paid_at, 0);
}

#[tokio::test]
async fn a_heartbeat_names_terminals_and_needs_the_institutions_key() {
    let world = World::new(1).await;
    let hospital = world.institution(HOSPITAL);
    for wrong in [json!({ "terminals": [] }), json!({ "terminals": ["counter", "kiosk", "mobile", "counter"] }), json!({ "terminals": ["till"] }), json!({})] {
        let reply = hospital.post("/institutions/readiness", &wrong).await;
        assert!(matches!(reply.status.as_u16(), 400 | 422), "{wrong}: {}", reply.status);
    }
    world.guest().post("/institutions/readiness", &json!({ "terminals": ["counter"] })).await.refused(401, "INSTITUTION_KEY_REQUIRED");
}

#[tokio::test]
async fn the_nearest_stands_first_and_the_position_goes_no_further() {
    let world = World::new(1).await;
    let ask = |body: &str| {
        let request = Request::builder().method(Method::POST).uri("/institutions/near").header("host", "localhost");
        request.header("content-type", "application/x-www-form-urlencoded").header("accept", "text/html").body(body.to_owned().into()).unwrap()
    };
    let page = world.send(ask("area=510500&latitude=28.872&longitude=105.442")).await.expect(OK);
    let text = String::from_utf8(page.bytes.clone()).unwrap();
    assert!(text.contains("离你近的") && !text.contains("28.872") && !text.contains("105.442"), "{text}");
    assert!(page.headers.get("set-cookie").is_none());
    for wrong in ["", "latitude=91&longitude=1", "latitude=1&longitude=181", "latitude=x&longitude=1"] {
        world.send(ask(wrong)).await.expect(StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_report_carries_the_order_and_the_office_sees_its_whole_way() {
    for parts in [1, 4] {
        let world = World::new(parts).await;
        let wife = world.logged_in(&WIFE).await;
        wife.ask("/wallet", &json!({ "place": "510500" })).await.expect(CREATED);
        let payment = pay(&world, &wife, "MZ-1", true).await;
        let hospital = world.institution(HOSPITAL);
        hospital.ask(&format!("/institutions/payments/{payment}/refund"), &json!({ "amount": yuan(500) })).await.expect(OK);
        let path = format!("/institutions/{HOSPITAL}/reports");
        let about = json!({ "what": "refused", "payment": payment });
        wife.post(&path, &about).await.expect(CREATED);
        // Nobody reports somebody else's payment, or one of another place.
        world.logged_in(&SON).await.post(&path, &about).await.refused(404, "NOT_FOUND");
        world.guest().post(&path, &about).await.refused(404, "NOT_FOUND");
        wife.post(&format!("/institutions/{PHARMACY}/reports"), &about).await.refused(404, "NOT_FOUND");
        let reports = world.app.vault.place_reports(0, 10).unwrap();
        assert_eq!(
            reports.iter().map(|PlaceReport { order_no, what, .. }| (order_no.as_deref(), what.as_str())).collect::<Vec<_>>(),
            [(Some("MZ-1"), "refused")]
        );

        world.app.engine.settle().await.unwrap();
        world.app.engine.flush().await;
        let told = |number: &str| {
            let id = gongji::service::payment::order_id(InstitutionId::parse(HOSPITAL).unwrap(), number).unwrap();
            trace(&**world.app.engine.store(), parts, id).unwrap()
        };
        let way = told("MZ-1").unwrap();
        let steps: Vec<&str> = way.steps.iter().map(|step| step.what.as_str()).collect();
        let find = |words: &str| steps.iter().position(|step| step.contains(words)).unwrap_or_else(|| panic!("no {words} in {steps:?}"));
        let order = ["机构下单:总额 ¥50.00,个人付 ¥20.00", "付款一侧预占 ¥20.00", "机构一侧记下:已预占", "收款 ¥20.00", "退费 ¥5.00"].map(find);
        assert!(order.is_sorted(), "{steps:?}");
        assert_eq!(steps.iter().filter(|step| step.contains("收款 ¥20.00")).count(), 1, "each step once");
        if way.order.payment.part() != world.app.engine.institution_part(InstitutionId::parse(HOSPITAL).unwrap()) {
            assert_eq!(steps.iter().filter(|step| step.starts_with("收到分区")).count(), 2, "{steps:?}");
        }
        assert!(way.standing().contains("预占 ¥20.00,收款 ¥20.00,退费 ¥5.00"));
        assert!(told("MZ-9").is_none());

        // What the payer's side refuses stands with its reasons.
        let code = wife.ask("/payment-codes", &json!({ "first": "personal_account" })).await.expect(CREATED).text("code");
        let bill = json!({ "total": yuan(90_000_000), "fund": yuan(0), "own": yuan(90_000_000) });
        let order = json!({ "order_no": "MZ-2", "payer": { "code": code }, "bill": bill });
        hospital.ask("/institutions/payments", &order).await.refused(409, "INSUFFICIENT_FUNDS");
        world.app.engine.settle().await.unwrap();
        world.app.engine.flush().await;
        let refused = told("MZ-2").unwrap();
        assert!(refused.payment.is_none() && refused.standing().contains("没有预占") && refused.steps.iter().any(|step| step.what.contains("余额不够")));
        // Whoever shows the code learns why, and nobody else.
        let wife_id = gongji::web::parse_person_id(&wife.get("/me").await.expect(OK).text("id")).unwrap();
        let attempt = gongji::service::attempt::of_code(&world.app, wife_id, &code).unwrap().unwrap();
        assert_eq!((attempt.number.as_str(), attempt.own.0), ("MZ-2", 90_000_000));
        let son_id = gongji::web::parse_person_id(&world.logged_in(&SON).await.get("/me").await.expect(OK).text("id")).unwrap();
        assert_eq!(gongji::service::attempt::of_code(&world.app, son_id, &code).unwrap(), None);
    }
}
