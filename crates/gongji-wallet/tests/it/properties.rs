//! Random families do random things, over one partition and over four, with messages late, repeated and out of turn.
//!
//! After every step the books balance; every repeated request gets its first answer; and when the messages have arrived and the deadlines
//! have passed, nothing is left in between.

use crate::books::{assert_at_rest, assert_books, assert_lines};
use crate::world::World;
use gongji_ledger::{AreaCode, Fen, GrantKind, HolderId, InstitutionId, Part};
use gongji_wallet::command::{PlaceOrder, RequestTransfer, keypad_binding, place_binding, premium_binding, transfer_binding};
use gongji_wallet::day::{DAY_MS, HOUR_MS, MINUTE_MS, day_from_date, day_of, instant};
use gongji_wallet::directory::{Coverage, Directory, DirectoryChange, Institution, Premium, Readiness, Region, RegionLevel};
use gongji_wallet::event::{Payer, institution_part};
use gongji_wallet::ids::{CodeId, Key, OrderId, PaymentId, RequestKey, TransferId};
use gongji_wallet::object::*;
use gongji_wallet::rules::{RuleChange, Scope, Setting};
use gongji_wallet::{Command, Decision, Outcome, Proof, Request};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

const PEOPLE: usize = 6;
/// The second grants quota; the third allows several pending transfers, and closes in between.
const AREAS: [AreaCode; 3] = [370_100, 510_500, 620_100];
const SHOPS: [InstitutionId; 2] = [InstitutionId(37_010_000_001), InstitutionId(51_050_000_002)];
const YEAR: u16 = 2026;

/// One step. People, areas, orders and the like are given by number, taken modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    Wait(Wait),
    Send { from: usize, to: usize, amount: i64, wallet: bool, code: u8, is_proven: bool },
    Accept { transfer: usize, by: usize },
    Decline { transfer: usize, by: usize },
    Cancel { transfer: usize },
    Open { who: usize, by: usize },
    Allow { who: usize, agent: usize, allowed: bool },
    End { who: usize, other: usize },
    Earn { who: usize, area: usize, amount: i64 },
    Enrol { who: usize, area: usize, insurance: u8, status: u8 },
    Die { who: usize },
    Freeze { who: usize, frozen: bool },
    Move { who: usize, area: usize },
    Show { who: usize, first: u8 },
    Pay { who: usize, first: u8, own: i64, partial: bool },
    Charge { code: usize, shop: usize, own: i64, fund: i64, partial: bool },
    Keypad { who: usize, by: usize, shop: usize, own: i64, order: Option<usize> },
    Capture { order: usize, amount: i64, last: bool },
    Void { order: usize },
    Refund { order: usize, amount: i64 },
    Reverse { order: usize },
    Premium { payer: usize, insured: usize, area: usize },
    Deliver { wire: usize, ahead: i8 },
    DeliverAll,
    Due,
    Again { request: usize, other_body: bool },
}

