//! What two operators agree on happens where it belongs, once, whoever is interrupted.

use super::world::*;
use gongji::service::ServiceError;
use gongji::service::approval::{decide, follow_all, open, propose, shown_of};
use gongji::service::operator::appoint_first;
use gongji_ledger::HolderId;
use gongji_wallet::approval::{Action, ApprovalState, Verdict};
use gongji_wallet::ids::{ApprovalId, OperatorId};
use gongji_wallet::object::FreezeReason;
use gongji_wallet::operator::{Operator, Role};
use gongji_wallet::rules::Scope;
use gongji_wallet::{Command, Reason, Request};

const MAKER: OperatorId = OperatorId(2);
const CHECKER: OperatorId = OperatorId(3);

async fn staffed() -> (World, HolderId) {
    let world = World::new(2).await;
    let operator =
        |id, login: &str, role| Operator { id: OperatorId(id), login: login.to_owned(), reach: Scope::Area(LUZHOU), roles: vec![role], is_active: true };
    let team = vec![operator(1, "admin", Role::Administrator), operator(2, "maker", Role::Operator), operator(3, "checker", Role::Reviewer)];
    appoint_first(&world.app, team).await.unwrap();
    let wife = world.app.vault.find_by_id_number(WIFE.1).unwrap().unwrap();
    (world, HolderId(wife))
}

fn freeze(holder: HolderId) -> Action {
    Action::Freeze { holder, area: LUZHOU, reason: FreezeReason::Investigation }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_that_two_agree_on_names_both_of_them() {
    let (world, wife) = staffed().await;
    let id = ApprovalId([7; 16]);
    propose(&world.app, id, MAKER, freeze(wife), "协查2026-1").await.unwrap();
    propose(&world.app, id, MAKER, freeze(wife), "协查2026-1").await.expect("the same form once more");
    assert!(world.app.engine.holder(wife).unwrap().unwrap().freeze.is_none());
    let (_, shown) = shown_of(&world.app, &freeze(wife)).unwrap();
    let by_maker = decide(&world.app, id, MAKER, Verdict::Approved, shown).await;
    assert!(matches!(by_maker, Err(ServiceError::Refused { reasons, .. }) if reasons == [Reason::NotAuthorised]));
    let decided = decide(&world.app, id, CHECKER, Verdict::Approved, shown).await.unwrap();
    assert_eq!(decided.state, ApprovalState::Done);
    let frozen = world.app.engine.holder(wife).unwrap().unwrap().freeze.unwrap();
    assert_eq!((frozen.maker.as_str(), frozen.checker.as_str()), ("maker", "checker"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_approved_before_a_crash_happens_once_after_it() {
    let (world, wife) = staffed().await;
    let id = ApprovalId([8; 16]);
    propose(&world.app, id, MAKER, freeze(wife), "协查2026-2").await.unwrap();
    let (_, shown) = shown_of(&world.app, &freeze(wife)).unwrap();
    // The decision is durable, and whoever asked for it is gone.
    let command = Command::DecideApproval { id, by: CHECKER, verdict: Verdict::Approved, seen: shown };
    world.app.engine.ask(0, Request { idempotency: None, command }).await.unwrap();
    assert_eq!(open(&world.app).unwrap()[0].state, ApprovalState::Approved);
    let (one, other) = tokio::join!(follow_all(&world.app), follow_all(&world.app));
    one.and(other).unwrap();
    assert!(world.app.engine.holder(wife).unwrap().unwrap().freeze.is_some());
    assert!(open(&world.app).unwrap().is_empty());
    follow_all(&world.app).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_where_it_belongs_is_told_with_its_reasons() {
    let (world, wife) = staffed().await;
    let id = ApprovalId([9; 16]);
    let action = Action::Unfreeze { holder: wife, area: LUZHOU };
    propose(&world.app, id, MAKER, action.clone(), "1").await.unwrap();
    let (_, shown) = shown_of(&world.app, &action).unwrap();
    let decided = decide(&world.app, id, CHECKER, Verdict::Approved, shown).await.unwrap();
    assert_eq!(decided.state, ApprovalState::Failed(vec![Reason::NotFrozen]));
}
