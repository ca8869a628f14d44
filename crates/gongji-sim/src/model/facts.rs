//! What each fact may be, given everything before it; and what is so after it.

use super::directory::{Rules, day, deadline};
use super::{At, Check, Model, Moving, Ordered, Paid, Person, Relation, Settled, Wallet, ends_command, ensure, is_about};
use gongji_ledger::{Account, Fen, GrantKind, HolderId, Origin};
use gongji_wallet::event::{Event, Fact, Message, Outcome, Payer, Quote};
use gongji_wallet::ids::{CodeId, OrderId, PaymentId};
use gongji_wallet::object::{
    Business, Code, Decoding, EMPLOYEE, Enrolment, Order, OrderState, PayFirst, Payment, PaymentState, Purpose, Purse, RESIDENT, Slice, Transfer, TransferState,
};
use gongji_wallet::reason::Reason;

impl Model {
    /// Whether this may happen now. Nothing has moved yet.
    pub(super) fn before(&mut self, at: At, event: &Event) -> Check {
        match &event.fact {
            Fact::Answered { key, fingerprint, outcome } => self.check_answer(at, key, fingerprint, outcome),
            Fact::Sent { to, number, message } => {
                let sent = self.read[usize::from(at.part)].sent.get(to).copied().unwrap_or(0);
                ensure(*number == sent + 1, || format!("message {number} follows {sent}"))?;
                self.check_message(at, message)
            }
            Fact::Received { from, number } => {
                let received = self.read[usize::from(at.part)].received.get(from).copied().unwrap_or(0);
                ensure(*number == received + 1, || format!("message {number} is applied after {received}"))?;
                ensure(self.post.contains_key(&(*from, at.part, *number)), || "a message is applied that nobody sent, or a second time".to_owned())
            }
            Fact::DirectoryChanged(_) => ensure(at.part == 0, || "the directory changes outside its partition".to_owned()),
            Fact::HolderCreated { holder } => ensure(!self.people.contains_key(holder), || "a person is created twice".to_owned()),
            Fact::EnrolmentSet { .. } | Fact::AgentSet { .. } => Ok(()),
            Fact::Died { holder } => ensure(!self.known(*holder)?.died, || "a person dies twice".to_owned()),
            Fact::Contributed { .. } => ensure(event.moves.len() == 1, || "a contribution is one posting".to_owned()),
            Fact::WalletOpened { holder, by, place } => self.may_open(at, *holder, *by, *place),
            Fact::Frozen { holder, maker, checker, .. } => {
                ensure(maker != checker && !self.known(*holder)?.frozen, || "a freeze by one operator, or a second one".to_owned())
            }
            Fact::Unfrozen { holder, maker, checker } => {
                ensure(maker != checker && self.known(*holder)?.frozen, || "an unfreeze by one operator, or of nothing".to_owned())
            }
            Fact::PlaceChanged { holder, by, from, to } => self.may_change_place(at, *holder, *by, *from, *to),
            Fact::ProofUsed { holder, proof, expires } => {
                ensure(at.stamp < *expires, || "an expired proof is used".to_owned())?;
                ensure(!self.known(*holder)?.proofs.contains(proof), || "a proof is used twice".to_owned())
            }
            Fact::RelationConfirmed { holder, other, declared_here, .. } => {
                let person = self.known(*holder)?;
                ensure(person.is_insured(), || "a relation of somebody who has died or is not insured is confirmed".to_owned())?;
                let was_ended_since = |id| person.relations.get(other).is_some_and(|relation| !relation.stands && relation.pending_at_end.contains(&id));
                let comes_back = *declared_here && self.heard_last.is_some_and(was_ended_since);
                ensure(!comes_back, || "a relation comes back by a transfer that was sent before it ended".to_owned())
            }
            Fact::RelationEnded { .. } => Ok(()),
            Fact::TransferSubmitted(transfer) => self.may_send(at, transfer),
            Fact::TransferMade { .. } => {
                let transfer = made(at, event)?;
                self.may_send(at, &transfer)?;
                self.may_be_made(at, &transfer)?;
                self.check_made(at, event, &transfer)
            }
            Fact::TransferArrived { transfer, state, reason } => self.may_arrive(at, transfer, *state, reason.as_ref()),
            Fact::TransferClosed { id, by, state, .. } => {
                let moving = self.transfers.get(id).ok_or("a transfer that was never sent is decided")?.clone();
                self.may_close(at, &moving, *by, *state)
            }
            Fact::TransferSettled { id, state, counts, .. } => {
                let moving = self.transfers.get(id).ok_or("a transfer that was never sent is settled")?;
                ensure(!moving.sent.is_final(), || "a transfer is settled twice".to_owned())?;
                let is_told = moving.arrived == Some(*state) || *state == TransferState::AwaitingRecipient;
                ensure(is_told && moving.arrived.is_some(), || format!("settled as {state:?}, decided as {:?}", moving.arrived))?;
                let area = self.known(moving.transfer.sender)?.enrolment.map_or(0, |enrolment| enrolment.area);
                let expected = match state {
                    TransferState::Refused => false,
                    TransferState::Returned => self.pinned.rules(area, day(moving.transfer.sent_at)).returned_counts,
                    _ => true,
                };
                ensure(*counts == expected, || format!("whether it counts to the day should be {expected}"))
            }
            Fact::LotsSentBack { .. } => Ok(()),
            Fact::LotsCameBack { contributor, .. } => {
                let has_account = |area| self.people.get(contributor).is_some_and(|person| person.personal.contains_key(&area));
                let fits = |account: Account, area| match account {
                    Account::Personal { holder, area: to } => holder == *contributor && to == area,
                    Account::Unclaimed { area: to } => to == area && !has_account(area),
                    _ => false,
                };
                let is_home = event.moves.iter().all(|posting| posting.lots.iter().all(|lot| fits(posting.to, lot.origin.area)));
                ensure(is_home, || "money does not come back to where it came from".to_owned())
            }
            Fact::CodeIssued(code) => self.may_issue(at, code),
            Fact::CodeDecoded { code, holder, decoding } => self.may_be_decoded(at, *code, *holder, decoding),
            Fact::OrderPlaced(order) => self.may_place(order),
            Fact::OrderDecided { order, state } => self.may_decide(at, *order, state),
            Fact::PaymentHeld(payment) => self.may_hold(at, payment),
            Fact::PaymentCaptured { payment, amount, .. } => {
                let paid = self.payments.get(payment).ok_or("a capture of nothing")?;
                ensure(paid.is_open(), || "a capture of a payment that is closed".to_owned())?;
                ensure(at.stamp < paid.expires, || "a capture after the deadline".to_owned())?;
                let rest = paid.amount - paid.captured - paid.released;
                ensure(*amount <= rest && amount.is_positive(), || format!("{amount} is captured of {rest}"))?;
                ensure(event.moves.iter().map(gongji_ledger::Move::amount).sum::<Fen>() == *amount, || "a capture moves another amount".to_owned())
            }
            Fact::PaymentReleased { payment, state, .. } => {
                let paid = self.payments.get(payment).ok_or("a release of nothing")?;
                ensure(paid.is_open(), || "a release of a payment that is closed".to_owned())?;
                let rest = paid.amount - paid.captured - paid.released;
                ensure(event.moves.iter().map(gongji_ledger::Move::amount).sum::<Fen>() == rest, || format!("{rest} should be released"))?;
                match state {
                    PaymentState::Expired => ensure(at.stamp >= paid.expires, || "expired before the deadline".to_owned()),
                    PaymentState::Voided => ensure(at.stamp < paid.expires, || "voided after the deadline".to_owned()),
                    PaymentState::Captured => ensure(paid.captured.is_positive(), || "captured without a capture".to_owned()),
                    PaymentState::Reversed | PaymentState::Refused => Ok(()),
                    state => Err(format!("a release leaves {state:?}")),
                }
            }
            Fact::PaymentRefunded { payment, amount, .. } => {
                let paid = self.payments.get(payment).ok_or("a refund of nothing")?;
                let rest = paid.captured - paid.refunded;
                ensure(*amount <= rest && amount.is_positive(), || format!("{amount} is refunded of {rest}"))?;
                ensure(paid.state != PaymentState::Reversed, || "a refund of what was reversed".to_owned())?;
                self.check_refunded_to(*payment, *amount, event)
            }
            Fact::PremiumClaimed(claim) => {
                ensure(!self.claims.contains_key(&(claim.insured, claim.year)), || "a premium is claimed twice".to_owned())?;
                let insured = self.known(claim.insured)?;
                let fits = |enrolment: Enrolment| enrolment.insurance == RESIDENT && enrolment.area == claim.area;
                ensure(!insured.died && insured.enrolment.is_some_and(fits), || "a premium of somebody who is no resident there".to_owned())
            }
            Fact::PeriodMarked { mark } => self.periods.may_mark(at, mark),
            Fact::PeriodChanged { period, change } => self.periods.may_change(at, *period, change),
            Fact::PremiumRefused { payment, reason } => {
                let paid = self.payments.get(payment).ok_or("a refused premium that was never held")?;
                let Purpose::Premium { insured, area, year } = paid.purpose else { return Err("a payment refused as a premium".to_owned()) };
                if insured.part() != at.part {
                    return Ok(());
                }
                self.check_premium_refusal(insured, area, year, reason)
            }
            Fact::OperatorChanged { .. }
            | Fact::ApprovalProposed { .. }
            | Fact::ApprovalDecided { .. }
            | Fact::ApprovalFollowed { .. }
            | Fact::Acted { .. } => ensure(at.part == 0, || "an office works outside the directory's partition".to_owned()),
        }
    }

