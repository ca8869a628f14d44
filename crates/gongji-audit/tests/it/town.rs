//! A few partitions in memory that decide for real and write the journal that the auditor reads.

use gongji_audit::{Auditor, Result};
use gongji_ledger::{Digest, GENESIS, Part, RecordHead, link};
use gongji_wallet::command::{Command, Request};
use gongji_wallet::day::{DAY_MS, instant};
use gongji_wallet::directory::Directory;
use gongji_wallet::event::{Fact, Message};
use gongji_wallet::ids::{Key, RequestKey};
use gongji_wallet::object::{Line, Object, Taking};
use gongji_wallet::work::KeyMap;
use gongji_wallet::{Decision, Lookup, Memory, Outcome, Work, decide};
use std::collections::VecDeque;
use std::sync::Arc;

/// A journal record as its columns have it.
#[derive(Clone, Debug)]
pub struct Record {
    pub part: u16,
    pub seq: u64,
    pub stamp: i64,
    pub directory: u64,
    pub payload: Vec<u8>,
    pub hash: [u8; 32],
}

#[derive(Default)]
pub struct Objects(pub KeyMap<Arc<Object>>);

impl Memory for Objects {
    fn get(&self, key: &Key) -> Lookup {
        self.0.get(key).map_or(Lookup::Absent, |object| Lookup::Known(object.clone()))
    }
}

#[derive(Default)]
pub struct Partition {
    pub objects: Objects,
    pub lines: Vec<Line>,
    pub takings: Vec<Taking>,
    seq: u64,
    hash: Digest,
}

pub struct Town {
    pub parts: Part,
    pub partitions: Vec<Partition>,
    /// In the order of their commits.
    pub journal: Vec<Record>,
    mail: VecDeque<(Part, Part, u64, Message)>,
    pub now: i64,
    keys: u128,
}

impl Town {
    /// Opens on a working day at 10:00.
    pub fn new(parts: Part) -> Town {
        let partitions = (0..=parts).map(|_| Partition { hash: GENESIS, ..Partition::default() }).collect();
        Town { parts, partitions, journal: Vec::new(), mail: VecDeque::new(), now: instant(20_000, 600), keys: 0 }
    }

    pub fn id(&mut self) -> [u8; 16] {
        self.keys += 1;
        // A payment's last two bytes are its partition's.
        (self.keys << 16).to_be_bytes()
    }

    pub fn next_day(&mut self) {
        self.now += DAY_MS;
    }

    fn directory(&self) -> Arc<Directory> {
        match self.partitions[0].objects.0.get(&Key::Directory).map(|object| &**object) {
            Some(Object::Directory(directory)) => Arc::new((**directory).clone()),
            _ => Arc::default(),
        }
    }

    /// One batch of one partition becomes one record.
    pub fn batch(&mut self, part: Part, commands: Vec<Command>) -> Vec<Outcome> {
        let requests: Vec<Request> = commands
            .into_iter()
            .map(|command| {
                let is_job = matches!(command, Command::Deliver { .. } | Command::Due(_));
                let idempotency = (!is_job).then(|| (RequestKey(self.id()), [7; 16]));
                Request { idempotency, command }
            })
            .collect();
        self.now += 1;
        let directory = self.directory();
        let version = directory.version;
        let partition = &mut self.partitions[usize::from(part)];
        let mut work = Work::new(&partition.objects, part, self.parts, partition.seq + 1, self.now, directory);
        let outcomes = requests
            .iter()
            .map(|request| match decide(&mut work, request).expect("everything is in memory") {
                Decision::New(outcome) => outcome,
                other => panic!("{other:?}"),
            })
            .collect();
        let changes = work.into_changes();
        if changes.events.is_empty() {
            return outcomes;
        }
        partition.seq += 1;
        let payload = postcard::to_allocvec(&changes.events).unwrap();
        let head = RecordHead { part, seq: partition.seq, stamp: self.now, directory: version };
        partition.hash = link(&partition.hash, &head, &payload);
        self.journal.push(Record { part, seq: head.seq, stamp: head.stamp, directory: version, payload, hash: partition.hash });
        partition.objects.0.extend(changes.objects);
        partition.lines.extend(changes.lines);
        partition.takings.extend(changes.takings);
        for event in changes.events {
            if let Fact::Sent { to, number, message } = event.fact {
                self.mail.push_back((part, to, number, message));
            }
        }
        outcomes
    }

    pub fn ask(&mut self, part: Part, command: Command) -> Outcome {
        self.batch(part, vec![command]).remove(0)
    }

    /// Delivers messages until none is under way.
    pub fn deliver(&mut self) {
        while let Some((from, to, number, message)) = self.mail.pop_front() {
            self.batch(to, vec![Command::Deliver { from, number, message }]);
        }
    }

    /// Leaves what is under way undelivered for ever.
    pub fn lose_mail(&mut self) {
        self.mail.clear();
    }
}

pub fn read(auditor: &mut Auditor, record: &Record) -> Result {
    auditor.record(record.part, record.seq, record.stamp, record.directory, &record.payload, &record.hash)
}

/// Reads a journal to its end, and what holds over all of it.
pub fn audit(parts: u16, journal: &[Record]) -> Result<Auditor> {
    let mut auditor = Auditor::new(parts);
    for record in journal {
        read(&mut auditor, record)?;
    }
    auditor.finish()?;
    Ok(auditor)
}

/// Links the chains of all partitions anew, as somebody would who rewrites history.
pub fn relink(journal: &mut [Record]) {
    for part in 0..=16 {
        let mut previous = GENESIS;
        let mut seq = 0;
        for record in journal.iter_mut().filter(|record| record.part == part) {
            seq += 1;
            record.seq = seq;
            let head = RecordHead { part, seq, stamp: record.stamp, directory: record.directory };
            record.hash = link(&previous, &head, &record.payload);
            previous = record.hash;
        }
    }
}
