//! Processes, their partitions, the network between them and the clocks over them: everything that the engine leaves to threads, one step at a time.

use crate::config::Config;
use crate::fault::{Counts, Kind};
use crate::model::{Check, Model, ensure};
use crate::rng::Rng;
use crate::trace::Trace;
use gongji_audit::Auditor;
use gongji_ledger::Part;
use gongji_store::clock::Clock;
use gongji_store::memory::{Fate, MemoryStore};
use gongji_store::store::Store;
use gongji_store::{Decided, Fault, Reply, Stepped, delivery};
use gongji_wallet::directory::Directory;
use gongji_wallet::ids::RequestKey;
use gongji_wallet::object::Envelope;
use gongji_wallet::{Decision, Proof, Request};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

/// A process's clock: the true time, and how far it is off.
pub struct ProcessClock {
    now: Arc<AtomicI64>,
    pub off: AtomicI64,
}

impl Clock for ProcessClock {
    fn now(&self) -> i64 {
        self.now.load(Ordering::Relaxed) + self.off.load(Ordering::Relaxed)
    }
}

/// Who asked for what waits in an inbox.
#[derive(Clone, Debug)]
pub enum Asker {
    Client(usize),
    Courier(Part),
}

pub struct Process {
    pub clock: Arc<ProcessClock>,
    pub is_alive: bool,
    /// Steps for which it stands still.
    pub paused: u32,
    pub parts: BTreeMap<Part, Stepped>,
    pub inbox: BTreeMap<Part, VecDeque<(Asker, Request)>>,
    pub directory: Arc<Directory>,
}

/// What is on its way.
#[derive(Clone)]
pub enum Packet {
    Ask { op: usize },
    Reply { op: usize, reply: Reply },
    Message(Envelope),
    Applied { from: Part, to: Part, watermark: u64 },
    Directory { process: usize, directory: Arc<Directory> },
}

/// A client's request and what it has heard.
pub struct Op {
    pub part: Part,
    pub key: RequestKey,
    pub fingerprint: [u8; 16],
    pub request: Request,
    pub tries: u32,
    pub heard: Option<Decision>,
}

/// What the next writes meet with; then all go well.
#[derive(Default)]
pub struct Fates {
    pub next: VecDeque<Fate>,
    /// Partitions whose disk is full.
    pub full: BTreeSet<Part>,
}

pub struct World {
    pub rng: Rng,
    pub config: Config,
    pub trace: Trace,
    pub faults: Counts,
    now: Arc<AtomicI64>,
    pub store: MemoryStore,
    pub fates: Arc<Mutex<Fates>>,
    pub processes: Vec<Process>,
    /// The process that was last given each partition.
    pub owner: Vec<usize>,
    pub network: Vec<Packet>,
    /// Kept to arrive much later.
    pub late: Vec<Packet>,
    pub ops: Vec<Op>,
    pub model: Model,
    pub auditor: Auditor,
    pub latest: Arc<Directory>,
    /// Faults are over.
    pub is_calm: bool,
    pub steps: u32,
    pub records: u64,
    pub answered: u64,
    /// Numbers for whatever must be new.
    pub serial: u64,
    /// Partitions whose last taking over failed on the way.
    half_taken: BTreeSet<Part>,
    /// Proofs of identity made so far.
    pub proofs: Vec<Proof>,
}

impl World {
    pub fn new(seed: u64, mut rng: Rng, config: Config, is_told: bool) -> World {
        let now = Arc::new(AtomicI64::new(config.begin));
        let store = MemoryStore::new(config.parts);
        let fates: Arc<Mutex<Fates>> = Arc::default();
        let asked = fates.clone();
        store.decide(move |effect| {
            let mut fates = asked.lock().expect("nobody panics with the fates in hand");
            match fates.next.pop_front() {
                Some(fate) => fate,
                None if fates.full.contains(&effect.part) => Fate::Fails,
                None => Fate::Happens,
            }
        });
        let processes = (0..config.processes).map(|_| Process {
            clock: Arc::new(ProcessClock { now: now.clone(), off: AtomicI64::new(0) }),
            is_alive: true,
            paused: 0,
            parts: BTreeMap::new(),
            inbox: BTreeMap::new(),
            directory: Arc::default(),
        });
        let processes: Vec<Process> = processes.collect();
        let owner = (0..=config.parts).map(|_| rng.below(processes.len())).collect();
        let mut trace = Trace::new(is_told);
        trace.note(format_args!("seed {seed} {config:?}"));
        World {
            rng,
            model: Model::new(config.parts),
            auditor: Auditor::new(config.parts),
            config,
            trace,
            faults: Counts::default(),
            now,
            store,
            fates,
            processes,
            owner,
            network: Vec::new(),
            late: Vec::new(),
            ops: Vec::new(),
            latest: Arc::default(),
            is_calm: false,
            steps: 0,
            records: 0,
            answered: 0,
            serial: 0,
            half_taken: BTreeSet::new(),
            proofs: Vec::new(),
        }
    }

