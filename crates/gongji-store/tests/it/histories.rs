//! Any history, with repeats, restarts, deaths and lost books, leaves the same books as its journal alone.

use crate::country::*;
use gongji_ledger::{Fen, HolderId, Part};
use gongji_store::Engine;
use gongji_store::memory::MemoryStore;
use gongji_wallet::command::Command;
use gongji_wallet::day::HOUR_MS;
use gongji_wallet::ids::{Key, TransferId};
use gongji_wallet::object::{FreezeReason, Object, PayFirst, Purpose};
use proptest::prelude::*;
use std::sync::Arc;

#[derive(Clone, Debug)]
enum Act {
    Send {
        from: usize,
        to: usize,
        fen: i64,
        from_wallet: bool,
    },
    /// Decides the oldest transfer that waits at a person.
    Accept(usize),
    Decline(usize),
    Cancel(usize),
    Pay {
        who: usize,
        fen: i64,
    },
    Capture {
        who: usize,
        percent: i64,
        last: bool,
    },
    Void(usize),
    Refund {
        who: usize,
        fen: i64,
    },
    Reverse(u64),
    Premium {
        payer: usize,
        insured: usize,
    },
    Agent {
        holder: usize,
        agent: usize,
        allowed: bool,
    },
    EndRelation {
        holder: usize,
        other: usize,
    },
    Freeze(usize),
    Unfreeze(usize),
    Die(usize),
    Contribute {
        who: usize,
        fen: i64,
    },
    Hours(i64),
    /// Asks the last request once more.
    Repeat,
    Restart {
        loses_books: bool,
    },
    /// Some effects later the process dies, and what it was asked is asked of the next one.
    Crash {
        after: u64,
        lands: bool,
    },
    /// Books that were not synced go back to what they were some transactions ago.
    PowerLoss {
        back: usize,
    },
    Flush,
}

fn act() -> impl Strategy<Value = Act> {
    let who = 0..3_usize;
    prop_oneof![
        6 => (who.clone(), who.clone(), 1..90_000_i64, any::<bool>()).prop_map(|(from, to, fen, from_wallet)| Act::Send { from, to, fen, from_wallet }),
        6 => who.clone().prop_map(Act::Accept),
        1 => who.clone().prop_map(Act::Decline),
        1 => who.clone().prop_map(Act::Cancel),
        4 => (who.clone(), 1..40_000_i64).prop_map(|(who, fen)| Act::Pay { who, fen }),
        4 => (who.clone(), 1..101_i64, any::<bool>()).prop_map(|(who, percent, last)| Act::Capture { who, percent, last }),
        1 => who.clone().prop_map(Act::Void),
        2 => (who.clone(), 1..20_000_i64).prop_map(|(who, fen)| Act::Refund { who, fen }),
        1 => (0..40_u64).prop_map(Act::Reverse),
        2 => (who.clone(), who.clone()).prop_map(|(payer, insured)| Act::Premium { payer, insured }),
        1 => (who.clone(), who.clone(), any::<bool>()).prop_map(|(holder, agent, allowed)| Act::Agent { holder, agent, allowed }),
        1 => (who.clone(), who.clone()).prop_map(|(holder, other)| Act::EndRelation { holder, other }),
        1 => who.clone().prop_map(Act::Freeze),
        2 => who.clone().prop_map(Act::Unfreeze),
        1 => (2..3_usize).prop_map(Act::Die),
        1 => (who.clone(), 1..50_000_i64).prop_map(|(who, fen)| Act::Contribute { who, fen }),
        2 => (1..20_i64).prop_map(Act::Hours),
        2 => Just(Act::Repeat),
        1 => any::<bool>().prop_map(|loses_books| Act::Restart { loses_books }),
        2 => (1..8_u64, any::<bool>()).prop_map(|(after, lands)| Act::Crash { after, lands }),
        1 => (0..6_usize).prop_map(|back| Act::PowerLoss { back }),
        1 => Just(Act::Flush),
    ]
}

struct History {
    people: People,
    store: MemoryStore,
    clock: Arc<gongji_store::clock::MovableClock>,
    engine: Option<Engine>,
    number: u64,
    last: Option<Step>,
}

impl History {
    fn start(&mut self) {
        // Forgets whatever it may every other time.
        let is_forgetful = self.number.is_multiple_of(2);
        let start = || {
            let (store, parts) = (Arc::new(self.store.clone()), self.people.parts);
            if is_forgetful { start_forgetful(store, &self.clock, parts) } else { start(store, &self.clock, parts, None) }
        };
        let engine = start().or_else(|_| {
            self.store.heal();
            start()
        });
        self.engine = Some(engine.unwrap());
    }

