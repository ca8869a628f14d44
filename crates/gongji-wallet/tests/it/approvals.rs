//! Two people for what takes two: who may propose and decide, what a decision does, and when it is too late.

use crate::world::World;
use gongji_ledger::HolderId;
use gongji_wallet::approval::{APPROVAL_MS, Action, ApprovalState, DeclineReason, Verdict, difference, seen};
use gongji_wallet::directory::{Coverage, DirectoryChange, Region, RegionLevel};
use gongji_wallet::ids::{ApprovalId, Key, OperatorId};
use gongji_wallet::object::{FreezeReason, Object};
use gongji_wallet::operator::{Deed, LookReason, Operator, Operators, Role};
use gongji_wallet::rules::{RuleChange, Scope, Setting};
use gongji_wallet::{Command, Decision, Fact, Outcome, Reason, Request};

const LUZHOU: u32 = 510_500;
const JINAN: u32 = 370_100;
/// 2026-11-23.
const TODAY: i32 = 20_780;
const NOW: i64 = TODAY as i64 * 86_400_000;

/// A country with an office: 1 administrator of the nation, 2 and 3 work and decide in Luzhou, 4 decides in Jinan, 5 is both in Luzhou, 6 audits.
struct Office(World);

fn operator(id: u32, reach: Scope, roles: &[Role]) -> Operator {
    Operator { id: OperatorId(id), login: format!("op-{id}"), reach, roles: roles.to_vec(), is_active: true }
}

impl Office {
    fn new() -> Office {
        let mut office = Office(World::new(1, false));
        let region = |code, name: &str, province: &str| {
            DirectoryChange::Region(Region {
                code,
                name: name.to_owned(),
                province_code: code / 10_000 * 10_000,
                province: province.to_owned(),
                level: RegionLevel::Prefecture,
                openings: vec![(1, true)],
                change_of_use: false,
                coverage: Coverage::Area,
            })
        };
        office.done(Command::ChangeDirectory(vec![region(LUZHOU, "泸州市", "四川省"), region(JINAN, "济南市", "山东省")]));
        office.done(Command::AppointFirst(vec![
            operator(1, Scope::Nation, &[Role::Administrator]),
            operator(2, Scope::Area(LUZHOU), &[Role::Operator]),
            operator(3, Scope::Province(510_000), &[Role::Reviewer]),
            operator(4, Scope::Area(JINAN), &[Role::Operator, Role::Reviewer]),
            operator(5, Scope::Area(LUZHOU), &[Role::Operator, Role::Reviewer]),
            operator(6, Scope::Nation, &[Role::Auditor]),
            operator(7, Scope::Nation, &[Role::Administrator]),
        ]));
        office
    }

