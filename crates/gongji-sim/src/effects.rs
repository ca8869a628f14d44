//! Each use case by itself, with each kind of fault at each of its effects, one after the other.
//!
//! An effect is a write that the store is asked for: taking a partition over, claiming its books, a commit, a projection. A play begins with a start and
//! ends with everything settled and written; its effects are counted without a fault, and then it is played once for each effect and kind of fault. The
//! client asks again with the same key until it hears an answer. After a restart everything must be as if nothing had happened.

mod stage;
mod use_cases;

use crate::audit;
use crate::finale::dump;
use crate::model::{Check, ensure};
use gongji_audit::Auditor;
use gongji_ledger::Part;
use gongji_store::Fault;
use gongji_store::clock::{Clock, MovableClock};
use gongji_store::memory::{Effect, EffectKind, Fate, MemoryStore};
use gongji_store::store::Store;
use gongji_wallet::Decision;
use gongji_wallet::object::Object;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub use stage::{Stage, Step};
pub use use_cases::{Beat, UseCase, all, morning};

/// What happens at one effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The write fails, once.
    Error,
    /// From here on every write fails, until somebody makes room: after the client was refused twice, or at the restart.
    DiskFull,
    /// It is written, and nobody hears of it.
    LostReply,
    /// Nobody knows, and it is not written.
    LostWrite,
    CrashBefore,
    CrashAfter,
    /// The process is gone, and of the books everything that was written since the play began: only a journal's commit is synced.
    PowerCut,
    /// Another writer takes the partition over just before.
    Overtaken,
}

impl Kind {
    pub const ALL: [Kind; 8] =
        [Kind::Error, Kind::DiskFull, Kind::LostReply, Kind::LostWrite, Kind::CrashBefore, Kind::CrashAfter, Kind::PowerCut, Kind::Overtaken];

    fn kills(self) -> bool {
        matches!(self, Kind::CrashBefore | Kind::CrashAfter | Kind::PowerCut)
    }

    fn fate(self) -> Fate {
        match self {
            Kind::Error | Kind::DiskFull => Fate::Fails,
            Kind::LostReply | Kind::CrashAfter => Fate::HappensUnheard,
            Kind::LostWrite | Kind::CrashBefore | Kind::PowerCut => Fate::FailsUnheard,
            Kind::Overtaken => Fate::TooLate,
        }
    }
}

/// Tries after which a request must have got through.
const TRIES_MAX: u32 = 20;

/// Refusals after which somebody makes room on a full disk.
const REFUSALS_MAX: u32 = 2;

/// A use case that is ready to be played again and again.
pub struct Play {
    pub case: UseCase,
    parts: Part,
    disk: MemoryStore,
    begins: i64,
    /// Effects without a fault.
    pub points: u64,
    answers: Vec<String>,
    expected: State,
}

/// Objects by key, lines of statements and takings, without what only says where in the journal something stands.
#[derive(Default)]
pub struct State {
    objects: BTreeMap<(Part, Vec<u8>), String>,
    lines: Vec<String>,
}

impl State {
    /// # Errors
    /// The books cannot be read.
    pub fn of(store: &dyn Store, parts: Part) -> Result<State, String> {
        let mut state = State::default();
        for part in 0..=parts {
            let mut books = store.books(part).map_err(|fault| fault.to_string())?;
            let read = books.each_object(&mut |key, mut object| {
                match &mut object {
                    Object::Answer(answer) => answer.seq = 0,
                    Object::Holder(person) => person.last_line = 0,
                    Object::Order(order) => order.previous = 0,
                    Object::Till(till) => till.last_line = 0,
                    Object::Takings(last) => *last = 0,
                    _ => {}
                }
                state.objects.insert((part, gongji_store::store::encode_key(&key)), format!("{object:?}"));
                Ok(())
            });
            read.map_err(|fault| fault.to_string())?;
            let read = books.each_line(&mut |mut line| {
                (line.number, line.previous, line.seq) = (0, 0, 0);
                state.lines.push(format!("{line:?}"));
                Ok(())
            });
            read.map_err(|fault| fault.to_string())?;
            let read = books.each_taking(0, &mut |mut taking| {
                (taking.number, taking.previous, taking.seq) = (0, 0, 0);
                state.lines.push(format!("{taking:?}"));
                Ok(true)
            });
            read.map_err(|fault| fault.to_string())?;
        }
        state.lines.sort_unstable();
        Ok(state)
    }

