//! Journeys through every fact: what families, institutions and offices do.

use crate::town::Town;
use gongji_ledger::{Fen, GrantKind, HolderId, InstitutionId};
use gongji_wallet::Outcome;
use gongji_wallet::clearing::{ClearingCommand, Due, Month, Share, Statement, shares};
use gongji_wallet::command::{Command, PlaceOrder, Proof, RequestTransfer, keypad_binding, place_binding, premium_binding, transfer_binding};
use gongji_wallet::day::{day_of, instant};
use gongji_wallet::directory::{Coverage, DirectoryChange, Institution, Premium, Readiness, Region, RegionLevel};
use gongji_wallet::event::{Payer, institution_part};
use gongji_wallet::ids::{CodeId, Key, OrderId, PaymentId, TransferId};
use gongji_wallet::object::*;
use gongji_wallet::rules::{RuleChange, Scope, Setting};

pub const JINAN: u32 = 370_100;
pub const LANZHOU: u32 = 620_100;
pub const HOSPITAL: &str = "H37010000001";
pub const PHARMACY: &str = "P62010000002";

pub fn father() -> HolderId {
    HolderId::new(1, 1)
}

pub fn mother() -> HolderId {
    HolderId::new(2, 1)
}

/// Lives in the father's partition.
pub fn son() -> HolderId {
    HolderId::new(1, 2)
}

fn granter() -> HolderId {
    HolderId::new(3, 1)
}

fn grandchild() -> HolderId {
    HolderId::new(2, 2)
}

fn done(outcome: Outcome) {
    assert_eq!(outcome, Outcome::Done);
}

pub fn directory(town: &mut Town) {
    let region = |code, province_code, name: &str| {
        DirectoryChange::Region(Region {
            code,
            name: name.to_owned(),
            province_code,
            province: name.to_owned(),
            level: RegionLevel::Prefecture,
            openings: vec![(0, true)],
            change_of_use: true,
            coverage: Coverage::Area,
        })
    };
    let institution = |code: &str, area| {
        let id = InstitutionId::parse(code).unwrap();
        DirectoryChange::Institution(Institution {
            id,
            name: "示例机构".to_owned(),
            area,
            is_pharmacy: id.is_pharmacy(),
            level: "三级".to_owned(),
            address: "示例路 1 号".to_owned(),
            district: "示例区".to_owned(),
            readiness: Readiness::Ready,
            counter: true,
            kiosk: false,
            mobile: true,
            position: Some((117_000_000, -36_000_000)),
        })
    };
    let premium = Premium { area: JINAN, year: 2026, amount: Fen(40_000), opens: 0, closes: 40_000, relatives: true, instructions: "每年一次".to_owned() };
    let rules = RuleChange { version: 2, scope: Scope::Province(620_000), from: 0, settings: vec![Setting::Kind(GrantKind::Quota)] };
    done(town.ask(
        0,
        Command::ChangeDirectory(vec![
            region(JINAN, 370_000, "济南市"),
            region(LANZHOU, 620_000, "兰州市"),
            DirectoryChange::Opening { area: LANZHOU, from: 100, open: true },
            institution(HOSPITAL, JINAN),
            institution(PHARMACY, LANZHOU),
            DirectoryChange::Premium(premium),
            DirectoryChange::Rules(rules),
        ]),
    ));
}

pub fn enrol(town: &mut Town, holder: HolderId, area: u32, insurance: u16, fen: i64, has_wallet: bool) {
    let enrolment = Enrolment { area, insurance, status: EnrolmentStatus::Normal, from: 100, pooled_only: false };
    let mut commands = vec![Command::CreateHolder { holder }, Command::SetEnrolment { holder, enrolment }];
    if fen > 0 {
        commands.push(Command::Contribute { holder, area, amount: Fen(fen), month: 202_409 });
    }
    if has_wallet {
        commands.push(Command::OpenWallet { holder, by: holder, place: area });
    }
    town.batch(holder.part(), commands).into_iter().for_each(done);
}

fn proof(town: &mut Town, holder: HolderId, bound: [u8; 16]) -> Proof {
    let id = town.id();
    Proof { id: u64::from_be_bytes(id[8..].try_into().unwrap()), holder, bound, expires: town.now + 300_000 }
}

