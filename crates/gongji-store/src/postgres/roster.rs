//! The processes that work on one database: each says that it lives, watches the others, and knows who works on which partition.
//!
//! One that can be reached by the others shares the partitions with them. One that cannot works alone, and others wait until it is gone.

use super::{PostgresStore, Session, part, part_number, signed, unsigned};
use crate::fault::Fault;
use crate::seal::random;
use gongji_ledger::Part;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often a process says that it lives, and looks at the others.
const BEAT: Duration = Duration::from_millis(250);

/// Who has not moved for so long is gone. With what it takes to open its partitions after it, others serve them within five seconds.
const GONE: Duration = Duration::from_secs(3);

/// Whoever could not look for so long has learnt nothing: perhaps the database stood still, and nobody could move.
const GAP: Duration = Duration::from_secs(2);

/// After so long without a beat nobody may rely on this process's memory any more. Less than `GONE`: until then nobody else has taken its place.
const CURRENT: Duration = Duration::from_secs(2);

/// How often one that waits looks, and one that waits for others to hear of a revocation.
const LOOK: Duration = Duration::from_millis(20);

// A beat need not outlive a crash of the server, and must not wait for its standby.
const QUICK: &str = "set synchronous_commit = off";
const LIVING: &str = "select name, address, beat from process where part = 0";
const LOCK: &str = "begin; lock table process in share row exclusive mode";
const JOIN: &str = "insert into process (part, name, address, beat, revoked) select 0, $1, $2, 1, revoked from vault_turn where part = 0";
const MOVE: &str = "update process set beat = beat + 1, revoked = $2 where part = 0 and name = $1";
const BURY: &str = "delete from process where part = 0 and name = $1 and beat = $2";
const LEAVE: &str = "delete from process where part = 0 and name = $1";
const OWNERS: &str = "select part, name from part_owner";
const CLAIM: &str = "insert into part_owner (part, name) values ($1, $2) on conflict (part) do update set name = excluded.name where part_owner.name = $3";
const HAND: &str = "update part_owner set name = $2 where part = $1 and name = $3";
const REVOKED: &str = "select revoked from vault_turn where part = 0";
const BEHIND: &str = "select 1 from process where part = 0 and name <> $1 and revoked < $2 limit 1";

/// The zero of all times here.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Who lives, and who works on what, as this process saw it at its last beat.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct View {
    /// Address of each living process by its name, this one among them.
    pub processes: BTreeMap<String, String>,
    /// Name of the process that works on a partition, or did.
    pub owners: BTreeMap<Part, String>,
}

impl View {
    /// Who works on a partition, if it lives.
    pub fn owner(&self, part: Part) -> Option<&str> {
        self.owners.get(&part).filter(|name| self.processes.contains_key(*name)).map(String::as_str)
    }
}

/// This process's place among those that work here, kept up by a thread. Dropping it leaves.
pub struct Roster {
    name: String,
    store: PostgresStore,
    state: Arc<State>,
    /// For claims, which another thread makes.
    claims: Mutex<Option<Session>>,
    beating: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

struct State {
    view: watch::Sender<Arc<View>>,
    lost: watch::Sender<bool>,
    /// When the last beat that the database took was sent (µs).
    beaten: AtomicU64,
    revoked: AtomicU64,
}

/// Another process as it stands in the table: name, address and beat.
type Other = (String, String, i64);

impl Roster {
    /// Takes a place: with `address` beside others that can be reached, without one alone. Watches whoever stands against it until it is gone.
    /// `None`: it lives, and has been seen to.
    ///
    /// # Errors
    /// `Failed` if the database cannot be asked.
    pub fn join(store: &PostgresStore, address: Option<&str>) -> Result<Option<Roster>, Fault> {
        let name = random::<8>().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let address = address.unwrap_or_default();
        let session = quick(store)?;
        let stands_against = |other: &Other| address.is_empty() || other.1.is_empty();
        let mut watched = Watched::default();
        loop {
            let others = living(&session, &name)?;
            let gone = watched.gone(&others);
            for (name, beat) in &gone {
                session.execute(BURY, &[name, beat])?;
            }
            if !others.iter().any(stands_against) {
                session.batch(LOCK)?;
                let nobody = !living(&session, &name)?.iter().any(stands_against);
                if nobody {
                    session.execute(JOIN, &[&name, &address])?;
                }
                session.batch("commit")?;
                if nobody {
                    return Ok(Some(Roster::begin(store.clone(), session, name, address)?));
                }
            } else if others.iter().any(|other| stands_against(other) && watched.has_moved(&other.0)) {
                return Ok(None);
            }
            std::thread::sleep(LOOK);
        }
    }