    pub fn now(&self) -> i64 {
        self.now.load(Ordering::Relaxed)
    }

    pub fn set_now(&mut self, now: i64) {
        self.now.store(now, Ordering::Relaxed);
    }

    /// Faults of this kind happen in this run at all, and now; counts it if so.
    pub fn strikes(&mut self, kind: Kind, percent: u32) -> bool {
        let strikes = !self.is_calm && self.config.has(kind) && self.rng.percent(percent);
        if strikes {
            self.faults.add(kind);
        }
        strikes
    }

    pub fn part_numbers(&self) -> std::ops::RangeInclusive<Part> {
        0..=self.config.parts
    }

    pub fn fate(&mut self, fates: &[Fate]) {
        self.fates.lock().expect("nobody panics with the fates in hand").next = fates.iter().copied().collect();
    }

    /// The partition where the last writer of it runs.
    pub fn owned(&self, part: Part) -> Option<&Stepped> {
        let process = &self.processes[self.owner[usize::from(part)]];
        if process.is_alive { process.parts.get(&part) } else { None }
    }

    // Processes.

    /// Gives a partition to a process. Whoever had it keeps writing until it notices.
    pub fn take_over(&mut self, part: Part, process: usize) -> Check {
        if self.strikes(Kind::TakeOverFailed, 8) {
            let fates = if self.rng.percent(50) { [Fate::Fails, Fate::Happens] } else { [Fate::Happens, Fate::Fails] };
            self.fate(&fates);
        }
        // One process has one writer for a partition: an older one of its own ends first.
        self.processes[process].parts.remove(&part);
        self.processes[process].inbox.remove(&part);
        let clock = self.processes[process].clock.clone();
        let started = Stepped::start(Arc::new(self.store.clone()), part, self.config.parts, self.config.limits, clock);
        self.fate(&[]);
        self.trace.note(format_args!("{} take over {part} by {process}: {}", self.now(), started.is_ok()));
        let stepped = match started {
            Ok(stepped) => stepped,
            Err(Fault::Failed(_) | Fault::Unknown(_)) => {
                // The epoch may have gone up all the same: whoever had it will notice.
                self.half_taken.insert(part);
                return Ok(());
            }
            Err(fault) => return Err(format!("partition {part} cannot be taken over: {fault}")),
        };
        self.half_taken.remove(&part);
        let read = &self.model.read[usize::from(part)];
        ensure(stepped.head().seq == read.seq, || format!("partition {part} starts at {}, its journal ends at {}", stepped.head().seq, read.seq))?;
        if part == 0 {
            self.publish(&stepped.directory());
        } else {
            stepped.set_directory(self.latest.clone());
        }
        let directory = self.latest.clone();
        let process = &mut self.processes[process];
        process.directory = directory;
        process.parts.insert(part, stepped);
        process.inbox.insert(part, VecDeque::new());
        Ok(())
    }

    /// Partitions without a living writer are given to somebody.
    pub fn tend(&mut self) -> Check {
        let alive: Vec<usize> = (0..self.processes.len()).filter(|at| self.processes[*at].is_alive && self.processes[*at].paused == 0).collect();
        if alive.is_empty() {
            let at = self.rng.below(self.processes.len());
            let process = &mut self.processes[at];
            process.paused = 0;
            if !process.is_alive {
                self.restart(at);
            }
            return Ok(());
        }
        for part in self.part_numbers() {
            if self.owned(part).is_none() {
                let to = *self.rng.pick(&alive).expect("somebody is alive");
                self.owner[usize::from(part)] = to;
                self.take_over(part, to)?;
            }
        }
        Ok(())
    }

    pub fn crash(&mut self, process: usize) {
        self.trace.note(format_args!("{} crash {process}", self.now()));
        let process = &mut self.processes[process];
        process.parts.clear();
        process.inbox.clear();
        process.is_alive = false;
        process.paused = 0;
    }

