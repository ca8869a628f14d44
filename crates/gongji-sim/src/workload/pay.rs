//! Payments at institutions, and premiums.

use super::{actor, proof, somebody, somebody_who, submit, tight};
use crate::country::{institutions, part_of};
use crate::fault::Kind;
use crate::world::World;
use gongji_ledger::{Fen, HolderId, InstitutionId};
use gongji_wallet::command::{Command, PlaceOrder, keypad_binding, premium_binding};
use gongji_wallet::day::{day_of, year_of};
use gongji_wallet::event::{Payer, Quote};
use gongji_wallet::ids::{CodeId, OrderId, PaymentId};
use gongji_wallet::object::{Bill, Business, PayFirst, Purpose, Terminal, Visit};

fn some_payer(world: &mut World) -> HolderId {
    somebody_who(world, |person| person.wallet.is_some() && !person.died && !(person.wallet_total() + person.personal_total()).is_zero())
}

fn some_first(world: &mut World) -> PayFirst {
    [PayFirst::Personal, PayFirst::Wallet, PayFirst::Wallet, PayFirst::WalletOnly][world.rng.below(4)]
}

pub fn issue_code(world: &mut World) {
    let holder = some_payer(world);
    let by = actor(world, holder);
    let (code, first) = (CodeId(world.rng.id(world.now())), some_first(world));
    submit(world, holder.part(), Command::IssueCode { holder, by, code, first });
}

/// An institution where the payer may pay; now and then another.
fn some_institution(world: &mut World, payer: HolderId) -> InstitutionId {
    let place = world.model.people[&payer].wallet.as_ref().map(|wallet| wallet.place);
    let all = institutions();
    let fitting: Vec<InstitutionId> = all.iter().filter(|(_, area)| Some(*area) == place).map(|(id, _)| *id).collect();
    if world.rng.percent(92)
        && let Some(id) = world.rng.pick(&fitting)
    {
        return *id;
    }
    all[world.rng.below(all.len())].0
}

fn some_bill(world: &mut World, payer: HolderId, first: PayFirst) -> Bill {
    let person = &world.model.people[&payer];
    let there = if first == PayFirst::WalletOnly { person.wallet_total() } else { person.wallet_total() + person.personal_total() };
    let own = tight(world, there);
    let fund = Fen(world.rng.between(0, 5_000));
    let total = own + fund + if world.rng.percent(2) { Fen(1) } else { Fen::ZERO };
    Bill { total, fund, own, institution: Fen::ZERO }
}

/// A new number; or one that this institution has used before.
fn some_order(world: &mut World, institution: InstitutionId) -> OrderId {
    if world.rng.percent(5) && world.config.has(Kind::OrderNumberReused) {
        let known: Vec<OrderId> = world.model.orders.keys().filter(|order| order.institution == institution).copied().collect();
        if let Some(order) = world.rng.pick(&known).copied() {
            world.faults.add(Kind::OrderNumberReused);
            return order;
        }
    }
    OrderId { institution, number: world.rng.id(world.now()) }
}

fn place(world: &mut World, holder: HolderId, order: OrderId, payer: Payer, bill: Bill) {
    let payment = PaymentId::new(world.rng.id(world.now()), holder.part());
    let part = part_of(world, order.institution);
    if world.rng.percent(4) && world.config.has(Kind::ReversalBeforePayment) {
        world.faults.add(Kind::ReversalBeforePayment);
        submit(world, part, Command::ReverseOrder { order, number: String::new() });
    }
    let partial = world.rng.percent(20);
    let today = day_of(world.now());
    let visit = Visit {
        business: *world.rng.pick(&Business::ALL).expect("there are kinds of care"),
        terminal: *world.rng.pick(&Terminal::ALL).expect("there are places to pay at"),
        // Some bills come late, and some say a day that cannot be.
        day: today - if world.rng.percent(90) { 0 } else { i32::try_from(world.rng.between(-1, 33)).expect("a few days") },
    };
    let quote = world.rng.percent(30).then(|| {
        let wallet = Fen(world.rng.between(0, bill.own.0.max(0)));
        Quote { personal: if world.rng.percent(50) { Fen::ZERO } else { bill.own - wallet }, wallet }
    });
    let placed = PlaceOrder { order, number: String::new(), payment, payer, bill, partial, visit, quote };
    submit(world, part, Command::PlaceOrder(placed.clone()));
    if world.rng.percent(6) && world.config.has(Kind::OrderNumberReused) {
        // The same order by another request: the institution's own retry.
        world.faults.add(Kind::OrderNumberReused);
        let payment = PaymentId::new(world.rng.id(world.now()), holder.part());
        submit(world, part, Command::PlaceOrder(PlaceOrder { payment, ..placed }));
    }
}

