//! What people are told: the same answer for ever, no false refusal, and a state that is so.

use super::directory::day;
use super::facts::{expected_use, split};
use super::{At, Check, Known, Model, Person, ensure};
use gongji_ledger::{Fen, GrantKind, HolderId, InstitutionId, Part};
use gongji_wallet::Decision;
use gongji_wallet::clearing::ClearingCommand;
use gongji_wallet::command::{Command, Proof, RequestTransfer};
use gongji_wallet::event::{Outcome, Payer};
use gongji_wallet::ids::{CodeId, OrderId, PaymentId, RequestKey};
use gongji_wallet::object::{Bill, Business, Code, EMPLOYEE, EnrolmentStatus, OrderState, PaymentState, Purpose, RESIDENT, TransferState};
use gongji_wallet::reason::Reason;
use std::collections::BTreeMap;

impl Model {
    pub(super) fn note_answer(&mut self, at: At, key: RequestKey, fingerprint: [u8; 16], outcome: Outcome) {
        self.answers.insert((at.part, key), Known { fingerprint, seq: at.seq, outcome });
    }

    /// An answer as it is recorded.
    pub(super) fn check_answer(&self, at: At, key: &RequestKey, fingerprint: &[u8; 16], outcome: &Outcome) -> Check {
        ensure(!self.answers.contains_key(&(at.part, *key)), || "a request is answered a second time".to_owned())?;
        let command = self.asked.get(&(at.part, *key, *fingerprint)).ok_or("something is answered that nobody asked")?;
        if !matches!(outcome, Outcome::Refused(_)) {
            self.check_as_asked(at, command)?;
        }
        match outcome {
            Outcome::Refused(reasons) => self.check_refusal(at, command, reasons),
            Outcome::Transfer { id, state, amount, deadline, .. } => {
                let moving = self.transfers.get(id).ok_or("an answer about a transfer that is not there")?;
                let here = if moving.transfer.sender.part() == at.part { Some(moving.sent) } else { moving.arrived };
                ensure(here == Some(*state), || format!("told {state:?}, it is {here:?}"))?;
                ensure(moving.transfer.amount() == *amount && moving.transfer.deadline == *deadline, || "told another amount or deadline".to_owned())?;
                let wanted = match command {
                    Command::AcceptTransfer { .. } => Some(TransferState::Credited),
                    Command::DeclineTransfer { .. } => Some(TransferState::Declined),
                    Command::CancelTransfer { .. } => Some(TransferState::Cancelled),
                    _ => None,
                };
                ensure(wanted.is_none_or(|wanted| wanted == *state), || format!("told {state:?} instead of {wanted:?}"))
            }
            Outcome::Payment { payment, state, captured, refunded, remaining } => {
                let paid = self.payments.get(payment).ok_or("an answer about a payment that is not there")?;
                let found = (paid.state, paid.captured, paid.refunded, paid.remaining());
                ensure(found == (*state, *captured, *refunded, *remaining), || format!("told otherwise than {found:?}"))
            }
            Outcome::Premium { payment, state, .. } => {
                let paid = self.payments.get(payment).ok_or("an answer about a premium that is not there")?;
                ensure(paid.state == *state, || format!("told {state:?}, it is {:?}", paid.state))
            }
            Outcome::Order { payment, state } => {
                let (Command::PlaceOrder(gongji_wallet::command::PlaceOrder { order, .. }) | Command::ReverseOrder { order, .. }) = command else {
                    return Err("an order answers to something else".to_owned());
                };
                let known = self.orders.get(order).ok_or("an answer about an order that is not there")?;
                if let Command::PlaceOrder(asked) = command {
                    let placed = self.placed.get(&known.payment).ok_or("an order that nobody placed")?;
                    let is_same = placed.bill == asked.bill && placed.partial == asked.partial && payer_of(&placed.payer) == payer_of(&asked.payer);
                    ensure(is_same, || "an order number stands for two different bills".to_owned())?;
                }
                ensure(known.state == *state && known.payment == *payment, || format!("told otherwise than {:?}", known.state))
            }
            Outcome::NothingToReverse => match command {
                Command::ReverseOrder { order, .. } => {
                    let state = self.orders.get(order).map(|order| &order.state);
                    ensure(matches!(state, Some(OrderState::ReversedBefore | OrderState::Refused(_))), || format!("nothing to reverse of {state:?}"))
                }
                _ => Err("nothing was to be reversed".to_owned()),
            },
            Outcome::Code { expires } => match command {
                Command::IssueCode { code, .. } => {
                    ensure(self.codes.get(code).is_some_and(|(code, _)| code.expires == *expires), || "told another expiry of the code".to_owned())
                }
                Command::DecodeCode { code, .. } => {
                    ensure(self.decodings.get(code).is_some_and(|decoding| decoding.until == *expires), || "told another end of the decoded code".to_owned())
                }
                _ => Err("a code answers to something else".to_owned()),
            },
            Outcome::Done => self.check_done(command),
        }
    }