#[derive(Clone, Copy, Debug)]
enum Wait {
    Instant,
    Minute,
    Night,
    Morning,
    Day,
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![
        30 => 1..3_000i64,
        1 => Just(0),
        1 => Just(200_000),
        1 => Just(200_001),
        1 => -5..0i64,
        1 => Just(i64::MAX),
        1 => Just(i64::MIN),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..PEOPLE;
    let which = 0..64usize;
    let area = 0..AREAS.len();
    prop_oneof![
        8 => prop_oneof![8 => Just(Wait::Instant), 2 => Just(Wait::Minute), 1 => Just(Wait::Night), 3 => Just(Wait::Morning), 1 => Just(Wait::Day)].prop_map(Step::Wait),
        20 => (who.clone(), prop_oneof![12 => 0..PEOPLE, 1 => Just(PEOPLE)], amount(), prop::bool::weighted(0.3), prop_oneof![30 => Just(71u8), 1 => any::<u8>()], prop::bool::weighted(0.95))
            .prop_map(|(from, to, amount, wallet, code, is_proven)| Step::Send { from, to, amount, wallet, code, is_proven }),
        14 => (which.clone(), prop_oneof![8 => Just(PEOPLE), 1 => who.clone()]).prop_map(|(transfer, by)| Step::Accept { transfer, by }),
        3 => (which.clone(), prop_oneof![8 => Just(PEOPLE), 1 => who.clone()]).prop_map(|(transfer, by)| Step::Decline { transfer, by }),
        3 => which.clone().prop_map(|transfer| Step::Cancel { transfer }),
        2 => (who.clone(), who.clone()).prop_map(|(who, by)| Step::Open { who, by }),
        2 => (who.clone(), who.clone(), any::<bool>()).prop_map(|(who, agent, allowed)| Step::Allow { who, agent, allowed }),
        4 => (who.clone(), who.clone()).prop_map(|(who, other)| Step::End { who, other }),
        2 => (who.clone(), area.clone(), amount()).prop_map(|(who, area, amount)| Step::Earn { who, area, amount }),
        3 => (who.clone(), area.clone(), 0..3u8, 0..6u8).prop_map(|(who, area, insurance, status)| Step::Enrol { who, area, insurance, status }),
        1 => who.clone().prop_map(|who| Step::Die { who }),
        2 => (who.clone(), prop::bool::weighted(0.3)).prop_map(|(who, frozen)| Step::Freeze { who, frozen }),
        1 => (who.clone(), area.clone()).prop_map(|(who, area)| Step::Move { who, area }),
        3 => (who.clone(), 0..3u8).prop_map(|(who, first)| Step::Show { who, first }),
        16 => (who.clone(), 0..3u8, 1..3_000i64, any::<bool>()).prop_map(|(who, first, own, partial)| Step::Pay { who, first, own, partial }),
        5 => (which.clone(), 0..SHOPS.len(), amount(), prop_oneof![3 => Just(0i64), 1 => amount()], any::<bool>()).prop_map(|(code, shop, own, fund, partial)| Step::Charge { code, shop, own, fund, partial }),
        4 => (who.clone(), prop_oneof![3 => Just(PEOPLE), 1 => who.clone()], 0..SHOPS.len(), amount(), prop::option::weighted(0.2, which.clone()))
            .prop_map(|(who, by, shop, own, order)| Step::Keypad { who, by, shop, own, order }),
        10 => (which.clone(), amount(), prop::bool::weighted(0.3)).prop_map(|(order, amount, last)| Step::Capture { order, amount, last }),
        3 => which.clone().prop_map(|order| Step::Void { order }),
        8 => (which.clone(), amount()).prop_map(|(order, amount)| Step::Refund { order, amount }),
        3 => which.clone().prop_map(|order| Step::Reverse { order }),
        4 => (who.clone(), who, area).prop_map(|(payer, insured, area)| Step::Premium { payer, insured, area }),
        16 => (which.clone(), prop_oneof![6 => Just(0i8), 1 => -3..4i8]).prop_map(|(wire, ahead)| Step::Deliver { wire, ahead }),
        4 => Just(Step::DeliverAll),
        4 => Just(Step::Due),
        5 => (which, prop::bool::weighted(0.2)).prop_map(|(request, other_body)| Step::Again { request, other_body }),
    ]
}

struct Order {
    id: OrderId,
    payment: PaymentId,
}

struct Sent {
    id: TransferId,
    sender: HolderId,
    receiver: HolderId,
}

struct Family {
    world: World,
    people: Vec<HolderId>,
    now: i64,
    serial: u64,
    transfers: Vec<Sent>,
    codes: Vec<(CodeId, HolderId)>,
    orders: Vec<Order>,
    /// Decided together before anything else happens, as long as they are of one partition.
    waiting: Vec<(Part, Request)>,
    answered: Vec<(Part, Request, Outcome)>,
}

fn directory() -> Directory {
    let mut directory = Directory::default();
    let day = |month, day| day_from_date(2026, month, day).unwrap();
    for area in AREAS {
        let openings = if area == AREAS[2] { vec![(day(1, 1), true), (day(3, 4), false), (day(3, 6), true)] } else { vec![(day(1, 1), true)] };
        directory.apply(&DirectoryChange::Region(Region {
            code: area,
            name: area.to_string(),
            province_code: area / 10_000 * 10_000,
            province: String::new(),
            level: RegionLevel::Prefecture,
            openings,
            change_of_use: true,
            coverage: Coverage::Area,
        }));
        let (opens, closes) = (day(1, 1), day(12, 31));
        directory.apply(&DirectoryChange::Premium(Premium { area, year: YEAR, amount: Fen(700), opens, closes, relatives: true, instructions: String::new() }));
    }
    for (shop, area) in SHOPS.into_iter().zip(AREAS) {
        directory.apply(&DirectoryChange::Institution(Institution {
            id: shop,
            name: shop.to_string(),
            area,
            is_pharmacy: false,
            level: String::new(),
            address: String::new(),
            district: String::new(),
            readiness: Readiness::Ready,
            counter: true,
            kiosk: true,
            mobile: true,
            position: None,
        }));
    }
    let rule = |version, area, settings| DirectoryChange::Rules(RuleChange { version, scope: Scope::Area(area), from: day(1, 1), settings });
    directory.apply(&rule(2, AREAS[1], vec![Setting::Kind(GrantKind::Quota), Setting::DailyCountMax(9), Setting::DailyTotalMax(Some(Fen(9_000)))]));
    directory.apply(&rule(3, AREAS[2], vec![Setting::OneAtATime(false), Setting::ReturnedCounts(false), Setting::DailyCountMax(9)]));
    directory
}

impl Family {
    fn new(parts: Part, is_cold: bool) -> Family {
        let mut world = World::new(parts, is_cold);
        world.directory = Arc::new(directory());
        let people: Vec<HolderId> = (0..PEOPLE).map(|at| HolderId::new(at as Part % parts + 1, at as u64 + 1)).collect();
        let now = instant(day_from_date(2026, 3, 2).unwrap(), 10 * 60);
        let mut family =
            Family { world, people, now, serial: 0, transfers: Vec::new(), codes: Vec::new(), orders: Vec::new(), waiting: Vec::new(), answered: Vec::new() };
        for at in 0..PEOPLE {
            let (holder, area) = (family.people[at], AREAS[at % AREAS.len()]);
            let insurance = if at == 5 { RESIDENT } else { EMPLOYEE };
            family.office(holder, Command::CreateHolder { holder });
            let enrolment = Enrolment { area, insurance, status: EnrolmentStatus::Normal, from: day_of(now), pooled_only: false };
            family.office(holder, Command::SetEnrolment { holder, enrolment });
            family.office(holder, Command::Contribute { holder, area, amount: Fen(30_000), month: 202_603 });
            if at != 3 {
                family.office(holder, Command::OpenWallet { holder, by: holder, place: area });
            }
        }
        for (sender, receiver) in [(0, 1), (1, 2), (4, 5), (2, 0), (1, 0), (4, 2)] {
            family.relate(family.people[sender], family.people[receiver]);
        }
        family.now = instant(day_of(now) + 1, 6 * 60);
        family
    }

