//! What happened, in few plain lines: decisions with all their reasons, postings, and what the objects look like afterwards.

use gongji_ledger::{Account, Fen, GrantKind, HolderId, Lot, Move};
use gongji_wallet::day::{date_of, day_of, ms_of_day};
use gongji_wallet::ids::{CodeId, OrderId, PaymentId, TransferId};
use gongji_wallet::object::{Holder, OrderState, Payment, Purse};
use gongji_wallet::{Decision, Message, Outcome, Reason};
use std::collections::BTreeMap;

/// The names of a case for everything that has a number.
#[derive(Default)]
pub struct Names {
    pub people: BTreeMap<HolderId, String>,
    pub transfers: BTreeMap<TransferId, String>,
    pub payments: BTreeMap<PaymentId, String>,
    pub orders: BTreeMap<OrderId, String>,
    pub codes: BTreeMap<CodeId, String>,
}

pub fn time(stamp: i64) -> String {
    let (year, month, day) = date_of(day_of(stamp));
    let ms = ms_of_day(stamp);
    let (hour, minute, second, rest) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60, ms % 1_000);
    let mut text = format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}");
    if second != 0 || rest != 0 {
        text += &format!(":{second:02}.{rest:03}");
    }
    text
}

fn kind(kind: GrantKind) -> &'static str {
    match kind {
        GrantKind::Own => "own",
        GrantKind::Transfer => "transfer",
        GrantKind::Quota => "quota",
    }
}

impl Names {
    pub fn person(&self, id: HolderId) -> String {
        if id.is_nobody() { "nobody".to_owned() } else { self.people.get(&id).cloned().unwrap_or_else(|| format!("stranger {id:?}")) }
    }

    pub fn transfer(&self, id: TransferId) -> String {
        self.transfers.get(&id).cloned().unwrap_or_else(|| format!("{id:?}"))
    }

    pub fn payment(&self, id: PaymentId) -> String {
        self.payments.get(&id).cloned().unwrap_or_else(|| format!("{id:?}"))
    }

    fn lot(&self, lot: &Lot) -> String {
        format!("{} of {} {} {}", lot.amount, self.person(lot.origin.contributor), lot.origin.area, kind(lot.origin.kind))
    }

    fn lots(&self, lots: &[Lot]) -> String {
        lots.iter().map(|lot| self.lot(lot)).collect::<Vec<_>>().join(" + ")
    }

    fn account(&self, account: Account) -> String {
        match account {
            Account::Personal { holder, area } => format!("{}'s account {area}", self.person(holder)),
            Account::Wallet { holder } => format!("{}'s wallet", self.person(holder)),
            Account::Held { holder } => format!("{}'s held", self.person(holder)),
            Account::Awaiting { holder } => format!("{}'s awaiting", self.person(holder)),
            Account::Payable { institution } => format!("payable {institution}"),
            Account::Premium { area, year } => format!("premiums {area} {year}"),
            Account::Fund { area } => format!("fund {area}"),
            Account::Unclaimed { area } => format!("unclaimed {area}"),
            Account::Transit { part } => format!("transit {part}"),
        }
    }

    pub fn posting(&self, posting: &Move) -> String {
        format!("{} → {}: {}", self.account(posting.from), self.account(posting.to), self.lots(&posting.lots))
    }

    pub fn decision(&self, decision: &Decision) -> Vec<String> {
        match decision {
            Decision::New(outcome) => self.outcome(outcome),
            Decision::Replayed(outcome) => self.outcome(outcome).into_iter().map(|line| format!("(again) {line}")).collect(),
            Decision::KeyReused => vec!["refused: the key was used for something else".to_owned()],
        }
    }