    /// What was asked and what was answered, and how often.
    pub fn told(&self) -> BTreeMap<String, u64> {
        let name = |value: &dyn std::fmt::Debug| format!("{value:?}").split([' ', '(', '{']).next().unwrap_or_default().to_owned();
        let mut told = BTreeMap::new();
        for ((part, key), known) in &self.answers {
            let Some(command) = self.asked.get(&(*part, *key, known.fingerprint)) else { continue };
            let outcome = match &known.outcome {
                Outcome::Refused(reasons) => format!("refused {}", name(&reasons[0])),
                Outcome::Transfer { state, .. } => name(state),
                Outcome::Payment { state, .. } | Outcome::Premium { state, .. } => name(state),
                Outcome::Order { state, .. } => name(state),
                outcome => name(outcome),
            };
            *told.entry(format!("{}: {outcome}", name(command))).or_default() += 1;
        }
        for order in self.orders.values() {
            let why = match &order.state {
                OrderState::Refused(reasons) => format!("Refused {}", name(&reasons[0])),
                state => name(state),
            };
            *told.entry(format!("order became {why}")).or_default() += 1;
        }
        for moving in self.transfers.values() {
            *told.entry(format!("transfer became {:?}", moving.sent)).or_default() += 1;
        }
        for paid in self.payments.values() {
            *told.entry(format!("payment became {:?}", paid.state)).or_default() += 1;
        }
        told
    }

    /// What was done is what was asked for: this payment, this amount, to this person.
    fn check_as_asked(&self, at: At, command: &Command) -> Check {
        let last = self.last_step;
        let holds = match command {
            Command::RequestTransfer(asked) => self.transfers.get(&asked.id).is_some_and(|moving| {
                let transfer = &moving.transfer;
                let is_from_wallet = transfer.source == gongji_wallet::object::Purse::Wallet;
                (transfer.sender, transfer.receiver, transfer.amount(), is_from_wallet) == (asked.sender, asked.receiver, asked.amount, asked.from_wallet)
            }),
            Command::AcceptTransfer { id, receiver, .. } => {
                // Unless the sender lives here too and has meanwhile lost the ground for it.
                let sender = self.transfers[id].transfer.sender;
                let is_gone = sender.part() == at.part && self.people.get(&sender).is_none_or(|person| !person.is_related(*receiver));
                is_gone || self.people.get(receiver).is_some_and(|person| person.is_related(sender))
            }
            Command::Capture { payment, amount, last: is_last, .. } => {
                let rest = self.payments.get(payment).map(|paid| paid.remaining());
                last == Some((payment.0, *amount)) && (!is_last || rest == Some(Fen::ZERO))
            }
            Command::Refund { payment, amount, .. } => last == Some((payment.0, *amount)),
            Command::Void { payment, .. } => self.payments.get(payment).is_some_and(|paid| !paid.is_open() && paid.remaining().is_zero()),
            Command::Contribute { holder, amount, .. } => last == Some((contribution(*holder), *amount)),
            Command::IssueCode { holder, by, code, first } => {
                self.codes.get(code).is_some_and(|(code, _)| (code.holder, code.by, code.first) == (*holder, *by, *first))
            }
            Command::DecodeCode { code, institution, .. } => self.decodings.get(code).is_some_and(|decoding| decoding.institution == *institution),
            Command::PayPremium { payment, payer, insured, area, year, .. } => self.payments.get(payment).is_some_and(|paid| {
                let purpose = Purpose::Premium { insured: *insured, area: *area, year: *year };
                paid.holder == *payer && paid.purpose == purpose
            }),
            _ => true,
        };
        ensure(holds, || format!("what was done in partition {} is not what was asked for: {command:?}", at.part))
    }

