//! The published state tables, held against everything the code can be made to do.

use crate::books::assert_books;
use crate::world::World;
use gongji_ledger::{Fen, HolderId, InstitutionId, Part};
use gongji_wallet::command::{PlaceOrder, RequestTransfer, premium_binding, transfer_binding};
use gongji_wallet::day::{DAY_MS, day_from_date, day_of, instant};
use gongji_wallet::directory::{Coverage, Directory, DirectoryChange, Institution, Premium, Readiness, Region, RegionLevel};
use gongji_wallet::event::{Payer, institution_part};
use gongji_wallet::ids::{CodeId, Key, OrderId, PaymentId, TransferId};
use gongji_wallet::object::*;
use gongji_wallet::relation::RelationCode;
use gongji_wallet::{Command, Proof};
use std::collections::BTreeSet;
use std::sync::Arc;

pub const AREA: u32 = 370_100;
const YEAR: u16 = 2026;
pub const SHOP: InstitutionId = InstitutionId(37_010_000_001);

pub fn noon() -> i64 {
    instant(day_from_date(2026, 3, 2).unwrap(), 12 * 60)
}

/// Two people in two partitions, an open region, a shop, a premium. `a` has money in account and wallet.
pub fn town(are_related: bool) -> (World, HolderId, HolderId) {
    let mut world = World::new(2, false);
    let mut directory = Directory::default();
    let day = day_from_date(2020, 1, 1).unwrap();
    directory.apply(&DirectoryChange::Region(Region {
        code: AREA,
        name: "地区".to_owned(),
        province_code: 370_000,
        province: "省".to_owned(),
        level: RegionLevel::Prefecture,
        openings: vec![(day, true)],
        change_of_use: true,
        coverage: Coverage::Area,
    }));
    directory.apply(&DirectoryChange::Institution(Institution {
        id: SHOP,
        name: "药店".to_owned(),
        area: AREA,
        is_pharmacy: true,
        level: String::new(),
        address: String::new(),
        district: String::new(),
        readiness: Readiness::Ready,
        counter: true,
        kiosk: false,
        mobile: false,
        position: None,
    }));
    let amount = Fen(400);
    directory.apply(&DirectoryChange::Premium(Premium {
        area: AREA,
        year: YEAR,
        amount,
        opens: day,
        closes: i32::MAX,
        relatives: true,
        instructions: String::new(),
    }));
    world.directory = Arc::new(directory);
    let (a, b) = (HolderId::new(1, 1), HolderId::new(2, 1));
    for (id, insurance) in [(a, EMPLOYEE), (b, RESIDENT)] {
        world.run(id.part(), noon(), Command::CreateHolder { holder: id });
        let enrolment = Enrolment { area: AREA, insurance, status: EnrolmentStatus::Normal, from: day, pooled_only: false };
        world.run(id.part(), noon(), Command::SetEnrolment { holder: id, enrolment });
        world.run(id.part(), noon(), Command::Contribute { holder: id, area: AREA, amount: Fen(1_000), month: 202_603 });
        world.run(id.part(), noon(), Command::OpenWallet { holder: id, by: id, place: AREA });
    }
    if are_related {
        relate(&mut world, a, b);
    }
    (world, a, b)
}

/// Confirms a relation by the way people do it: a transfer that is taken.
fn relate(world: &mut World, sender: HolderId, receiver: HolderId) {
    let id = TransferId(sender.0.to_be_bytes().repeat(2).try_into().unwrap());
    send(world, id, sender, receiver);
    settle_messages(world, noon());
    world.run(receiver.part(), noon(), Command::AcceptTransfer { id, receiver, by: receiver });
    settle_messages(world, noon());
}

fn send(world: &mut World, id: TransferId, sender: HolderId, receiver: HolderId) {
    let amount = Fen(500);
    let proof = Proof { id: u64::from(id.0[15]), holder: sender, bound: transfer_binding(receiver, amount, false), expires: noon() + 1 };
    let request = RequestTransfer { id, sender, receiver, relation: 71, amount, from_wallet: false, proof: Some(proof) };
    world.run(sender.part(), noon(), Command::RequestTransfer(request));
}

pub fn settle_messages(world: &mut World, stamp: i64) {
    loop {
        let next = world.in_flight().next().map(|(from, to, number, _)| (from, to, number));
        let Some((from, to, number)) = next else { return };
        world.deliver(from, to, number, stamp);
    }
}