    /// What is so now.
    pub(super) fn after(&mut self, at: At, event: &Event) -> Check {
        let proof = self.proof.take();
        let moved = || (event.moves.iter().map(|posting| posting.lots.len()).sum(), event.moves.iter().map(gongji_ledger::Move::amount).sum::<Fen>());
        match &event.fact {
            Fact::PaymentHeld(_) | Fact::PaymentReleased { .. } => self.periods.take(at.part, None),
            Fact::PaymentCaptured { .. } => self.periods.take(at.part, Some(moved())),
            Fact::PaymentRefunded { .. } => self.periods.take(at.part, Some((moved().0, -moved().1))),
            _ => {}
        }
        match &event.fact {
            Fact::PeriodMarked { mark } => self.periods.mark(at, mark),
            Fact::PeriodChanged { period, change } => self.periods.change(self.parts, *period, change),
            Fact::Answered { key, fingerprint, outcome } => self.note_answer(at, *key, *fingerprint, outcome.clone()),
            Fact::Sent { to, number, message } => {
                self.read[usize::from(at.part)].sent.insert(*to, *number);
                if let Message::TransferRecalled { id, .. } = message {
                    self.to_recall.remove(id);
                }
                self.post.insert((at.part, *to, *number), message.clone());
            }
            Fact::Received { from, number } => {
                self.read[usize::from(at.part)].received.insert(*from, *number);
                self.at_hand = self.post.remove(&(*from, at.part, *number));
            }
            Fact::DirectoryChanged(change) => self.latest.change(change),
            Fact::HolderCreated { holder } => {
                self.touched.insert(*holder);
                self.people.insert(*holder, Person::new(*holder));
            }
            Fact::EnrolmentSet { holder, enrolment } => {
                let before = self.person(*holder)?.enrolment.replace(*enrolment);
                if before.is_some_and(|before| before.is_active() && (!enrolment.is_active() || enrolment.area != before.area)) {
                    self.untie(*holder)?;
                }
            }
            Fact::Died { holder } => {
                let person = self.person(*holder)?;
                person.died = true;
                person.code = None;
                self.untie(*holder)?;
            }
            Fact::Contributed { holder, .. } => {
                let amount = event.moves.iter().map(gongji_ledger::Move::amount).sum();
                self.last_step = Some((super::answers::contribution(*holder), amount));
            }
            Fact::LotsSentBack { .. }
            | Fact::LotsCameBack { .. }
            | Fact::PremiumRefused { .. }
            | Fact::OperatorChanged { .. }
            | Fact::ApprovalProposed { .. }
            | Fact::ApprovalDecided { .. }
            | Fact::ApprovalFollowed { .. }
            | Fact::Acted { .. } => {}
            Fact::WalletOpened { holder, place, .. } => {
                self.person(*holder)?.wallet = Some(Wallet { place: *place, changed_at: None, lots: Default::default() });
            }
            Fact::AgentSet { holder, agent, allowed } => {
                let person = self.person(*holder)?;
                if *allowed {
                    person.agents.insert(*agent)
                } else {
                    person.agents.remove(agent)
                };
            }
            Fact::Frozen { holder, .. } => self.person(*holder)?.frozen = true,
            Fact::Unfrozen { holder, .. } => self.person(*holder)?.frozen = false,
            Fact::PlaceChanged { holder, to, .. } => {
                let wallet = self.person(*holder)?.wallet.as_mut().ok_or("no wallet")?;
                (wallet.place, wallet.changed_at) = (*to, Some(at.stamp));
            }
            Fact::ProofUsed { holder, proof, .. } => {
                self.person(*holder)?.proofs.insert(*proof);
                self.proof = Some(*holder);
            }
            Fact::RelationConfirmed { holder, other, code, declared_here } => {
                let relation = Relation { stands: true, code: *code, declared_here: *declared_here, pending_at_end: Default::default() };
                self.person(*holder)?.relations.insert(*other, relation);
                if let Some(others) = self.untied.get_mut(holder) {
                    others.remove(other);
                }
            }
            Fact::RelationEnded { holder, other, .. } => {
                let person = self.person(*holder)?;
                person.agents.remove(other);
                let pending = person.outgoing.clone();
                if let Some(relation) = person.relations.get_mut(other) {
                    relation.stands = false;
                    relation.pending_at_end = pending;
                }
            }
            Fact::TransferSubmitted(transfer) => {
                ensure(proof == Some(transfer.sender), || "a transfer without its proof of identity".to_owned())?;
                let sender = self.person(transfer.sender)?;
                sender.outgoing.insert(transfer.id);
                let used = sender.days.entry(day(at.stamp)).or_default();
                (used.0, used.1) = (used.0 + 1, used.1 + transfer.amount());
                self.transfers.insert(transfer.id, Moving { transfer: transfer.clone(), sent: TransferState::Submitted, arrived: None });
                self.settled.push(Settled::Transfer(transfer.id));
            }
            Fact::TransferMade { proof, answered, .. } => {
                let transfer = made(at, event)?;
                let sender = self.person(transfer.sender)?;
                sender.proofs.insert(*proof);
                let used = sender.days.entry(day(at.stamp)).or_default();
                (used.0, used.1) = (used.0 + 1, used.1 + transfer.amount());
                let (id, credited) = (transfer.id, TransferState::Credited);
                if let Some((key, fingerprint)) = answered {
                    self.note_answer(at, *key, *fingerprint, made_outcome(&transfer));
                }
                self.transfers.insert(id, Moving { transfer, sent: credited, arrived: Some(credited) });
                self.settled.push(Settled::Transfer(id));
            }
            Fact::TransferArrived { transfer, state, .. } => {
                if *state == TransferState::AwaitingRecipient {
                    self.person(transfer.receiver)?.incoming.insert(transfer.id);
                }
                let moving = self.transfers.get_mut(&transfer.id).ok_or("a transfer arrives that was never sent")?;
                moving.arrived = Some(*state);
                self.settled.push(Settled::Transfer(transfer.id));
            }
            Fact::TransferClosed { id, receiver, state, .. } => {
                self.person(*receiver)?.incoming.remove(id);
                self.to_recall.remove(id);
                self.transfers.get_mut(id).ok_or("unknown")?.arrived = Some(*state);
                self.settled.push(Settled::Transfer(*id));
            }
            Fact::TransferSettled { id, sender, state, counts, .. } => {
                self.heard_last = Some(*id);
                let moving = self.transfers.get_mut(id).ok_or("unknown")?;
                moving.sent = *state;
                let (sent_on, amount) = (day(moving.transfer.sent_at), moving.transfer.amount());
                if state.is_final() {
                    let sender = self.person(*sender)?;
                    sender.outgoing.remove(id);
                    if !counts && let Some(used) = sender.days.get_mut(&sent_on) {
                        (used.0, used.1) = (used.0 - 1, used.1 - amount);
                    }
                }
                self.settled.push(Settled::Transfer(*id));
            }
            Fact::CodeIssued(code) => {
                self.codes.insert(code.id, (code.clone(), false));
                let person = self.person(code.holder)?;
                (person.code, person.code_by) = (Some(code.id), Some(code.by));
            }
            Fact::CodeDecoded { code, decoding, .. } => {
                self.decodings.insert(*code, *decoding);
            }
            Fact::OrderPlaced(order) => {
                let read = &mut self.read[usize::from(at.part)];
                read.lines += 1;
                read.tills.insert(order.id.institution, read.lines);
                self.orders.insert(order.id, Ordered { payment: order.payment, state: order.state.clone(), placed_at: order.placed_at });
                self.settled.push(Settled::Order(order.id));
            }
            Fact::OrderDecided { order, state } => {
                self.orders.get_mut(order).ok_or("unknown")?.state = state.clone();
                self.settled.push(Settled::Order(*order));
            }
            Fact::PaymentHeld(payment) => self.note_hold(payment)?,
            Fact::PaymentCaptured { payment, amount, .. } => {
                self.last_step = Some((payment.0, *amount));
                let paid = self.payments.get_mut(payment).ok_or("unknown")?;
                paid.captured += *amount;
                let mut left = *amount;
                for (_, _, held, captured, _) in &mut paid.slices {
                    let part = (*held - *captured).min(left);
                    (*captured, left) = (*captured + part, left - part);
                }
                paid.state = if paid.captured + paid.released == paid.amount { PaymentState::Captured } else { PaymentState::PartlyCaptured };
                self.note_payment(*payment)?;
            }
            Fact::PaymentReleased { payment, state, .. } => {
                let paid = self.payments.get_mut(payment).ok_or("unknown")?;
                paid.released = paid.amount - paid.captured;
                paid.state = *state;
                self.note_payment(*payment)?;
            }
            Fact::PaymentRefunded { payment, amount, state, .. } => {
                self.last_step = Some((payment.0, *amount));
                let paid = self.payments.get_mut(payment).ok_or("unknown")?;
                paid.refunded += *amount;
                paid.state = *state;
                let mut left = *amount;
                for (_, _, _, captured, refunded) in paid.slices.iter_mut().rev() {
                    let part = (*captured - *refunded).min(left);
                    (*refunded, left) = (*refunded + part, left - part);
                }
                self.note_payment(*payment)?;
            }
            Fact::PremiumClaimed(claim) => {
                self.claims.insert((claim.insured, claim.year), claim.payment);
            }
        }
        if ends_command(event) {
            self.at_hand = None;
            self.last_step = None;
        }
        Ok(())
    }

