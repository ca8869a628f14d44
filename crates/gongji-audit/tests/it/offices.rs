//! Whoever changes the directory's journal so that one person did what takes two is found, even with a chain that fits.

use gongji_audit::{Auditor, FindingKind, GENESIS, link};
use gongji_wallet::approval::{Action, Verdict};
use gongji_wallet::ids::{ApprovalId, OperatorId};
use gongji_wallet::operator::{Deed, Operator, Role, Way};
use gongji_wallet::rules::Scope;
use gongji_wallet::{Event, Fact};

fn appointed(id: u32, is_active: bool) -> Fact {
    let operator = Operator { id: OperatorId(id), login: format!("op-{id}"), reach: Scope::Nation, roles: vec![Role::Operator, Role::Reviewer], is_active };
    Fact::OperatorChanged { by: OperatorId(0), operator }
}

fn proposed(maker: u32) -> Fact {
    let action = Action::Opening { area: 510_500, from: 20_800, open: false };
    Fact::ApprovalProposed { id: ApprovalId([1; 16]), maker: OperatorId(maker), action, document: "1".to_owned(), expires: 1_000 }
}

fn decided(by: Option<u32>, verdict: Verdict) -> Fact {
    Fact::ApprovalDecided { id: ApprovalId([1; 16]), by: by.map(OperatorId), verdict }
}

/// Reads the facts as one record of partition 0.
fn read(stamp: i64, facts: Vec<Fact>) -> gongji_audit::Result {
    let events: Vec<Event> = facts.into_iter().map(|fact| Event { fact, moves: Vec::new() }).collect();
    let payload = postcard::to_allocvec(&events).unwrap();
    Auditor::new(1).record(0, 1, stamp, 0, &payload, &link(&GENESIS, 0, 1, stamp, 0, &payload))
}

#[track_caller]
fn impossible(stamp: i64, facts: Vec<Fact>) {
    assert_eq!(read(stamp, facts).unwrap_err().kind, FindingKind::FactImpossible);
}

#[test]
fn two_people_decide_in_time_and_once() {
    let two = || vec![appointed(1, true), appointed(2, true), proposed(1)];
    let with = |more: Vec<Fact>| two().into_iter().chain(more).collect::<Vec<_>>();
    read(999, with(vec![decided(Some(2), Verdict::Approved)])).unwrap();
    read(1_000, with(vec![decided(None, Verdict::Expired)])).unwrap();
    impossible(999, with(vec![decided(Some(1), Verdict::Approved)]));
    impossible(999, with(vec![decided(Some(2), Verdict::Withdrawn)]));
    impossible(999, with(vec![decided(Some(3), Verdict::Approved)]));
    impossible(999, with(vec![decided(None, Verdict::Approved)]));
    impossible(1_000, with(vec![decided(Some(2), Verdict::Approved)]));
    impossible(999, with(vec![decided(None, Verdict::Expired)]));
    impossible(999, with(vec![decided(Some(2), Verdict::Approved), decided(Some(2), Verdict::Approved)]));
    impossible(999, with(vec![appointed(2, false), decided(Some(2), Verdict::Approved)]));
    impossible(999, with(vec![Fact::ApprovalFollowed { id: ApprovalId([1; 16]), refused: Vec::new() }]));
    impossible(999, vec![proposed(1)]);
    impossible(999, vec![Fact::Acted { operator: OperatorId(9), deed: Deed::SignedIn { way: Way::Code } }]);
}

#[test]
fn an_office_works_in_the_directory_alone() {
    let events = [Event { fact: appointed(1, true), moves: Vec::new() }];
    let payload = postcard::to_allocvec(&events[..]).unwrap();
    let finding = Auditor::new(1).record(1, 1, 5, 0, &payload, &link(&GENESIS, 1, 1, 5, 0, &payload)).unwrap_err();
    assert_eq!(finding.kind, FindingKind::FactImpossible);
}
