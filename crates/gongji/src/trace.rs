//! What became of an order, step by step, with the times of the messages between the two partitions: for the office that reads a report.
//!
//! Read from the journals, which know the order of things better than anybody's memory. Records are stamped in order, so a step whose time is known is
//! found by halving; from the order's beginning a stretch is read as it comes.

use crate::activity::before;
use gongji_ledger::{Fen, Part};
use gongji_store::Fault;
use gongji_store::store::{Journal, Record, Store};
use gongji_wallet::Reason;
use gongji_wallet::event::{Event, Fact, Message, institution_part};
use gongji_wallet::ids::{Key, OrderId, PaymentId};
use gongji_wallet::object::{Object, Order, OrderState, Payment, PaymentState};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Records read in a row from the order's beginning, and from the end of its hold.
const STRETCH_MAX: usize = 20_000;

/// Records read at once.
const RECORDS_MAX: usize = 64;

/// A message: from, to, number.
type Letter = (Part, Part, u64);

/// One step.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Step {
    pub part: Part,
    pub seq: u64,
    /// Which event of that record.
    event: usize,
    /// Stamp of its commit (ms).
    pub at: i64,
    pub what: String,
    /// The message that this step sends, and the one that it receives.
    sends: Option<Letter>,
    receives: Option<Letter>,
}

/// An order with its steps, oldest first.
pub struct Trace {
    pub order: Order,
    pub payment: Option<Payment>,
    pub steps: Vec<Step>,
}

/// `None`: no such order was ever recorded; what was refused at once leaves none.
pub fn trace(store: &dyn Store, parts: Part, id: OrderId) -> Result<Option<Trace>, Fault> {
    let home = institution_part(id.institution, parts);
    let Some(Object::Order(order)) = store.books(home)?.load(&Key::Order(id))? else { return Ok(None) };
    let order = Order::clone(&order);
    let paid_in = order.payment.part();
    let payment = match (1..=parts).contains(&paid_in).then(|| store.books(paid_in)?.load(&Key::Payment(order.payment))).transpose()?.flatten() {
        Some(Object::Payment(payment)) => Some(Payment::clone(&payment)),
        _ => None,
    };
    let mut looking = Looking { order: id, payment: order.payment, sent: BTreeSet::new(), steps: BTreeSet::new() };
    looking.stretch(&mut *store.journal(home)?, home, order.placed_at, STRETCH_MAX)?;
    if let Some(payment) = &payment {
        let mut journal = store.journal(paid_in)?;
        looking.stretch(&mut *journal, paid_in, order.placed_at, STRETCH_MAX)?;
        for (at, _) in payment.captures.iter().chain(&payment.refunds) {
            looking.stretch(&mut *journal, paid_in, *at, RECORDS_MAX)?;
        }
        if payment.state == PaymentState::Expired {
            looking.stretch(&mut *journal, paid_in, payment.expires, RECORDS_MAX)?;
        }
    } else if paid_in != home && (1..=parts).contains(&paid_in) {
        looking.stretch(&mut *store.journal(paid_in)?, paid_in, order.placed_at, STRETCH_MAX)?;
    }
    // What was received is known by what was sent: the receiving side may have been read first.
    looking.stretch(&mut *store.journal(home)?, home, order.placed_at, STRETCH_MAX)?;
    Ok(Some(Trace { order, payment, steps: in_order(looking.steps, home) }))
}

/// Steps of several partitions in one row: by time, each partition's in its own order, and nothing received before it was sent.
fn in_order(steps: BTreeSet<Step>, home: Part) -> Vec<Step> {
    let mut rows: BTreeMap<Part, VecDeque<Step>> = BTreeMap::new();
    for step in steps {
        rows.entry(step.part).or_default().push_back(step);
    }
    let mut told = Vec::new();
    loop {
        let unsent: BTreeSet<Letter> = rows.values().flatten().filter_map(|step| step.sends).collect();
        let ready = rows.iter().filter_map(|(part, row)| Some((*part, row.front()?)));
        let next = ready.min_by_key(|(part, step)| (step.receives.is_some_and(|letter| unsent.contains(&letter)), step.at, *part != home, *part));
        let Some(part) = next.map(|(part, _)| part) else { return told };
        told.extend(rows.get_mut(&part).and_then(VecDeque::pop_front));
    }
}

struct Looking {
    order: OrderId,
    payment: PaymentId,
    /// Messages about the order.
    sent: BTreeSet<Letter>,
    steps: BTreeSet<Step>,
}

