#![allow(clippy::unwrap_used)]
use super::*;
use gongji_ledger::Origin;

const HOLDER: HolderId = HolderId(1 << 48 | 7);

fn lot(amount: i64) -> Lot {
    Lot { origin: Origin { contributor: HOLDER, area: 370_100, kind: GrantKind::Transfer }, since: 5, amount: Fen(amount) }
}

fn transfer() -> Transfer {
    Transfer {
        id: TransferId([1; 16]),
        sender: HOLDER,
        receiver: HolderId::new(1, 8),
        relation: 52,
        source: Purse::Wallet,
        kind: GrantKind::Transfer,
        lots: vec![lot(100)],
        sent_at: 1_000,
        deadline: 2_000,
        rule: 1,
    }
}

fn incoming(state: TransferState) -> Object {
    Object::Incoming(Box::new(Incoming { transfer: transfer(), state, decided_at: None, by: None }))
}

fn outgoing(state: TransferState) -> Object {
    Object::Outgoing(Box::new(Outgoing { transfer: transfer(), state, decided_at: None, reason: None }))
}

fn payment(state: PaymentState, purpose: Purpose) -> Payment {
    let slice = |amount, captured, released, refunded| Slice {
        purse: Purse::Wallet,
        lot: lot(amount),
        captured: Fen(captured),
        released: Fen(released),
        refunded: Fen(refunded),
    };
    Payment {
        id: PaymentId::new([2; 16], 1),
        holder: HOLDER,
        by: HOLDER,
        code: None,
        purpose,
        slices: vec![slice(100, 30, 20, 10), slice(50, 0, 0, 0)],
        state,
        held_at: 1_000,
        expires: 3_000,
        rule: 1,
        refusal: None,
        captures: Vec::new(),
        refunds: Vec::new(),
    }
}

fn premium() -> Purpose {
    Purpose::Premium { insured: HOLDER, area: 510_500, year: 2027 }
}

/// A job looks at what is open and has an end; an end that has passed, or a premium, which has none, needs nobody.
#[test]
fn only_what_is_open_and_has_an_end_is_looked_at_again() {
    for state in TransferState::ALL {
        let waits = state == TransferState::AwaitingRecipient;
        assert_eq!((incoming(state).due(), incoming(state).deadline()), (waits.then_some(2_000), Some(2_000)), "{state:?}");
        assert_eq!((outgoing(state).due(), outgoing(state).deadline()), (None, None), "{state:?}");
    }
    for state in PaymentState::ALL {
        let object = Object::Payment(Box::new(payment(state, premium())));
        assert_eq!((object.due(), object.deadline()), (None, None), "a premium has no deadline: {state:?}");
    }
}

/// Memory may forget what is over, and nothing else: what it forgets it has to read again.
#[test]
fn memory_may_forget_what_is_over() {
    for state in TransferState::ALL {
        let is_over = !matches!(state, TransferState::Submitted | TransferState::AwaitingRecipient);
        assert_eq!((outgoing(state).is_settled(), incoming(state).is_settled()), (is_over, is_over), "{state:?}");
        assert!(!outgoing(state).is_made_once() && !incoming(state).is_made_once());
    }
    for state in PaymentState::ALL {
        let is_over = !matches!(state, PaymentState::Held | PaymentState::PartlyCaptured);
        assert_eq!(Object::Payment(Box::new(payment(state, premium()))).is_settled(), is_over, "{state:?}");
    }
    let code = Code { id: CodeId([3; 16]), holder: HOLDER, by: HOLDER, first: PayFirst::Wallet, expires: 1, used: None };
    let answer = Answer { fingerprint: [0; 16], seq: 1, outcome: Outcome::Done };
    for (object, is_settled, is_made_once) in [
        (Object::Code(code), true, false),
        (Object::Answer(answer), true, true),
        (Object::Made(transfer()), true, true),
        (Object::Partition(Partition::default()), false, false),
        (Object::Holder(Box::new(Holder::new(HOLDER))), false, false),
        (Object::Balance(Fen(1)), false, false),
        (Object::Till(Till::default()), false, false),
    ] {
        assert_eq!((object.is_settled(), object.is_made_once()), (is_settled, is_made_once), "{object:?}");
    }
}

#[test]
fn a_payment_takes_and_gives_back_lot_by_lot() {
    let payment = payment(PaymentState::PartlyCaptured, premium());
    let sums = (payment.amount(), payment.captured(), payment.refunded(), payment.remaining());
    assert_eq!(sums, (Fen(150), Fen(30), Fen(10), Fen(100)));
    // Of the first lot 30 are captured and 20 released: 50 are left.
    assert_eq!(payment.next_captured(Fen(60)), [(0, Fen(50)), (1, Fen(10))]);
    // Refunds go backwards; of the second lot nothing was captured.
    assert_eq!(payment.next_refunded(Fen(20)), [(0, Fen(20))]);
    assert_eq!(payment.lots_of(&[(1, Fen(10))]), [(Purse::Wallet, lot(10))]);
}

#[test]
#[should_panic(expected = "no more than it has")]
fn a_payment_gives_no_more_than_it_has() {
    payment(PaymentState::PartlyCaptured, premium()).next_captured(Fen(101));
}

#[test]
fn a_proof_is_remembered_until_it_expires() {
    let mut person = Holder::new(HOLDER);
    person.use_proof(1, 2_000, 1_000);
    person.use_proof(2, 3_000, 1_999);
    assert_eq!(person.used_proofs, [(1, 2_000), (2, 3_000)]);
    // At its end it is worth nothing, and need not be remembered.
    person.use_proof(3, 4_000, 2_000);
    assert_eq!(person.used_proofs, [(2, 3_000), (3, 4_000)]);
}

#[test]
fn a_new_day_counts_from_nothing() {
    let mut person = Holder::new(HOLDER);
    person.count_transfer(10, Fen(100));
    person.count_transfer(10, Fen(50));
    assert_eq!(person.day, DayCount { day: 10, count: 2, total: Fen(150) });
    assert_eq!(person.day.on(11), DayCount { day: 11, count: 0, total: Fen::ZERO });
    person.count_transfer(11, Fen(7));
    assert_eq!(person.day, DayCount { day: 11, count: 1, total: Fen(7) });
}

#[test]
fn a_person_acts_for_those_who_allowed_it() {
    let (own, helper, stranger) = (HOLDER, HolderId::new(1, 8), HolderId::new(1, 9));
    let person = Holder { agents: vec![helper], ..Holder::new(own) };
    assert_eq!((person.may_act(own), person.may_act(helper), person.may_act(stranger)), (true, true, false));
}

#[test]
fn counters_are_kept_for_each_partition() {
    let counters = Partition { sent: vec![(2, 5)], received: vec![(3, 7)], ..Partition::default() };
    assert_eq!((counters.sent_to(2), counters.sent_to(3)), (5, 0));
    assert_eq!((counters.received_from(3), counters.received_from(2)), (7, 0));
}

/// Both sides of a transfer that was made in one event are told as the two sides of any other.
#[test]
fn a_transfer_made_at_once_has_two_sides() {
    let transfer = transfer();
    let (sent, arrived) = (transfer.made_outgoing(), transfer.made_incoming());
    assert_eq!((sent.state, sent.decided_at, &sent.transfer), (TransferState::Credited, Some(1_000), &transfer));
    assert_eq!((arrived.state, arrived.decided_at, &arrived.transfer), (TransferState::Credited, Some(1_000), &transfer));
    assert_eq!(transfer.amount(), Fen(100));
}