    fn begin(store: PostgresStore, session: Session, name: String, address: &str) -> Result<Roster, Fault> {
        let parts = store.0.parts;
        if address.is_empty() {
            // Nobody else is here, or can be before this one is gone.
            for part in 0..=parts {
                let was =
                    session.query(OWNERS, &[])?.iter().find(|row| super::part(row, 0).ok() == Some(part)).map_or(Ok(String::new()), |row| row.try_get(1))?;
                session.execute(CLAIM, &[&part_number(part), &name, &was])?;
            }
        }
        let view = View { processes: BTreeMap::from([(name.clone(), address.to_owned())]), owners: BTreeMap::new() };
        let state = Arc::new(State {
            view: watch::channel(Arc::new(view)).0,
            lost: watch::channel(false).0,
            beaten: AtomicU64::new(now_us()),
            revoked: AtomicU64::new(0),
        });
        let (stop, stopped) = channel::<()>();
        let mut beat = Beat { store: store.clone(), name: name.clone(), session: Some(session), watched: Watched::default(), state: state.clone() };
        // Who is here is known from the start.
        beat.once();
        let run = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(BEAT) {
                beat.once();
                if *beat.state.lost.borrow() {
                    return;
                }
            }
            beat.leave();
        };
        let beating = std::thread::Builder::new().name("roster".to_owned()).spawn(run)?;
        Ok(Roster { name, store, state, claims: Mutex::default(), beating: Mutex::new(Some((stop, beating))) })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Moves at every beat.
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.state.view.subscribe()
    }

    pub fn view(&self) -> Arc<View> {
        self.state.view.borrow().clone()
    }

    /// Turns true when the others have taken this process for dead and work in its place.
    pub fn lost(&self) -> watch::Receiver<bool> {
        self.state.lost.subscribe()
    }

    /// Whether nobody can have taken this process for dead yet: what it remembers holds.
    pub fn is_current(&self) -> bool {
        let age = now_us().saturating_sub(self.state.beaten.load(Ordering::Acquire));
        u128::from(age) < CURRENT.as_micros() && !*self.state.lost.borrow()
    }

    /// How many revocations this process has heard of.
    pub fn revoked(&self) -> u64 {
        self.state.revoked.load(Ordering::Acquire)
    }

    /// Takes a partition that belonged to `was`, who is gone (empty: to nobody). False: somebody else was quicker.
    pub fn claim(&self, part: Part, was: &str) -> Result<bool, Fault> {
        self.change(|session| session.execute(CLAIM, &[&part_number(part), &self.name, &was]))
    }

    /// Hands a partition over that is closed here.
    pub fn hand(&self, part: Part, to: &str) -> Result<bool, Fault> {
        self.change(|session| session.execute(HAND, &[&part_number(part), &to, &self.name]))
    }

    /// Gives this process's place up: its partitions are free at once. They are closed by then.
    pub fn leave(&self) {
        if let Some((stop, beating)) = self.beating.lock().expect("no holder of the thread panics").take() {
            drop(stop);
            let _ = beating.join();
        }
    }

    fn change(&self, change: impl FnOnce(&Session) -> Result<u64, tokio_postgres::Error>) -> Result<bool, Fault> {
        let mut place = self.claims.lock().expect("no holder of the claims panics");
        let session = match place.take().filter(|session| !session.is_lost()) {
            Some(session) => session,
            None => quick(&self.store)?,
        };
        let changed = change(&session)?;
        *place = Some(session);
        Ok(changed == 1)
    }
}

impl Drop for Roster {
    fn drop(&mut self) {
        self.leave();
    }
}

struct Beat {
    store: PostgresStore,
    name: String,
    session: Option<Session>,
    watched: Watched,
    state: Arc<State>,
}

