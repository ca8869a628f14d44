//! The one door into the rules.

use crate::command::{Command, Request};
use crate::event::{Fact, Message, Outcome};
use crate::ids::{Key, OrderId, PaymentId, TransferId};
use crate::object::{Object, TransferState};
use crate::reason::Reason;
use crate::work::{Stop, Work};
use crate::{approval, clearing, operator, payment, person, premium, transfer};
use gongji_ledger::{Part, planted};
use serde::{Deserialize, Serialize};

/// What became of a request.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Decision {
    New(Outcome),
    /// The same key and body were answered before: the first answer again.
    Replayed(Outcome),
    /// The key was used with another body.
    KeyReused,
}

/// A command's result before the messages it sent to its own partition have been handled.
pub(crate) enum Reply {
    Fixed(Outcome),
    /// The same, and the event that did it carries the answer.
    Answered(Outcome),
    Transfer(TransferId),
    Order(OrderId),
    Payment(PaymentId),
}

/// Decides one request and records its events in `work`.
///
/// # Errors
/// The key of an object that memory lacks: load it and call again. Nothing has changed then.
pub fn decide(work: &mut Work, request: &Request) -> Result<Decision, Key> {
    work.begin();
    match decide_new(work, request) {
        Ok(decision) => Ok(decision),
        Err(Stop::Unloaded(key)) => {
            work.roll_back();
            Err(key)
        }
        Err(Stop::Refused(reasons)) => {
            work.roll_back();
            assert!(!reasons.is_empty(), "a refusal has a reason");
            work.begin();
            match answer(work, request, Outcome::Refused(reasons)) {
                Ok(decision) => Ok(decision),
                Err(Stop::Unloaded(key)) => Err(key),
                Err(Stop::Refused(_)) => unreachable!("recording an answer is not refused"),
            }
        }
    }
}

fn decide_new(work: &mut Work, request: &Request) -> Result<Decision, Stop> {
    if let Some((key, fingerprint)) = request.idempotency
        && let Some(Object::Answer(answer)) = work.object(Key::Answer(key))?.as_deref()
    {
        let same = answer.fingerprint == fingerprint || planted("key-without-body");
        return Ok(if same { Decision::Replayed(answer.outcome.clone()) } else { Decision::KeyReused });
    }
    let reply = run(work, request)?;
    // A message to this very partition takes the same steps as one from afar, inside the same commit.
    while let Some(message) = work.local.pop_front() {
        let part = work.part;
        deliver(work, part, message)?;
    }
    if let Reply::Answered(outcome) = reply {
        return Ok(Decision::New(outcome));
    }
    let outcome = finish(work, reply)?;
    answer(work, request, outcome)
}

fn answer(work: &mut Work, request: &Request, outcome: Outcome) -> Result<Decision, Stop> {
    if let Some((key, fingerprint)) = request.idempotency
        && !(planted("refusal-is-not-recorded") && matches!(outcome, Outcome::Refused(_)))
    {
        work.emit(Fact::Answered { key, fingerprint, outcome: outcome.clone() }, Vec::new())?;
    }
    Ok(Decision::New(outcome))
}

