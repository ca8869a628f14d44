//! What would have been: last month under rules that are not published yet.

use super::world::{JINAN, SON, WIFE, World, start_of_clock};
use axum::http::StatusCode;
use gongji::service::what_if::replay;
use gongji_ledger::Fen;
use gongji_wallet::day::day_of;
use gongji_wallet::rules::{RuleChange, Scope, Setting};
use gongji_wallet::what_if::Doing;

#[tokio::test]
async fn the_transfers_that_new_rules_would_have_refused_are_named_and_nothing_changes() {
    let world = World::new(3).await;
    let son = world.logged_in(&SON).await;
    let body = son.transfer_body(&SON, &WIFE, "12", 60_000).await;
    son.ask("/transfers", &body).await.expect(StatusCode::CREATED);
    let today = day_of(start_of_clock());
    let change = |scope, max| RuleChange { version: 2, scope, from: today + 30, settings: vec![Setting::TransferMax(Fen(max))] };
    let under = async |scope, max, from, to| replay(&world.app, change(scope, max), from, to).await.unwrap();
    let found = under(Scope::Area(JINAN), 50_000, today - 30, today).await;
    assert_eq!((found.seen[&Doing::Transfer], found.refused[&Doing::Transfer], found.amount, found.people), (1, 1, Fen(60_000), 1));
    let son_id = world.app.vault.find_by_id_number(SON.1).unwrap().unwrap();
    assert_eq!((found.cases[0].holder.0, found.cases[0].reasons[0].code()), (son_id, "AMOUNT_TOO_LARGE"));
    assert!(under(Scope::Area(JINAN), 60_000, today - 30, today).await.refused.is_empty(), "just as much as is allowed");
    assert!(under(Scope::Province(510_000), 50_000, today - 30, today).await.refused.is_empty(), "another province's rule");
    assert!(under(Scope::Nation, 50_000, today - 30, today - 1).await.seen.is_empty(), "not in the span");
    assert!(world.app.directory().rule_changes.is_empty());
}
