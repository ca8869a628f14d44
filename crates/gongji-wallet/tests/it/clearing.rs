//! Clearing: every line in exactly one period, whatever the messages do, and no step of a period but those of the table.

use crate::books::assert_books;
use crate::machines::{AREA, SHOP, noon, settle_messages, town};
use crate::world::{Batch, World};
use gongji_ledger::{Fen, HolderId, Part};
use gongji_wallet::clearing::{ClearingCommand, Due, LineId, Mark, Month, Period, PeriodState, PeriodTotals, Refusal, Share, Statement, shares};
use gongji_wallet::command::PlaceOrder;
use gongji_wallet::day::{DAY_MS, day_from_date, day_of, instant};
use gongji_wallet::directory::DirectoryChange;
use gongji_wallet::event::{Payer, institution_part};
use gongji_wallet::ids::{CodeId, Key, OrderId, PaymentId};
use gongji_wallet::object::{Bill, Object, PayFirst, Taking, TakingKind, Visit};
use gongji_wallet::{Command, Decision, Fact, Outcome, Reason};
use std::collections::BTreeSet;
use std::sync::Arc;

const MARCH: Month = 202_603;
const PROVINCE: u32 = AREA / 10_000 * 10_000;

fn april() -> i64 {
    instant(day_from_date(2026, 4, 1).unwrap(), 0)
}

/// A whole payment of `amount` by the holder at the shop, at an instant: held and captured.
fn pay(world: &mut World, holder: HolderId, number: u8, amount: i64, stamp: i64) -> (PaymentId, OrderId) {
    let (code, payment) = (CodeId([number; 16]), PaymentId::new([number; 16], holder.part()));
    let order = OrderId { institution: SHOP, number: [number; 16] };
    world.run(holder.part(), stamp, Command::IssueCode { holder, by: holder, code, first: PayFirst::Personal });
    let bill = Bill { total: Fen(amount), fund: Fen::ZERO, own: Fen(amount), institution: Fen::ZERO };
    let visit = Visit::at_counter(day_of(stamp));
    let (payer, number) = (Payer::Code(code), number.to_string());
    let placed = PlaceOrder { order, number, payment, payer, bill, partial: false, visit, quote: None };
    world.run(institution_part(SHOP, world.parts), stamp, Command::PlaceOrder(placed));
    while world.in_flight().any(|(from, ..)| from != 0) {
        let (from, to, number, _) = world.in_flight().find(|(from, ..)| *from != 0).unwrap();
        world.deliver(from, to, number, stamp);
    }
    world.run(holder.part(), stamp, Command::Capture { payment, order, amount: Fen(amount), last: true });
    (payment, order)
}

fn clear(world: &mut World, stamp: i64, command: ClearingCommand) -> Batch {
    world.run(0, stamp, Command::Clearing(Box::new(command)))
}

fn cut(world: &mut World, period: Month, stamp: i64) -> Batch {
    clear(world, stamp, ClearingCommand::Cut { period, by: "op-li".to_owned() })
}

fn refusal(batch: &Batch) -> Option<Reason> {
    match &batch.decisions[0] {
        Decision::New(Outcome::Refused(reasons)) => Some(reasons[0].clone()),
        _ => None,
    }
}

fn period(world: &World, month: Month) -> &Period {
    match world.object(0, Key::Period(month)) {
        Some(Object::Period(period)) => period,
        other => panic!("{month}: {other:?}"),
    }
}

fn marks(world: &World, month: Month) -> Vec<(Part, Mark)> {
    (1..=world.parts)
        .filter_map(|part| match world.object(part, Key::Mark(month)) {
            Some(Object::Mark(mark)) => Some((part, *mark)),
            _ => None,
        })
        .collect()
}

/// The takings of a partition, read from its journal's events by a rule of the test's own: each capture and refund with its lots' amounts.
fn captured_before(world: &World, part: Part, mark_seq: usize) -> Fen {
    let records = &world.partitions[usize::from(part)].journal[..mark_seq];
    records.iter().flat_map(|record| &record.events).fold(Fen::ZERO, |sum, event| match &event.fact {
        Fact::PaymentCaptured { amount, .. } => sum + *amount,
        Fact::PaymentRefunded { amount, .. } => sum - *amount,
        _ => sum,
    })
}

