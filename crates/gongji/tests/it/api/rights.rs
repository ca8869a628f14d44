//! What a person may ask about their own data: a copy of all of it, and signing off.

use super::world::{LUZHOU, MOTHER, Reply, SON, WIFE, World, password};
use axum::http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn a_person_gets_everything_that_is_kept_of_them_and_nobody_else_does() {
    let world = World::new(1).await;
    let son = world.logged_in(&SON).await;
    let wrong = son.post("/me/data", &json!({ "password": "000000" })).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(wrong.text("code"), "PASSWORD_WRONG");
    world.guest().post("/me/data", &json!({ "password": password(SON.2) })).await.expect(StatusCode::UNAUTHORIZED);
    let copy = son.post("/me/data", &json!({ "password": password(SON.2) })).await.expect(StatusCode::OK).body;
    let identity = &copy["identity"];
    assert_eq!((identity["name"].as_str(), identity["id_number"].as_str(), identity["phone"].as_str()), (Some(SON.0), Some(SON.1), Some(SON.2)));
    assert!(identity["password_set_at"].is_string() && copy["devices"]["sessions"].as_array().unwrap().len() == 1);
    let contribution = &copy["movements"][0];
    assert_eq!((contribution["kind"].as_str(), contribution["amount"]["amount"].as_i64()), (Some("contribution"), Some(SON.5)));
    assert_eq!(copy["wallet"]["personal_accounts"][0]["balance"]["amount"], SON.5);
    assert!(!copy.to_string().contains(WIFE.1) && !copy.to_string().contains(MOTHER.1), "others are masked as everywhere");
}

#[tokio::test]
async fn signing_off_takes_the_login_and_leaves_the_books() {
    let world = World::new(1).await;
    let mother = world.registered(&MOTHER).await;
    let id = world.app.vault.find_by_id_number(MOTHER.1).unwrap().unwrap();
    let consent = world.app.vault.put_consent(id, id, "act-on-behalf", "2026-11", world.app.now()).unwrap();
    assert!(mother.get("/notices").await.expect(StatusCode::OK).body["notices"].is_array());
    mother.post("/me/sign-off", &json!({ "password": password(MOTHER.2) })).await.expect(StatusCode::OK);
    mother.get("/me").await.expect(StatusCode::UNAUTHORIZED);
    let body = json!({ "id_number": MOTHER.1, "password": password(MOTHER.2) });
    world.guest().post("/sessions", &body).await.expect(StatusCode::UNAUTHORIZED);
    let vault = &world.app.vault;
    assert!(vault.messages(id, None, 10).unwrap().is_empty() && !vault.has_password(id).unwrap());
    assert!(vault.consents(id).unwrap().iter().all(|kept| kept.id != consent || kept.withdrawn_ms.is_some()));
    let person = vault.person(id).unwrap().unwrap();
    assert_eq!((person.name.reveal(), person.is_registered), (MOTHER.0, false));
    // The way back is open.
    world.clock.set(world.app.now() + 61_000);
    world.registered(&MOTHER).await.get("/me").await.expect(StatusCode::OK);
    world.verify();
}

#[tokio::test]
async fn nobody_signs_off_from_money() {
    let world = World::new(1).await;
    let (wife, son) = (world.logged_in(&WIFE).await, world.logged_in(&SON).await);
    wife.ask("/wallet", &json!({ "place": LUZHOU.to_string() })).await.expect(StatusCode::CREATED);
    let body = son.transfer_body(&SON, &WIFE, "12", 10_000).await;
    let sent = son.ask("/transfers", &body).await.expect(StatusCode::CREATED).text("id");
    let refused = |reply: Reply| assert_eq!(reply.expect(StatusCode::CONFLICT).text("code"), "SIGN_OFF_OPEN");
    let off = json!({ "password": password(WIFE.2) });
    refused(wife.post("/me/sign-off", &off).await);
    wife.ask(&format!("/transfers/{sent}/accept"), &json!({})).await.expect(StatusCode::OK);
    refused(wife.post("/me/sign-off", &off).await);
    wife.get("/me").await.expect(StatusCode::OK);
}