    /// A first transfer, taken.
    fn relate(&mut self, sender: HolderId, receiver: HolderId) {
        let (id, amount) = (TransferId(self.fresh()), Fen(2_000));
        let proof = Some(self.proof(sender, transfer_binding(receiver, amount, false)));
        self.office(sender, Command::RequestTransfer(RequestTransfer { id, sender, receiver, relation: 71, amount, from_wallet: false, proof }));
        self.deliver_all();
        self.office(receiver, Command::AcceptTransfer { id, receiver, by: receiver });
        self.deliver_all();
    }

    fn office(&mut self, holder: HolderId, command: Command) {
        self.world.run(holder.part(), self.now, command);
    }

    fn fresh(&mut self) -> [u8; 16] {
        self.serial += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.serial.to_be_bytes());
        id
    }

    fn proof(&mut self, by: HolderId, bound: [u8; 16]) -> Proof {
        self.serial += 1;
        Proof { id: self.serial, holder: by, bound, expires: self.now + 5 * MINUTE_MS }
    }

    /// Asks for something; it is decided with what is asked next of the same partition.
    fn ask(&mut self, part: Part, command: Command) {
        let key = self.fresh();
        if self.waiting.first().is_some_and(|(other, _)| *other != part) {
            self.decide();
        }
        self.waiting.push((part, Request { idempotency: Some((RequestKey(key), [1; 16])), command }));
        if self.waiting.len() == 3 || self.serial.is_multiple_of(2) {
            self.decide();
        }
    }