    fn check_done(&self, command: &Command) -> Check {
        let person = |holder: &HolderId| self.people.get(holder).ok_or_else(|| format!("done, but {holder:?} is not on file"));
        let holds = match command {
            Command::CreateHolder { holder } => person(holder).is_ok(),
            Command::SetEnrolment { holder, enrolment } => person(holder)?.enrolment == Some(*enrolment),
            Command::RegisterDeath { holder } => person(holder)?.died,
            Command::Freeze { holder, .. } => person(holder)?.frozen,
            Command::Unfreeze { holder, .. } => !person(holder)?.frozen,
            Command::OpenWallet { holder, .. } => person(holder)?.wallet.is_some(),
            Command::SetAgent { holder, agent, allowed } => person(holder)?.agents.contains(agent) == *allowed,
            Command::ChangePlace { holder, place, .. } => person(holder)?.wallet.as_ref().is_some_and(|wallet| wallet.place == *place),
            Command::EndRelation { holder, other, .. } => !person(holder)?.is_related(*other),
            Command::Contribute { .. } | Command::ChangeDirectory(_) => true,
            Command::Clearing(command) => match &**command {
                ClearingCommand::Cut { period, .. } => self.periods.state(*period).is_some(),
                _ => true,
            },
            _ => false,
        };
        ensure(holds, || format!("told that it is done, and it is not: {command:?}"))
    }

    /// What a caller hears, against what is recorded.
    pub fn check_heard(&self, part: Part, key: RequestKey, fingerprint: [u8; 16], seq: u64, decision: &Decision) -> Check {
        let known = self.answers.get(&(part, key)).ok_or_else(|| format!("an answer is given that is not durable: {decision:?}"))?;
        match decision {
            Decision::New(outcome) | Decision::Replayed(outcome) => {
                ensure(known.fingerprint == fingerprint, || "the answer of another body is given".to_owned())?;
                ensure(known.outcome == *outcome, || format!("answered {outcome:?}, recorded was {:?}", known.outcome))?;
                // A writer that was fenced off and does not know it finds a later answer in the books: it says the same, of a lower record.
                let is_new = matches!(decision, Decision::New(_));
                ensure(!is_new || known.seq == seq, || format!("answered of record {seq}, recorded in {}", known.seq))
            }
            Decision::KeyReused => ensure(known.fingerprint != fingerprint, || "a retry is taken for another request".to_owned()),
        }
    }

    fn check_refusal(&self, at: At, command: &Command, reasons: &[Reason]) -> Check {
        for reason in reasons {
            ensure(self.is_true(at, command, reason), || format!("refused with what is not so: {reason:?}"))?;
        }
        Ok(())
    }

