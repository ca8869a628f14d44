//! Printed sheets, and the page that their codes lead to: true of the books, and silent about people.

use super::world::*;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use gongji_store::seal::to_base64url;
use serde_json::json;

/// The code of a sheet's number, as the installation signs it.
fn code(world: &World, number: &str) -> String {
    let signature = world.app.vault.keys().token_mac("printed-sheet", &[number.as_bytes()]);
    format!("{number}.{}", to_base64url(&signature[..12]))
}

async fn page(world: &World, token: Option<&str>, path: &str) -> (StatusCode, String) {
    let mut request = Request::builder().method(Method::GET).uri(path).header("host", "localhost").header("accept", "text/html");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let reply = world.send(request.body(Body::empty()).unwrap()).await;
    (reply.status, String::from_utf8(reply.bytes).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sheet_carries_a_code_that_tells_a_stranger_the_sum_and_no_name() {
    let world = World::new(1).await;
    let son = world.logged_in(&SON).await;
    let mother = world.registered(&MOTHER).await;
    mother.ask("/wallet", &json!({ "place": "510500" })).await.expect(StatusCode::CREATED);
    let body = son.transfer_body(&SON, &MOTHER, "52", 12_345).await;
    son.ask("/transfers", &body).await.expect(StatusCode::CREATED);
    let token = son.token.as_deref();
    // The receipt of the transfer, his last line.
    let (status, statement) = page(&world, token, "/statement").await;
    assert_eq!(status, StatusCode::OK);
    let number = statement.split("/movements/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let address = code(&world, &format!("1-{number}"));
    let drawn = gongji_files::qr_svg(&format!("http://localhost/check/{address}"), "核对用的二维码").unwrap();
    assert!(page(&world, token, &format!("/movements/{number}")).await.1.contains(&drawn), "the receipt carries its code");

    let (status, shown) = page(&world, None, &format!("/check/{address}")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(shown.contains("账上有这张单子") && shown.contains("123.45") && shown.contains("医保钱包转账凭证"), "{shown}");
    for personal in [SON.0, MOTHER.0, SON.1, MOTHER.1, &SON.1[14..], "李", "王"] {
        assert!(!shown.contains(personal), "{personal}");
    }

    // Programs ask the same.
    let receipt = son.get(&format!("/statement/{:016x}", number.parse::<u64>().unwrap())).await.expect(StatusCode::OK);
    assert_eq!(receipt.text("check_code"), address);
    let told = world.guest().get(&format!("/checks/{address}")).await.expect(StatusCode::OK);
    assert_eq!((told.text("sheet"), told.text("kind"), told.fen("/amount")), ("receipt".to_owned(), "transfer_out".to_owned(), -12_345));
    world.guest().get("/checks/1-1.AAAAAAAAAAAAAAAA").await.refused(404, "NOT_FOUND");

    for wrong in ["1-1.AAAAAAAAAAAAAAAA", "nothing", &code(&world, "1-999999"), &code(&world, "9-1"), &code(&world, "0-1")] {
        let (status, shown) = page(&world, None, &format!("/check/{wrong}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{wrong}");
        assert!(shown.contains("没有这样的单子"), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_is_chosen_without_script_and_its_code_tells_the_sums_as_printed() {
    let world = World::new(1).await;
    let wife = world.logged_in(&WIFE).await;
    wife.ask("/wallet", &json!({ "place": "510500" })).await.expect(StatusCode::CREATED);
    let send = async |fen| {
        let son = world.logged_in(&SON).await;
        let body = son.transfer_body(&SON, &WIFE, "10", fen).await;
        let sent = son.ask("/transfers", &body).await.expect(StatusCode::CREATED);
        let id = sent.text("id");
        wife.ask(&format!("/transfers/{id}/accept"), &json!({})).await;
    };
    send(10_000).await;
    let token = wife.token.as_deref();
    let (_, sheet) = page(&world, token, "/statement/print").await;
    assert!(sheet.contains("name=\"month\"") && sheet.contains("<option value=\"2026-11\" selected>2026年11月</option>"), "{sheet}");
    let number = sheet.split("编号 ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let address = code(&world, &number);
    let drawn = gongji_files::qr_svg(&format!("http://localhost/check/{address}"), "核对用的二维码").unwrap();
    assert!(sheet.contains(&drawn));
    // What comes later does not change what was printed.
    send(5_000).await;
    let (status, shown) = page(&world, None, &format!("/check/{address}")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(shown.contains("1 笔") && shown.contains("¥100.00") && !shown.contains("150.00"), "{shown}");
    let told = world.guest().get(&format!("/checks/{address}")).await.expect(StatusCode::OK);
    assert_eq!((told.text("month"), told.fen("/received"), told.fen("/used"), told.fen("/closing")), ("2026-11".to_owned(), 10_000, 0, 10_000));
    let (_, sheet) = page(&world, token, "/statement/print?month=2026-11").await;
    assert!(sheet.contains("¥150.00"));
    // A month without lines has no code, and is not an error.
    let (status, sheet) = page(&world, token, "/statement/print?month=2026-10").await;
    assert!(status == StatusCode::OK && sheet.contains("这个月钱包里没有收支") && !sheet.contains("核对用的二维码"));
    assert!(sheet.contains("<option value=\"2026-10\" selected>"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_finds_that_the_wallet_does_not_work_says_so_by_page_or_api() {
    let world = World::new(1).await;
    let path = format!("/institutions/{HOSPITAL}/reports");
    let son = world.logged_in(&SON).await;
    for _ in 0..2 {
        son.post(&path, &json!({ "what": "counter" })).await.expect(StatusCode::CREATED);
    }
    world.guest().post(&path, &json!({ "what": "code" })).await.expect(StatusCode::CREATED);
    world.guest().post("/institutions/H99999999999/reports", &json!({ "what": "code" })).await.refused(404, "INSTITUTION_UNKNOWN");
    world.guest().post(&path, &json!({ "what": "bad service by Dr. Li" })).await.expect(StatusCode::BAD_REQUEST);
    let form = Request::builder().method(Method::POST).uri(format!("/institutions/{HOSPITAL}/report")).header("host", "localhost");
    let form = form.header("content-type", "application/x-www-form-urlencoded").header("origin", "http://localhost");
    let answer = world.send(form.body("what=machine&back=/institutions".into()).unwrap()).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(answer.headers["location"], "/institutions");
    let kept = world.app.vault.place_reports(0, 10).unwrap();
    let told: Vec<_> = kept.iter().map(|report| (report.what.as_str(), report.reporter.is_some())).collect();
    assert_eq!(told, [("machine", false), ("code", false), ("counter", true)], "one voice counts once a day");
}