    pub(super) fn known(&self, holder: HolderId) -> Result<&Person, String> {
        self.people.get(&holder).ok_or_else(|| format!("{holder:?} is not on file"))
    }

    fn untie(&mut self, holder: HolderId) -> Check {
        let person = self.person(holder)?;
        let standing = person.relations.iter().filter(|(_, relation)| relation.stands).map(|(other, _)| *other).collect();
        let pending: Vec<_> = person.outgoing.iter().chain(&person.incoming).copied().collect();
        let outgoing = person.outgoing.clone();
        self.to_recall.extend(outgoing);
        self.untied.insert(holder, standing);
        self.recalled.extend(pending);
        Ok(())
    }

    fn note_hold(&mut self, payment: &Payment) -> Check {
        let slice = |slice: &Slice| (slice.purse, slice.lot.origin, slice.lot.amount, Fen::ZERO, Fen::ZERO);
        let paid = Paid {
            holder: payment.holder,
            purpose: payment.purpose.clone(),
            state: PaymentState::Held,
            amount: payment.amount(),
            captured: Fen::ZERO,
            released: Fen::ZERO,
            refunded: Fen::ZERO,
            expires: payment.expires,
            slices: payment.slices.iter().map(slice).collect(),
        };
        self.payments.insert(payment.id, paid);
        let person = self.person(payment.holder)?;
        person.open_payments.insert(payment.id);
        if let Some(code) = payment.code {
            person.code = None;
            self.codes.get_mut(&code).ok_or("an unknown code pays")?.1 = true;
        }
        self.settled.push(Settled::Payment(payment.id));
        Ok(())
    }

