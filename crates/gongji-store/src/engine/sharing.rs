//! An engine among others: it opens the partitions that are its own, takes those of the dead, and gives to those who have fewer.
//!
//! Whom a partition belongs to stands in the database, and each change of it is made by one process, of what it owns or of what nobody living owns. Nobody
//! waits for anybody: each does its own part as soon as it sees that it is its turn.

use super::opening::Opener;
use crate::fault::Fault;
use crate::peers::{Answer, Call, Peers};
use crate::postgres::View;
use crate::postgres::session::wait;
use gongji_ledger::Part;
use gongji_wallet::ids::Key;
use gongji_wallet::object::Object;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Pause after the directory could not be had, or where it is worked on here.
const AGAIN: Duration = Duration::from_millis(100);

/// The threads that keep a process's share in order. Dropping it stops them, and leaves the partitions as they are.
pub struct Sharing {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Sharing {
    pub fn start(opener: &Arc<Opener>, peers: &Arc<Peers>) -> Result<Sharing, Fault> {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut share = Share { opener: opener.clone(), peers: peers.clone(), is_over: is_over.clone(), views: peers.roster().views() };
        let mut directory = Listening { opener: opener.clone(), peers: peers.clone(), is_over: is_over.clone(), seen: 0 };
        let threads = vec![super::spawn("share".to_owned(), move || share.run())?, super::spawn("directory".to_owned(), move || directory.run())?];
        Ok(Sharing { is_over, threads })
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

struct Share {
    opener: Arc<Opener>,
    peers: Arc<Peers>,
    is_over: Arc<AtomicBool>,
    views: watch::Receiver<Arc<View>>,
}

impl Share {
    fn run(&mut self) {
        // At every beat.
        while wait(self.views.changed()).is_ok() && !self.is_over.load(Ordering::Acquire) {
            if *self.peers.roster().lost().borrow() {
                self.opener.close_all();
                return;
            }
            let view = self.views.borrow_and_update().clone();
            // What was seen last may be long over.
            if !self.peers.is_current() {
                continue;
            }
            self.peers.keep_only(&view);
            if let Err(fault) = self.turn(&view) {
                tracing::warn!(%fault, "this process's share of the partitions could not be put in order; it is tried again");
            }
        }
    }

    fn turn(&self, view: &View) -> Result<(), Fault> {
        let (roster, doors) = (self.peers.roster(), &self.opener.doors);
        let me = roster.name();
        for part in 0..=self.opener.parts {
            let is_mine = view.owners.get(&part).is_some_and(|name| name == me);
            // One that ended by itself is put away, to be opened anew.
            if doors.handle(part).is_some() && (!is_mine || doors.is_shut(part)) {
                self.opener.close(part);
            }
        }
        let total = usize::from(self.opener.parts) + 1;
        let mut mine: BTreeSet<Part> = (0..=self.opener.parts).filter(|part| view.owner(*part) == Some(me)).collect();
        let free: Vec<Part> = (0..=self.opener.parts).filter(|part| view.owner(*part).is_none()).collect();
        for part in &free {
            let was = view.owners.get(part).map_or("", String::as_str);
            if mine.len() < total.div_ceil(view.processes.len()) && roster.claim(*part, was)? {
                mine.insert(*part);
            }
        }
        let to_open: Vec<Part> = mine.iter().copied().filter(|part| doors.is_shut(*part) && !doors.is_broken(*part)).collect();
        if !to_open.is_empty() {
            self.open(&to_open);
        } else if free.is_empty() {
            self.give(view, &mine)?;
        }
        Ok(())
    }

    /// The directory first: nothing is decided before it is known.
    fn open(&self, parts: &[Part]) {
        let open = |part: Part| match self.opener.open(&[part]) {
            Ok(()) => tracing::info!(part, "the partition is worked on here"),
            // The next look tells whose it is.
            Err(Fault::Fenced(_)) => {}
            Err(fault) => {
                tracing::error!(part, %fault, "the partition does not open");
                if matches!(fault, Fault::Damaged(_)) {
                    self.opener.doors.broke(part);
                }
            }
        };
        let (directory, others) = parts.split_at(usize::from(parts[0] == 0));
        directory.iter().for_each(|part| open(*part));
        if !others.is_empty() && self.opener.doors.is_directory_current() {
            std::thread::scope(|scope| others.iter().for_each(|part| drop(scope.spawn(|| open(*part)))));
        }
    }

    /// Gives one partition to whoever has the fewest, where that evens it out.
    fn give(&self, view: &View, mine: &BTreeSet<Part>) -> Result<(), Fault> {
        let roster = self.peers.roster();
        let has = |name: &str| view.owners.values().filter(|owner| *owner == name).count();
        let others = view.processes.keys().filter(|name| *name != roster.name());
        let Some((count, to)) = others.map(|name| (has(name), name)).min() else { return Ok(()) };
        if let Some(part) = mine.last().filter(|_| mine.len() >= count + 2) {
            self.opener.close(*part);
            if roster.hand(*part, to)? {
                tracing::info!(part, process.name = to, "the partition was handed over");
            }
        }
        Ok(())
    }
}

/// Keeps the directory as its partition has it, where another process works on that.
struct Listening {
    opener: Arc<Opener>,
    peers: Arc<Peers>,
    is_over: Arc<AtomicBool>,
    /// Last record whose directory is known.
    seen: u64,
}

impl Listening {
    fn run(&mut self) {
        while !self.is_over.load(Ordering::Acquire) {
            if !self.opener.doors.is_shut(0) || !self.once() {
                std::thread::sleep(AGAIN);
            }
        }
    }

    fn once(&mut self) -> bool {
        let begun = Instant::now();
        let Ok(Ok(Answer::News(seq))) = wait(self.peers.call(0, &Call::News(0, self.seen))) else { return false };
        if seq != self.seen {
            match wait(self.peers.call(0, &Call::Object(0, Key::Directory))) {
                Ok(Ok(Answer::Object(Ok(Some(Object::Directory(directory)))))) => self.opener.doors.set_directory(Arc::new(*directory)),
                Ok(Ok(Answer::Object(Ok(None)))) => {}
                _ => return false,
            }
            self.seen = seq;
        }
        self.opener.doors.heard_directory(begun);
        true
    }
}
