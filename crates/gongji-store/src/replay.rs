//! How a partition starts: it takes its journal over, and brings memory and books up to the journal's end.

use crate::books::Books;
use crate::engine::spawn;
use crate::fault::Fault;
use crate::gauges::Gauges;
use crate::partition::{WriterMemory, envelopes, mind_deadline};
use crate::projector::{Committed, Item, Progress, Projector};
use crate::shared::{Limits, Shared};
use crate::store::{Head, Journal, Projected, Projection, Store};
use gongji_ledger::{GENESIS, Part, RecordHead, link, planted};
use gongji_wallet::ids::{Key, RequestKey};
use gongji_wallet::object::{Envelope, Object, Partition};
use gongji_wallet::{Event, Work};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use tokio::sync::watch;

/// Committed batches that wait for the projector; beyond that the writer waits for it.
pub const PROJECTION_QUEUE_MAX: usize = 1_024;

/// Records replayed at once when a partition starts.
const REPLAY_MAX: usize = 256;

/// A partition that has been taken over; memory and books stand where the books stood.
pub struct Opened {
    pub part: Part,
    parts: Part,
    pub journal: Box<dyn Journal>,
    pub head: Head,
    pub loader: RefCell<Books>,
    pub shared: Arc<Shared>,
    pub due: BTreeSet<(i64, Key)>,
    pub outbox: Vec<Envelope>,
    projected: Projected,
}

/// What a partition needs to start, after its journal has been replayed.
pub struct Started {
    pub opened: Opened,
    pub projector: SyncSender<Item>,
    pub progress: watch::Receiver<Progress>,
}

/// Takes a partition over and brings memory and books up to its journal's end.
pub fn replay(store: &dyn Store, part: Part, parts: Part, kept: (Limits, Arc<Gauges>), threads: &mut Vec<JoinHandle<()>>) -> Result<Started, Fault> {
    let (mut opened, projector, progress) = open(store, part, parts, kept)?;
    let (sender, items) = sync_channel(PROJECTION_QUEUE_MAX);
    threads.push(spawn(format!("books-{part}"), move || projector.run(items))?);
    opened.redo(&mut |committed| sender.send(Item::Committed(committed)).map_err(|_| Fault::Stopped(part)))?;
    Ok(Started { opened, projector: sender, progress })
}

/// Takes a partition over, and its books with it.
pub fn open(
    store: &dyn Store,
    part: Part,
    parts: Part,
    (limits, gauges): (Limits, Arc<Gauges>),
) -> Result<(Opened, Projector, watch::Receiver<Progress>), Fault> {
    let (journal, head) = store.take_over(part)?;
    let mut books = store.books(part)?;
    check_not_ahead(part, books.projected()?, &head)?;
    // From here on a writer that was fenced off leaves them alone, and what they say now holds.
    if !planted("books-are-not-claimed") {
        books.claim(head.epoch)?;
    }
    let projected = books.projected()?;
    check_not_ahead(part, projected, &head)?;
    let loader = RefCell::new(store.books(part)?);
    // What the tail adds is found in memory before this is asked.
    let last = loader.borrow_mut().last_timed_key()?.filter(|_| !planted("restart-forgets-old-keys"));
    let horizon = last.unwrap_or(RequestKey([0; 16]));
    let shared = Arc::new(Shared::counting(horizon, head.seq, limits, gauges));
    let due: BTreeSet<(i64, Key)> = books.due()?.into_iter().collect();
    let outbox = books.outbox()?;
    let (progress, seen) = watch::channel(Progress { lines_seq: projected.lines_seq, is_stuck: false });
    let projector = Projector {
        part,
        books,
        shared: shared.clone(),
        progress,
        dirty: Default::default(),
        dirty_people: Vec::new(),
        delivered: HashMap::new(),
        pending: Projection { lines_seq: projected.lines_seq, ..Projection::default() },
        late: None,
        seq: projected.objects_seq,
        given_up: false,
    };
    Ok((Opened { part, parts, journal, head, loader, shared, due, outbox, projected }, projector, seen))
}