    fn note_payment(&mut self, id: PaymentId) -> Check {
        let paid = &self.payments[&id];
        let (holder, is_open) = (paid.holder, paid.is_open());
        let person = self.person(holder)?;
        if !is_open {
            person.open_payments.remove(&id);
        }
        self.settled.push(Settled::Payment(id));
        Ok(())
    }

    fn rules_of(&self, person: &Person, at: At) -> Rules {
        self.pinned.rules(person.enrolment.map_or(0, |enrolment| enrolment.area), day(at.stamp))
    }

    fn may_open(&self, at: At, holder: HolderId, by: HolderId, place: u32) -> Check {
        let person = self.known(holder)?;
        ensure(holder == by || person.agents.contains(&by), || "opened by a stranger".to_owned())?;
        ensure(person.is_insured() && !person.frozen && person.wallet.is_none(), || "opened against the rules of the person".to_owned())?;
        ensure(person.enrolment.is_some_and(|enrolment| enrolment.area == place), || "opened for another place".to_owned())?;
        ensure(self.pinned.is_open(place, day(at.stamp)), || "opened in a closed region".to_owned())
    }

    fn may_change_place(&self, at: At, holder: HolderId, by: HolderId, from: u32, to: u32) -> Check {
        let person = self.known(holder)?;
        let wallet = person.wallet.as_ref().ok_or("no wallet to change the place of")?;
        ensure(holder == by || person.agents.contains(&by), || "changed by a stranger".to_owned())?;
        ensure(self.proof == Some(holder), || "a change of place without its proof".to_owned())?;
        ensure(wallet.place == from && from != to, || "the place does not change".to_owned())?;
        ensure(person.is_insured() && !person.frozen, || "changed against the rules of the person".to_owned())?;
        ensure(person.enrolment.is_some_and(|enrolment| enrolment.area == to), || "changed to another place than the insurance's".to_owned())?;
        ensure(self.pinned.is_open(to, day(at.stamp)), || "changed to a closed region".to_owned())?;
        let wait = i64::from(self.pinned.rules(from, day(at.stamp)).cooldown_days) * 86_400_000;
        ensure(wallet.changed_at.is_none_or(|changed| at.stamp >= changed + wait), || "changed again too soon".to_owned())?;
        ensure(person.outgoing.is_empty() && person.incoming.is_empty() && person.open_payments.is_empty(), || "changed with something pending".to_owned())
    }