    pub fn restart(&mut self, process: usize) {
        self.trace.note(format_args!("{} restart {process}", self.now()));
        self.processes[process].is_alive = true;
    }

    /// Everybody stops, and files that are not synced at each commit may lose their last transactions.
    pub fn power_cut(&mut self) {
        for process in 0..self.processes.len() {
            self.crash(process);
        }
        for part in self.part_numbers() {
            let back = self.rng.below(4);
            let kept = self.store.book_entries(part).saturating_sub(back);
            self.store.keep_books(part, kept);
        }
    }

    // The network.

    fn publish(&mut self, directory: &Arc<Directory>) {
        if directory.version <= self.latest.version {
            return;
        }
        self.latest = directory.clone();
        for process in 0..self.processes.len() {
            self.network.push(Packet::Directory { process, directory: directory.clone() });
        }
    }

    pub fn ask(&mut self, op: usize) {
        self.ops[op].tries += 1;
        if self.strikes(Kind::RequestLost, 4) {
            return;
        }
        self.network.push(Packet::Ask { op });
        if self.strikes(Kind::RequestRepeated, 4) {
            self.network.push(Packet::Ask { op });
        }
    }

    /// The courier of a partition sends what it has.
    pub fn carry(&mut self, process: usize, part: Part) {
        if self.network.len() > 400 {
            return;
        }
        for to in self.part_numbers() {
            let Some(stepped) = self.processes[process].parts.get(&part) else { return };
            for envelope in stepped.to_send(to).into_iter().take(20) {
                if self.strikes(Kind::MessageLost, 10) {
                    continue;
                }
                if self.strikes(Kind::MessageLate, 6) {
                    self.late.push(Packet::Message(envelope.clone()));
                }
                if self.strikes(Kind::MessageRepeated, 10) {
                    self.network.push(Packet::Message(envelope.clone()));
                }
                self.network.push(Packet::Message(envelope));
            }
        }
    }

    /// One packet arrives: usually the oldest.
    pub fn deliver(&mut self) -> Check {
        if self.network.is_empty() {
            return Ok(());
        }
        let at = if self.network.len() > 1 && self.strikes(Kind::MessageReordered, 40) { self.rng.below(self.network.len()) } else { 0 };
        let packet = self.network.remove(at);
        match packet {
            Packet::Ask { op } => {
                let part = self.ops[op].part;
                let request = self.ops[op].request.clone();
                let process = self.route(part);
                match self.processes[process].inbox.get_mut(&part) {
                    Some(inbox) => inbox.push_back((Asker::Client(op), request)),
                    None => self.network.push(Packet::Reply { op, reply: Err(Fault::Stopped(part)) }),
                }
            }
            Packet::Reply { op, reply } => {
                if self.strikes(Kind::ReplyLost, 5) {
                    return Ok(());
                }
                return self.hear(op, reply);
            }
            Packet::Message(envelope) => {
                let (to, from) = (envelope.to, envelope.from);
                let process = self.route(to);
                if let Some(inbox) = self.processes[process].inbox.get_mut(&to) {
                    inbox.push_back((Asker::Courier(from), delivery(envelope)));
                }
            }
            Packet::Applied { from, to, watermark } => {
                let process = self.route(from);
                if let Some(stepped) = self.processes[process].parts.get_mut(&from) {
                    stepped.applied(to, watermark);
                }
            }
            Packet::Directory { process, directory } => {
                let process = &mut self.processes[process];
                if process.is_alive && directory.version > process.directory.version {
                    for stepped in process.parts.iter().filter(|(part, _)| **part != 0).map(|(_, stepped)| stepped) {
                        stepped.set_directory(directory.clone());
                    }
                    process.directory = directory;
                }
            }
        }
        Ok(())
    }

    /// Where a request for a partition goes: to its writer, or to somebody who believes to be it.
    fn route(&mut self, part: Part) -> usize {
        let owner = self.owner[usize::from(part)];
        if self.processes.len() > 1 && self.rng.percent(10) {
            let other = self.rng.below(self.processes.len());
            if self.processes[other].parts.contains_key(&part) {
                return other;
            }
        }
        owner
    }