    fn is_true(&self, at: At, command: &Command, reason: &Reason) -> bool {
        match command {
            Command::RequestTransfer(request) => self.is_true_of_transfer(at, request, reason),
            Command::AcceptTransfer { id, receiver, by } | Command::DeclineTransfer { id, receiver, by } => {
                let moving = self.transfers.get(id).filter(|moving| moving.transfer.receiver == *receiver && moving.arrived.is_some());
                match (reason, moving) {
                    (Reason::NotFound, moving) => moving.is_none() || !self.people.contains_key(receiver),
                    (Reason::NotYours, Some(_)) => self.people.get(receiver).is_none_or(|person| by != receiver && !person.agents.contains(by)),
                    (Reason::TransferFinal { state }, Some(moving)) => moving.arrived == Some(*state) && state.is_final(),
                    (Reason::TransferOverdue, Some(moving)) => at.stamp >= moving.transfer.deadline,
                    (Reason::WalletFull, Some(_)) => true,
                    (reason, Some(_)) => self.is_true_of_person(at, *receiver, reason),
                    _ => false,
                }
            }
            Command::CancelTransfer { id, sender } => {
                let moving = self.transfers.get(id).filter(|moving| moving.transfer.sender == *sender && moving.arrived.is_some());
                match (reason, moving) {
                    (Reason::NotFound, moving) => moving.is_none(),
                    (Reason::TransferFinal { state }, Some(moving)) => moving.arrived == Some(*state) && state.is_final(),
                    (Reason::TransferOverdue, Some(moving)) => at.stamp >= moving.transfer.deadline,
                    _ => false,
                }
            }
            Command::Capture { payment, order, amount, .. } => self.is_true_of_payment(at, *payment, *order, *amount, true, reason),
            Command::Void { payment, order } => self.is_true_of_payment(at, *payment, *order, Fen(1), true, reason),
            Command::Refund { payment, order, amount } => self.is_true_of_payment(at, *payment, *order, *amount, false, reason),
            Command::PlaceOrder(asked) => {
                let known = self.orders.get(&asked.order).map(|order| &order.state);
                match reason {
                    Reason::OrderReversed => matches!(known, Some(OrderState::Reversed | OrderState::ReversedUnheard | OrderState::ReversedBefore)),
                    Reason::OrderConflict => known.is_some(),
                    Reason::InstitutionUnknown => !self.pinned.institutions.contains_key(&asked.order.institution),
                    Reason::InstitutionNotReady => self.pinned.institutions.get(&asked.order.institution).is_some_and(|(_, off)| *off),
                    Reason::BillUnbalanced => !is_balanced(&asked.bill),
                    Reason::VisitDay { first, last } => *last == day(at.stamp) && *first == last - 31 && !(*first..=*last).contains(&asked.visit.day),
                    Reason::AmountTooSmall { .. } => !asked.bill.own.is_positive(),
                    Reason::CodeUnknown => !(1..=self.parts).contains(&asked.payment.part()),
                    Reason::BillTooLarge { max } => asked.bill.total > *max || asked.bill.own > *max || asked.bill.fund > *max,
                    _ => false,
                }
            }
            Command::ReverseOrder { order, .. } => *reason == Reason::InstitutionUnknown && !self.pinned.institutions.contains_key(&order.institution),
            Command::PayPremium { payer, by, insured, area, year, proof, .. } => {
                let premium = self.pinned.premiums.get(&(*area, *year));
                let today = day(at.stamp);
                match (reason, premium) {
                    (Reason::PremiumUnknown, premium) => premium.is_none(),
                    (Reason::PremiumNotOpen { .. }, Some(premium)) => today < premium.opens,
                    (Reason::PremiumClosed, Some(premium)) => today > premium.closes,
                    (Reason::PremiumNotForRelatives, Some(premium)) => !premium.relatives && payer != insured,
                    (Reason::InsufficientFunds { available }, Some(premium)) => {
                        self.people.get(payer).is_some_and(|person| person.wallet_total() == *available && *available < premium.amount)
                    }
                    (Reason::NotRelated, _) => payer != insured && !self.people.get(payer).is_some_and(|person| person.is_related(*insured)),
                    (reason, _) => self.is_true_of_proof(at, *payer, *by, proof.as_ref(), reason) || self.is_true_of_person_by(at, *payer, *by, reason),
                }
            }
            Command::ChangePlace { holder, by, place, proof } => {
                let person = self.people.get(holder);
                let wallet = person.and_then(|person| person.wallet.as_ref());
                match (reason, wallet, person) {
                    (Reason::PlaceSame, Some(wallet), _) => wallet.place == *place,
                    (Reason::PlaceNotInsured, _, Some(person)) => !person.is_insured() || person.enrolment.is_some_and(|enrolment| enrolment.area != *place),
                    (Reason::PlaceChangeNotOffered, Some(wallet), _) => {
                        let offers = |area| self.pinned.change_of_use.get(area).copied().unwrap_or(false);
                        !offers(&wallet.place) || !offers(place)
                    }
                    (Reason::PlaceCooldown { until }, Some(wallet), _) => {
                        let wait = i64::from(self.pinned.rules(wallet.place, day(at.stamp)).cooldown_days) * 86_400_000;
                        wallet.changed_at.is_some_and(|changed| changed + wait == *until) && at.stamp < *until
                    }
                    (Reason::SomethingPending, _, Some(person)) => {
                        !(person.outgoing.is_empty() && person.incoming.is_empty() && person.open_payments.is_empty())
                    }
                    (Reason::RegionClosed { area, .. }, ..) => !self.pinned.is_open(*area, day(at.stamp)),
                    (reason, ..) => self.is_true_of_proof(at, *holder, *by, proof.as_ref(), reason) || self.is_true_of_person_by(at, *holder, *by, reason),
                }
            }
            Command::OpenWallet { holder, by, place } => match reason {
                Reason::PlaceNotInsured => self.people.get(holder).and_then(|person| person.enrolment).is_some_and(|enrolment| enrolment.area != *place),
                Reason::WalletExists => self.people.get(holder).is_some_and(|person| person.wallet.is_some()),
                Reason::RegionClosed { area, .. } => !self.pinned.is_open(*area, day(at.stamp)),
                reason => self.is_true_of_person_by(at, *holder, *by, reason),
            },
            Command::IssueCode { holder, by, .. } => self.is_true_of_person_by(at, *holder, *by, reason),
            Command::DecodeCode { code: id, institution, business } => {
                let code = self.codes.get(id);
                match (reason, code) {
                    (Reason::CodeUnknown, code) => code.is_none(),
                    (Reason::InstitutionUnknown, _) => !self.pinned.institutions.contains_key(institution),
                    (Reason::CodeUsed, Some((_, is_used))) => *is_used,
                    (Reason::CodeElsewhere, _) => self.is_decoded_elsewhere(*id, *institution, *business),
                    (Reason::CodeExpired, Some((code, _))) => self.is_code_over(at, code),
                    (Reason::WrongPlace { place }, Some((code, _))) => self.is_other_place(code.holder, *institution, *place),
                    (reason, Some((code, _))) => self.is_true_of_person(at, code.holder, reason),
                    _ => false,
                }
            }
            Command::EndRelation { holder, by, other } => {
                let relation = self.people.get(holder).and_then(|person| person.relations.get(other));
                match reason {
                    Reason::NotRelated => relation.is_none(),
                    Reason::RelationEnded => relation.is_some_and(|relation| !relation.stands),
                    reason => self.is_true_of_person_by(at, *holder, *by, reason),
                }
            }
            Command::Freeze { holder, maker, checker, .. } => match reason {
                Reason::SameOperator => maker == checker,
                Reason::AlreadyFrozen => self.people.get(holder).is_some_and(|person| person.frozen),
                reason => self.is_true_of_person(at, *holder, reason),
            },
            Command::Unfreeze { holder, maker, checker } => match reason {
                Reason::SameOperator => maker == checker,
                Reason::NotFrozen => self.people.get(holder).is_some_and(|person| !person.frozen),
                reason => self.is_true_of_person(at, *holder, reason),
            },
            Command::SetAgent { holder, agent, .. } => match reason {
                Reason::ToSelf => holder == agent,
                Reason::TooMany { max } => self.people.get(holder).is_some_and(|person| person.agents.len() >= usize::from(*max)),
                reason => self.is_true_of_person(at, *holder, reason),
            },
            Command::Contribute { holder, amount, .. } => match reason {
                Reason::AmountTooSmall { min } => amount < min,
                Reason::AmountTooLarge { max } => amount > max,
                Reason::TooMany { .. } | Reason::DirectoryUnknown => true,
                reason => self.is_true_of_person(at, *holder, reason),
            },
            // Files and registers: what they are refused with, their own tests say.
            _ => true,
        }
    }