    fn may_send(&self, at: At, transfer: &Transfer) -> Check {
        ensure(!self.transfers.contains_key(&transfer.id), || "a transfer is sent twice".to_owned())?;
        let sender = self.known(transfer.sender)?;
        let enrolment = sender.enrolment.ok_or("the sender is not insured")?;
        let (rules, amount, today) = (self.rules_of(sender, at), transfer.amount(), day(at.stamp));
        ensure(sender.is_insured() && !sender.frozen, || "sent against the rules of the person".to_owned())?;
        ensure(self.pinned.is_open(enrolment.area, today), || "sent from a closed region".to_owned())?;
        ensure(transfer.receiver != transfer.sender, || "sent to oneself".to_owned())?;
        ensure((1..=self.parts).contains(&transfer.receiver.part()), || "sent to a partition that is none".to_owned())?;
        ensure(amount >= rules.min && amount <= rules.max, || format!("{amount} is outside what one transfer may be"))?;
        ensure(!rules.rests_at(at.stamp), || "sent in the hours of rest".to_owned())?;
        let (count, total) = sender.days.get(&today).copied().unwrap_or_default();
        ensure(count < i64::from(rules.count_max), || format!("transfer number {} of a day", count + 1))?;
        ensure(rules.total_max.is_none_or(|max| total + amount <= max), || format!("{} sent in a day", total + amount))?;
        ensure(!rules.one_at_a_time || sender.outgoing.is_empty(), || "sent while another is pending".to_owned())?;
        ensure(transfer.sent_at == at.stamp && transfer.deadline == deadline(at.stamp, rules.return_at), || "its times are not the commit's".to_owned())?;
        let known = sender.relations.get(&transfer.receiver).filter(|relation| relation.stands && relation.declared_here);
        ensure(known.is_none_or(|relation| relation.code == transfer.relation), || "sent under another relation than the confirmed one".to_owned())?;
        match transfer.source {
            Purse::Personal { area } => {
                ensure(area == enrolment.area && enrolment.insurance == EMPLOYEE && !enrolment.pooled_only, || "sent from an account that is none".to_owned())?;
                let origin = Origin { contributor: transfer.sender, area, kind: rules.kind };
                ensure(transfer.lots.len() == 1 && transfer.lots[0].origin == origin, || "its origin is not the account".to_owned())?;
                ensure(sender.personal.get(&area).is_some_and(|balance| *balance >= amount), || "more is sent than there is".to_owned())
            }
            Purse::Wallet => {
                let lots: Vec<_> = sender.lots_in_order().into_iter().filter(|(origin, ..)| origin.kind != GrantKind::Quota).collect();
                let expected = use_oldest(&lots, amount);
                let found: Vec<_> = transfer.lots.iter().map(|lot| (lot.origin, lot.amount)).collect();
                ensure(expected == found, || format!("not the oldest lots are sent on: {found:?}, should be {expected:?}"))
            }
        }
    }

    fn may_arrive(&self, at: At, transfer: &Transfer, state: TransferState, reason: Option<&Reason>) -> Check {
        let moving = self.transfers.get(&transfer.id).ok_or("a transfer arrives that was never sent")?;
        ensure(moving.arrived.is_none(), || "a transfer arrives twice".to_owned())?;
        ensure(moving.transfer == *transfer, || "a transfer arrives changed".to_owned())?;
        let is_late = at.stamp >= transfer.deadline;
        let receiver = self.people.get(&transfer.receiver);
        let bars = self.receiver_bars(at, receiver, transfer);
        let has_wallet = receiver.is_some_and(|person| person.wallet.is_some());
        let is_related = receiver.is_some_and(|person| person.is_related(transfer.sender));
        let expected = if is_late {
            TransferState::Returned
        } else if bars {
            TransferState::Refused
        } else if has_wallet && is_related {
            TransferState::Credited
        } else {
            TransferState::AwaitingRecipient
        };
        ensure(state == expected, || format!("it should have become {expected:?}"))?;
        let neutral = reason.is_none_or(|reason| is_related || matches!(reason, Reason::ReceiverUnavailable));
        ensure(neutral && reason.is_some() == (state == TransferState::Refused), || format!("the sender is told {reason:?}"))
    }

