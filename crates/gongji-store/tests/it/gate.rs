//! A gate in front of a store's writes: a test sees what waits there, and lets it through when it likes.

use gongji_ledger::Part;
use gongji_store::memory::{Effect, EffectKind, Fate, MemoryStore};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};

#[derive(Default)]
struct State {
    is_open: bool,
    waiting: usize,
}

/// Holds the commits of one partition.
#[derive(Clone, Default)]
pub struct Gate {
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Gate {
    pub fn before_commits(store: &MemoryStore, part: Part) -> Gate {
        let gate = Gate::default();
        let inside = gate.clone();
        store.decide(move |effect: Effect| {
            if effect.kind == EffectKind::Commit && effect.part == part {
                inside.pass();
            }
            Fate::Happens
        });
        gate
    }

    fn pass(&self) {
        let (state, changed) = &*self.state;
        let mut state = state.lock().unwrap();
        state.waiting += 1;
        changed.notify_all();
        while !state.is_open {
            state = changed.wait(state).unwrap();
        }
        state.waiting -= 1;
    }

    /// Waits until a commit stands at the gate.
    pub fn arrival(&self) {
        let (state, changed) = &*self.state;
        let mut state = state.lock().unwrap();
        while state.waiting == 0 {
            state = changed.wait(state).unwrap();
        }
    }

    pub fn open(&self) {
        let (state, changed) = &*self.state;
        state.lock().unwrap().is_open = true;
        changed.notify_all();
    }
}

/// Polls once.
pub async fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Option<F::Output> {
    let mut once = Some(future);
    std::future::poll_fn(|context| {
        let future = once.take().expect("polled once");
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