    fn outcome(&self, outcome: &Outcome) -> Vec<String> {
        match outcome {
            Outcome::Done => vec!["done".to_owned()],
            Outcome::Refused(reasons) => reasons.iter().map(|reason| format!("refused {}", self.reason(reason))).collect(),
            Outcome::Transfer { id, state, amount, deadline, rule, reason } => {
                let mut line = format!("{} {state:?} {amount}, goes back {}, rule {rule}", self.transfer(*id), time(*deadline));
                if let Some(reason) = reason {
                    line += &format!(": {}", self.reason(reason));
                }
                vec![line]
            }
            Outcome::Code { expires } => vec![format!("code until {}", time(*expires))],
            Outcome::Order { payment, state } => vec![format!("{} {}", self.payment(*payment), self.order_state(state))],
            Outcome::Payment { payment, state, captured, refunded, remaining } => {
                vec![format!("{} {state:?}, captured {captured}, refunded {refunded}, still held {remaining}", self.payment(*payment))]
            }
            Outcome::NothingToReverse => vec!["nothing to reverse".to_owned()],
            Outcome::Premium { payment, state, amount, reason } => {
                let mut line = format!("{} {state:?} {amount}", self.payment(*payment));
                if let Some(reason) = reason {
                    line += &format!(": {}", self.reason(reason));
                }
                vec![line]
            }
        }
    }

    pub fn order_state(&self, state: &OrderState) -> String {
        match state {
            OrderState::Held { personal, wallet } => format!("Held: {personal} of the account, {wallet} of the wallet"),
            OrderState::Refused(reasons) => {
                format!("Refused: {}", reasons.iter().map(|reason| self.reason(reason)).collect::<Vec<_>>().join("; "))
            }
            other => format!("{other:?}"),
        }
    }

    /// Code, sentence, and whatever it says of when and how much.
    pub fn reason(&self, reason: &Reason) -> String {
        let words = reason.words();
        let mut text = format!("{} {}", words.code, words.title);
        if let Some(at) = reason.not_before() {
            text += &format!(" [not before {}]", time(at));
        }
        if let Some(limit) = reason.limit() {
            text += &format!(" [{} {} of {}, anew {}]", limit.name, limit.used, limit.max, time(limit.resets_at));
        }
        text
    }

    /// Everything about a person that is not empty.
    pub fn holder(&self, holder: &Holder) -> String {
        let mut words = Vec::new();
        if holder.died {
            words.push("dead".to_owned());
        }
        match holder.enrolment {
            Some(enrolment) => {
                let kind = match (enrolment.insurance, enrolment.pooled_only) {
                    (310, false) => "employee".to_owned(),
                    (310, true) => "pooled".to_owned(),
                    (390, _) => "resident".to_owned(),
                    (other, _) => other.to_string(),
                };
                words.push(format!(
                    "{kind} {}{}",
                    enrolment.area,
                    match enrolment.status {
                        gongji_wallet::object::EnrolmentStatus::Normal => "",
                        gongji_wallet::object::EnrolmentStatus::Paused => " paused",
                        gongji_wallet::object::EnrolmentStatus::Ended => " ended",
                    }
                ));
            }
            None => words.push("not insured".to_owned()),
        }
        if let Some(freeze) = &holder.freeze {
            words.push(format!("frozen by {} and {}", freeze.maker, freeze.checker));
        }
        words.extend(holder.accounts.iter().map(|account| format!("account {} {}", account.area, account.balance)));
        if let Some(wallet) = &holder.wallet {
            words.push(format!("wallet in {} {}", wallet.place, wallet.lots.total()));
            words.extend(wallet.lots.as_slice().iter().map(|lot| format!("· {} since {}", self.lot(lot), time(lot.since))));
        }
        if !holder.held.is_zero() {
            words.push(format!("held {}", holder.held));
        }
        if !holder.awaiting.is_zero() {
            words.push(format!("awaiting {}", holder.awaiting));
        }
        if holder.day.count != 0 || !holder.day.total.is_zero() {
            let (year, month, day) = date_of(holder.day.day);
            words.push(format!("sent {} × on {year}-{month:02}-{day:02}, {}", holder.day.count, holder.day.total));
        }
        let list = |title: &str, names: Vec<String>| (!names.is_empty()).then(|| format!("{title} {}", names.join(" ")));
        words.extend(list("pending out", holder.outgoing.iter().map(|id| self.transfer(*id)).collect()));
        words.extend(list("waiting", holder.incoming.iter().map(|id| self.transfer(*id)).collect()));
        words.extend(list("open", holder.open_payments.iter().map(|id| self.payment(*id)).collect()));
        words.extend(list("agents", holder.agents.iter().map(|id| self.person(*id)).collect()));
        for relation in &holder.relations {
            let side = if relation.declared_here { "said here" } else { "said there" };
            let ended = relation.ended.map_or(String::new(), |(_, why)| format!(", ended {why:?}"));
            words.push(format!("relation {} {} {side}{ended}", self.person(relation.other), relation.code));
        }
        if let Some(code) = holder.code {
            words.push(format!("code {}", self.codes.get(&code).map_or("?", String::as_str)));
        }
        format!("{}: {}", self.person(holder.id), words.join(" | "))
    }