    /// What is made at once needs nobody's consent any more.
    fn may_be_made(&self, at: At, transfer: &Transfer) -> Check {
        let (sender, receiver) = (self.known(transfer.sender)?, self.known(transfer.receiver)?);
        ensure(sender.is_related(transfer.receiver) && receiver.is_related(transfer.sender), || "made at once between strangers".to_owned())?;
        ensure(receiver.wallet.is_some() && !self.receiver_bars(at, Some(receiver), transfer), || "made at once though the receiver may not take it".to_owned())
    }

    /// A transfer made at once brings its proof and its answer with it.
    fn check_made(&self, at: At, event: &Event, transfer: &Transfer) -> Check {
        let Fact::TransferMade { proof, proof_expires, answered, .. } = &event.fact else { return Ok(()) };
        ensure(at.stamp < *proof_expires && !self.known(transfer.sender)?.proofs.contains(proof), || "its proof has expired or was used".to_owned())?;
        let Some((key, fingerprint)) = answered else { return Err("a transfer without a key".to_owned()) };
        ensure(!self.answers.contains_key(&(at.part, *key)), || "a request is answered a second time".to_owned())?;
        let asked = self.asked.get(&(at.part, *key, *fingerprint)).ok_or("something is answered that nobody asked")?;
        let fits = matches!(asked, gongji_wallet::Command::RequestTransfer(asked)
            if asked.id == transfer.id && asked.receiver == transfer.receiver && asked.sender == transfer.sender && asked.amount == transfer.amount());
        ensure(fits, || "another transfer is made than was asked for".to_owned())
    }

    /// Whether anything stands against taking this transfer at all.
    fn receiver_bars(&self, at: At, receiver: Option<&Person>, transfer: &Transfer) -> bool {
        let Some(person) = receiver else { return true };
        let closed = person.enrolment.is_some_and(|enrolment| !self.pinned.is_open(enrolment.area, day(at.stamp)));
        let known = person.wallet.iter().flat_map(|wallet| wallet.lots.keys()).chain(transfer.lots.iter().map(|lot| &lot.origin));
        let origins: std::collections::BTreeSet<_> = known.collect();
        let is_full = origins.len() > gongji_ledger::LOTS_MAX || person.incoming.len() >= 50;
        let is_crowded = !person.relations.contains_key(&transfer.sender) && person.relations.len() >= 64;
        !person.is_insured() || person.frozen || closed || is_full || is_crowded
    }

    fn may_close(&self, at: At, moving: &Moving, by: Option<HolderId>, state: TransferState) -> Check {
        let transfer = &moving.transfer;
        ensure(moving.arrived == Some(TransferState::AwaitingRecipient), || format!("it was {:?} already", moving.arrived))?;
        let is_late = at.stamp >= transfer.deadline;
        let receiver = self.known(transfer.receiver)?;
        let may_act = by.is_some_and(|by| by == transfer.receiver || receiver.agents.contains(&by));
        match state {
            TransferState::Credited => {
                ensure(!is_late && may_act, || "accepted too late, or by a stranger".to_owned())?;
                ensure(receiver.is_insured() && !receiver.frozen && receiver.wallet.is_some(), || "accepted against the rules of the person".to_owned())?;
                let area = receiver.enrolment.map_or(0, |enrolment| enrolment.area);
                ensure(self.pinned.is_open(area, day(at.stamp)), || "accepted in a closed region".to_owned())
            }
            TransferState::Declined => ensure(!is_late && may_act, || "declined too late, or by a stranger".to_owned()),
            TransferState::Cancelled => ensure(!is_late && by == Some(transfer.sender), || "cancelled too late, or by a stranger".to_owned()),
            TransferState::Returned => {
                ensure(is_late || self.recalled.contains(&transfer.id), || "returned before its deadline for no reason".to_owned())?;
                ensure(by.is_none(), || "returned by somebody".to_owned())
            }
            state => Err(format!("a waiting transfer becomes {state:?}")),
        }
    }

    fn may_issue(&self, at: At, code: &Code) -> Check {
        let person = self.known(code.holder)?;
        let wallet = person.wallet.as_ref().ok_or("a code without a wallet")?;
        ensure(!person.died && !person.frozen, || "a code against the rules of the person".to_owned())?;
        ensure(code.by == code.holder || person.agents.contains(&code.by), || "a code by a stranger".to_owned())?;
        let life = self.pinned.rules(wallet.place, day(at.stamp)).code_ms;
        ensure(code.expires == at.stamp + life && code.used.is_none(), || "a code of another life".to_owned())
    }

    fn may_be_decoded(&self, at: At, id: CodeId, holder: HolderId, decoding: &Decoding) -> Check {
        let (code, is_used) = self.codes.get(&id).ok_or("an unknown code is decoded")?;
        ensure(code.holder == holder && !is_used && !self.decodings.contains_key(&id), || "a code is decoded again".to_owned())?;
        let person = self.known(holder)?;
        ensure(at.stamp < code.expires && person.code == Some(id), || "a code is decoded that is over".to_owned())?;
        let place = person.wallet.as_ref().map(|wallet| wallet.place).ok_or("a code without a wallet")?;
        let area = self.pinned.institutions.get(&decoding.institution).map(|(area, _)| *area);
        ensure(area == Some(place), || "a code is decoded in another place".to_owned())?;
        let life = self.pinned.rules(place, day(at.stamp)).decoded_ms;
        ensure(decoding.until == at.stamp + life, || "a decoded code of another life".to_owned())
    }