    fn decide(&mut self) {
        let Some((part, _)) = self.waiting.first() else { return };
        let part = *part;
        let requests: Vec<Request> = self.waiting.drain(..).map(|(_, request)| request).collect();
        let batch = self.world.batch(part, self.now, &requests);
        for (request, decision) in requests.into_iter().zip(batch.decisions) {
            let Decision::New(outcome) = decision else { panic!("a fresh key is answered anew: {decision:?}") };
            self.answered.push((part, request, outcome));
        }
        assert_books(&self.world);
    }

    /// One that waits, more often than not; else any.
    fn some_transfer(&self, at: usize) -> Option<(TransferId, HolderId, HolderId)> {
        let waiting = self.people.iter().filter_map(|id| self.world.holder(*id)).flat_map(|holder| &holder.incoming);
        let waiting: Vec<TransferId> = waiting.copied().collect();
        let sent = match at.checked_rem(waiting.len()) {
            Some(nth) if !at.is_multiple_of(4) => self.transfers.iter().find(|sent| sent.id == waiting[nth]),
            _ => self.transfers.get(at.checked_rem(self.transfers.len())?),
        }?;
        Some((sent.id, sent.sender, sent.receiver))
    }

    fn place(&self, holder: HolderId) -> Option<AreaCode> {
        Some(self.world.holder(holder)?.wallet.as_ref()?.place)
    }

    /// One that was held, more often than not; else any.
    fn some_order(&self, at: usize) -> Option<(OrderId, PaymentId)> {
        let held: Vec<&Order> = self.orders.iter().filter(|order| self.world.object(order.payment.part(), Key::Payment(order.payment)).is_some()).collect();
        match at.checked_rem(held.len()) {
            Some(nth) if !at.is_multiple_of(8) => Some((held[held.len() - 1 - nth].id, held[held.len() - 1 - nth].payment)),
            _ => self.order(at),
        }
    }

    fn order(&self, at: usize) -> Option<(OrderId, PaymentId)> {
        let order = self.orders.get(at.checked_rem(self.orders.len())?)?;
        Some((order.id, order.payment))
    }

    fn charge(&mut self, shop: usize, (mut payer, payer_part): (Payer, Part), own: i64, fund: i64, partial: bool, known: Option<usize>) {
        let institution = SHOPS[shop];
        let fund = fund.clamp(-1, 1_000_000);
        let bill = Bill { total: Fen(own.saturating_add(fund)), fund: Fen(fund), own: Fen(own), institution: Fen::ZERO };
        let number = self.fresh();
        let payment = PaymentId::new(self.fresh(), payer_part);
        let order = match known.and_then(|at| self.order(at)) {
            Some((order, _)) => order,
            None => OrderId { institution, number },
        };
        if known.is_none() {
            self.orders.push(Order { id: order, payment });
        }
        if let Payer::Holder { proof, .. } = &mut payer {
            proof.bound = keypad_binding(order, bill.own);
        }
        let part = institution_part(order.institution, self.world.parts);
        let visit = Visit::at_counter(day_of(self.now));
        self.ask(part, Command::PlaceOrder(PlaceOrder { order, number: self.serial.to_string(), payment, payer, bill, partial, visit, quote: None }));
    }