    /// # Errors
    /// The first difference.
    pub fn check(&self, expected: &State) -> Check {
        ensure(self.lines == expected.lines, || format!("statements say {:#?}, without a fault {:#?}", self.lines, expected.lines))?;
        let differs = self.objects.iter().find(|(key, object)| expected.objects.get(*key) != Some(object));
        let lacks = expected.objects.iter().find(|(key, _)| !self.objects.contains_key(*key));
        ensure(differs.is_none() && lacks.is_none(), || {
            format!("the books say {differs:?}, without a fault {:?}; they lack {lacks:?}", differs.and_then(|(key, _)| expected.objects.get(key)))
        })
    }
}

impl Play {
    /// Plays what comes before, and the case once without a fault.
    ///
    /// # Errors
    /// What is wrong already without one.
    pub fn new(case: UseCase, parts: Part) -> Result<Play, String> {
        let disk = MemoryStore::new(parts);
        let mut life = Life::new(&disk, parts, morning(), None);
        life.walk(&case.before)?;
        let begins = life.clock.now();
        drop(life);
        let mut play = Play { case, parts, disk, begins, points: 0, answers: Vec::new(), expected: State::default() };
        let store = play.disk.copy();
        let before = store.effects();
        let (answers, lived) = play.act(&store, None)?;
        play.points = store.effects() - before;
        play.expected = play.start_anew(&store, &answers)?;
        play.answers = answers;
        lived.ok_or("a process dies without a fault")?.check(&play.expected).map_err(|why| format!("{}, before a restart: {why}", play.case.name))?;
        Ok(play)
    }

    /// Plays with one fault, and checks what is left.
    ///
    /// # Errors
    /// What is not as it is without the fault.
    pub fn with_fault(&self, kind: Kind, at: u64) -> Check {
        self.check(kind, at).map_err(|why| format!("{}, on {} partitions, {kind:?} at effect {at} of {}: {why}", self.case.name, self.parts, self.points))
    }

    fn check(&self, kind: Kind, at: u64) -> Check {
        let store = self.disk.copy();
        let (answers, lived) = self.act(&store, Some((kind, at)))?;
        if let Some(state) = lived {
            state.check(&self.expected).map_err(|why| format!("in a process that goes on: {why}"))?;
        }
        let state = self.start_anew(&store, &answers)?;
        ensure(answers == self.answers, || format!("answered {answers:?}, without a fault {:?}", self.answers))?;
        state.check(&self.expected)
    }

    /// The answers; and what the books say where no restart has put anything right.
    fn act(&self, store: &MemoryStore, fault: Option<(Kind, u64)>) -> Result<(Vec<String>, Option<State>), String> {
        let mut life = Life::new(store, self.parts, self.begins, fault);
        let answers = life.walk(&self.case.beats)?;
        life.end()?;
        let has_lived = life.stage.is_some() && life.starts == 1 && life.kind != Some(Kind::Overtaken);
        Ok((answers, has_lived.then(|| State::of(store, self.parts)).transpose()?))
    }

    /// After everything the installation is started anew: it settles, answers each request as before, and agrees with its journal.
    fn start_anew(&self, store: &MemoryStore, answers: &[String]) -> Result<State, String> {
        store.heal();
        let last = self.case.beats.iter().filter_map(|beat| if let Beat::Until(at) = beat { Some(*at) } else { None }).max().unwrap_or(self.begins);
        let mut life = Life::new(store, self.parts, last, None);
        life.settle()?;
        let records = |store: &MemoryStore| (0..=self.parts).map(|part| store.landed(part)).collect::<Vec<_>>();
        let before = records(store);
        let mut repeated = Vec::new();
        for beat in &self.case.beats {
            let steps = match beat {
                Beat::Ask(steps) => steps.as_slice(),
                Beat::Rush(step) => std::slice::from_ref(&**step),
                Beat::Until(_) => continue,
            };
            let decisions = life.insist(|stage| stage.ask(steps))?;
            let is_new = decisions.iter().any(|decision| matches!(decision, Decision::New(_)));
            ensure(!is_new, || format!("an answer is not known any more: {decisions:?}"))?;
            repeated.extend(decisions.iter().map(told));
        }
        ensure(repeated == answers, || format!("answered {answers:?}, and asked again {repeated:?}"))?;
        ensure(records(store) == before, || "asking again wrote something".to_owned())?;
        life.settle()?;
        ensure(life.stage.as_ref().is_some_and(Stage::are_books_complete), || "the books are not complete".to_owned())?;
        drop(life);
        audit(store, self.parts)?;
        let exact = dump(store, self.parts)?;
        for part in 0..=self.parts {
            store.lose_books(part);
        }
        Life::new(store, self.parts, last, None).settle()?;
        ensure(dump(store, self.parts)? == exact, || "books made anew from the journal differ".to_owned())?;
        State::of(store, self.parts)
    }
}