#[test]
fn a_taking_belongs_to_the_period_whose_mark_comes_after_it() {
    let (mut world, a, b) = town(true);
    pay(&mut world, a, 1, 100, noon());
    assert_eq!(refusal(&cut(&mut world, MARCH, april() - 1)), Some(Reason::Clearing(Refusal::PeriodNotOver { ends_at: april() })));
    assert!(refusal(&cut(&mut world, MARCH, april())).is_none());
    // The message is on its way: what is taken meanwhile still belongs to March in the partition that has not heard.
    world.deliver(0, 1, 1, april());
    pay(&mut world, a, 2, 30, april());
    pay(&mut world, b, 3, 7, april());
    world.deliver(0, 2, 1, april());
    // Repeated and asked for again: nothing more.
    for part in [1, 2] {
        world.deliver(0, part, 1, april());
    }
    assert!(cut(&mut world, MARCH, april()).events.is_empty());
    settle_messages(&mut world, april());
    let known = period(&world, MARCH);
    assert_eq!(known.state, PeriodState::Cut);
    assert_eq!(known.marks, marks(&world, MARCH));
    let totals: Vec<PeriodTotals> = known.marks.iter().map(|(_, mark)| mark.totals).collect();
    assert_eq!([totals[0].captured, totals[1].captured], [Fen(100), Fen(7)]);
    assert_eq!(known.expected(false), (2, Fen(107)));
    // April begins with what came late.
    let may = instant(day_from_date(2026, 5, 1).unwrap(), 0);
    assert_eq!(refusal(&cut(&mut world, 202_605, may + 40 * DAY_MS)), Some(Reason::Clearing(Refusal::PeriodOrder { next: 202_604 })));
    cut(&mut world, 202_604, may);
    settle_messages(&mut world, may);
    assert_eq!(period(&world, 202_604).totals(), PeriodTotals { lines: 1, captured: Fen(30), ..PeriodTotals::default() });
    assert_books(&world);
    world.assert_redo();
}

#[test]
fn a_refund_of_an_earlier_month_is_a_negative_line_of_the_month_in_which_it_happens() {
    let (mut world, a, _) = town(true);
    let (payment, order) = pay(&mut world, a, 1, 100, noon());
    cut(&mut world, MARCH, april());
    settle_messages(&mut world, april());
    world.run(1, april() + 1, Command::Refund { payment, order, amount: Fen(40) });
    cut(&mut world, 202_604, april() + 30 * DAY_MS);
    settle_messages(&mut world, april() + 30 * DAY_MS);
    assert_eq!(period(&world, MARCH).totals().amount(), Fen(100));
    assert_eq!(period(&world, 202_604).expected(false), (1, Fen(-40)));
    assert_eq!(captured_before(&world, 1, world.partitions[1].journal.len()), Fen(60));
}

#[test]
fn a_line_names_who_owes_and_who_is_owed() {
    let taking = |kind, amount: i64| {
        let lot = |area, amount| gongji_ledger::Lot {
            origin: gongji_ledger::Origin { contributor: HolderId::new(1, 1), area, kind: gongji_ledger::GrantKind::Own },
            since: 0,
            amount: Fen(amount),
        };
        let purpose = gongji_wallet::object::Purpose::Premium { insured: HolderId::new(1, 2), area: 510_500, year: 2027 };
        let state = gongji_wallet::object::PaymentState::Captured;
        let (payment, holder, payee) = (PaymentId([0; 16]), HolderId::new(1, 1), purpose.payee());
        let lots = vec![lot(370_100, amount), lot(510_500, 5)];
        Taking { number: 9, payee, previous: 0, at: 0, seq: 1, kind, state, payment, holder, purpose, lots }
    };
    let told = |taking: &Taking| shares(3, taking).map(|share| (share.id.lot, share.debtor, share.creditor, share.amount.0)).collect::<Vec<_>>();
    assert_eq!(told(&taking(TakingKind::Captured, 10)), [(0, 370_100, 510_500, 10), (1, 510_500, 510_500, 5)]);
    assert_eq!(told(&taking(TakingKind::Refunded, 10)), [(0, 370_100, 510_500, -10), (1, 510_500, 510_500, -5)]);
    assert!(told(&taking(TakingKind::Held, 10)).is_empty() && told(&taking(TakingKind::Released, 10)).is_empty());
    assert!(shares(3, &taking(TakingKind::Captured, 1)).all(|share| (share.id.part, share.id.taking) == (3, 9)));
}