impl Looking {
    fn stretch(&mut self, journal: &mut dyn Journal, part: Part, from: i64, max: usize) -> Result<(), Fault> {
        let mut after = before(journal, from)?;
        let mut left = max;
        while left > 0 {
            let records = journal.records(after, RECORDS_MAX.min(left))?;
            let Some(last) = records.last() else { return Ok(()) };
            after = last.head.seq;
            left -= records.len();
            for record in &records {
                self.record(part, record)?;
            }
        }
        Ok(())
    }

    fn record(&mut self, part: Part, record: &Record) -> Result<(), Fault> {
        for (event, told) in record.events()?.iter().enumerate() {
            if let Some(what) = self.words(part, told) {
                let (sends, receives) = match &told.fact {
                    Fact::Sent { to, number, .. } => (Some((part, *to, *number)), None),
                    Fact::Received { from, number } => (None, Some((*from, part, *number))),
                    _ => (None, None),
                };
                self.steps.insert(Step { part, seq: record.head.seq, event, at: record.head.stamp, what, sends, receives });
            }
        }
        Ok(())
    }

    fn words(&mut self, part: Part, event: &Event) -> Option<String> {
        Some(match &event.fact {
            Fact::OrderPlaced(order) if order.id == self.order => match order.state {
                OrderState::ReversedBefore => "冲正先到:这个单号作废".to_owned(),
                _ => format!("机构下单:总额 {},个人付 {}", yuan(order.bill.total), yuan(order.bill.own)),
            },
            Fact::Sent { to, number, message } => {
                let what = self.message(message)?;
                self.sent.insert((part, *to, *number));
                format!("发消息给分区 {to}(第 {number} 条):{what}")
            }
            Fact::Received { from, number } if self.sent.contains(&(*from, part, *number)) => format!("收到分区 {from} 的消息(第 {number} 条)"),
            Fact::OrderDecided { order, state } if *order == self.order => format!("机构一侧记下:{}", order_words(state)),
            Fact::PaymentHeld(payment) if payment.id == self.payment => format!("付款一侧预占 {}", yuan(payment.amount())),
            Fact::PaymentCaptured { payment, amount, last, .. } if *payment == self.payment => {
                format!("收款 {}{}", yuan(*amount), if *last { "(最后一笔)" } else { "" })
            }
            Fact::PaymentReleased { payment, state, .. } if *payment == self.payment => {
                let back: Fen = event.moves.iter().map(gongji_ledger::Move::amount).sum();
                format!("退回没收的 {}({})", yuan(back), payment_words(*state))
            }
            Fact::PaymentRefunded { payment, amount, .. } if *payment == self.payment => format!("退费 {}", yuan(*amount)),
            _ => return None,
        })
    }

    fn message(&self, message: &Message) -> Option<String> {
        Some(match message {
            Message::HoldRequested(request) if request.order == self.order => format!("请预占 {}", yuan(request.bill.own)),
            Message::HoldDecided { order, state } if *order == self.order => format!("答复:{}", order_words(state)),
            Message::OrderReversed { order, .. } if *order == self.order => "请冲正".to_owned(),
            _ => return None,
        })
    }
}

fn yuan(amount: Fen) -> String {
    gongji_files::format_yuan(amount)
}

pub fn reasons_words(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| reason.words().title).collect::<String>()
}

fn order_words(state: &OrderState) -> String {
    match state {
        OrderState::Placed => "等付款一侧".to_owned(),
        OrderState::Held { personal, wallet } => format!("已预占(个人账户 {},钱包 {})", yuan(*personal), yuan(*wallet)),
        OrderState::Refused(reasons) => format!("没有预占。{}", reasons_words(reasons)),
        OrderState::Reversed => "已冲正".to_owned(),
        OrderState::ReversedBefore => "冲正先到,单号作废".to_owned(),
        OrderState::ReversedUnheard => "付款一侧 10 秒没有答复,自动冲正".to_owned(),
    }
}

pub fn payment_words(state: PaymentState) -> &'static str {
    match state {
        PaymentState::Held => "已预占,没有收款",
        PaymentState::PartlyCaptured => "收了一部分",
        PaymentState::Captured => "已收款",
        PaymentState::Voided => "机构撤销",
        PaymentState::Expired => "过时没有收款",
        PaymentState::Reversed => "机构冲正",
        PaymentState::Refused => "没有预占",
    }
}

impl Trace {
    /// How the order stands now.
    pub fn standing(&self) -> String {
        match &self.payment {
            Some(payment) => {
                let sums = format!("预占 {},收款 {},退费 {}", yuan(payment.amount()), yuan(payment.captured()), yuan(payment.refunded()));
                format!("{};{sums}", payment_words(payment.state))
            }
            None => order_words(&self.order.state),
        }
    }
}