/// Plays beats in one process on any store, up to the first fault; `heard` is told each answer. `now` is where its clock stands first (ms).
///
/// # Errors
/// What the caller who asked, or nobody in particular, was told.
pub fn play(store: &Arc<dyn Store>, parts: Part, now: i64, beats: &[Beat], heard: &mut dyn FnMut(&Decision)) -> Result<(), Fault> {
    let clock = Arc::new(MovableClock::standing(now));
    let mut stage = Stage::start(store, parts, &clock)?;
    for beat in beats {
        match beat {
            Beat::Ask(steps) => {
                stage.ask(steps)?.iter().for_each(&mut *heard);
                stage.settle()?;
            }
            Beat::Rush(step) => stage.ask(std::slice::from_ref(&**step))?.iter().for_each(&mut *heard),
            Beat::Until(at) => {
                clock.set(*at);
                stage.settle()?;
            }
        }
    }
    stage.settle()
}

/// What a client hears, without whether it was new.
pub fn told(decision: &Decision) -> String {
    match decision {
        Decision::New(outcome) | Decision::Replayed(outcome) => format!("{outcome:?}"),
        Decision::KeyReused => "the key was used with another body".to_owned(),
    }
}

/// A process and its successors on one disk.
struct Life {
    store: MemoryStore,
    parts: Part,
    clock: Arc<MovableClock>,
    kind: Option<Kind>,
    /// 1 once the process must be gone.
    dead: Arc<AtomicU64>,
    /// Of a partition that another writer took over: its last record and the transactions of its books at that moment.
    overtaken: Arc<Mutex<Option<(Part, u64, usize)>>>,
    /// Transactions of each partition's books when the life began.
    synced: Vec<usize>,
    refusals: u32,
    /// Processes so far.
    starts: u32,
    stage: Option<Stage>,
}

impl Life {
    fn new(store: &MemoryStore, parts: Part, now: i64, fault: Option<(Kind, u64)>) -> Life {
        let dead = Arc::new(AtomicU64::new(0));
        let overtaken = Arc::new(Mutex::new(None));
        if let Some((kind, at)) = fault {
            let (died, first) = (dead.clone(), store.effects());
            let (disk, note) = (store.clone(), overtaken.clone());
            store.decide(move |effect: Effect| {
                if died.load(Ordering::Acquire) != 0 {
                    return Fate::FailsUnheard;
                }
                let number = effect.number - first;
                if number < at || (number > at && kind != Kind::DiskFull) {
                    return Fate::Happens;
                }
                died.store(u64::from(kind.kills()), Ordering::Release);
                if kind == Kind::Overtaken && effect.kind != EffectKind::TakeOver {
                    let stood = (effect.part, disk.landed(effect.part), disk.book_entries(effect.part));
                    *note.lock().expect("nobody panics with the note in hand") = Some(stood);
                }
                kind.fate()
            });
        }
        let synced = (0..=parts).map(|part| store.book_entries(part)).collect();
        let clock = Arc::new(MovableClock::standing(now));
        Life { store: store.clone(), parts, clock, kind: fault.map(|(kind, _)| kind), dead, overtaken, synced, refusals: 0, starts: 0, stage: None }
    }

    fn walk(&mut self, beats: &[Beat]) -> Result<Vec<String>, String> {
        let mut answers = Vec::new();
        for beat in beats {
            match beat {
                Beat::Ask(steps) => {
                    answers.extend(self.insist(|stage| stage.ask(steps))?.iter().map(told));
                    self.settle()?;
                }
                Beat::Rush(step) => answers.extend(self.insist(|stage| stage.ask(std::slice::from_ref(&**step)))?.iter().map(told)),
                Beat::Until(at) => {
                    self.clock.set(*at);
                    self.settle()?;
                }
            }
        }
        Ok(answers)
    }