impl Beat {
    fn once(&mut self) {
        let begun = now_us();
        // A database that cannot be reached may come back before anybody else has looked.
        let session = match self.session.take().filter(|session| !session.is_lost()) {
            Some(session) => Ok(session),
            None => quick(&self.store),
        };
        let seen = session.and_then(|session| {
            let seen = self.look(&session);
            self.session = Some(session);
            seen
        });
        match seen {
            Ok(Some(view)) => {
                self.state.beaten.store(begun, Ordering::Release);
                self.state.view.send_replace(Arc::new(view));
            }
            Ok(None) => {
                tracing::error!("other processes have taken this one for dead and work in its place");
                self.state.lost.send_replace(true);
                // Whoever waits for news hears of it.
                self.state.view.send_modify(|_| ());
            }
            Err(fault) => {
                tracing::warn!(%fault, "this process cannot say that it lives");
                // Nobody waits for news from a database that is away.
                self.state.view.send_modify(|_| ());
            }
        }
    }

    fn look(&mut self, session: &Session) -> Result<Option<View>, Fault> {
        // Before it is told that nothing older is remembered here.
        let revoked = session.query(REVOKED, &[])?.first().map_or(Ok(0), |row| unsigned(row, 0))?;
        self.state.revoked.fetch_max(revoked, Ordering::AcqRel);
        if session.execute(MOVE, &[&self.name, &signed(revoked)?])? == 0 {
            return Ok(None);
        }
        let all = living(session, "")?;
        let others: Vec<Other> = all.iter().filter(|other| other.0 != self.name).cloned().collect();
        let mut processes: BTreeMap<String, String> = all.into_iter().map(|(name, address, _)| (name, address)).collect();
        for (name, beat) in self.watched.gone(&others) {
            // Whoever has moved all the same lives.
            if session.execute(BURY, &[&name, &beat])? == 1 {
                tracing::warn!(process.name = name, "a process is gone");
                processes.remove(&name);
            }
        }
        Ok(Some(View { processes, owners: owners(session)? }))
    }

    fn leave(&mut self) {
        if let Some(session) = self.session.take().filter(|session| !session.is_lost()) {
            let _ = session.execute(LEAVE, &[&self.name]);
        }
    }
}

/// Whom a process has seen move, and since when not.
#[derive(Default)]
struct Watched {
    last: Option<Instant>,
    beats: HashMap<String, Seen>,
}

struct Seen {
    beat: i64,
    since: Instant,
    has_moved: bool,
}

impl Watched {
    /// Looks once more. Those who have not moved for too long, with the beat at which they stand.
    fn gone(&mut self, others: &[Other]) -> Vec<(String, i64)> {
        let now = Instant::now();
        if self.last.replace(now).is_none_or(|last| now.duration_since(last) > GAP) {
            self.beats.clear();
        }
        self.beats.retain(|name, _| others.iter().any(|other| other.0 == *name));
        let mut gone = Vec::new();
        for (name, _, beat) in others {
            let seen = self.beats.entry(name.clone()).or_insert(Seen { beat: *beat, since: now, has_moved: false });
            if seen.beat != *beat {
                *seen = Seen { beat: *beat, since: now, has_moved: true };
            } else if now.duration_since(seen.since) >= GONE {
                gone.push((name.clone(), *beat));
            }
        }
        gone
    }

    fn has_moved(&self, name: &str) -> bool {
        self.beats.get(name).is_some_and(|seen| seen.has_moved)
    }
}

/// Waits until every living process but `me` has heard of a revocation, or can no longer answer from memory.
pub(crate) fn wait_until_heard(session: &Session, me: &str, revoked: u64) -> Result<(), Fault> {
    let begun = Instant::now();
    let revoked = signed(revoked)?;
    while begun.elapsed() < GONE && !session.query(BEHIND, &[&me, &revoked])?.is_empty() {
        std::thread::sleep(LOOK);
    }
    Ok(())
}

fn quick(store: &PostgresStore) -> Result<Session, Fault> {
    let session = store.session()?;
    session.batch(QUICK)?;
    Ok(session)
}

fn living(session: &Session, but: &str) -> Result<Vec<Other>, Fault> {
    let rows = session.query(LIVING, &[])?;
    let all = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)));
    all.filter(|other: &Result<Other, Fault>| other.as_ref().map_or(true, |other| other.0 != but)).collect()
}

fn owners(session: &Session) -> Result<BTreeMap<Part, String>, Fault> {
    session.query(OWNERS, &[])?.iter().map(|row| Ok((part(row, 0)?, row.try_get(1)?))).collect()
}

fn now_us() -> u64 {
    u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX)
}
