//! `apply`: an event turns into state. It never refuses; what it finds impossible is a bug and stops the partition.

use crate::approval::{Approval, ApprovalState};
use crate::clearing::{Counted, PeriodChange, PeriodTotals};
use crate::event::{Event, Fact, account_key};
use crate::ids::Key;
use crate::object::*;
use crate::work::Work;
use gongji_ledger::{Account, Fen, HolderId, Lot, Lots, Move, planted};

/// How a posting reads on a person's statement.
struct Caption {
    code: LineCode,
    other: Counterparty,
    reference: [u8; 16],
}

impl Work<'_> {
    pub(crate) fn apply(&mut self, event: &Event) {
        // A refund or release changes the payment after its postings have been captioned.
        for posting in &event.moves {
            self.post(posting, &event.fact);
        }
        self.change(&event.fact, &event.moves);
        self.take_down(&event.fact, &event.moves);
    }

    /// Writes what a payee sees of a payment's event; each taking names the payee's one before.
    fn take_down(&mut self, fact: &Fact, moves: &[Move]) {
        let (id, kind) = match fact {
            Fact::PaymentHeld(payment) => (payment.id, TakingKind::Held),
            Fact::PaymentCaptured { payment, .. } => (*payment, TakingKind::Captured),
            Fact::PaymentReleased { payment, .. } => (*payment, TakingKind::Released),
            Fact::PaymentRefunded { payment, .. } => (*payment, TakingKind::Refunded),
            _ => return,
        };
        let payment = self.payment_mut(id);
        let (state, holder, purpose) = (payment.state, payment.holder, payment.purpose.clone());
        let partition = self.partition_mut();
        partition.takings += 1;
        let number = partition.takings;
        let payee = purpose.payee();
        let previous = std::mem::replace(self.last_taking_mut(payee), number);
        let lots = moves.iter().flat_map(|posting| &posting.lots).copied().collect();
        let taking = Taking { number, payee, previous, at: self.stamp, seq: self.seq, kind, state, payment: id, holder, purpose, lots };
        if matches!(kind, TakingKind::Captured | TakingKind::Refunded) {
            self.counted_mut().open.count(&taking);
        }
        self.takings.push(taking);
    }

    fn post(&mut self, posting: &Move, fact: &Fact) {
        let amount = posting.amount();
        assert!(amount.is_positive(), "a posting moves something: {posting:?}");
        match posting.from {
            Account::Personal { holder, area } => {
                let account = self.holder_mut(holder).accounts.iter_mut().find(|account| account.area == area);
                let account = account.expect("money leaves a personal account that exists");
                account.balance -= amount;
                assert!(!account.balance.is_negative(), "personal account of {holder:?} in {area} below zero");
                self.line(holder, Purse::Personal { area }, -amount, posting, fact);
            }
            Account::Wallet { holder } => {
                let wallet = self.holder_mut(holder).wallet.as_mut().expect("money leaves a wallet that exists");
                wallet.lots.take(&posting.lots);
                self.line(holder, Purse::Wallet, -amount, posting, fact);
            }
            Account::Held { holder } => {
                let held = &mut self.holder_mut(holder).held;
                *held -= amount;
                assert!(!held.is_negative(), "held money of {holder:?} below zero");
            }
            Account::Awaiting { holder } => {
                let awaiting = &mut self.holder_mut(holder).awaiting;
                *awaiting -= amount;
                assert!(!awaiting.is_negative(), "awaiting money of {holder:?} below zero");
            }
            account => {
                let balance = self.balance_mut(account_key(account));
                *balance -= amount;
                assert!(account.may_be_negative() || !balance.is_negative(), "{account:?} below zero");
            }
        }
        match posting.to {
            Account::Personal { holder, area } => {
                let accounts = &mut self.holder_mut(holder).accounts;
                match accounts.iter_mut().find(|account| account.area == area) {
                    Some(account) => account.balance += amount,
                    None => accounts.push(PersonalAccount { area, balance: amount }),
                }
                self.line(holder, Purse::Personal { area }, amount, posting, fact);
            }
            Account::Wallet { holder } => {
                let wallet = self.holder_mut(holder).wallet.as_mut().expect("money enters a wallet that exists");
                wallet.lots.put(&posting.lots);
                self.line(holder, Purse::Wallet, amount, posting, fact);
            }
            Account::Held { holder } => self.holder_mut(holder).held += amount,
            Account::Awaiting { holder } => self.holder_mut(holder).awaiting += amount,
            account => *self.balance_mut(account_key(account)) += amount,
        }
    }

    /// Writes a statement line; each names the holder's line before.
    fn line(&mut self, holder: HolderId, purse: Purse, amount: Fen, posting: &Move, fact: &Fact) {
        let caption = self.caption(fact, posting, amount.is_negative());
        let partition = self.partition_mut();
        partition.lines += 1;
        let number = partition.lines;
        let (at, seq) = (self.stamp, self.seq);
        let person = self.holder_mut(holder);
        let previous = std::mem::replace(&mut person.last_line, number);
        let line = Line {
            number,
            holder,
            previous,
            at,
            seq,
            code: caption.code,
            purse,
            amount,
            wallet_after: person.wallet_total(),
            personal_after: person.personal_total(),
            other: caption.other,
            reference: caption.reference,
            lots: posting.lots.clone(),
        };
        self.lines.push(line);
    }

    fn caption(&mut self, fact: &Fact, posting: &Move, leaves: bool) -> Caption {
        let caption = |code, other, reference| Caption { code, other, reference };
        match fact {
            Fact::Contributed { area, .. } => caption(LineCode::Contribution, Counterparty::Area(*area), [0; 16]),
            Fact::TransferSubmitted(transfer) => caption(LineCode::TransferOut, Counterparty::Holder(transfer.receiver), transfer.id.0),
            Fact::TransferArrived { transfer, .. } => caption(LineCode::TransferIn, Counterparty::Holder(transfer.sender), transfer.id.0),
            Fact::TransferClosed { id, sender, .. } => caption(LineCode::TransferIn, Counterparty::Holder(*sender), id.0),
            Fact::TransferSettled { id, receiver, .. } => caption(LineCode::TransferBack, Counterparty::Holder(*receiver), id.0),
            Fact::TransferMade { id, .. } => {
                let (code, other) = if leaves { (LineCode::TransferOut, posting.to) } else { (LineCode::TransferIn, posting.from) };
                caption(code, Counterparty::Holder(other.holder().expect("a transfer made at once is between two people")), id.0)
            }
            Fact::LotsSentBack { contributor, .. } => caption(LineCode::QuotaReturned, Counterparty::Holder(*contributor), [0; 16]),
            Fact::LotsCameBack { holder, .. } => caption(LineCode::CameBack, Counterparty::Holder(*holder), [0; 16]),
            Fact::PaymentHeld(payment) => match payment.purpose {
                Purpose::Order { order, .. } => caption(LineCode::PaymentHold, Counterparty::Institution(order.institution), payment.id.0),
                Purpose::Premium { area, .. } => caption(LineCode::PremiumHold, Counterparty::Area(area), payment.id.0),
            },
            Fact::PaymentReleased { payment, .. } => {
                let id = payment.0;
                match self.payment_mut(*payment).purpose {
                    Purpose::Order { order, .. } => caption(LineCode::PaymentRelease, Counterparty::Institution(order.institution), id),
                    Purpose::Premium { area, .. } => caption(LineCode::PremiumRelease, Counterparty::Area(area), id),
                }
            }
            Fact::PaymentRefunded { payment, .. } => {
                let id = payment.0;
                match self.payment_mut(*payment).purpose {
                    Purpose::Order { order, .. } => caption(LineCode::PaymentRefund, Counterparty::Institution(order.institution), id),
                    Purpose::Premium { area, .. } => caption(LineCode::PremiumRelease, Counterparty::Area(area), id),
                }
            }
            other => unreachable!("no posting of a person's money belongs to {other:?}"),
        }
    }

    fn change(&mut self, fact: &Fact, moves: &[Move]) {
        let (stamp, seq) = (self.stamp, self.seq);
        match fact {
            Fact::Answered { key, fingerprint, outcome } => {
                let answer = Answer { fingerprint: *fingerprint, seq, outcome: outcome.clone() };
                self.put(Key::Answer(*key), Object::Answer(answer));
            }
            Fact::Sent { to, number, .. } => watermark(&mut self.partition_mut().sent, *to, *number),
            Fact::Received { from, number } => watermark(&mut self.partition_mut().received, *from, *number),
            Fact::DirectoryChanged(change) => {
                let directory = self.directory_mut();
                directory.apply(change);
                directory.version = seq;
            }
            Fact::HolderCreated { holder } => self.put(Key::Holder(*holder), Object::Holder(Box::new(Holder::new(*holder)))),
            Fact::EnrolmentSet { holder, enrolment } => self.holder_mut(*holder).enrolment = Some(*enrolment),
            Fact::Died { holder } => {
                let holder = self.holder_mut(*holder);
                holder.died = true;
                holder.code = None;
            }
            Fact::Contributed { .. } | Fact::LotsSentBack { .. } | Fact::LotsCameBack { .. } => {}
            Fact::WalletOpened { holder, place, .. } => {
                self.holder_mut(*holder).wallet = Some(Wallet { place: *place, opened_at: stamp, place_changed_at: None, lots: Lots::default() });
            }
            Fact::AgentSet { holder, agent, allowed } => {
                let agents = &mut self.holder_mut(*holder).agents;
                agents.retain(|known| known != agent);
                if *allowed {
                    agents.push(*agent);
                }
            }
            Fact::Frozen { holder, reason, maker, checker } => {
                let freeze = Freeze { reason: *reason, since: stamp, maker: maker.clone(), checker: checker.clone() };
                self.holder_mut(*holder).freeze = Some(freeze);
            }
            Fact::Unfrozen { holder, .. } => self.holder_mut(*holder).freeze = None,
            Fact::PlaceChanged { holder, to, .. } => {
                let wallet = self.holder_mut(*holder).wallet.as_mut().expect("a wallet whose place changes exists");
                wallet.place = *to;
                wallet.place_changed_at = Some(stamp);
            }
            Fact::ProofUsed { holder, proof, expires } => self.holder_mut(*holder).use_proof(*proof, *expires, stamp),
            Fact::RelationConfirmed { holder, other, code, declared_here } => {
                let relations = &mut self.holder_mut(*holder).relations;
                relations.retain(|relation| relation.other != *other);
                relations.push(Relation { other: *other, code: *code, declared_here: *declared_here, since: stamp, ended: None, pending_at_end: Vec::new() });
            }
            Fact::RelationEnded { holder, other, why } => {
                let holder = self.holder_mut(*holder);
                holder.agents.retain(|agent| agent != other || planted("former-relative-stays-agent"));
                if let Some(relation) = holder.relations.iter_mut().find(|relation| relation.other == *other) {
                    relation.ended = Some((stamp, *why));
                    relation.pending_at_end = holder.outgoing.clone();
                }
            }
            Fact::TransferSubmitted(transfer) => {
                let sender = self.holder_mut(transfer.sender);
                sender.outgoing.push(transfer.id);
                sender.count_transfer(crate::day::day_of(stamp), transfer.amount());
                let outgoing = Outgoing { transfer: transfer.clone(), state: TransferState::Submitted, decided_at: None, reason: None };
                self.put(Key::Outgoing(transfer.id), Object::Outgoing(Box::new(outgoing)));
            }
            Fact::TransferArrived { transfer, state, .. } => {
                if *state == TransferState::AwaitingRecipient {
                    self.holder_mut(transfer.receiver).incoming.push(transfer.id);
                }
                let decided_at = state.is_final().then_some(stamp);
                let incoming = Incoming { transfer: transfer.clone(), state: *state, decided_at, by: None };
                self.put(Key::Incoming(transfer.id), Object::Incoming(Box::new(incoming)));
            }
            Fact::TransferClosed { id, receiver, by, state, .. } => {
                self.holder_mut(*receiver).incoming.retain(|waiting| waiting != id);
                let incoming = self.incoming_mut(*id);
                assert!(incoming.state.next().contains(state), "a transfer goes from {:?} to {state:?}", incoming.state);
                (incoming.state, incoming.decided_at, incoming.by) = (*state, Some(stamp), *by);
            }
            Fact::TransferSettled { id, sender, state, counts, reason, .. } => {
                let outgoing = self.outgoing_mut(*id);
                assert!(outgoing.state.next().contains(state), "a transfer goes from {:?} to {state:?}", outgoing.state);
                outgoing.state = *state;
                outgoing.reason = reason.clone();
                let (sent_on, amount) = (crate::day::day_of(outgoing.transfer.sent_at), outgoing.transfer.amount());
                if state.is_final() {
                    outgoing.decided_at = Some(stamp);
                    let sender = self.holder_mut(*sender);
                    sender.outgoing.retain(|pending| pending != id);
                    if !counts && (sender.day.day == sent_on || planted("return-lowers-another-day")) {
                        sender.day.count -= 1;
                        sender.day.total -= amount;
                    }
                }
            }
            Fact::CodeIssued(code) => {
                self.put(Key::Code(code.id), Object::Code(code.clone()));
                self.holder_mut(code.holder).code = Some(code.id);
            }
            Fact::CodeDecoded { code: id, decoding, .. } => {
                let code = self.code_mut(*id).clone();
                self.put(Key::Code(*id), Object::Decoded(Box::new(Decoded { code, decoding: *decoding })));
            }
            Fact::OrderPlaced(order) => {
                let partition = self.partition_mut();
                partition.lines += 1;
                let number = partition.lines;
                let till = self.till_mut(order.id.institution);
                let previous = std::mem::replace(&mut till.last_line, number);
                self.put(Key::Order(order.id), Object::Order(Box::new(Order { previous, ..Order::clone(order) })));
                self.orders.push((number, Key::Order(order.id)));
            }
            Fact::OrderDecided { order, state } => self.order_mut(*order).state = state.clone(),
            Fact::PaymentHeld(payment) => {
                let holder = self.holder_mut(payment.holder);
                holder.open_payments.push(payment.id);
                if payment.code.is_some() && !planted("code-pays-twice") {
                    holder.code = None;
                }
                if let Some(code) = payment.code {
                    self.code_mut(code).used = Some(payment.id);
                }
                self.put(Key::Payment(payment.id), Object::Payment(payment.clone()));
            }
            Fact::PaymentCaptured { payment: id, holder, amount, .. } => {
                let payment = self.payment_mut(*id);
                for (at, part) in payment.next_captured(*amount) {
                    payment.slices[at].captured += part;
                }
                payment.captures.push((stamp, *amount));
                let state = if payment.remaining().is_zero() { PaymentState::Captured } else { PaymentState::PartlyCaptured };
                self.set_payment_state(*id, *holder, state);
            }
            Fact::PaymentReleased { payment: id, holder, state } => {
                for slice in &mut self.payment_mut(*id).slices {
                    slice.released = slice.lot.amount - slice.captured;
                }
                self.set_payment_state(*id, *holder, *state);
            }
            Fact::PaymentRefunded { payment: id, holder, amount, state } => {
                let payment = self.payment_mut(*id);
                for (at, part) in payment.next_refunded(*amount) {
                    payment.slices[at].refunded += part;
                }
                payment.refunds.push((stamp, *amount));
                self.set_payment_state(*id, *holder, *state);
            }
            Fact::TransferMade { id, relation, deadline, rule, proof, proof_expires, answered } => {
                let [Move { from, to: Account::Wallet { holder: receiver }, lots }] = moves else {
                    unreachable!("a transfer made at once has one move into a wallet: {moves:?}")
                };
                let (sender, source) = match *from {
                    Account::Personal { holder, area } => (holder, Purse::Personal { area }),
                    Account::Wallet { holder } => (holder, Purse::Wallet),
                    other => unreachable!("a transfer leaves one of a person's purses, not {other:?}"),
                };
                let transfer = Transfer {
                    id: *id,
                    sender,
                    receiver: *receiver,
                    relation: *relation,
                    source,
                    kind: lots.first().expect("a transfer moves something").origin.kind,
                    lots: lots.clone(),
                    sent_at: stamp,
                    deadline: *deadline,
                    rule: *rule,
                };
                let amount = transfer.amount();
                let sender = self.holder_mut(sender);
                sender.use_proof(*proof, *proof_expires, stamp);
                if !planted("quick-transfer-is-not-counted") {
                    sender.count_transfer(crate::day::day_of(stamp), amount);
                }
                if let Some((key, fingerprint)) = answered {
                    let outcome = crate::transfer::made_outcome(*id, amount, *deadline, *rule);
                    self.put(Key::Answer(*key), Object::Answer(Answer { fingerprint: *fingerprint, seq, outcome }));
                }
                self.put(Key::Made(*id), Object::Made(transfer));
            }
            Fact::OperatorChanged { operator, .. } => self.operators_mut().put(operator.clone()),
            Fact::ApprovalProposed { id, maker, action, document, expires } => {
                self.open_approvals_mut().put(*id);
                let approval = Approval::new(*id, *maker, action.clone(), document.clone(), stamp, *expires);
                self.put(Key::Approval(*id), Object::Approval(Box::new(approval)));
            }
            Fact::ApprovalDecided { id, by, verdict } => {
                let approval = self.approval_mut(*id);
                assert!(approval.state.is_open(), "an approval is decided once, and not in {:?}", approval.state);
                approval.decide(*by, *verdict, stamp);
                if approval.state.is_final() {
                    self.open_approvals_mut().remove(*id);
                }
            }
            Fact::ApprovalFollowed { id, refused } => {
                let approval = self.approval_mut(*id);
                assert!(approval.state == ApprovalState::Approved, "what was approved follows, not what is {:?}", approval.state);
                approval.state = if refused.is_empty() { ApprovalState::Done } else { ApprovalState::Failed(refused.clone()) };
                approval.done_at = Some(stamp);
                self.open_approvals_mut().remove(*id);
            }
            // It changes nothing: the journal is what it is for.
            Fact::Acted { .. } => {}
            Fact::PeriodChanged { period, change } => {
                if let PeriodChange::Cutting { .. } = change {
                    self.put(Key::LastPeriod, Object::LastPeriod(*period));
                }
                self.period_mut(*period).apply(change, stamp);
            }
            Fact::PeriodMarked { mark } => {
                *self.counted_mut() = Counted { last: Some(*mark), open: PeriodTotals::default() };
                self.put(Key::Mark(mark.period), Object::Mark(*mark));
            }
            Fact::PremiumRefused { payment, reason } => self.payment_mut(*payment).refusal = Some(reason.clone()),
            Fact::PremiumClaimed(claim) => self.put(Key::Claim(claim.insured, claim.year), Object::Claim(claim.clone())),
        }
    }

    fn set_payment_state(&mut self, id: crate::ids::PaymentId, holder: HolderId, state: PaymentState) {
        let payment = self.payment_mut(id);
        assert!(payment.state == state || payment.state.next().contains(&state), "a payment goes from {:?} to {state:?}", payment.state);
        let (held, captured, refunded) = (payment.amount(), payment.captured(), payment.refunded());
        assert!(refunded <= captured && captured <= held, "of a payment refunds {refunded} ≤ captured {captured} ≤ held {held}");
        payment.state = state;
        if !payment.is_open() {
            self.holder_mut(holder).open_payments.retain(|open| *open != id);
        }
    }
}

fn watermark(marks: &mut Vec<(gongji_ledger::Part, u64)>, part: gongji_ledger::Part, number: u64) {
    match marks.iter_mut().find(|(known, _)| *known == part) {
        Some((_, last)) => {
            assert!(number == *last + 1, "message {number} of partition {part} follows {last}");
            *last = number;
        }
        None => {
            assert!(number == 1, "the first message of partition {part} is {number}");
            marks.push((part, number));
        }
    }
}

/// Lots of a personal account: one origin, the holder's own.
pub(crate) fn own_lot(holder: HolderId, area: gongji_ledger::AreaCode, kind: gongji_ledger::GrantKind, since: i64, amount: Fen) -> Lot {
    Lot { origin: gongji_ledger::Origin { contributor: holder, area, kind }, since, amount }
}