pub fn send(town: &mut Town, sender: HolderId, receiver: HolderId, fen: i64, from_wallet: bool) -> TransferId {
    let proof = proof(town, sender, transfer_binding(receiver, Fen(fen), from_wallet));
    let id = TransferId(town.id());
    let request = RequestTransfer { id, sender, receiver, relation: 10, amount: Fen(fen), from_wallet, proof: Some(proof) };
    let outcome = town.ask(sender.part(), Command::RequestTransfer(request));
    assert!(matches!(outcome, Outcome::Transfer { .. }), "{outcome:?}");
    id
}

pub fn accept(town: &mut Town, id: TransferId, receiver: HolderId) {
    let outcome = town.ask(receiver.part(), Command::AcceptTransfer { id, receiver, by: receiver });
    assert!(matches!(outcome, Outcome::Transfer { state: TransferState::Credited, .. }), "{outcome:?}");
    town.deliver();
}

struct Till {
    order: OrderId,
    payment: PaymentId,
    payer: HolderId,
}

/// An order at an institution, paid with a code or at the keypad.
fn order(town: &mut Town, institution: &str, payer: HolderId, own: i64, first: PayFirst, keypad: bool) -> Till {
    let order = OrderId { institution: InstitutionId::parse(institution).unwrap(), number: town.id() };
    let payment = PaymentId::new(town.id(), payer.part());
    let bill = Bill { total: Fen(own + 500), fund: Fen(400), own: Fen(own), institution: Fen(100) };
    let asked_of = if keypad {
        let proof = proof(town, payer, keypad_binding(order, Fen(own)));
        Payer::Holder { holder: payer, by: payer, first, proof }
    } else {
        let code = CodeId(town.id());
        let outcome = town.ask(payer.part(), Command::IssueCode { holder: payer, by: payer, code, first });
        assert!(matches!(outcome, Outcome::Code { .. }), "{outcome:?}");
        Payer::Code(code)
    };
    let part = institution_part(order.institution, town.parts);
    let place = PlaceOrder {
        order,
        number: "单 1".to_owned(),
        payment,
        payer: asked_of,
        bill,
        partial: false,
        visit: Visit::at_counter(day_of(town.now)),
        quote: None,
    };
    assert!(matches!(town.ask(part, Command::PlaceOrder(place)), Outcome::Order { .. }));
    town.deliver();
    Till { order, payment, payer }
}

fn step(town: &mut Town, till: &Till, command: Command) -> PaymentState {
    let outcome = town.ask(till.payer.part(), command);
    town.deliver();
    match outcome {
        Outcome::Payment { state, .. } => state,
        other => panic!("{other:?}"),
    }
}

fn capture(town: &mut Town, till: &Till, fen: i64, last: bool) -> PaymentState {
    step(town, till, Command::Capture { payment: till.payment, order: till.order, amount: Fen(fen), last })
}

fn refund(town: &mut Town, till: &Till, fen: i64) -> PaymentState {
    step(town, till, Command::Refund { payment: till.payment, order: till.order, amount: Fen(fen) })
}

fn reverse(town: &mut Town, till: &Till) {
    let part = institution_part(till.order.institution, town.parts);
    town.ask(part, Command::ReverseOrder { order: till.order, number: "单 1".to_owned() });
    town.deliver();
}

fn premium(town: &mut Town, payer: HolderId, insured: HolderId) -> Outcome {
    let proof = proof(town, payer, premium_binding(payer, insured, JINAN, 2026));
    let payment = PaymentId::new(town.id(), payer.part());
    let outcome = town.ask(payer.part(), Command::PayPremium { payment, payer, by: payer, insured, area: JINAN, year: 2026, proof: Some(proof) });
    town.deliver();
    outcome
}

/// A family of two that sent one transfer, which was taken.
pub fn small(parts: u16) -> Town {
    let mut town = Town::new(parts);
    directory(&mut town);
    enrol(&mut town, father(), JINAN, EMPLOYEE, 300_000, true);
    enrol(&mut town, HolderId::new(parts.min(2), 9), JINAN, RESIDENT, 0, true);
    let id = send(&mut town, father(), HolderId::new(parts.min(2), 9), 50_000, false);
    town.deliver();
    accept(&mut town, id, HolderId::new(parts.min(2), 9));
    town
}