    /// A client hears an answer.
    fn hear(&mut self, op: usize, reply: Reply) -> Check {
        let Ok(Decided { decision, .. }) = reply else { return Ok(()) };
        let op = &mut self.ops[op];
        let outcome = |decision: &Decision| match decision {
            Decision::New(outcome) | Decision::Replayed(outcome) => Some(outcome.clone()),
            Decision::KeyReused => None,
        };
        match &op.heard {
            Some(heard) => ensure(outcome(heard) == outcome(&decision), || format!("a client hears {decision:?} after {heard:?}")),
            None => {
                op.heard = Some(decision);
                self.answered += 1;
                Ok(())
            }
        }
    }

    // Steps of a partition.

    /// Lets a partition of a process take what waits, or look at its deadlines if nothing does.
    pub fn batch(&mut self, process: usize, part: Part) -> Check {
        let max = if self.rng.percent(30) { 1 } else { 64 };
        let waiting = self.processes[process].inbox.entry(part).or_default();
        let count = waiting.len().min(max);
        let taken: Vec<(Asker, Request)> = waiting.drain(..count).collect();
        let requests: Vec<Request> = taken.iter().map(|(_, request)| request.clone()).collect();
        let doubt = self.choose_fates();
        let crashes = doubt.is_some_and(|kind| matches!(kind, Kind::CrashBeforeCommit | Kind::CrashAfterCommit));
        let before = self.store.landed(part);
        let is_owner = self.owner[usize::from(part)] == process;
        let Some(stepped) = self.processes[process].parts.get_mut(&part) else { return Ok(()) };
        if stepped.directory().version < self.latest.version {
            self.faults.add(Kind::StaleDirectory);
        }
        let expected_stamp = self.processes[process].clock.now().max(self.model.read[usize::from(part)].stamp);
        let stepped = self.processes[process].parts.get_mut(&part).expect("it was there");
        let outcome = stepped.batch(requests);
        let is_ended = stepped.is_ended();
        self.fate(&[]);
        if let Err(Fault::Unknown(why)) = &outcome
            && why.contains("a bug stopped")
            && is_owner
        {
            // Somebody who was fenced off and reads books that have gone on may trip over what does not fit together: it ends either way.
            return Err(format!("{why}: {}", crate::last_panic()));
        }
        if matches!(outcome, Err(Fault::Unknown(_))) && !is_owner {
            // To learn what became of its commit it took over again, and so fenced off whoever has the partition by right.
            self.half_taken.insert(part);
        }
        if matches!(outcome, Err(Fault::Fenced(_))) {
            ensure(!is_owner || self.half_taken.contains(&part), || format!("the one writer of partition {part} was fenced off: somebody else wrote"))?;
            self.faults.add(Kind::StaleWriter);
        }
        let landed = self.store.landed(part) - before;
        let is_full = self.fates.lock().expect("nobody panics with the fates in hand").full.contains(&part);
        if is_owner && !is_full && !self.half_taken.contains(&part) {
            // Whoever may take over again learns what became of the commit.
            let is_resolved = match doubt {
                Some(Kind::CommitReplyLost) => outcome.is_ok(),
                Some(Kind::CommitUnknownNotLanded) => matches!(outcome, Ok(_) | Err(Fault::Failed(_))) && !is_ended,
                _ => true,
            };
            ensure(is_resolved, || format!("a commit in doubt stays in doubt: {outcome:?}"))?;
        }
        self.trace.note(format_args!("{} batch {process}/{part} {count} {:?} landed {landed}", self.now(), outcome.as_ref().map(Vec::len)));
        self.absorb(part)?;
        ensure(landed <= 1, || format!("one batch of partition {part} became {landed} records"))?;
        if landed == 1 {
            let stamp = self.model.read[usize::from(part)].stamp;
            ensure(stamp == expected_stamp, || format!("record of partition {part} is stamped {stamp}, the commit was at {expected_stamp}"))?;
        }
        match outcome {
            Ok(replies) => {
                if landed == 1 {
                    self.compare_memory(process, part)?;
                }
                if is_owner {
                    self.model.check_deadlines(part, expected_stamp)?;
                }
                if part == 0
                    && let Some(stepped) = self.processes[process].parts.get(&0)
                {
                    let directory = stepped.directory();
                    self.publish(&directory);
                }
                self.answer(process, part, taken, replies)?;
            }
            Err(fault) => {
                let may_have_landed = matches!(fault, Fault::Unknown(_));
                ensure(landed == 0 || may_have_landed, || format!("a batch that was reported as failed ({fault}) is in the journal"))?;
                for (asker, _) in taken {
                    if let Asker::Client(op) = asker {
                        self.network.push(Packet::Reply { op, reply: Err(fault.clone()) });
                    }
                }
            }
        }
        if crashes {
            self.crash(process);
        } else if is_ended {
            self.processes[process].parts.remove(&part);
            self.processes[process].inbox.remove(&part);
        }
        Ok(())
    }