    fn take(&mut self, step: &Step) {
        let people = self.people.clone();
        let person = |at: usize| people[at % PEOPLE];
        match *step {
            Step::Wait(wait) => {
                self.decide();
                let day = day_of(self.now);
                self.now = match wait {
                    Wait::Instant => self.now + 1,
                    Wait::Minute => self.now + MINUTE_MS,
                    Wait::Night => self.now.max(instant(day, 22 * 60) - 1),
                    Wait::Morning => instant(day + 1, 6 * 60),
                    Wait::Day => self.now + DAY_MS + HOUR_MS,
                };
            }
            Step::Send { from, to, amount, wallet, code, is_proven } => {
                let sender = person(from);
                let receiver = if to == PEOPLE { HolderId::nobody(1) } else { person(to) };
                let proof = self.proof(sender, transfer_binding(receiver, Fen(amount), wallet));
                let id = TransferId(self.fresh());
                self.transfers.push(Sent { id, sender, receiver });
                let proof = is_proven.then_some(proof);
                self.ask(
                    sender.part(),
                    Command::RequestTransfer(RequestTransfer { id, sender, receiver, relation: code, amount: Fen(amount), from_wallet: wallet, proof }),
                );
            }
            Step::Accept { transfer, by } | Step::Decline { transfer, by } => {
                let Some((id, _, receiver)) = self.some_transfer(transfer) else { return };
                let by = if by == PEOPLE { receiver } else { person(by) };
                let command = match step {
                    Step::Accept { .. } => Command::AcceptTransfer { id, receiver, by },
                    _ => Command::DeclineTransfer { id, receiver, by },
                };
                self.ask(receiver.part(), command);
            }
            Step::Cancel { transfer } => {
                let Some((id, sender, receiver)) = self.some_transfer(transfer) else { return };
                self.ask(receiver.part(), Command::CancelTransfer { id, sender });
            }
            Step::Open { who, by } => {
                let holder = person(who);
                let place = self.world.holder(holder).and_then(|holder| holder.enrolment).map_or(AREAS[0], |enrolment| enrolment.area);
                self.ask(holder.part(), Command::OpenWallet { holder, by: person(by), place });
            }
            Step::Allow { who, agent, allowed } => self.ask(person(who).part(), Command::SetAgent { holder: person(who), agent: person(agent), allowed }),
            Step::End { who, other } => self.ask(person(who).part(), Command::EndRelation { holder: person(who), by: person(who), other: person(other) }),
            Step::Earn { who, area, amount } => {
                self.ask(person(who).part(), Command::Contribute { holder: person(who), area: AREAS[area], amount: Fen(amount), month: 202_603 });
            }
            Step::Enrol { who, area, insurance, status } => {
                let status = [EnrolmentStatus::Normal, EnrolmentStatus::Paused, EnrolmentStatus::Ended].get(usize::from(status)).copied();
                let enrolment = Enrolment {
                    area: AREAS[area],
                    insurance: if insurance == 0 { RESIDENT } else { EMPLOYEE },
                    status: status.unwrap_or(EnrolmentStatus::Normal),
                    from: day_of(self.now),
                    pooled_only: insurance == 2,
                };
                self.ask(person(who).part(), Command::SetEnrolment { holder: person(who), enrolment });
            }
            Step::Die { who } => self.ask(person(who).part(), Command::RegisterDeath { holder: person(who) }),
            Step::Freeze { who, frozen } => {
                let (holder, maker, checker) = (person(who), "m".to_owned(), "c".to_owned());
                let command =
                    if frozen { Command::Freeze { holder, reason: FreezeReason::Other, maker, checker } } else { Command::Unfreeze { holder, maker, checker } };
                self.ask(holder.part(), command);
            }
            Step::Move { who, area } => {
                let holder = person(who);
                let proof = self.proof(holder, place_binding(holder, AREAS[area]));
                self.ask(holder.part(), Command::ChangePlace { holder, by: holder, place: AREAS[area], proof: Some(proof) });
            }
            Step::Show { who, first } => {
                let holder = person(who);
                let code = CodeId(self.fresh());
                self.codes.push((code, holder));
                let first = [PayFirst::Personal, PayFirst::Wallet, PayFirst::WalletOnly][usize::from(first)];
                self.ask(holder.part(), Command::IssueCode { holder, by: holder, code, first });
            }
            Step::Pay { who, first, own, partial } => {
                self.take(&Step::Show { who, first });
                self.take(&Step::Charge { code: 0, shop: 0, own, fund: 500, partial });
            }
            Step::Charge { code, shop, own, fund, partial } => {
                // Mostly the newest code, mostly where it can be used.
                let last = self.codes.len();
                let (code, holder) = code.checked_rem(last).map_or((CodeId([9; 16]), person(0)), |at| self.codes[last - 1 - at % 2 % last]);
                let at_home = SHOPS.into_iter().zip(AREAS).position(|(_, area)| self.place(holder) == Some(area));
                let shop = if fund % 8 == 1 { shop } else { at_home.unwrap_or(shop) };
                self.charge(shop, (Payer::Code(code), holder.part()), own, fund, partial, None);
            }
            Step::Keypad { who, by, shop, own, order } => {
                let holder = person(who);
                let by = if by == PEOPLE { holder } else { person(by) };
                let proof = self.proof(by, [0; 16]);
                let payer = Payer::Holder { holder, by, first: PayFirst::Wallet, proof };
                self.charge(shop, (payer, holder.part()), own, 0, false, order);
            }
            Step::Capture { order, amount, last } => {
                let Some((order, payment)) = self.some_order(order) else { return };
                self.ask(payment.part(), Command::Capture { payment, order, amount: Fen(amount), last });
            }
            Step::Void { order } => {
                let Some((order, payment)) = self.some_order(order) else { return };
                self.ask(payment.part(), Command::Void { payment, order });
            }
            Step::Refund { order, amount } => {
                let Some((order, payment)) = self.some_order(order) else { return };
                self.ask(payment.part(), Command::Refund { payment, order, amount: Fen(amount) });
            }
            Step::Reverse { order } => {
                let Some((order, _)) = self.some_order(order) else { return };
                let part = institution_part(order.institution, self.world.parts);
                self.ask(part, Command::ReverseOrder { order, number: "r".to_owned() });
            }
            Step::Premium { payer, insured, area } => {
                // Mostly for the one resident, and where that one is insured.
                let (payer, insured) = (person(payer), person(if area == 0 { insured } else { PEOPLE - 1 }));
                let home = self.world.holder(insured).and_then(|holder| holder.enrolment).map(|enrolment| enrolment.area);
                let area = if area == 2 { AREAS[2] } else { home.unwrap_or(AREAS[0]) };
                let proof = self.proof(payer, premium_binding(payer, insured, area, YEAR));
                let payment = PaymentId::new(self.fresh(), payer.part());
                self.ask(payer.part(), Command::PayPremium { payment, payer, by: payer, insured, area, year: YEAR, proof: Some(proof) });
            }
            Step::Deliver { wire, ahead } => self.deliver(wire, ahead),
            Step::DeliverAll => self.deliver_all(),
            Step::Due => self.due(),
            Step::Again { request, other_body } => self.again(request, other_body),
        }
    }