/// Everything that can happen, over three partitions.
pub fn full() -> Town {
    let mut town = Town::new(3);
    let town = &mut town;
    directory(town);
    enrol(town, father(), JINAN, EMPLOYEE, 5_000_000, true);
    enrol(town, mother(), JINAN, RESIDENT, 0, true);
    enrol(town, son(), JINAN, RESIDENT, 0, true);
    enrol(town, granter(), LANZHOU, EMPLOYEE, 900_000, false);
    enrol(town, grandchild(), LANZHOU, RESIDENT, 0, true);
    transfers(town);
    payments(town);
    premiums(town);
    quota(town);
    clearing(town);
    office(town);
    std::mem::replace(town, Town::new(1))
}

fn transfers(town: &mut Town) {
    let id = send(town, father(), mother(), 50_000, false);
    town.deliver();
    accept(town, id, mother());
    send(town, father(), mother(), 30_000, false);
    town.deliver();
    let id = send(town, father(), son(), 120_000, false);
    accept(town, id, son());
    town.next_day();
    // Declined, cancelled, returned at the deadline; nobody on file.
    enrol(town, HolderId::new(3, 7), JINAN, RESIDENT, 0, false);
    let stranger = HolderId::new(3, 7);
    let id = send(town, father(), stranger, 100, false);
    town.deliver();
    town.ask(3, Command::DeclineTransfer { id, receiver: stranger, by: stranger });
    town.deliver();
    let id = send(town, father(), stranger, 200, false);
    town.deliver();
    town.ask(3, Command::CancelTransfer { id, sender: father() });
    town.deliver();
    let id = send(town, father(), stranger, 300, false);
    town.deliver();
    town.now = instant(20_002, 360);
    town.batch(3, vec![Command::Due(Key::Incoming(id))]);
    town.deliver();
    town.now = instant(20_002, 600);
    send(town, father(), HolderId::nobody(2), 400, false);
    town.deliver();
    // From wallet to wallet: the origin travels along. One in each direction, in one batch of mail.
    send(town, mother(), father(), 20_000, true);
    send(town, son(), father(), 5_000, true);
    town.deliver();
    town.deliver();
    town.next_day();
}

fn payments(town: &mut Town) {
    // Parts captured, the rest released, parts refunded.
    let till = order(town, HOSPITAL, father(), 40_000, PayFirst::Wallet, false);
    assert_eq!(capture(town, &till, 10_000, false), PaymentState::PartlyCaptured);
    assert_eq!(refund(town, &till, 2_000), PaymentState::PartlyCaptured);
    assert_eq!(capture(town, &till, 20_000, true), PaymentState::Captured);
    assert_eq!(refund(town, &till, 25_000), PaymentState::Captured);
    assert_eq!(refund(town, &till, 3_000), PaymentState::Captured);
    // At the keypad; voided.
    let till = order(town, HOSPITAL, mother(), 10_000, PayFirst::WalletOnly, true);
    assert_eq!(step(town, &till, Command::Void { payment: till.payment, order: till.order }), PaymentState::Voided);
    // Reversed after a capture, while held, after a part; expired; refused for want of money; reversed before it was placed.
    let till = order(town, HOSPITAL, father(), 9_000, PayFirst::Personal, false);
    capture(town, &till, 9_000, false);
    reverse(town, &till);
    let till = order(town, HOSPITAL, father(), 8_000, PayFirst::Personal, false);
    reverse(town, &till);
    let till = order(town, HOSPITAL, father(), 7_000, PayFirst::Wallet, false);
    capture(town, &till, 3_000, false);
    reverse(town, &till);
    let expiring = order(town, HOSPITAL, mother(), 6_000, PayFirst::Wallet, false);
    order(town, HOSPITAL, mother(), 9_000_000, PayFirst::Wallet, false);
    let unplaced = Till { order: OrderId { institution: InstitutionId::parse(HOSPITAL).unwrap(), number: [9; 16] }, ..till };
    reverse(town, &unplaced);
    town.next_day();
    town.next_day();
    town.batch(2, vec![Command::Due(Key::Payment(expiring.payment))]);
    town.deliver();
    // One that stays held, so that the books show it.
    order(town, HOSPITAL, father(), 1_234, PayFirst::Personal, false);
}