    fn at(&mut self, stamp: i64, command: Command) -> Result<Vec<Fact>, Vec<Reason>> {
        let batch = self.0.batch(0, stamp, &[Request { idempotency: None, command }]);
        match batch.decisions.into_iter().next().unwrap() {
            Decision::New(Outcome::Refused(reasons)) => Err(reasons),
            Decision::New(_) => Ok(batch.events.into_iter().map(|event| event.fact).collect()),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn done(&mut self, command: Command) -> Vec<Fact> {
        self.at(NOW, command).unwrap()
    }

    fn propose(&mut self, number: u8, maker: u32, action: Action) -> Result<Vec<Fact>, Vec<Reason>> {
        self.at(NOW, Command::Propose { id: ApprovalId([number; 16]), maker: OperatorId(maker), action, document: "泸医保发〔2026〕12号".to_owned() })
    }

    fn decide_at(&mut self, stamp: i64, number: u8, by: u32, verdict: Verdict) -> Result<Vec<Fact>, Vec<Reason>> {
        let id = ApprovalId([number; 16]);
        let seen = self.approval(number).map_or([0; 16], |approval| seen(&difference(&self.0.directory, &self.operators(), &approval.action)));
        self.at(stamp, Command::DecideApproval { id, by: OperatorId(by), verdict, seen })
    }

    fn decide(&mut self, number: u8, by: u32, verdict: Verdict) -> Result<Vec<Fact>, Vec<Reason>> {
        self.decide_at(NOW, number, by, verdict)
    }

    fn approval(&self, number: u8) -> Option<gongji_wallet::approval::Approval> {
        match self.0.object(0, Key::Approval(ApprovalId([number; 16])))? {
            Object::Approval(approval) => Some(approval.as_ref().clone()),
            other => panic!("{other:?}"),
        }
    }

    fn state(&self, number: u8) -> ApprovalState {
        self.approval(number).unwrap().state
    }

    fn operators(&self) -> Operators {
        match self.0.object(0, Key::Operators) {
            Some(Object::Operators(operators)) => operators.as_ref().clone(),
            other => panic!("{other:?}"),
        }
    }

    fn open(&self) -> usize {
        match self.0.object(0, Key::OpenApprovals) {
            Some(Object::OpenApprovals(open)) => open.0.len(),
            _ => 0,
        }
    }
}

fn closing() -> Action {
    Action::Opening { area: LUZHOU, from: TODAY + 7, open: false }
}

#[test]
fn a_region_closes_when_a_second_person_says_so_and_in_the_same_commit() {
    let mut office = Office::new();
    office.propose(1, 2, closing()).unwrap();
    assert!(office.0.directory.is_open(LUZHOU, TODAY + 7), "a proposal changes nothing");
    assert_eq!(office.open(), 1);
    let facts = office.decide(1, 3, Verdict::Approved).unwrap();
    assert!(matches!(facts[..], [Fact::ApprovalDecided { by: Some(OperatorId(3)), .. }, Fact::DirectoryChanged(_)]), "{facts:?}");
    assert_eq!((office.state(1), office.open()), (ApprovalState::Done, 0));
    assert!(office.0.directory.is_open(LUZHOU, TODAY + 6) && !office.0.directory.is_open(LUZHOU, TODAY + 7));
    assert_eq!(office.decide(1, 5, Verdict::Approved), Err(vec![Reason::ApprovalFinal]));
}

#[test]
fn nobody_decides_what_is_their_own_or_not_of_their_region_or_role() {
    let mut office = Office::new();
    // 5 may do both, but not both of one thing.
    office.propose(1, 5, closing()).unwrap();
    assert_eq!(office.decide(1, 5, Verdict::Approved), Err(vec![Reason::SameOperator]));
    for stranger in [1, 2, 4, 6, 99] {
        assert_eq!(office.decide(1, stranger, Verdict::Approved), Err(vec![Reason::NotAuthorised]), "{stranger}");
    }
    assert_eq!(office.propose(2, 4, closing()), Err(vec![Reason::NotAuthorised]), "another region");
    assert_eq!(office.propose(2, 3, closing()), Err(vec![Reason::NotAuthorised]), "a reviewer proposes nothing");
    let nationwide = Action::Rules(RuleChange { version: 9, scope: Scope::Nation, from: TODAY + 7, settings: vec![Setting::DailyCountMax(5)] });
    assert_eq!(office.propose(2, 2, nationwide), Err(vec![Reason::NotAuthorised]), "a city does not make the nation's rules");
    office.decide(1, 3, Verdict::Approved).unwrap();
}

#[test]
fn what_is_not_wanted_any_more_is_taken_back_declined_or_runs_out() {
    let mut office = Office::new();
    for number in 1..=3 {
        office.propose(number, 2, closing()).unwrap();
    }
    assert_eq!(office.decide(1, 5, Verdict::Withdrawn), Err(vec![Reason::NotYours]), "by its maker alone");
    office.decide(1, 2, Verdict::Withdrawn).unwrap();
    office.decide(2, 3, Verdict::Declined(DeclineReason::Papers)).unwrap();
    let deadline = NOW + APPROVAL_MS;
    assert_eq!(office.decide_at(deadline, 3, 3, Verdict::Approved), Err(vec![Reason::ApprovalFinal]), "at the very instant");
    assert!(office.at(deadline - 1, Command::Due(Key::Approval(ApprovalId([3; 16])))).unwrap().is_empty());
    office.at(deadline, Command::Due(Key::Approval(ApprovalId([3; 16])))).unwrap();
    let states = [1, 2, 3].map(|number| office.state(number));
    assert_eq!(states, [ApprovalState::Withdrawn, ApprovalState::Declined(DeclineReason::Papers), ApprovalState::Expired]);
    assert_eq!(office.open(), 0);
    assert!(office.0.directory.is_open(LUZHOU, TODAY + 7));
}

#[test]
fn a_checker_approves_what_was_shown_and_nothing_else() {
    let mut office = Office::new();
    office.propose(1, 2, closing()).unwrap();
    let shown = seen(&difference(&office.0.directory, &office.operators(), &closing()));
    office.done(Command::ChangeDirectory(vec![DirectoryChange::Opening { area: LUZHOU, from: TODAY + 3, open: false }]));
    let stale = Command::DecideApproval { id: ApprovalId([1; 16]), by: OperatorId(3), verdict: Verdict::Approved, seen: shown };
    assert_eq!(office.at(NOW, stale), Err(vec![Reason::ApprovalStale]));
    assert_eq!(office.state(1), ApprovalState::Open);
    office.decide(1, 3, Verdict::Approved).unwrap();
}

#[test]
fn what_belongs_elsewhere_is_approved_once_and_then_follows_once() {
    let mut office = Office::new();
    let holder = HolderId::new(1, 7);
    office.propose(1, 2, Action::Freeze { holder, area: LUZHOU, reason: FreezeReason::Investigation }).unwrap();
    let follow = |refused: Vec<Reason>| Command::FollowApproval { id: ApprovalId([1; 16]), refused };
    assert_eq!(office.at(NOW, follow(vec![])), Err(vec![Reason::ApprovalFinal]), "nothing follows before it is approved");
    office.decide(1, 3, Verdict::Approved).unwrap();
    assert_eq!((office.state(1), office.open()), (ApprovalState::Approved, 1));
    office.done(follow(vec![]));
    assert!(office.done(follow(vec![Reason::AlreadyFrozen])).is_empty(), "the first outcome stands");
    assert_eq!((office.state(1), office.open()), (ApprovalState::Done, 0));
}

#[test]
fn operators_are_made_by_two_and_never_by_themselves_and_one_administrator_is_left() {
    let mut office = Office::new();
    assert_eq!(office.at(NOW, Command::AppointFirst(vec![operator(8, Scope::Nation, &[Role::Administrator])])), Err(vec![Reason::NotAuthorised]));
    let new = operator(8, Scope::Area(LUZHOU), &[Role::Finance]);
    office.propose(1, 1, Action::Operator(new.clone())).unwrap();
    office.decide(1, 7, Verdict::Approved).unwrap();
    assert_eq!(**office.operators().get(OperatorId(8)).unwrap(), new);
    let more = Operator { roles: vec![Role::Administrator, Role::Reviewer], ..operator(1, Scope::Nation, &[]) };
    assert_eq!(office.propose(2, 1, Action::Operator(more)), Err(vec![Reason::SameOperator]), "nobody gives themselves rights");
    assert_eq!(office.propose(2, 1, Action::Operator(Operator { id: OperatorId(9), ..new })), Err(vec![Reason::LoginTaken]));
    let gone = |id| Operator { is_active: false, ..operator(id, Scope::Nation, &[Role::Administrator]) };
    office.propose(3, 1, Action::Operator(gone(7))).unwrap();
    assert_eq!(office.decide(3, 7, Verdict::Approved), Err(vec![Reason::SameOperator]), "nor decides about themselves");
    office.done(Command::SuspendOperator { operator: OperatorId(7) });
    assert_eq!(office.propose(4, 7, Action::Operator(gone(1))), Err(vec![Reason::NotAuthorised]), "whoever works no more does nothing");
}

#[test]
fn a_look_is_written_down_with_its_paper_and_without_a_text_that_may_name_somebody() {
    let mut office = Office::new();
    let holder = HolderId::new(1, 7);
    let look = |document: &str| Deed::Revealed { holder, reason: LookReason::Complaint, document: document.to_owned() };
    let act = |operator, deed| Command::Act { operator: OperatorId(operator), deed };
    assert_eq!(office.done(act(6, look("TS-20261123-7"))), [Fact::Acted { operator: OperatorId(6), deed: look("TS-20261123-7") }]);
    assert_eq!(office.at(NOW, act(6, look("990102199001011234"))), Err(vec![Reason::SettingRefused]));
    assert_eq!(office.at(NOW, act(99, look("TS-1"))), Err(vec![Reason::NotAuthorised]));
}