/// Plays every sequence of `steps` actions and collects each change of state that `states` sees.
fn explore<S: Copy + Ord>(
    start: &World,
    actions: &[&dyn Fn(&mut World)],
    steps: usize,
    states: &dyn Fn(&World) -> Vec<Option<S>>,
    seen: &mut BTreeSet<(S, S)>,
) {
    if steps == 0 {
        return;
    }
    for action in actions {
        let mut world = start.clone();
        let before = states(&world);
        action(&mut world);
        for (from, to) in before.into_iter().zip(states(&world)) {
            if let (Some(from), Some(to)) = (from, to)
                && from != to
            {
                seen.insert((from, to));
            }
        }
        assert_books(&world);
        explore(&world, actions, steps - 1, states, seen);
    }
}

pub fn deliver_next(world: &mut World, stamp: i64, from: Part, to: Part) {
    if world.wires.get(&(from, to)).is_some_and(|wire| wire.len() as u64 > world.received(from, to)) {
        let number = world.received(from, to) + 1;
        world.deliver(from, to, number, stamp);
    }
}

fn due(world: &mut World, stamp: i64) {
    for (part, key) in world.overdue(stamp) {
        world.run(part, stamp, Command::Due(key));
    }
}

#[test]
fn a_transfer_makes_each_step_of_its_table_and_no_other() {
    let id = TransferId([7; 16]);
    let mut seen = BTreeSet::new();
    for are_related in [false, true] {
        let (mut world, a, b) = town(are_related);
        send(&mut world, id, a, b);
        let status = |holder: HolderId, insurance, status| Command::SetEnrolment {
            holder,
            enrolment: Enrolment { area: AREA, insurance, status, from: 0, pooled_only: false },
        };
        let late = noon() + DAY_MS;
        let actions: [&dyn Fn(&mut World); 9] = [
            &|world| deliver_next(world, noon(), 1, 2),
            &|world| deliver_next(world, noon(), 2, 1),
            &|world| drop(world.run(2, noon(), Command::AcceptTransfer { id, receiver: b, by: b })),
            &|world| drop(world.run(2, noon(), Command::DeclineTransfer { id, receiver: b, by: b })),
            &|world| drop(world.run(2, noon(), Command::CancelTransfer { id, sender: a })),
            &|world| drop(world.run(2, noon(), status(b, RESIDENT, EnrolmentStatus::Paused))),
            &|world| drop(world.run(1, noon(), Command::RegisterDeath { holder: a })),
            &|world| due(world, late),
            &|world| deliver_next(world, late, 1, 2),
        ];
        // What both sides hold of it; before it has arrived, the receiver's side knows it as submitted.
        let states = |world: &World| {
            let sent = match world.object(1, Key::Outgoing(id)) {
                Some(Object::Outgoing(outgoing)) => Some(outgoing.state),
                _ => None,
            };
            let arrived = match world.object(2, Key::Incoming(id)) {
                Some(Object::Incoming(incoming)) => Some(incoming.state),
                _ => sent.map(|_| TransferState::Submitted),
            };
            vec![sent, arrived]
        };
        explore(&world, &actions, 4, &states, &mut seen);
    }
    let table: BTreeSet<_> = TransferState::ALL.into_iter().flat_map(|from| from.next().iter().map(move |to| (from, *to))).collect();
    assert_eq!(seen, table);
    for state in TransferState::ALL {
        assert_eq!(state.is_final(), state.next().is_empty(), "{state:?}");
    }
}

/// A state, and how often it was entered or kept by a step, so that a step from a state to itself is seen.
fn payment_states(world: &World, payments: &[PaymentId]) -> Vec<Option<(PaymentState, usize)>> {
    payments
        .iter()
        .map(|id| match world.object(1, Key::Payment(*id)) {
            Some(Object::Payment(payment)) => Some((payment.state, payment.captures.len() + payment.refunds.len())),
            _ => None,
        })
        .collect()
}