    fn is_true_of_transfer(&self, at: At, request: &RequestTransfer, reason: &Reason) -> bool {
        let Some(sender) = self.people.get(&request.sender) else { return *reason == Reason::NotFound };
        let (amount, today) = (request.amount, day(at.stamp));
        let area = sender.enrolment.map_or(0, |enrolment| enrolment.area);
        let rules = self.pinned.rules(area, today);
        let (count, total) = sender.days.get(&today).copied().unwrap_or_default();
        match reason {
            Reason::NotInsured => sender.enrolment.is_none(),
            Reason::InsuranceNotNormal => sender.enrolment.is_some_and(|enrolment| enrolment.status != EnrolmentStatus::Normal),
            Reason::NotEmployee => !request.from_wallet && sender.enrolment.is_some_and(|enrolment| enrolment.insurance != EMPLOYEE),
            Reason::PooledOnly => !request.from_wallet && sender.enrolment.is_some_and(|enrolment| enrolment.pooled_only),
            Reason::RegionClosed { area, .. } => !self.pinned.is_open(*area, today),
            Reason::RelationRefused => gongji_wallet::relation::RelationCode::try_new(request.relation).is_err(),
            Reason::RelationDiffers => sender.relations.get(&request.receiver).is_some_and(|relation| relation.stands),
            Reason::ToSelf => request.receiver == request.sender,
            Reason::AmountTooSmall { min } => *min == rules.min && amount < *min,
            Reason::AmountTooLarge { max } => *max == rules.max && amount > *max,
            Reason::InsufficientFunds { available } => {
                let found = if request.from_wallet {
                    sender.lots_in_order().iter().filter(|(origin, ..)| origin.kind != GrantKind::Quota).map(|(_, sum, _)| *sum).sum()
                } else {
                    sender.personal.get(&area).copied().unwrap_or(Fen::ZERO)
                };
                found == *available && found < amount
            }
            Reason::QuotaNotTransferable { available } => *available < amount && sender.wallet_total() >= amount,
            Reason::ClosedHours { .. } => rules.rests_at(at.stamp),
            Reason::DailyCount { max, used, .. } => *max == rules.count_max && i64::from(*used) == count && used >= max,
            Reason::DailyTotal { max, used, .. } => rules.total_max == Some(*max) && *used == total && total + amount > *max,
            Reason::TransferPending => rules.one_at_a_time && !sender.outgoing.is_empty(),
            Reason::ReceiverUnavailable => !(1..=self.parts).contains(&request.receiver.part()),
            Reason::TooMany { max } => sender.relations.len() >= usize::from(*max),
            reason => {
                self.is_true_of_proof(at, request.sender, request.sender, request.proof.as_ref(), reason) || self.is_true_of_person(at, request.sender, reason)
            }
        }
    }