    fn may_place(&self, order: &Order) -> Check {
        ensure(!self.orders.contains_key(&order.id), || "an order number is recorded twice".to_owned())?;
        match order.state {
            OrderState::ReversedBefore => Ok(()),
            OrderState::Placed => {
                let is_ready = self.pinned.institutions.get(&order.id.institution).is_some_and(|(_, off)| !off);
                let bill = order.bill;
                let is_asked = self.placed.get(&order.payment).is_some_and(|asked| asked.order == order.id && asked.bill == bill);
                ensure(is_asked, || "an order is recorded that nobody placed like that".to_owned())?;
                ensure(is_ready && bill.own.is_positive() && bill.total == bill.fund + bill.own + bill.institution, || "a bill that is none".to_owned())
            }
            ref state => Err(format!("an order begins as {state:?}")),
        }
    }

    fn may_decide(&self, at: At, id: OrderId, state: &OrderState) -> Check {
        let order = self.orders.get(&id).ok_or("an order that was never placed is decided")?;
        match (&order.state, state) {
            (OrderState::Placed, OrderState::Held { personal, wallet }) => {
                let paid = self.payments.get(&order.payment).ok_or("an order is held without a payment")?;
                let sum = |is_wallet: bool| -> Fen { paid.slices.iter().filter(|slice| (slice.0 == Purse::Wallet) == is_wallet).map(|slice| slice.2).sum() };
                ensure((sum(false), sum(true)) == (*personal, *wallet), || "the institution is told other sums than are held".to_owned())
            }
            (OrderState::Placed, OrderState::Refused(reasons)) => {
                let is_local = order.payment.part() == at.part;
                if is_local { self.check_hold_refusal(at, order.payment, reasons) } else { Ok(()) }
            }
            (OrderState::Placed, OrderState::ReversedUnheard) | (OrderState::Held { .. }, OrderState::Reversed) => Ok(()),
            (from, to) => Err(format!("an order goes from {from:?} to {to:?}")),
        }
    }

    fn may_hold(&self, at: At, payment: &Payment) -> Check {
        ensure(!self.payments.contains_key(&payment.id), || "a payment is held twice".to_owned())?;
        let person = self.known(payment.holder)?;
        let wallet = person.wallet.as_ref().ok_or("a payment without a wallet")?;
        ensure(!person.died && !person.frozen, || "a payment against the rules of the person".to_owned())?;
        ensure(payment.by == payment.holder || person.agents.contains(&payment.by), || "a payment by a stranger".to_owned())?;
        let (wanted, first, partial) = match payment.purpose {
            Purpose::Premium { insured, area, year } => {
                let premium = self.pinned.premiums.get(&(area, year)).ok_or("a premium that nobody asks for")?;
                let today = day(at.stamp);
                ensure((premium.opens..=premium.closes).contains(&today), || "a premium outside its window".to_owned())?;
                ensure(insured == payment.holder || (premium.relatives && person.is_related(insured)), || "a stranger's premium".to_owned())?;
                (premium.amount, PayFirst::WalletOnly, false)
            }
            Purpose::Order { order, area, bill, visit, insurance } => {
                ensure(wallet.place == area, || "a payment in another place".to_owned())?;
                let asked = self.placed.get(&payment.id).ok_or("a hold that no institution asked for")?;
                ensure(asked.order == order && asked.bill == bill && asked.visit == visit, || "a hold of another bill".to_owned())?;
                let on_file = person.enrolment.map_or(0, |enrolment| enrolment.insurance);
                ensure(insurance == on_file, || format!("insurance {insurance} instead of {on_file}"))?;
                let rules = self.pinned.rules(wallet.place, day(at.stamp));
                let life = if visit.business == Business::Inpatient { rules.inpatient_hold_ms } else { rules.hold_ms };
                ensure(payment.expires == at.stamp + life, || "a hold of another life".to_owned())?;
                let known = self.orders.get(&order).ok_or("a hold without its order")?;
                ensure(known.payment == payment.id && known.state != OrderState::ReversedBefore, || "a hold of an order that was reversed before".to_owned())?;
                let first = match asked.payer {
                    Payer::Code(id) => {
                        let (code, is_used) = self.codes.get(&id).ok_or("an unknown code pays")?;
                        ensure(!is_used && payment.code == Some(id), || "a code pays twice".to_owned())?;
                        let decoding = self.decodings.get(&id);
                        let is_elsewhere = decoding.is_some_and(|decoding| {
                            decoding.institution != order.institution || decoding.business.is_some_and(|business| business != visit.business)
                        });
                        ensure(!is_elsewhere, || "a code pays where it was not decoded".to_owned())?;
                        ensure(at.stamp < decoding.map_or(code.expires, |decoding| decoding.until), || "an expired code pays".to_owned())?;
                        ensure(person.code == Some(id) && code.holder == payment.holder && code.by == payment.by, || "a replaced code pays".to_owned())?;
                        code.first
                    }
                    Payer::Holder { holder, by, first, .. } => {
                        ensure(self.proof == Some(holder) && holder == payment.holder && by == payment.by, || "paid without its proof".to_owned())?;
                        first
                    }
                };
                let quote = split(&expected_use(person, first, bill.own));
                ensure(asked.quote.is_none_or(|asked| asked == quote), || "a hold that differs from its quote".to_owned())?;
                (bill.own, first, asked.partial)
            }
        };
        let expected = expected_use(person, first, wanted);
        let found: Vec<_> = payment.slices.iter().map(|slice| (slice.purse, slice.lot.origin, slice.lot.amount)).collect();
        let enough: Fen = expected.iter().map(|(.., amount)| *amount).sum();
        ensure(found == expected, || format!("paid with {found:?}, should be {expected:?}"))?;
        ensure(enough == wanted || (partial && enough.is_positive()), || format!("{enough} is held of {wanted}"))
    }