/// Two provinces: whoever lives in 370100 pays at the shop there with money from 510500, so 510000 owes 370000.
fn two_provinces() -> (World, Share) {
    let (mut world, a, _) = town(true);
    let mut directory = (*world.directory).clone();
    let mut region = (**directory.regions.get(&AREA).unwrap()).clone();
    (region.code, region.province_code) = (510_500, 510_000);
    directory.apply(&DirectoryChange::Region(region));
    world.directory = Arc::new(directory);
    pay(&mut world, a, 1, 100, noon());
    cut(&mut world, MARCH, april());
    settle_messages(&mut world, april());
    let id = LineId { part: 1, taking: marks(&world, MARCH)[0].1.takings, lot: 0 };
    (world, Share { id, debtor: 510_500, creditor: AREA, amount: Fen(100) })
}

fn statement(root: u8, lines: u64, net: i64) -> Statement {
    Statement { root: [root; 32], lines, amount: Fen(net), nets: vec![(PROVINCE, Fen(net)), (510_000, Fen(-net))] }
}

fn due() -> Due {
    Due { from: 510_000, to: PROVINCE, amount: Fen(100) }
}

/// One command for each step, in order; each leads from the state beside it to the next.
fn steps(share: Share) -> Vec<(PeriodState, Option<PeriodState>, ClearingCommand)> {
    let by = || "op-li".to_owned();
    let period = MARCH;
    let confirm = |side| ClearingCommand::Confirm { period, side, root: [1; 32], by: by() };
    let receive = |reference: &str, amount| ClearingCommand::Receive {
        period,
        reference: reference.to_owned(),
        from: 510_000,
        to: PROVINCE,
        amount: Fen(amount),
        day: 20_000,
        by: by(),
    };
    use PeriodState::*;
    vec![
        (Cut, Some(Stated), ClearingCommand::State { period, statement: statement(1, 1, 100), by: by() }),
        (Stated, None, ClearingCommand::Dispute { period, share, side: 510_000, reason: "重复收费".to_owned(), by: by() }),
        (Stated, None, ClearingCommand::Agree { period, line: share.id, side: 510_000, by: by() }),
        (Stated, None, confirm(510_000)),
        (Stated, None, confirm(PROVINCE)),
        (
            Stated,
            Some(Released),
            ClearingCommand::Release { period, statement: statement(1, 1, 100), dues: vec![due()], maker: by(), checker: "op-wang".to_owned() },
        ),
        (Released, Some(Noticed), ClearingCommand::Notice { period, by: by() }),
        (Noticed, None, receive("B1", 60)),
        (Noticed, None, receive("B2", 40)),
        (Noticed, Some(Funded), ClearingCommand::Fund { period, maker: by(), checker: "op-wang".to_owned() }),
        (Funded, Some(Closed), ClearingCommand::Close { period, by: by() }),
    ]
}