impl Opened {
    /// Does again what the journal has beyond the books, and hands it to whoever writes them.
    pub fn redo(&mut self, behind: &mut dyn FnMut(Committed) -> Result<(), Fault>) -> Result<(), Fault> {
        let Opened { part, parts, journal, head, loader, shared, due, outbox, projected } = self;
        let (part, parts) = (*part, *parts);
        let memory = WriterMemory::new(shared);
        for key in [Key::Partition, Key::Directory] {
            memory.load(key, loader)?;
        }
        let mut seq = if planted("restart-trusts-the-lines") { projected.lines_seq } else { projected.objects_seq };
        let mut hash = match seq.checked_sub(1) {
            None => GENESIS,
            Some(before) => journal.records(before, 1)?.first().ok_or_else(|| Fault::Damaged(format!("partition {part}: record {seq} is missing")))?.hash,
        };
        while seq < head.seq {
            let records = journal.records(seq, REPLAY_MAX)?;
            if records.is_empty() {
                return Err(Fault::Damaged(format!("partition {part}: the journal ends at {seq}, not at {}", head.seq)));
            }
            let mut chain = Vec::with_capacity(records.len());
            for record in records {
                if record.head.seq != seq + 1 {
                    return Err(Fault::Damaged(format!("partition {part}: record {} follows {seq}", record.head.seq)));
                }
                seq = record.head.seq;
                if link(&hash, &record.head, &record.payload) != record.hash && !planted("changed-record-is-believed") {
                    return Err(Fault::Damaged(format!("partition {part}: record {seq} is not what was written, or does not follow its predecessor")));
                }
                hash = record.hash;
                chain.push((record.head, record.events()?));
            }
            load_people(part, chain.iter().flat_map(|(_, events)| events), shared, loader)?;
            for (RecordHead { seq, stamp, .. }, events) in chain {
                let memory = WriterMemory::new(shared);
                // Redo never looks at the directory: what was decided under it is in the events.
                let mut work = Work::new(&memory, part, parts, seq, stamp, Arc::default());
                for event in events {
                    while let Err(key) = work.redo(event.clone()) {
                        memory.load(key, loader)?;
                    }
                }
                let mut changes = work.into_changes();
                // What is made once and is in the books already need not be in memory as well.
                changes.objects.retain(|(_, object)| seq > projected.lines_seq || planted("restart-writes-lines-again") || !object.is_made_once());
                let (people, objects) = shared.publish(changes.objects);
                for (key, object) in &objects {
                    if !planted("restart-forgets-deadlines") {
                        mind_deadline(due, *key, object);
                    }
                }
                // Lines that the books have already are not written twice.
                let is_new = seq > projected.lines_seq || planted("restart-writes-lines-again");
                let sent = if is_new { envelopes(part, changes.events) } else { Vec::new() };
                outbox.extend(sent.iter().filter(|_| !planted("restart-forgets-messages")).cloned());
                behind(Committed {
                    seq,
                    lines: if is_new { shared.lines.put(changes.lines) } else { Arc::default() },
                    takings: if is_new { shared.takings.put(changes.takings) } else { Arc::default() },
                    orders: if is_new { changes.orders } else { Vec::new() },
                    outbox: sent,
                    people,
                    objects,
                })?;
            }
        }
        Ok(())
    }
}

/// Loads the people that some events change, in the order in which they stand in the books: one after the other costs a fraction of here and there.
fn load_people<'e>(part: Part, events: impl Iterator<Item = &'e Event>, shared: &Shared, books: &RefCell<Books>) -> Result<(), Fault> {
    let mut people = BTreeSet::new();
    for event in events {
        let Ok(()) = event.each_key::<Infallible>(part, |key| {
            if let Key::Holder(id) = key
                && !event.creates(&key)
            {
                people.insert(id);
            }
            Ok(())
        });
    }
    let memory = WriterMemory::new(shared);
    people.into_iter().filter(|id| !shared.people.has(*id)).try_for_each(|id| memory.load(Key::Holder(id), books))
}

fn check_not_ahead(part: Part, projected: Projected, head: &Head) -> Result<(), Fault> {
    if projected.lines_seq.max(projected.objects_seq) <= head.seq {
        return Ok(());
    }
    Err(Fault::Damaged(format!("partition {part}: the books are ahead of the journal; delete books.sqlite to rebuild them")))
}

/// A receiver that has seen more than its source has sent means that the source lost history. Given every partition's counters, the directory's first.
pub fn check_watermarks(all: &[Partition]) -> Result<(), Fault> {
    check_watermarks_of(|_| true, all)
}

/// The same for some sources. Of the others it may be known too little what they have received.
pub fn check_watermarks_of(is_source: impl Fn(Part) -> bool, all: &[Partition]) -> Result<(), Fault> {
    for (from, source) in (0..).zip(all).filter(|(from, _)| is_source(*from)) {
        for (to, destination) in (0..).zip(all) {
            let (received, sent) = (destination.received_from(from), source.sent_to(to));
            if received > sent && !planted("lost-history-is-accepted") {
                return Err(Fault::Damaged(format!("partition {from} has lost history: partition {to} saw message {received}, it knows {sent}")));
            }
        }
    }
    Ok(())
}

/// A partition's counters as memory has them.
pub fn counters(shared: &Shared) -> Partition {
    match shared.get(&Key::Partition).as_deref() {
        Some(Object::Partition(partition)) => partition.clone(),
        _ => Partition::default(),
    }
}