fn run(work: &mut Work, request: &Request) -> Result<Reply, Stop> {
    let command = &request.command;
    let done = |()| Reply::Fixed(Outcome::Done);
    match command {
        Command::CreateHolder { holder } => person::create(work, *holder).map(done),
        Command::SetEnrolment { holder, enrolment } => person::set_enrolment(work, *holder, *enrolment).map(done),
        Command::RegisterDeath { holder } => person::register_death(work, *holder).map(done),
        Command::Contribute { holder, area, amount, month } => person::contribute(work, *holder, *area, *amount, *month).map(done),
        Command::Freeze { holder, reason, maker, checker } => person::freeze(work, *holder, *reason, maker, checker).map(done),
        Command::Unfreeze { holder, maker, checker } => person::unfreeze(work, *holder, maker, checker).map(done),
        Command::OpenWallet { holder, by, place } => person::open_wallet(work, *holder, *by, *place).map(done),
        Command::SetAgent { holder, agent, allowed } => person::set_agent(work, *holder, *agent, *allowed).map(done),
        Command::ChangePlace { holder, by, place, proof } => person::change_place(work, *holder, *by, *place, proof.as_ref()).map(done),
        Command::EndRelation { holder, by, other } => person::end_relation(work, *holder, *by, *other).map(done),
        Command::RequestTransfer(wish) => transfer::request(work, wish, request.idempotency),
        Command::AcceptTransfer { id, receiver, by } => transfer::accept(work, *id, *receiver, *by),
        Command::DeclineTransfer { id, receiver, by } => transfer::decline(work, *id, *receiver, *by),
        Command::CancelTransfer { id, sender } => transfer::cancel(work, *id, *sender),
        Command::IssueCode { holder, by, code, first } => payment::issue_code(work, *holder, *by, *code, *first),
        Command::DecodeCode { code, institution, business } => payment::decode(work, *code, *institution, *business),
        Command::PlaceOrder(order) => payment::place_order(work, order),
        Command::ReverseOrder { order, number } => payment::reverse_order(work, *order, number),
        Command::Capture { payment, order, amount, last } => payment::capture(work, *payment, *order, *amount, *last),
        Command::Void { payment, order } => payment::void(work, *payment, *order),
        Command::Refund { payment, order, amount } => payment::refund(work, *payment, *order, *amount),
        Command::PayPremium { .. } => premium::pay(work, command),
        Command::ChangeDirectory(changes) => person::change_directory(work, changes).map(done),
        Command::AppointFirst(operators) => operator::appoint_first(work, operators).map(done),
        Command::SuspendOperator { operator } => operator::suspend(work, *operator).map(done),
        Command::Propose { id, maker, action, document } => approval::propose(work, *id, *maker, action, document).map(done),
        Command::DecideApproval { id, by, verdict, seen } => approval::decide(work, *id, *by, *verdict, seen).map(done),
        Command::FollowApproval { id, refused } => approval::follow(work, *id, refused).map(done),
        Command::Act { operator, deed } => operator::act(work, *operator, deed).map(done),
        Command::Clearing(command) => clearing::run(work, command).map(done),
        Command::Deliver { from, number, message } => {
            let received = work.partition()?.received_from(*from);
            // Repeats have been applied; one that came too early will be sent again after its predecessors.
            if *number == received + 1 {
                work.emit(Fact::Received { from: *from, number: *number }, Vec::new())?;
                deliver(work, *from, message.clone())?;
            } else if planted("repeated-message-is-handled-again") && *number <= received {
                deliver(work, *from, message.clone())?;
            }
            Ok(Reply::Fixed(Outcome::Done))
        }
        Command::Due(Key::Incoming(id)) => transfer::return_due(work, *id).map(done),
        Command::Due(Key::Payment(id)) => payment::expire_due(work, *id).map(done),
        Command::Due(Key::Order(id)) => payment::give_up_due(work, *id).map(done),
        Command::Due(Key::Approval(id)) => approval::expire_due(work, *id).map(done),
        Command::Due(_) => Ok(Reply::Fixed(Outcome::Done)),
    }
}

/// Handles a message. Nothing here is refused: the sender's partition has already moved on.
fn deliver(work: &mut Work, from: Part, message: Message) -> Result<(), Stop> {
    match message {
        Message::TransferSent(transfer) => transfer::arrive(work, from, transfer),
        Message::TransferRecalled { id, receiver, sender } => transfer::recall(work, id, receiver, sender),
        Message::TransferDecided { id, sender, receiver, state, lots, reason } => transfer::settle(work, from, id, sender, receiver, state, lots, reason),
        Message::RelationEnded { holder, other, why } => person::relation_ended(work, holder, other, why),
        Message::LotsReturned { contributor, holder, lots } => person::lots_came_back(work, from, contributor, holder, &lots),
        Message::HoldRequested(request) => payment::hold(work, &request),
        Message::OrderReversed { order, payment } => payment::reverse(work, order, payment),
        Message::HoldDecided { order, state } => payment::hold_decided(work, order, state),
        Message::PremiumAsked(claim) => premium::asked(work, claim),
        Message::PremiumAnswered { payment, payer, refused } => premium::answered(work, payment, payer, refused),
        Message::PeriodCut { period } => clearing::mark(work, from, period),
        Message::PeriodMarked { mark } => clearing::mark_arrived(work, from, mark),
    }
}

fn finish(work: &mut Work, reply: Reply) -> Result<Outcome, Stop> {
    match reply {
        Reply::Fixed(outcome) | Reply::Answered(outcome) => Ok(outcome),
        Reply::Transfer(id) => {
            // The side asked is the one that is sure to know it; where both sides live here they agree by now.
            let (transfer, state, reason) = match work.outgoing_here(id) {
                Some(outgoing) => (outgoing.transfer, outgoing.state, outgoing.reason),
                None => {
                    let incoming = work.incoming(id)?.ok_or(Reason::NotFound)?;
                    (incoming.transfer, incoming.state, None)
                }
            };
            Ok(Outcome::Transfer { id, state, amount: transfer.amount(), deadline: transfer.deadline, rule: transfer.rule, reason })
        }
        Reply::Order(id) => {
            let order = work.order(id)?.ok_or(Reason::NotFound)?;
            Ok(Outcome::Order { payment: order.payment, state: order.state })
        }
        Reply::Payment(id) => payment::outcome(work, id),
    }
}

/// Whether a deadline has passed: at the very instant it has.
pub(crate) fn is_overdue(stamp: i64, deadline: i64) -> bool {
    if planted("deadline-is-still-in-time") { stamp > deadline } else { stamp >= deadline }
}

/// What a final transfer answers to whoever comes too late.
pub(crate) fn final_transfer(state: TransferState) -> Stop {
    Reason::TransferFinal { state }.into()
}