    pub fn payment_line(&self, payment: &Payment) -> String {
        let mut words = vec![format!("{}: {:?}", self.payment(payment.id), payment.state)];
        if payment.by != payment.holder {
            words.push(format!("by {}", self.person(payment.by)));
        }
        for slice in &payment.slices {
            let purse = match slice.purse {
                Purse::Personal { area } => format!("account {area}"),
                Purse::Wallet => "wallet".to_owned(),
            };
            let mut text = format!("{purse} {}", self.lot(&slice.lot));
            for (what, amount) in [("captured", slice.captured), ("released", slice.released), ("refunded", slice.refunded)] {
                if !amount.is_zero() {
                    text += &format!(", {what} {amount}");
                }
            }
            words.push(text);
        }
        if payment.is_open() && payment.expires != i64::MAX {
            words.push(format!("until {}", time(payment.expires)));
        }
        words.push(format!("rule {}", payment.rule));
        words.join(" | ")
    }

    pub fn message(&self, message: &Message) -> String {
        match message {
            Message::TransferSent(transfer) => format!("TransferSent {}", self.transfer(transfer.id)),
            Message::TransferRecalled { id, .. } => format!("TransferRecalled {}", self.transfer(*id)),
            Message::TransferDecided { id, state, .. } => format!("TransferDecided {} {state:?}", self.transfer(*id)),
            Message::RelationEnded { holder, other, why } => format!("RelationEnded {} with {} {why:?}", self.person(*holder), self.person(*other)),
            Message::LotsReturned { contributor, lots, .. } => format!("LotsReturned to {}: {}", self.person(*contributor), self.lots(lots)),
            Message::HoldRequested(request) => format!("HoldRequested {}", self.payment(request.payment)),
            Message::OrderReversed { payment, .. } => format!("OrderReversed {}", self.payment(*payment)),
            Message::HoldDecided { order, state } => {
                format!("HoldDecided {} {}", self.orders.get(order).map_or("?", String::as_str), self.order_state(state))
            }
            Message::PremiumAsked(claim) => format!("PremiumAsked {}", self.payment(claim.payment)),
            Message::PeriodCut { period } => format!("period {period} is cut"),
            Message::PeriodMarked { mark } => format!("period {} ends at taking {}", mark.period, mark.takings),
            Message::PremiumAnswered { payment, refused, .. } => {
                format!("PremiumAnswered {} {}", self.payment(*payment), refused.as_ref().map_or("yes", |reason| reason.code()))
            }
        }
    }
}

pub fn fen(text: &str) -> Fen {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (yuan, rest) = digits.split_once('.').unwrap_or((digits, "00"));
    assert_eq!(rest.len(), 2, "an amount has two decimals: {text}");
    let yuan: i64 = yuan.parse().unwrap_or_else(|_| panic!("not an amount: {text}"));
    Fen(sign * (yuan * 100 + rest.parse::<i64>().unwrap()))
}