    /// What the next commit meets with.
    fn choose_fates(&mut self) -> Option<Kind> {
        use Fate::*;
        let fates: &[(Kind, &[Fate])] = &[
            (Kind::CommitReplyLost, &[HappensUnheard]),
            (Kind::CommitUnknownNotLanded, &[FailsUnheard]),
            (Kind::CommitUnknownThenTakenOver, &[HappensUnheard, TooLate]),
            (Kind::CommitUnknownThenStoreDown, &[FailsUnheard, Fails]),
            (Kind::CrashBeforeCommit, &[FailsUnheard, Fails]),
            (Kind::CrashAfterCommit, &[HappensUnheard, Fails]),
        ];
        if self.is_calm || !self.rng.percent(self.config.commit_faults) {
            return None;
        }
        let (kind, fates) = fates[self.rng.below(fates.len())];
        if !self.config.has(kind) {
            return None;
        }
        self.faults.add(kind);
        self.fate(fates);
        Some(kind)
    }

    fn answer(&mut self, process: usize, part: Part, taken: Vec<(Asker, Request)>, replies: Vec<Reply>) -> Check {
        ensure(replies.len() == taken.len(), || "a request is left without a reply".to_owned())?;
        let mut heard = BTreeSet::new();
        for ((asker, _), reply) in taken.into_iter().zip(replies) {
            match asker {
                Asker::Client(op) => {
                    if let Ok(decided) = &reply {
                        let asked = &self.ops[op];
                        self.model.check_heard(part, asked.key, asked.fingerprint, decided.seq, &decided.decision)?;
                    }
                    self.network.push(Packet::Reply { op, reply });
                }
                Asker::Courier(from) => {
                    heard.insert(from);
                }
            }
        }
        for from in heard {
            let watermark = self.processes[process].parts.get(&part).map_or(0, |stepped| stepped.received(from));
            self.network.push(Packet::Applied { from, to: part, watermark });
        }
        Ok(())
    }

    /// Reads what has become durable.
    pub fn absorb(&mut self, part: Part) -> Check {
        let after = self.model.read[usize::from(part)].seq;
        if self.store.landed(part) == after {
            return Ok(());
        }
        let mut journal = self.store.journal(part).map_err(|fault| fault.to_string())?;
        for record in journal.records(after, usize::MAX).map_err(|fault| fault.to_string())? {
            let head = record.head;
            self.trace.note(format_args!("record {}/{} {:02x?}", head.part, head.seq, &record.hash[..8]));
            self.model.record(&record)?;
            let read = self.auditor.record(head.part, head.seq, head.stamp, head.directory, &record.payload, &record.hash);
            read.map_err(|finding| format!("the auditor: {}", finding.en()))?;
            self.records += 1;
        }
        Ok(())
    }

    fn compare_memory(&mut self, process: usize, part: Part) -> Check {
        let Some(stepped) = self.processes[process].parts.get(&part) else { return Ok(()) };
        crate::compare::memory(stepped, &self.model, part)
    }

    /// Lets the projector of a partition work.
    pub fn project(&mut self, process: usize, part: Part) {
        let quiet = self.rng.percent(50);
        let mut crashes = false;
        if !self.is_calm && self.rng.percent(self.config.projection_faults) {
            let (kind, fate) = match self.rng.below(4) {
                0 => (Kind::CrashInProjection, Fate::HappensUnheard),
                1 => (Kind::CrashInProjection, Fate::FailsUnheard),
                2 => (Kind::IoErrorInProjection, Fate::Fails),
                _ => (Kind::ProjectionReplyLost, Fate::HappensUnheard),
            };
            if self.config.has(kind) {
                self.faults.add(kind);
                self.fate(&[fate]);
                crashes = kind == Kind::CrashInProjection;
            }
        }
        if let Some(stepped) = self.processes[process].parts.get_mut(&part) {
            stepped.project(quiet);
        }
        self.fate(&[]);
        if crashes {
            self.crash(process);
        }
    }
}