#[test]
fn a_period_makes_each_step_of_its_table_and_no_other() {
    let (mut world, share) = two_provinces();
    let all = steps(share);
    let mut seen: BTreeSet<(PeriodState, PeriodState)> = [(PeriodState::Open, PeriodState::Cutting), (PeriodState::Cutting, PeriodState::Cut)].into();
    for (state, next, command) in &all {
        assert_eq!(period(&world, MARCH).state, *state);
        // In every state, every command that belongs to another is refused, and changes nothing.
        for (other, _, command) in all.iter().filter(|(other, ..)| other != state) {
            let mut world = world.clone();
            let before = period(&world, MARCH).clone();
            let batch = clear(&mut world, april(), command.clone());
            assert_eq!(refusal(&batch), Some(Reason::Clearing(Refusal::PeriodState { state: *state })), "{command:?} of {other:?}");
            assert_eq!(*period(&world, MARCH), before);
        }
        let batch = clear(&mut world, april(), command.clone());
        assert_eq!(refusal(&batch), None, "{command:?}");
        let now = period(&world, MARCH).state;
        assert_eq!(now, next.unwrap_or(*state), "{command:?}");
        if now != *state {
            seen.insert((*state, now));
        }
    }
    let table: BTreeSet<_> = PeriodState::ALL.into_iter().flat_map(|from| from.next().iter().map(move |to| (from, *to))).collect();
    assert_eq!(seen, table);
    for (_, _, command) in &all {
        assert!(refusal(&clear(&mut world, april(), command.clone())).is_some(), "a closed period never changes: {command:?}");
    }
    world.assert_redo();
}

#[test]
fn each_step_insists_on_its_figures_and_its_persons() {
    let (world, share) = two_provinces();
    let all = steps(share);
    let by = || "op-li".to_owned();
    let reached = |count: usize| {
        let mut world = world.clone();
        for (_, _, command) in &all[..count] {
            assert_eq!(refusal(&clear(&mut world, april(), command.clone())), None);
        }
        world
    };
    let check = |count: usize, command: ClearingCommand, expected: Refusal| {
        let told = refusal(&clear(&mut reached(count), april(), command.clone()));
        assert_eq!(told, Some(Reason::Clearing(expected)), "{command:?}");
    };
    let period = MARCH;
    // The statement has the lines and the sum that the marks say, and its nets come to nothing.
    for wrong in [statement(1, 2, 100), statement(1, 1, 99), Statement { nets: vec![(PROVINCE, Fen(100))], ..statement(1, 1, 100) }] {
        check(0, ClearingCommand::State { period, statement: wrong, by: by() }, Refusal::StatementDiffers);
    }
    for by in [" ", "990137198405120013", "a\nb"] {
        check(0, ClearingCommand::State { period, statement: statement(1, 1, 100), by: by.to_owned() }, Refusal::TextMissing);
    }
    check(0, ClearingCommand::State { period: 202_602, statement: statement(1, 1, 100), by: by() }, Refusal::PeriodUnknown);
    // A province disputes and confirms what it has, once, and as it has seen it.
    let dispute = |share, side| ClearingCommand::Dispute { period, share, side, reason: "重复".to_owned(), by: by() };
    check(1, dispute(share, 440_000), Refusal::SideUnknown);
    check(1, dispute(Share { creditor: 999_999, debtor: 999_999, ..share }, 510_000), Refusal::SideUnknown);
    check(1, dispute(Share { id: LineId { taking: 99, ..share.id }, ..share }, 510_000), Refusal::LineUnknown);
    check(1, dispute(Share { id: LineId { part: 9, ..share.id }, ..share }, 510_000), Refusal::LineUnknown);
    check(2, dispute(share, PROVINCE), Refusal::LineDisputed);
    check(2, ClearingCommand::Agree { period, line: share.id, side: PROVINCE, by: by() }, Refusal::LineNotDisputed);
    check(4, dispute(share, 510_000), Refusal::SideConfirmed);
    check(1, ClearingCommand::Confirm { period, side: 440_000, root: [1; 32], by: by() }, Refusal::SideUnknown);
    check(1, ClearingCommand::Confirm { period, side: 510_000, root: [2; 32], by: by() }, Refusal::StatementDiffers);
    check(4, ClearingCommand::Confirm { period, side: 510_000, root: [1; 32], by: by() }, Refusal::SideConfirmed);
    // Released by two persons, when all have confirmed, and with dues that bring each what it is owed.
    let release = |statement, dues, checker: &str| ClearingCommand::Release { period, statement, dues, maker: by(), checker: checker.to_owned() };
    check(4, release(statement(1, 1, 100), vec![due()], "op-wang"), Refusal::SidesSilent { count: 1 });
    for dues in
        [vec![], vec![Due { amount: Fen(99), ..due() }], vec![due(), due()], vec![Due { to: 440_000, ..due() }], vec![due(), Due { from: PROVINCE, ..due() }]]
    {
        check(5, release(statement(1, 1, 100), dues, "op-wang"), Refusal::StatementDiffers);
    }
    check(5, release(statement(1, 0, 0), vec![], "op-wang"), Refusal::StatementDiffers);
    let alone = refusal(&clear(&mut reached(5), april(), release(statement(1, 1, 100), vec![due()], "op-li ")));
    assert_eq!(alone, Some(Reason::SameOperator));
    // Money: of a due, once, no more than is owed, and all of it before two persons say so.
    let receive = |reference: &str, from, amount| {
        let (reference, day) = (reference.to_owned(), 20_000);
        ClearingCommand::Receive { period, reference, from, to: PROVINCE, amount: Fen(amount), day, by: by() }
    };
    check(7, receive("B1", 440_000, 1), Refusal::ReceiptUnknown);
    check(8, receive("B1", 510_000, 1), Refusal::ReceiptRepeated);
    check(8, receive("B2", 510_000, 41), Refusal::ReceiptTooLarge { max: Fen(40) });
    check(8, ClearingCommand::Fund { period, maker: by(), checker: "op-wang".to_owned() }, Refusal::FundsMissing { missing: Fen(40) });
    let alone = refusal(&clear(&mut reached(9), april(), ClearingCommand::Fund { period, maker: by(), checker: by() }));
    assert_eq!(alone, Some(Reason::SameOperator));
}