    /// One message of one wire: the next, or an earlier one again, or a later one before its turn.
    fn deliver(&mut self, wire: usize, ahead: i8) {
        self.decide();
        let wires: Vec<(Part, Part, u64)> = self.world.wires.iter().map(|((from, to), sent)| (*from, *to, sent.len() as u64)).collect();
        let Some((from, to, sent)) = wire.checked_rem(wires.len()).map(|at| wires[at]) else { return };
        let next = self.world.received(from, to) + 1;
        let Some(number) = next.checked_add_signed(i64::from(ahead)).filter(|number| (1..=sent).contains(number)) else { return };
        let batch = self.world.deliver(from, to, number, self.now);
        assert_eq!(batch.events.is_empty(), number != next, "a message is applied in its turn and only then");
        assert_books(&self.world);
    }

    fn deliver_all(&mut self) {
        self.decide();
        loop {
            let next = self.world.in_flight().next().map(|(from, to, number, _)| (from, to, number));
            let Some((from, to, number)) = next else { return assert_books(&self.world) };
            self.world.deliver(from, to, number, self.now);
        }
    }

    fn due(&mut self) {
        self.decide();
        for (part, key) in self.world.overdue(self.now) {
            self.world.run(part, self.now, Command::Due(key));
        }
        assert_books(&self.world);
    }

    /// An earlier request comes once more: the first answer, and nothing happens. With another body: neither.
    fn again(&mut self, at: usize, other_body: bool) {
        self.decide();
        let Some(at) = at.checked_rem(self.answered.len()) else { return };
        let (part, request, outcome) = &self.answered[at];
        let (part, mut request, outcome) = (*part, request.clone(), outcome.clone());
        if other_body && let Some((_, fingerprint)) = &mut request.idempotency {
            *fingerprint = [2; 16];
        }
        let batch = self.world.batch(part, self.now, &[request]);
        assert!(batch.events.is_empty(), "a repeated request does nothing");
        let expected = if other_body { Decision::KeyReused } else { Decision::Replayed(outcome) };
        assert_eq!(batch.decisions, [expected]);
    }