    fn is_true_of_proof(&self, at: At, holder: HolderId, by: HolderId, proof: Option<&Proof>, reason: &Reason) -> bool {
        match (reason, proof) {
            (Reason::ProofMissing, proof) => proof.is_none(),
            (Reason::ProofExpired, Some(proof)) => at.stamp >= proof.expires,
            (Reason::ProofUsed, Some(proof)) => self.people.get(&holder).is_some_and(|person| person.proofs.contains(&proof.id)),
            // Whether the binding is right, the wallet's own tests say; here proofs are bound to what they come with unless they belong to another.
            (Reason::ProofMismatch, Some(proof)) => proof.holder != by || proof.bound == [0; 16],
            _ => false,
        }
    }

    fn is_true_of_person_by(&self, at: At, holder: HolderId, by: HolderId, reason: &Reason) -> bool {
        match (reason, self.people.get(&holder)) {
            (Reason::NotYours, Some(person)) => by != holder && !person.agents.contains(&by),
            _ => self.is_true_of_person(at, holder, reason),
        }
    }

    fn is_true_of_person(&self, at: At, holder: HolderId, reason: &Reason) -> bool {
        let Some(person) = self.people.get(&holder) else { return *reason == Reason::NotFound };
        match reason {
            Reason::PersonDied => person.died,
            Reason::Frozen => person.frozen,
            Reason::NotInsured => !person.is_insured(),
            Reason::WalletMissing => person.wallet.is_none(),
            Reason::RegionClosed { area, .. } => !self.pinned.is_open(*area, day(at.stamp)),
            _ => false,
        }
    }

    fn is_true_of_payment(&self, at: At, id: PaymentId, order: OrderId, amount: Fen, holds: bool, reason: &Reason) -> bool {
        let paid = self.payments.get(&id).filter(|paid| matches!(paid.purpose, Purpose::Order { order: own, .. } if own == order));
        let Some(paid) = paid else { return *reason == Reason::NotFound };
        match reason {
            Reason::PaymentFinal { state: PaymentState::Expired } if holds && paid.is_open() => at.stamp >= paid.expires,
            Reason::PaymentFinal { state } if holds => paid.state == *state && !paid.is_open(),
            Reason::PaymentFinal { state } => paid.state == *state && (paid.captured.is_zero() || paid.state == PaymentState::Reversed),
            Reason::AmountTooSmall { .. } => !amount.is_positive(),
            Reason::CaptureTooLarge { max } => *max == paid.remaining() && amount > *max,
            Reason::RefundTooLarge { max } => *max == paid.captured - paid.refunded && amount > *max,
            Reason::TooManySteps => true,
            _ => false,
        }
    }

    fn is_decoded_elsewhere(&self, code: CodeId, institution: InstitutionId, business: Option<Business>) -> bool {
        self.decodings.get(&code).is_some_and(|decoding| {
            let is_other_care = matches!((decoding.business, business), (Some(read), Some(asked)) if read != asked);
            decoding.institution != institution || is_other_care
        })
    }

    fn is_code_over(&self, at: At, code: &Code) -> bool {
        let end = self.decodings.get(&code.id).map_or(code.expires, |decoding| decoding.until);
        let person = self.people.get(&code.holder);
        at.stamp >= end || person.is_none_or(|person| person.code != Some(code.id) || (code.by != code.holder && !person.agents.contains(&code.by)))
    }