#[test]
fn a_line_in_dispute_is_held_out_and_carried_over() {
    let (mut world, share) = two_provinces();
    let (by, maker, checker) = ("op-li".to_owned(), "op-li".to_owned(), "op-wang".to_owned());
    let may = april() + 30 * DAY_MS;
    cut(&mut world, 202_604, may);
    settle_messages(&mut world, may);
    let all = steps(share);
    let state_april = |lines, net| ClearingCommand::State { period: 202_604, statement: statement(2, lines, net), by: by.clone() };
    assert_eq!(refusal(&clear(&mut world, may, state_april(0, 0))), Some(Reason::Clearing(Refusal::PeriodWaits { before: MARCH })));
    for (_, _, command) in [&all[0], &all[1], &all[3], &all[4]] {
        assert_eq!(refusal(&clear(&mut world, may, command.clone())), None);
    }
    // With the line, the release no longer fits.
    let release = |lines, net, dues| ClearingCommand::Release {
        period: MARCH,
        statement: statement(3, lines, net),
        dues,
        maker: maker.clone(),
        checker: checker.clone(),
    };
    assert_eq!(refusal(&clear(&mut world, may, release(1, 100, vec![due()]))), Some(Reason::Clearing(Refusal::StatementDiffers)));
    assert_eq!(refusal(&clear(&mut world, may, release(0, 0, vec![]))), None);
    // April has it, though none of April's marks does; and may dispute it again.
    assert_eq!(refusal(&clear(&mut world, may, state_april(0, 0))), Some(Reason::Clearing(Refusal::StatementDiffers)));
    assert_eq!(refusal(&clear(&mut world, may, state_april(1, 100))), None);
    assert_eq!(period(&world, 202_604).carried, [share]);
    let again = ClearingCommand::Dispute { period: 202_604, share, side: PROVINCE, reason: "仍有异议".to_owned(), by };
    assert_eq!(refusal(&clear(&mut world, may, again)), None);
    assert_eq!(period(&world, 202_604).expected(true), (0, Fen::ZERO));
    world.assert_redo();
}