    /// A refund goes back where the money came from, in reverse order of use.
    fn check_refunded_to(&self, id: PaymentId, amount: Fen, event: &Event) -> Check {
        let paid = &self.payments[&id];
        let (mut left, mut wallet, mut personal) = (amount, Fen::ZERO, Fen::ZERO);
        for (purse, _, _, captured, refunded) in paid.slices.iter().rev() {
            let part = (*captured - *refunded).min(left);
            left -= part;
            if *purse == Purse::Wallet { wallet += part } else { personal += part }
        }
        let to = |is_wallet: bool| -> Fen {
            let moves = event.moves.iter().filter(|posting| matches!(posting.to, Account::Wallet { .. }) == is_wallet);
            moves.map(gongji_ledger::Move::amount).sum()
        };
        ensure((to(true), to(false)) == (wallet, personal), || format!("{wallet} should go back to the wallet, {personal} to the account"))
    }

    /// A message is no licence: what one says is checked when it is sent, where both sides are known.
    fn check_message(&self, at: At, message: &Message) -> Check {
        match message {
            Message::HoldDecided { order, state: OrderState::Refused(reasons) } => {
                let order = self.orders.get(order).ok_or("a hold of no order is refused")?;
                self.check_hold_refusal(at, order.payment, reasons)
            }
            Message::PremiumAnswered { payment, refused: Some(reason), .. } => match self.payments.get(payment).map(|paid| &paid.purpose) {
                Some(Purpose::Premium { insured, area, year }) => self.check_premium_refusal(*insured, *area, *year, reason),
                _ => Err("a premium that is not held is refused".to_owned()),
            },
            Message::TransferRecalled { id, .. } => ensure(self.recalled.contains(id), || "a transfer is recalled for no reason".to_owned()),
            Message::OrderReversed { order, .. } => {
                let is_reversed = self.orders.get(order).is_some_and(|order| matches!(order.state, OrderState::Reversed | OrderState::ReversedUnheard));
                ensure(is_reversed || is_about(&self.at_hand, |_| true), || "an order that was not reversed is undone".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl Paid {
    pub fn is_open(&self) -> bool {
        matches!(self.state, PaymentState::Held | PaymentState::PartlyCaptured)
    }

    pub fn remaining(&self) -> Fen {
        self.amount - self.captured - self.released
    }
}

fn use_oldest(lots: &[(Origin, Fen, i64)], amount: Fen) -> Vec<(Origin, Fen)> {
    let mut left = amount;
    let mut used = Vec::new();
    for (origin, sum, _) in lots {
        let part = (*sum).min(left);
        if part.is_positive() {
            used.push((*origin, part));
            left -= part;
        }
    }
    used
}

/// What a payment of `amount` takes, or as much of it as there is.
pub(super) fn expected_use(person: &Person, first: PayFirst, amount: Fen) -> Vec<(Purse, Origin, Fen)> {
    let area = person.enrolment.map_or(0, |enrolment| enrolment.area);
    let balance = person.personal.get(&area).copied().unwrap_or(Fen::ZERO);
    let wallet = person.wallet_total();
    let from_wallet = match first {
        PayFirst::Personal => (amount - amount.min(balance)).min(wallet),
        PayFirst::Wallet | PayFirst::WalletOnly => amount.min(wallet),
    };
    let from_personal = if first == PayFirst::WalletOnly { Fen::ZERO } else { (amount - from_wallet).min(balance) };
    let lots = use_oldest(&person.lots_in_order(), from_wallet).into_iter().map(|(origin, part)| (Purse::Wallet, origin, part));
    let contributor = person.id;
    let own = Origin { contributor, area, kind: GrantKind::Own };
    let personal = from_personal.is_positive().then_some((Purse::Personal { area }, own, from_personal));
    if first == PayFirst::Personal { personal.into_iter().chain(lots).collect() } else { lots.chain(personal).collect() }
}

/// How much of it comes from each purse.
pub(super) fn split(used: &[(Purse, Origin, Fen)]) -> Quote {
    let sum = |is_wallet: bool| used.iter().filter(|(purse, ..)| (*purse == Purse::Wallet) == is_wallet).map(|(.., part)| *part).sum();
    Quote { personal: sum(false), wallet: sum(true) }
}

/// The transfer that an event made at once: whose it is, its one move says.
fn made(at: At, event: &Event) -> Result<Transfer, String> {
    let (Fact::TransferMade { id, relation, deadline, rule, .. }, [posting]) = (&event.fact, event.moves.as_slice()) else {
        return Err("a transfer made at once is one move".to_owned());
    };
    let (source, sender) = match posting.from {
        Account::Personal { holder, area } => (Purse::Personal { area }, holder),
        Account::Wallet { holder } => (Purse::Wallet, holder),
        other => return Err(format!("a transfer leaves {other:?}")),
    };
    let Account::Wallet { holder: receiver } = posting.to else { return Err(format!("a transfer made at once enters {:?}", posting.to)) };
    let lots = posting.lots.clone();
    let kind = lots.first().ok_or("a transfer of nothing")?.origin.kind;
    Ok(Transfer { id: *id, sender, receiver, relation: *relation, source, kind, lots, sent_at: at.stamp, deadline: *deadline, rule: *rule })
}

fn made_outcome(transfer: &Transfer) -> Outcome {
    let (state, amount) = (TransferState::Credited, transfer.amount());
    Outcome::Transfer { id: transfer.id, state, amount, deadline: transfer.deadline, rule: transfer.rule, reason: None }
}