fn premiums(town: &mut Town) {
    assert!(matches!(premium(town, mother(), mother()), Outcome::Premium { .. }));
    // The father pays for the son; the second time it is refused and given back.
    let id = send(town, father(), son(), 90_000, false);
    town.deliver();
    assert!(matches!(town.partitions[1].objects.0.get(&Key::Made(id)).map(|o| (**o).clone()), Some(Object::Made(made)) if made.receiver == son()));
    assert!(matches!(premium(town, son(), son()), Outcome::Premium { state: PaymentState::Captured, .. }));
    send(town, son(), father(), 60_000, true);
    town.deliver();
    assert!(matches!(premium(town, father(), son()), Outcome::Premium { state: PaymentState::Refused, .. }));
    town.next_day();
}

/// A quota: part of it held by a payment when the relation ends.
fn quota(town: &mut Town) {
    let id = send(town, granter(), grandchild(), 80_000, false);
    town.deliver();
    accept(town, id, grandchild());
    let till = order(town, PHARMACY, grandchild(), 30_000, PayFirst::Wallet, false);
    capture(town, &till, 10_000, false);
    done(town.ask(2, Command::EndRelation { holder: grandchild(), by: grandchild(), other: granter() }));
    town.deliver();
    assert_eq!(capture(town, &till, 5_000, true), PaymentState::Captured);
    refund(town, &till, 15_000);
    town.next_day();
}

/// Every line of a period, read off the takings up to the marks.
pub fn shares_of(town: &Town, period: Month) -> Vec<Share> {
    let mut all = Vec::new();
    for (part, partition) in (0_u16..).zip(&town.partitions) {
        let Some(Object::Mark(mark)) = partition.objects.0.get(&Key::Mark(period)).map(|object| &**object) else { continue };
        all.extend(partition.takings.iter().filter(|taking| taking.number <= mark.takings).flat_map(|taking| shares(part, taking)));
    }
    all
}

/// What each province gets of some lines.
pub fn nets(shares: &[Share]) -> Vec<(u32, Fen)> {
    let mut nets = std::collections::BTreeMap::new();
    for share in shares {
        *nets.entry(share.creditor / 10_000 * 10_000).or_insert(Fen::ZERO) += share.amount;
        *nets.entry(share.debtor / 10_000 * 10_000).or_insert(Fen::ZERO) -= share.amount;
    }
    nets.into_iter().collect()
}

fn statement(root: u8, shares: &[Share]) -> Statement {
    Statement { root: [root; 32], lines: shares.len() as u64, amount: shares.iter().map(|share| share.amount).sum(), nets: nets(shares) }
}