/// With one of the codes shown lately; used, replaced and expired ones among them.
pub fn pay(world: &mut World) {
    let (now, back) = (world.now(), world.rng.below(12));
    let current: Vec<CodeId> = world.model.people.values().filter_map(|person| person.code).filter(|id| world.model.codes[id].0.expires > now).collect();
    let chosen = if world.rng.percent(80) { world.rng.pick(&current).copied() } else { world.model.codes.keys().rev().nth(back).copied() };
    let Some(id) = chosen else { return issue_code(world) };
    let (code, is_used) = world.model.codes[&id].clone();
    if is_used {
        if !world.config.has(Kind::CodeShownTwice) {
            return;
        }
        world.faults.add(Kind::CodeShownTwice);
    } else if world.now() >= code.expires {
        if !world.config.has(Kind::CodeExpired) {
            return;
        }
        world.faults.add(Kind::CodeExpired);
    } else if world.rng.percent(4) && world.config.has(Kind::CodeExpired) {
        world.faults.add(Kind::CodeExpired);
        let off = world.rng.between(-1, 1);
        world.set_now(code.expires + off);
    }
    pay_with(world, id);
}

pub fn pay_with(world: &mut World, id: CodeId) {
    let (code, _) = world.model.codes[&id].clone();
    let institution = some_institution(world, code.holder);
    if world.rng.percent(25) {
        decode(world, code.holder, id, institution);
    }
    let (order, bill) = (some_order(world, institution), some_bill(world, code.holder, code.first));
    place(world, code.holder, order, Payer::Code(id), bill);
}

/// The institution reads the code first; now and then another one does.
fn decode(world: &mut World, holder: HolderId, code: CodeId, institution: InstitutionId) {
    let institution = if world.rng.percent(15) { some_institution(world, holder) } else { institution };
    let business = if world.rng.percent(40) { world.rng.pick(&Business::ALL).copied() } else { None };
    submit(world, holder.part(), Command::DecodeCode { code, institution, business });
}

pub fn pay_at_keypad(world: &mut World) {
    let holder = some_payer(world);
    let (by, first) = (actor(world, holder), some_first(world));
    let institution = some_institution(world, holder);
    let (order, bill) = (some_order(world, institution), some_bill(world, holder, first));
    if let Some(proof) = proof(world, by, keypad_binding(order, bill.own)) {
        place(world, holder, order, Payer::Holder { holder, by, first, proof }, bill);
    }
}

/// A payment of an order: an open one, or one of the last.
fn some_payment(world: &mut World) -> Option<(PaymentId, OrderId)> {
    let open: Vec<PaymentId> = world.model.people.values().flat_map(|person| person.open_payments.iter().copied()).collect();
    let id = if !open.is_empty() && world.rng.percent(65) {
        world.rng.pick(&open).copied()?
    } else {
        let back = world.rng.below(15);
        let captured: Vec<PaymentId> =
            world.model.payments.iter().rev().take(60).filter(|(_, paid)| paid.captured > paid.refunded).map(|(id, _)| *id).collect();
        match world.rng.pick(&captured) {
            Some(id) if world.rng.percent(75) => *id,
            _ => *world.model.payments.keys().rev().nth(back)?,
        }
    };
    match world.model.payments[&id].purpose {
        Purpose::Order { order, .. } => Some((id, order)),
        Purpose::Premium { .. } => None,
    }
}

fn capture(world: &mut World, payment: PaymentId, order: OrderId) {
    let rest = world.model.payments[&payment].remaining();
    let (amount, last) = (tight(world, rest), world.rng.percent(50));
    submit(world, payment.part(), Command::Capture { payment, order, amount, last });
}