#[test]
fn a_payment_makes_each_step_of_its_table_and_no_other() {
    let (mut world, a, b) = town(true);
    let code = CodeId([5; 16]);
    let payment = PaymentId::new([6; 16], 1);
    let order = OrderId { institution: SHOP, number: [8; 16] };
    let at = institution_part(SHOP, 2);
    let late = noon() + 2 * DAY_MS;
    world.run(1, noon(), Command::IssueCode { holder: a, by: a, code, first: PayFirst::Personal });
    let bill = Bill { total: Fen(300), fund: Fen::ZERO, own: Fen(300), institution: Fen::ZERO };
    world.run(
        at,
        noon(),
        Command::PlaceOrder(PlaceOrder {
            order,
            number: "8".to_owned(),
            payment,
            payer: Payer::Code(code),
            bill,
            partial: false,
            visit: Visit::at_counter(day_of(noon())),
            quote: None,
        }),
    );
    settle_messages(&mut world, noon());
    let capture = |amount, last| Command::Capture { payment, order, amount: Fen(amount), last };
    let actions: [&dyn Fn(&mut World); 9] = [
        &|world| drop(world.run(1, noon(), capture(100, false))),
        &|world| drop(world.run(1, noon(), capture(100, true))),
        &|world| drop(world.run(1, noon(), capture(300, false))),
        &|world| drop(world.run(1, noon(), Command::Void { payment, order })),
        &|world| drop(world.run(1, noon(), Command::Refund { payment, order, amount: Fen(50) })),
        &|world| drop(world.run(1, noon(), Command::Refund { payment, order, amount: Fen(100) })),
        &|world| drop(world.run(at, noon(), Command::ReverseOrder { order, number: "8".to_owned() })),
        &|world| settle_messages(world, noon()),
        &|world| due(world, late),
    ];
    let mut seen = BTreeSet::new();
    explore(&world, &actions, 4, &|world| payment_states(world, &[payment]), &mut seen);

    // A premium: taken once, then refused.
    let premiums = [PaymentId::new([9; 16], 1), PaymentId::new([10; 16], 1)];
    for (payment, proof) in premiums.into_iter().zip(100..) {
        let proof = Proof { id: proof, holder: a, bound: premium_binding(a, b, AREA, YEAR), expires: noon() + 1 };
        fill_wallet(&mut world, a, b);
        world.run(1, noon(), Command::PayPremium { payment, payer: a, by: a, insured: b, area: AREA, year: YEAR, proof: Some(proof) });
    }
    explore(&world, &[&|world| settle_messages(world, noon())], 1, &|world| payment_states(world, &premiums), &mut seen);

    let made: BTreeSet<_> = seen.into_iter().map(|((from, _), (to, _))| (from, to)).collect();
    let table: BTreeSet<_> = PaymentState::ALL.into_iter().flat_map(|from| from.next().iter().map(move |to| (from, *to))).collect();
    assert_eq!(made, table);
}

/// Fills a's wallet from b, who has an account for a moment, so that a premium can be paid of it.
fn fill_wallet(world: &mut World, a: HolderId, b: HolderId) {
    world.run(2, noon(), Command::Contribute { holder: b, area: AREA, amount: Fen(1_000), month: 202_603 });
    let enrolment = |insurance| Enrolment { area: AREA, insurance, status: EnrolmentStatus::Normal, from: 0, pooled_only: false };
    world.run(2, noon(), Command::SetEnrolment { holder: b, enrolment: enrolment(EMPLOYEE) });
    let serial = world.wires.get(&(2, 1)).map_or(0, Vec::len) as u8;
    send(world, TransferId([100 + serial; 16]), b, a);
    world.run(2, noon(), Command::SetEnrolment { holder: b, enrolment: enrolment(RESIDENT) });
    settle_messages(world, noon());
}

/// Section 1.2 of the domain note, written out: what may be said of a near relative. Every other number from 0 to 255 is refused.
const ALLOWED: [u8; 37] =
    [10, 11, 12, 20, 21, 22, 23, 24, 25, 26, 27, 29, 30, 31, 32, 33, 34, 35, 36, 37, 39, 41, 42, 43, 44, 51, 52, 57, 58, 61, 62, 63, 64, 71, 73, 75, 77];

#[test]
fn each_relation_code_is_sent_or_refused_as_the_list_says() {
    for code in 0..=u8::MAX {
        let (mut world, a, b) = town(false);
        let amount = Fen(1);
        let proof = Proof { id: 1, holder: a, bound: transfer_binding(b, amount, false), expires: noon() + 1 };
        let request = RequestTransfer { id: TransferId([7; 16]), sender: a, receiver: b, relation: code, amount, from_wallet: false, proof: Some(proof) };
        let batch = world.run(1, noon(), Command::RequestTransfer(request));
        let is_sent = matches!(&batch.decisions[0], gongji_wallet::Decision::New(gongji_wallet::Outcome::Transfer { .. }));
        assert_eq!(is_sent, ALLOWED.contains(&code), "{code}: {:?}", batch.decisions);
        assert_eq!(is_sent, RelationCode::try_new(code).is_ok());
        if !is_sent {
            let gongji_wallet::Decision::New(gongji_wallet::Outcome::Refused(reasons)) = &batch.decisions[0] else { panic!("{code}") };
            assert_eq!(reasons, &[gongji_wallet::Reason::RelationRefused], "{code}: nothing else is wrong");
        }
    }
}