    /// Everything arrives, every deadline passes: then nothing may be left in between.
    fn come_to_rest(&mut self) {
        self.deliver_all();
        self.now += 3 * DAY_MS;
        self.due();
        self.deliver_all();
        assert_at_rest(&self.world);
        assert_lines(&self.world);
        self.world.assert_redo();
    }
}

/// The same seed in every run: what fails once fails again, on any machine. `PROPTEST_CASES` asks for more of the same sequence.
fn config() -> Config {
    Config { failure_persistence: None, rng_seed: RngSeed::Fixed(0x6775_6e67_6a69), max_shrink_iters: 20_000, ..Config::default() }
}

/// What a run of random families must come to at least once, or it proves little.
const EXPECTED: [&str; 41] = [
    "transfer Credited",
    "transfer Declined",
    "transfer Cancelled",
    "transfer Returned",
    "transfer Refused",
    "payment Captured",
    "payment Voided",
    "payment Expired",
    "payment Reversed",
    "payment Refused",
    "relation None",
    "relation Some(ByPerson)",
    "relation Some(InsuranceChanged)",
    "relation Some(Death)",
    "line TransferBack",
    "line PaymentRefund",
    "line PaymentRelease",
    "line PremiumHold",
    "line PremiumRelease",
    "line QuotaReturned",
    "line CameBack",
    "AMOUNT_TOO_LARGE",
    "AMOUNT_TOO_SMALL",
    "CAPTURE_TOO_LARGE",
    "CLOSED_HOURS",
    "CODE_EXPIRED",
    "CODE_USED",
    "DAILY_TOTAL",
    "FROZEN",
    "INSUFFICIENT_FUNDS",
    "NOT_YOURS",
    "ORDER_CONFLICT",
    "PAYMENT_FINAL",
    "PROOF_MISSING",
    "QUOTA_NOT_TRANSFERABLE",
    "RECEIVER_UNAVAILABLE",
    "REFUND_TOO_LARGE",
    "REGION_NOT_OPEN",
    "TRANSFER_FINAL",
    "TRANSFER_OVERDUE",
    "TRANSFER_PENDING",
];

/// What the families of a run have come to, by name: so that a strategy which no longer gets anywhere is seen.
fn note(family: &Family, reached: &mut BTreeMap<String, usize>) {
    let mut count = |name: String| *reached.entry(name).or_default() += 1;
    for (_, _, outcome) in &family.answered {
        match outcome {
            Outcome::Refused(reasons) => reasons.iter().for_each(|reason| count(reason.code().to_owned())),
            Outcome::Order { state: OrderState::Refused(reasons), .. } => reasons.iter().for_each(|reason| count(reason.code().to_owned())),
            Outcome::Premium { reason: Some(reason), .. } | Outcome::Transfer { reason: Some(reason), .. } => count(reason.code().to_owned()),
            _ => {}
        }
    }
    for partition in &family.world.partitions {
        for object in partition.objects.values() {
            match &**object {
                Object::Incoming(incoming) => count(format!("transfer {:?}", incoming.state)),
                Object::Payment(payment) => count(format!("payment {:?}", payment.state)),
                Object::Holder(holder) => holder.relations.iter().for_each(|relation| count(format!("relation {:?}", relation.ended.map(|(_, why)| why)))),
                _ => {}
            }
        }
        for line in &partition.lines {
            count(format!("line {:?}", line.code));
        }
    }
}

#[test]
fn whatever_families_do_the_books_hold() {
    let reached = RefCell::new(BTreeMap::new());
    let stories = (prop_oneof![Just(1), Just(4)], any::<bool>(), prop::collection::vec(step(), 1..120));
    let told = TestRunner::new(config()).run(&stories, |(parts, is_cold, steps)| {
        let mut family = Family::new(parts, is_cold);
        for step in &steps {
            family.take(step);
        }
        family.come_to_rest();
        note(&family, &mut reached.borrow_mut());
        Ok(())
    });
    if let Err(failure) = told {
        panic!("{failure}");
    }
    let reached = reached.into_inner();
    let unreached: Vec<&str> = EXPECTED.into_iter().filter(|name| !reached.contains_key(*name)).collect();
    assert!(unreached.is_empty(), "no family came to {unreached:?}; what they came to: {reached:#?}");
}