    fn settle(&mut self) -> Check {
        self.insist(Stage::settle)?;
        match &mut self.stage {
            Some(stage) => stage.check_books(),
            None => Ok(()),
        }
    }

    /// Before anything is started anew: what a process that goes on can put right by itself must be right.
    fn end(&mut self) -> Check {
        self.check_overtaken()?;
        self.store.heal();
        let Some(stage) = self.stage.as_mut().filter(|_| self.kind != Some(Kind::Overtaken)) else { return Ok(()) };
        // What could not be written, and then what came after it.
        stage.project();
        stage.project();
        stage.check_books()?;
        ensure(stage.are_books_complete(), || "the books stay behind in a process that goes on".to_owned())
    }

    /// Whoever was overtaken has written nothing since, neither journal nor books; the successor's claim is the one new transaction.
    fn check_overtaken(&self) -> Check {
        let Some((part, seq, entries)) = self.overtaken.lock().expect("nobody panics with the note in hand").take() else { return Ok(()) };
        let stands = (self.store.landed(part), self.store.book_entries(part));
        ensure(stands == (seq, entries + 1), || format!("a writer that was overtaken at {:?} wrote on, to {stands:?}", (seq, entries)))
    }

    /// Tries until it gets through, as a client does who asks again.
    fn insist<T>(&mut self, mut act: impl FnMut(&mut Stage) -> Result<T, Fault>) -> Result<T, String> {
        for _ in 0..TRIES_MAX {
            let acted = match &mut self.stage {
                Some(stage) => act(stage),
                None => {
                    let store: Arc<dyn Store> = Arc::new(self.store.clone());
                    match Stage::start(&store, self.parts, &self.clock) {
                        Ok(stage) => {
                            self.starts += 1;
                            act(self.stage.insert(stage))
                        }
                        Err(fault) => Err(fault),
                    }
                }
            };
            if self.dead.swap(0, Ordering::AcqRel) != 0 {
                self.recover();
            }
            match acted {
                Ok(done) => return Ok(done),
                Err(Fault::Failed(_)) => self.refused(),
                Err(Fault::Damaged(why)) => return Err(why),
                // Fenced off, stopped, or in doubt for good: this process can do no more.
                Err(_) => {
                    self.check_overtaken()?;
                    self.stage = None;
                }
            }
        }
        Err(format!("it does not get through in {TRIES_MAX} tries"))
    }

    /// Somebody was told that it failed.
    fn refused(&mut self) {
        self.refusals += 1;
        if self.kind == Some(Kind::DiskFull) && self.refusals == REFUSALS_MAX {
            self.store.heal();
        }
    }

    fn recover(&mut self) {
        self.stage = None;
        self.store.heal();
        if self.kind == Some(Kind::PowerCut) {
            for (part, kept) in (0..=self.parts).zip(&self.synced) {
                self.store.keep_books(part, (*kept).min(self.store.book_entries(part)));
            }
        }
    }
}

/// The independent auditor over journal and books.
///
/// # Errors
/// What it finds.
pub fn audit(store: &dyn Store, parts: Part) -> Check {
    let mut auditor = Auditor::new(parts);
    for part in 0..=parts {
        let mut journal = store.journal(part).map_err(|fault| fault.to_string())?;
        for record in journal.records(0, usize::MAX >> 1).map_err(|fault| fault.to_string())? {
            let head = record.head;
            let read = auditor.record(part, head.seq, head.stamp, head.directory, &record.payload, &record.hash);
            read.map_err(|finding| format!("the auditor: {}", finding.en()))?;
        }
    }
    for part in 0..=parts {
        let mut books = store.books(part).map_err(|fault| fault.to_string())?;
        audit::compare(&mut auditor, part, &mut books)?;
    }
    let summary = auditor.finish().map_err(|finding| format!("the auditor at the end: {}", finding.en()))?;
    ensure(summary.undelivered == 0, || format!("{} messages are still under way", summary.undelivered))?;
    audit::missing(&mut auditor)
}
