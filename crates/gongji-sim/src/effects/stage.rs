//! One process with all partitions of an installation, taken one step after the other, so that its writes come in the same order each time.

use crate::model::{Check, ensure};
use gongji_ledger::Part;
use gongji_store::clock::{Clock, MovableClock};
use gongji_store::store::Store;
use gongji_store::{Decided, Fault, Limits, Stepped, delivery};
use gongji_wallet::{Decision, Request};
use std::sync::Arc;

/// A request with the partition that it is asked of.
#[derive(Clone, Debug)]
pub struct Step {
    pub part: Part,
    pub request: Request,
}

/// Rounds after which a process that meets no fault must have come to rest.
const ROUNDS_MAX: u32 = 100;

pub struct Stage {
    store: Arc<dyn Store>,
    parts: Part,
    pub clock: Arc<MovableClock>,
    writers: Vec<Stepped>,
}

impl Stage {
    /// Takes every partition over.
    ///
    /// # Errors
    /// Any fault of the store.
    pub fn start(store: &Arc<dyn Store>, parts: Part, clock: &Arc<MovableClock>) -> Result<Stage, Fault> {
        let start = |part| Stepped::start(store.clone(), part, parts, Limits::default(), clock.clone() as Arc<dyn Clock>);
        let writers = (0..=parts).map(start).collect::<Result<Vec<_>, _>>()?;
        Stepped::check_history(&writers)?;
        let stage = Stage { store: store.clone(), parts, clock: clock.clone(), writers };
        stage.spread_directory();
        Ok(stage)
    }

    fn spread_directory(&self) {
        let directory = self.writers[0].directory();
        self.writers[1..].iter().for_each(|writer| writer.set_directory(directory.clone()));
    }

    fn batch(&mut self, part: Part, requests: Vec<Request>) -> Result<Vec<Decided>, Fault> {
        let writer = &mut self.writers[usize::from(part)];
        if writer.is_ended() {
            return Err(Fault::Stopped(part));
        }
        let replies = writer.batch(requests);
        writer.project(false);
        if matches!(replies, Err(Fault::Failed(_))) && !self.store.journal(part)?.records(writer.head().seq, 1)?.is_empty() {
            return Err(Fault::Damaged("what was reported as failed is in the journal".to_owned()));
        }
        let replies = replies?.into_iter().collect::<Result<Vec<_>, _>>()?;
        if part == 0 {
            self.spread_directory();
        }
        Ok(replies)
    }

    /// Asks requests of one partition in one batch.
    ///
    /// # Errors
    /// What the caller is told.
    pub fn ask(&mut self, steps: &[Step]) -> Result<Vec<Decision>, Fault> {
        let part = steps[0].part;
        assert!(steps.iter().all(|step| step.part == part), "a batch is of one partition");
        let replies = self.batch(part, steps.iter().map(|step| step.request.clone()).collect())?;
        Ok(replies.into_iter().map(|decided| decided.decision).collect())
    }

    /// Lets deadlines strike and messages arrive until nothing is left to do; then the books are written.
    ///
    /// # Errors
    /// The first fault of a commit. What is left to do is done next time, here or by the next process.
    pub fn settle(&mut self) -> Result<(), Fault> {
        for _ in 0..ROUNDS_MAX {
            let before: Vec<u64> = self.writers.iter().map(|writer| writer.head().seq).collect();
            let mut is_quiet = true;
            for part in 0..=self.parts {
                self.batch(part, Vec::new())?;
                for to in 0..=self.parts {
                    let envelopes = self.writers[usize::from(part)].to_send(to);
                    if envelopes.is_empty() {
                        continue;
                    }
                    is_quiet = false;
                    self.batch(to, envelopes.into_iter().map(delivery).collect())?;
                    let watermark = self.writers[usize::from(to)].received(part);
                    self.writers[usize::from(part)].applied(to, watermark);
                }
            }
            if is_quiet && self.writers.iter().map(|writer| writer.head().seq).eq(before) {
                self.project();
                return Ok(());
            }
        }
        panic!("it does not come to rest");
    }

    /// Lets the projectors write everything, objects too.
    pub fn project(&mut self) {
        for writer in self.writers.iter_mut().filter(|writer| !writer.is_ended()) {
            writer.project(true);
        }
    }

    /// What a reader is told of how far the books are is there.
    ///
    /// # Errors
    /// A projector says more than the store has.
    pub fn check_books(&self) -> Check {
        for (part, writer) in (0..).zip(&self.writers) {
            let written = self.store.books(part).and_then(|mut books| books.projected()).map_err(|fault| fault.to_string())?;
            let told = writer.progress();
            ensure(told.lines_seq <= written.lines_seq, || {
                format!("partition {part}: the projector says {}, the books {}", told.lines_seq, written.lines_seq)
            })?;
        }
        Ok(())
    }

    /// Whether journals and books say the same of how far they are.
    pub fn are_books_complete(&self) -> bool {
        self.writers.iter().all(|writer| !writer.progress().is_stuck && writer.progress().lines_seq == writer.head().seq)
    }
}