fn refund(world: &mut World, payment: PaymentId, order: OrderId) {
    let paid = &world.model.payments[&payment];
    let rest = paid.captured - paid.refunded;
    let amount = tight(world, rest);
    submit(world, payment.part(), Command::Refund { payment, order, amount });
}

fn reverse_order(world: &mut World, order: OrderId) {
    let part = part_of(world, order.institution);
    submit(world, part, Command::ReverseOrder { order, number: String::new() });
}

pub fn go_on(world: &mut World) {
    let Some((payment, order)) = some_payment(world) else { return };
    let is_open = world.model.payments[&payment].is_open();
    match (is_open, world.rng.below(20)) {
        (true, 0..=1) => {
            submit(world, payment.part(), Command::Void { payment, order });
        }
        (true, 2..=13) => capture(world, payment, order),
        (_, 19) => reverse_order(world, order),
        _ => refund(world, payment, order),
    }
}

pub fn race(world: &mut World) {
    if let Some((payment, order)) = some_payment(world)
        && world.config.has(Kind::RaceOfTerminalActions)
    {
        world.faults.add(Kind::RaceOfTerminalActions);
        everything(world, payment, order);
    }
}

fn everything(world: &mut World, payment: PaymentId, order: OrderId) {
    if world.rng.percent(60) {
        capture(world, payment, order);
    }
    if world.rng.percent(50) {
        submit(world, payment.part(), Command::Void { payment, order });
    }
    if world.rng.percent(50) {
        refund(world, payment, order);
    }
    if world.rng.percent(30) {
        refund(world, payment, order);
    }
    if world.rng.percent(40) {
        reverse_order(world, order);
    }
    if world.rng.percent(40) {
        capture(world, payment, order);
    }
}

pub fn at_deadline(world: &mut World) {
    let open: Vec<PaymentId> = world.model.people.values().flat_map(|person| person.open_payments.iter().copied()).collect();
    let Some(payment) = world.rng.pick(&open).copied() else { return };
    let paid = &world.model.payments[&payment];
    let (expires, Purpose::Order { order, .. }) = (paid.expires, paid.purpose.clone()) else { return };
    if expires > world.now() && world.config.has(Kind::DeadlineRace) {
        world.faults.add(Kind::DeadlineRace);
        let off = world.rng.between(-1, 1);
        world.set_now(expires + off);
        everything(world, payment, order);
    }
}

pub fn reverse(world: &mut World) {
    let back = world.rng.below(10);
    if let Some((_, order)) = some_payment(world) {
        reverse_order(world, order);
    } else if let Some(order) = world.model.orders.keys().rev().nth(back).copied() {
        reverse_order(world, order);
    }
}

pub fn premium(world: &mut World) {
    let payer = somebody_who(world, |person| person.wallet_total() >= Fen(2_000));
    let related: Vec<HolderId> = world.model.people[&payer].relations.keys().copied().collect();
    let insured = match world.rng.below(10) {
        0 => somebody(world),
        1..=3 => payer,
        _ => world.rng.pick(&related).copied().unwrap_or(payer),
    };
    let area = match world.model.people.get(&insured).and_then(|person| person.enrolment) {
        Some(enrolment) if world.rng.percent(95) => enrolment.area,
        _ => crate::country::AREAS[0],
    };
    let year = year_of(world.now()) + u16::from(world.rng.percent(50));
    if world.model.claims.contains_key(&(insured, year)) {
        if !world.config.has(Kind::PremiumPaidTwice) {
            return;
        }
        world.faults.add(Kind::PremiumPaidTwice);
    }
    let by = actor(world, payer);
    let proof = proof(world, by, premium_binding(payer, insured, area, year));
    let payment = PaymentId::new(world.rng.id(world.now()), payer.part());
    let command = Command::PayPremium { payment, payer, by, insured, area, year, proof };
    submit(world, payer.part(), command);
    if world.rng.percent(15) && world.config.has(Kind::PremiumPaidTwice) {
        // A second relative at the same moment.
        world.faults.add(Kind::PremiumPaidTwice);
        let other = somebody_who(world, |person| person.wallet_total() >= Fen(2_000));
        let proof = super::proof(world, other, premium_binding(other, insured, area, year));
        let payment = PaymentId::new(world.rng.id(world.now()), other.part());
        submit(world, other.part(), Command::PayPremium { payment, payer: other, by: other, insured, area, year, proof });
    }
}