/// September 2024, from its cut to its end: two lines between provinces, one of them disputed to the last; and October begins.
fn clearing(town: &mut Town) {
    let (payer, period, by) = (HolderId::new(3, 11), 202_409, || "op-li".to_owned());
    enrol(town, payer, LANZHOU, RESIDENT, 0, true);
    let id = send(town, father(), payer, 20_000, false);
    town.deliver();
    accept(town, id, payer);
    for fen in [12_000, 5_000] {
        let till = order(town, PHARMACY, payer, fen, PayFirst::WalletOnly, false);
        assert_eq!(capture(town, &till, fen, true), PaymentState::Captured);
    }
    let mut clear = |command| {
        done(town.ask(0, Command::Clearing(Box::new(command))));
        town.deliver();
        shares_of(town, period)
    };
    let all = clear(ClearingCommand::Cut { period, by: by() });
    let crossing: Vec<Share> = all.iter().filter(|share| share.debtor != share.creditor).copied().collect();
    assert_eq!(crossing.iter().map(|share| share.amount).collect::<Vec<_>>(), [Fen(12_000), Fen(5_000)]);
    let dispute = |share| ClearingCommand::Dispute { period, share, side: 370_000, reason: "重复收费".to_owned(), by: by() };
    clear(ClearingCommand::State { period, statement: statement(1, &all), by: by() });
    clear(dispute(crossing[0]));
    clear(ClearingCommand::Agree { period, line: crossing[0].id, side: 370_000, by: by() });
    clear(dispute(crossing[1]));
    for side in [370_000, 620_000] {
        clear(ClearingCommand::Confirm { period, side, root: [1; 32], by: by() });
    }
    let rest: Vec<Share> = all.iter().filter(|share| share.id != crossing[1].id).copied().collect();
    let due = Due { from: 370_000, to: 620_000, amount: Fen(12_000) };
    clear(ClearingCommand::Release { period, statement: statement(2, &rest), dues: vec![due], maker: by(), checker: "op-wang".to_owned() });
    clear(ClearingCommand::Notice { period, by: by() });
    let receive = |reference: &str, amount| ClearingCommand::Receive {
        period,
        reference: reference.to_owned(),
        from: 370_000,
        to: 620_000,
        amount: Fen(amount),
        day: 20_020,
        by: by(),
    };
    clear(receive("B1", 7_000));
    clear(receive("B2", 5_000));
    clear(ClearingCommand::Fund { period, maker: by(), checker: "op-wang".to_owned() });
    clear(ClearingCommand::Close { period, by: by() });
    // October has what was disputed, and a refund of September's line that nobody disputed.
    let taken = crossing[0].id.taking;
    let refunded = town.partitions[3].takings.iter().find(|taking| taking.number == taken).unwrap().clone();
    let Purpose::Order { order, .. } = refunded.purpose else { panic!("{refunded:?}") };
    let outcome = town.ask(3, Command::Refund { payment: refunded.payment, order, amount: Fen(2_000) });
    assert!(matches!(outcome, Outcome::Payment { .. }), "{outcome:?}");
    let now = std::mem::replace(&mut town.now, instant(20_032, 600));
    done(town.ask(0, Command::Clearing(Box::new(ClearingCommand::Cut { period: 202_410, by: by() }))));
    town.deliver();
    let before = all.len();
    let mut october = shares_of(town, 202_410);
    october.drain(..before);
    assert_eq!(october.iter().map(|share| share.amount).collect::<Vec<_>>(), [Fen(-2_000)]);
    october.push(crossing[1]);
    done(town.ask(0, Command::Clearing(Box::new(ClearingCommand::State { period: 202_410, statement: statement(3, &october), by: by() }))));
    town.next_day();
    assert!(town.now > now);
}

fn office(town: &mut Town) {
    done(town.ask(1, Command::SetAgent { holder: son(), agent: father(), allowed: true }));
    let (maker, checker) = ("a".to_owned(), "b".to_owned());
    done(town.ask(1, Command::Freeze { holder: son(), reason: FreezeReason::CourtOrder, maker: maker.clone(), checker: checker.clone() }));
    done(town.ask(1, Command::Unfreeze { holder: son(), maker, checker }));
    // Moves to another area and takes the place of use along.
    let enrolment = Enrolment { area: LANZHOU, insurance: RESIDENT, status: EnrolmentStatus::Normal, from: 20_000, pooled_only: false };
    done(town.ask(1, Command::SetEnrolment { holder: son(), enrolment }));
    town.deliver();
    let proof = proof(town, son(), place_binding(son(), LANZHOU));
    done(town.ask(1, Command::ChangePlace { holder: son(), by: son(), place: LANZHOU, proof: Some(proof) }));
    // Dies while a transfer waits: it is recalled.
    let stranger = HolderId::new(3, 7);
    send(town, father(), stranger, 700, false);
    town.deliver();
    done(town.ask(1, Command::RegisterDeath { holder: father() }));
    town.deliver();
    // One that waits, one under way.
    enrol(town, HolderId::new(1, 8), JINAN, EMPLOYEE, 70_000, false);
    send(town, HolderId::new(1, 8), stranger, 800, false);
    town.deliver();
    enrol(town, HolderId::new(2, 8), JINAN, EMPLOYEE, 60_000, false);
    send(town, HolderId::new(2, 8), stranger, 900, false);
    town.lose_mail();
}