    /// Settles; whatever fails on the way is done again by the next process.
    async fn settle(&mut self) {
        while self.engine().settle().await.is_err() {
            self.crash();
        }
    }

    fn crash(&mut self) {
        self.engine = None;
        self.store.heal();
        self.start();
    }

    async fn walk(&mut self, step: &Step) {
        let first = loop {
            match self.engine().ask(step.part, step.request.clone()).await {
                Ok(decided) => break outcome(Ok(decided)),
                Err(_) => self.crash(),
            }
            self.settle().await;
        };
        self.settle().await;
        // Once answered, for ever the same, whoever died meanwhile.
        let again = loop {
            match self.engine().ask(step.part, step.request.clone()).await {
                Ok(decided) => break outcome(Ok(decided)),
                Err(_) => self.crash(),
            }
        };
        assert_eq!(again, first);
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    fn who(&self, index: usize) -> HolderId {
        [self.people.wang, self.people.li, self.people.bao][index]
    }

    fn waiting(&self, index: usize) -> Option<(TransferId, HolderId)> {
        let id = *self.engine().holder(self.who(index)).unwrap()?.incoming.first()?;
        Some((id, self.engine().incoming(self.who(index), id).unwrap()?.transfer.sender))
    }

    /// A payment of this person at the pharmacy: an open one, or any.
    fn payment(&self, index: usize, open: bool) -> Option<gongji_wallet::object::Payment> {
        let holder = self.who(index);
        let mut books = gongji_store::store::Store::books(&self.store, holder.part()).unwrap();
        let mut found = None;
        books
            .each_object(&mut |_, object| {
                if let Object::Payment(payment) = object
                    && payment.holder == holder
                    && matches!(payment.purpose, Purpose::Order { .. })
                    && (payment.is_open() == open)
                {
                    found = Some(payment);
                }
                Ok(())
            })
            .unwrap();
        found.map(|payment| *payment)
    }

    fn steps(&mut self, act: &Act) -> Vec<Step> {
        self.number += 10;
        let number = self.number;
        let parts = self.people.parts;
        let of_payment = |payment: &gongji_wallet::object::Payment| match payment.purpose {
            Purpose::Order { order, .. } => order,
            Purpose::Premium { .. } => unreachable!("only payments at the pharmacy are looked for"),
        };
        match act {
            Act::Send { from, to, fen, from_wallet } => {
                let send = if *from_wallet { send_from_wallet } else { send };
                vec![send(number, self.who(*from), self.who(*to), [51, 20, 20][*to], Fen(*fen))]
            }
            Act::Accept(who) => {
                let receiver = self.who(*who);
                let place = if *who == 0 { JINAN } else { LUZHOU };
                let open = step(receiver.part(), number + 1, Command::OpenWallet { holder: receiver, by: receiver, place });
                let accept = self.waiting(*who).map(|(id, _)| step(receiver.part(), number, Command::AcceptTransfer { id, receiver, by: receiver }));
                std::iter::once(open).chain(accept).collect()
            }
            Act::Decline(who) => {
                let receiver = self.who(*who);
                self.waiting(*who).map(|(id, _)| step(receiver.part(), number, Command::DeclineTransfer { id, receiver, by: receiver })).into_iter().collect()
            }
            Act::Cancel(who) => {
                let receiver = self.who(*who);
                self.waiting(*who).map(|(id, sender)| step(receiver.part(), number, Command::CancelTransfer { id, sender })).into_iter().collect()
            }
            Act::Pay { who, fen } => {
                let payer = self.who(*who);
                vec![issue_code(number, payer, PayFirst::Wallet), place_order(number + 1, number, payer, Fen(*fen), parts)]
            }
            Act::Capture { who, percent, last } => self
                .payment(*who, true)
                .map(|payment| {
                    let amount = Fen((payment.remaining().0 * percent / 100).max(1));
                    step(payment.id.part(), number, Command::Capture { payment: payment.id, order: of_payment(&payment), amount, last: *last })
                })
                .into_iter()
                .collect(),
            Act::Void(who) => self
                .payment(*who, true)
                .map(|payment| step(payment.id.part(), number, Command::Void { payment: payment.id, order: of_payment(&payment) }))
                .into_iter()
                .collect(),
            Act::Refund { who, fen } => self
                .payment(*who, false)
                .map(|payment| step(payment.id.part(), number, Command::Refund { payment: payment.id, order: of_payment(&payment), amount: Fen(*fen) }))
                .into_iter()
                .collect(),
            Act::Reverse(back) => {
                let order = order_of(number.saturating_sub(10 * back) + 1);
                vec![step(pharmacy_part(parts), number, Command::ReverseOrder { order, number: "any".to_owned() })]
            }
            Act::Premium { payer, insured } => vec![pay_premium(number, self.who(*payer), self.who(*insured))],
            Act::Agent { holder, agent, allowed } => {
                let (holder, agent) = (self.who(*holder), self.who(*agent));
                vec![step(holder.part(), number, Command::SetAgent { holder, agent, allowed: *allowed })]
            }
            Act::EndRelation { holder, other } => {
                let (holder, other) = (self.who(*holder), self.who(*other));
                vec![step(holder.part(), number, Command::EndRelation { holder, by: holder, other })]
            }
            Act::Freeze(who) => {
                let holder = self.who(*who);
                let command = Command::Freeze { holder, reason: FreezeReason::Investigation, maker: "a".to_owned(), checker: "b".to_owned() };
                vec![step(holder.part(), number, command)]
            }
            Act::Unfreeze(who) => {
                let holder = self.who(*who);
                vec![step(holder.part(), number, Command::Unfreeze { holder, maker: "a".to_owned(), checker: "b".to_owned() })]
            }
            Act::Die(who) => vec![step(self.who(*who).part(), number, Command::RegisterDeath { holder: self.who(*who) })],
            Act::Contribute { who, fen } => {
                let holder = self.who(*who);
                vec![step(holder.part(), number, Command::Contribute { holder, area: JINAN, amount: Fen(*fen), month: 202_703 })]
            }
            Act::Repeat => self.last.clone().into_iter().collect(),
            Act::Hours(_) | Act::Restart { .. } | Act::Crash { .. } | Act::PowerLoss { .. } | Act::Flush => Vec::new(),
        }
    }

    async fn act(&mut self, act: &Act) {
        match act {
            Act::Hours(hours) => {
                let now = gongji_store::clock::Clock::now(&*self.clock);
                assert!(self.clock.set(now + hours * HOUR_MS));
                self.settle().await;
            }
            Act::Crash { after, lands } => drop(crate::crashes::die_at(&self.store, *after, *lands, |_| true)),
            Act::PowerLoss { back } => {
                self.engine = None;
                for part in 0..=self.people.parts {
                    self.store.keep_books(part, self.store.book_entries(part).saturating_sub(*back));
                }
                self.start();
            }
            Act::Restart { loses_books } => {
                self.engine = None;
                if *loses_books {
                    (0..=self.people.parts).for_each(|part| self.store.lose_books(part));
                }
                self.start();
            }
            Act::Flush => self.engine().flush().await,
            Act::Capture { .. } | Act::Refund { .. } | Act::Void(_) => self.engine().flush().await,
            _ => {}
        }
        for step in self.steps(act) {
            self.walk(&step).await;
            self.last = Some(step);
        }
    }
}

async fn check_history(parts: Part, acts: Vec<Act>) {
    let people = People::of(parts);
    let mut history = History { people, store: MemoryStore::new(parts), clock: clock(), engine: None, number: 1_000, last: None };
    history.start();
    walk(history.engine(), &founding(&people)).await;
    for act in &acts {
        history.act(act).await;
    }
    history.store.heal();
    history.crash();
    history.settle().await;
    let live = history.engine.take().unwrap();
    live.flush().await;
    let holders: Vec<_> = [people.wang, people.li, people.bao].map(|id| live.holder(id).unwrap()).into();
    drop(live);
    let dumps = dump(&history.store, parts);
    check_balanced(&dumps);
    for (id, holder) in [people.wang, people.li, people.bao].into_iter().zip(holders) {
        let on_file = dumps[usize::from(id.part())].objects.get(&Key::Holder(id)).cloned();
        assert_eq!(on_file, holder.map(|holder| Object::Holder(Box::new(holder))), "memory and books say the same");
    }
    (0..=parts).for_each(|part| history.store.lose_books(part));
    drop(start(Arc::new(history.store.clone()), &history.clock, parts, None).unwrap());
    assert_eq!(dump(&history.store, parts), dumps, "redo gives every object and every line again");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn redo_gives_again_what_any_history_made(parts in prop_oneof![Just(1_u16), Just(3)], acts in proptest::collection::vec(act(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check_history(parts, acts));
    }
}