    fn is_other_place(&self, holder: HolderId, institution: InstitutionId, place: u32) -> bool {
        let area = self.pinned.institutions.get(&institution).map(|(area, _)| *area);
        let wallet = self.people.get(&holder).and_then(|person| person.wallet.as_ref());
        wallet.is_some_and(|wallet| wallet.place == place && Some(wallet.place) != area)
    }

    /// Why a hold was refused, at the payer's side.
    pub(super) fn check_hold_refusal(&self, at: At, payment: PaymentId, reasons: &[Reason]) -> Check {
        let asked = self.placed.get(&payment).ok_or("a hold is refused that nobody asked for")?;
        let (person, by, first, code, proof) = match asked.payer {
            Payer::Code(id) => {
                let code = self.codes.get(&id);
                let holder = code.and_then(|(code, _)| self.people.get(&code.holder));
                (holder, code.map(|(code, _)| code.by), code.map(|(code, _)| code.first), code, None)
            }
            Payer::Holder { holder, by, first, proof } => (self.people.get(&holder), Some(by), Some(first), None, Some(proof)),
        };
        for reason in reasons {
            let holds = match (reason, person) {
                (Reason::CodeUnknown, _) => code.is_none() && proof.is_none(),
                (Reason::NotFound, person) => person.is_none(),
                (Reason::CodeUsed, _) => code.is_some_and(|(_, is_used)| *is_used),
                (Reason::CodeElsewhere, _) => {
                    code.is_some_and(|(code, _)| self.is_decoded_elsewhere(code.id, asked.order.institution, Some(asked.visit.business)))
                }
                (Reason::CodeExpired, Some(_)) => code.is_some_and(|(code, _)| self.is_code_over(at, code)),
                (Reason::NotYours, Some(person)) => by.is_some_and(|by| by != person.id && !person.agents.contains(&by)),
                (Reason::WrongPlace { place }, Some(person)) => self.is_other_place(person.id, asked.order.institution, *place),
                (Reason::InsufficientFunds { available }, Some(person)) => {
                    let found = first.map(|first| found(person, first, asked.bill.own));
                    found == Some(*available) && *available < asked.bill.own && (!asked.partial || available.is_zero())
                }
                (Reason::QuoteStale, Some(person)) => {
                    let now = first.map(|first| split(&expected_use(person, first, asked.bill.own)));
                    asked.quote.is_some() && asked.quote != now
                }
                (reason, Some(person)) => {
                    let is_of_proof = by.is_some_and(|by| self.is_true_of_proof(at, person.id, by, proof.as_ref(), reason));
                    is_of_proof || self.is_true_of_person(at, person.id, reason)
                }
                _ => false,
            };
            ensure(holds, || format!("a hold is refused with what is not so: {reason:?}"))?;
        }
        Ok(())
    }

    pub(super) fn check_premium_refusal(&self, insured: HolderId, area: u32, year: u16, reason: &Reason) -> Check {
        let person = self.people.get(&insured);
        let holds = match reason {
            Reason::PremiumPaid => self.claims.contains_key(&(insured, year)),
            Reason::PremiumNotResident => {
                person.is_none_or(|person| person.died || !person.enrolment.is_some_and(|enrolment| enrolment.insurance == RESIDENT && enrolment.area == area))
            }
            _ => false,
        };
        ensure(holds, || format!("a premium is refused with what is not so: {reason:?}"))
    }
}

fn found(person: &Person, first: gongji_wallet::object::PayFirst, amount: Fen) -> Fen {
    expected_use(person, first, amount).iter().map(|(.., part)| *part).sum()
}

fn is_balanced(bill: &Bill) -> bool {
    let parts = [bill.total, bill.fund, bill.own, bill.institution];
    parts.iter().all(|part| !part.is_negative()) && bill.total == bill.fund + bill.own + bill.institution
}

fn payer_of(payer: &Payer) -> (Option<HolderId>, Option<gongji_wallet::ids::CodeId>) {
    match payer {
        Payer::Code(code) => (None, Some(*code)),
        Payer::Holder { holder, .. } => (Some(*holder), None),
    }
}

/// How a contribution to somebody stands as a step.
pub(super) fn contribution(holder: HolderId) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&holder.0.to_be_bytes());
    id
}
