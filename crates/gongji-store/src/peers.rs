//! The other processes of an installation: what is asked of whoever works on a partition, and how.
//!
//! One connection to each, with many questions under way. It knows three ends of a question: answered, never asked, and lost on the way; what was
//! lost may have been done.

mod sealed;
mod serving;

use crate::engine::Reply;
use crate::fault::Fault;
use crate::postgres::{Roster, View};
use crate::seal::Keys;
use gongji_ledger::Part;
use gongji_wallet::Request;
use gongji_wallet::ids::Key;
use gongji_wallet::object::Object;
use serde::{Deserialize, Serialize};
pub use serving::serve;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;

/// Questions under way on a connection; beyond that they wait for a place.
pub const UNDER_WAY_MAX: usize = 4_096;

/// How long a process may take to let another in. On the way there is a local network.
const CONNECT: Duration = Duration::from_secs(1);

/// Whoever could not be reached is not tried again for so long: nobody waits behind those who tried.
const REST: Duration = Duration::from_millis(200);

/// How long an answer may take. One that is dead or frozen is given up before, by its beat.
const ANSWER: Duration = Duration::from_secs(10);

/// How long a process keeps a question about news before it says that there are none.
const NEWS: Duration = Duration::from_secs(2);

/// A question to the process that works on a partition.
#[derive(Debug, Serialize, Deserialize)]
pub enum Call {
    Ask(Part, Vec<Request>),
    Object(Part, Key),
    /// Whether all lines of what is committed by now are in the books.
    LinesWritten(Part),
    /// The last committed record, once it is not this one.
    News(Part, u64),
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// The partition is not worked on here, and nothing was done.
    NotHere,
    Replies(Vec<Reply>),
    Object(Result<Option<Object>, Fault>),
    LinesWritten(Result<(), Fault>),
    News(u64),
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missed {
    /// Nothing was asked, or it was not done.
    NotAsked,
    /// It may have been done.
    Lost,
}

pub struct Peers {
    roster: Arc<Roster>,
    keys: Keys,
    runtime: Option<tokio::runtime::Runtime>,
    places: Mutex<HashMap<String, Arc<Place>>>,
}

/// A process that was asked before.
#[derive(Default)]
struct Place(tokio::sync::Mutex<(Option<Arc<Connection>>, Option<Instant>)>);

impl Peers {
    pub fn new(roster: Arc<Roster>, keys: Keys) -> Result<Peers, Fault> {
        // Threads of their own: who waits for another process must not keep that one's questions waiting.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("peers").enable_all().build()?;
        Ok(Peers { roster, keys, runtime: Some(runtime), places: Mutex::default() })
    }

    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    pub fn runtime(&self) -> &tokio::runtime::Runtime {
        self.runtime.as_ref().expect("a runtime is there until it is dropped")
    }

    /// Whether nobody can have taken this process's partitions over yet.
    pub fn is_current(&self) -> bool {
        self.roster.is_current()
    }

    /// Name and address of the other process that works on a partition.
    fn owner(&self, part: Part) -> Option<(String, SocketAddr)> {
        let view = self.roster.view();
        let name = view.owner(part).filter(|name| *name != self.roster.name())?;
        Some((name.to_owned(), view.processes.get(name)?.parse().ok()?))
    }

    /// Asks whoever works on the partition. The answer can be waited for anywhere, by a task or a plain thread.
    pub fn call(&self, part: Part, call: &Call) -> JoinHandle<Result<Answer, Missed>> {
        let target = self.owner(part);
        let bytes = postcard::to_stdvec(call).expect("a question is encodable");
        let place = target.as_ref().map(|(name, _)| self.places.lock().expect("no holder of the places panics").entry(name.clone()).or_default().clone());
        let keys = self.keys.clone();
        self.runtime().spawn(async move {
            let (Some((_, address)), Some(place)) = (target, place) else { return Err(Missed::NotAsked) };
            match place.connection(address, &keys).await?.call(bytes).await? {
                Answer::NotHere => Err(Missed::NotAsked),
                answer => Ok(answer),
            }
        })
    }

    /// Hangs up on those who are gone, so that nobody waits for their answers.
    pub fn keep_only(&self, view: &View) {
        let mut places = self.places.lock().expect("no holder of the places panics");
        let gone: Vec<Arc<Place>> = places.extract_if(|name, _| !view.processes.contains_key(name)).map(|(_, place)| place).collect();
        drop(places);
        for place in gone {
            self.runtime().spawn(async move {
                if let Some(connection) = place.0.lock().await.0.take() {
                    connection.close();
                }
            });
        }
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Place {
    async fn connection(&self, address: SocketAddr, keys: &Keys) -> Result<Arc<Connection>, Missed> {
        let mut place = self.0.lock().await;
        if let Some(connection) = place.0.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        if place.1.is_some_and(|failed| failed.elapsed() < REST) {
            return Err(Missed::NotAsked);
        }
        let connecting = async { Ok::<_, std::io::Error>(Connection::start(sealed::open(TcpStream::connect(address).await?, keys, true).await?)) };
        if let Ok(Ok(connection)) = timeout(CONNECT, connecting).await {
            *place = (Some(connection.clone()), None);
            return Ok(connection);
        }
        *place = (None, Some(Instant::now()));
        Err(Missed::NotAsked)
    }
}

/// Answers that somebody waits for, by number; `None` once the connection is closed.
type Waiting = Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>;

struct Connection {
    frames: mpsc::Sender<Vec<u8>>,
    waiting: Arc<Waiting>,
    next: AtomicU64,
    tasks: [AbortHandle; 2],
}

impl Connection {
    fn start((mut reading, mut writing): (sealed::Reading, sealed::Writing)) -> Arc<Connection> {
        let (frames, mut queue) = mpsc::channel::<Vec<u8>>(UNDER_WAY_MAX);
        let waiting: Arc<Waiting> = Arc::new(Mutex::new(Some(HashMap::new())));
        let (of_writer, of_reader) = (waiting.clone(), waiting.clone());
        let write = tokio::spawn(async move {
            while let Some(frame) = queue.recv().await {
                if writing.write(&frame).await.is_err() {
                    break;
                }
            }
            close(&of_writer);
        });
        let read = tokio::spawn(async move {
            while let Ok(frame) = reading.read().await {
                let Ok((number, answer)) = postcard::from_bytes::<(u64, Answer)>(&frame) else { break };
                let waiting = of_reader.lock().expect("no holder of the waiting panics").as_mut().and_then(|waiting| waiting.remove(&number));
                if let Some(waiting) = waiting {
                    // Whoever does not wait any more finds its answer by its key.
                    let _ = waiting.send(answer);
                }
            }
            close(&of_reader);
        });
        Arc::new(Connection { frames, waiting, next: AtomicU64::new(0), tasks: [write.abort_handle(), read.abort_handle()] })
    }

    fn is_closed(&self) -> bool {
        self.waiting.lock().expect("no holder of the waiting panics").is_none()
    }

    fn close(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        close(&self.waiting);
    }

    async fn call(&self, question: Vec<u8>) -> Result<Answer, Missed> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        match &mut *self.waiting.lock().expect("no holder of the waiting panics") {
            Some(waiting) => drop(waiting.insert(number, sender)),
            None => return Err(Missed::NotAsked),
        }
        let mut frame = postcard::to_stdvec(&number).expect("a number is encodable");
        frame.extend_from_slice(&question);
        let asked = async {
            self.frames.send(frame).await.ok()?;
            receiver.await.ok()
        };
        let answer = timeout(ANSWER, asked).await;
        if let (Err(_), Some(waiting)) = (&answer, &mut *self.waiting.lock().expect("no holder of the waiting panics")) {
            waiting.remove(&number);
        }
        answer.ok().flatten().ok_or(Missed::Lost)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

fn close(waiting: &Waiting) {
    // Dropping what they wait on tells them.
    waiting.lock().expect("no holder of the waiting panics").take();
}

/// Waits for news of a partition that another process works on, as long as anybody listens.
pub async fn follow(peers: Arc<Peers>, part: Part, changes: watch::Sender<u64>) {
    let mut seen = 0;
    while !changes.is_closed() {
        match peers.call(part, &Call::News(part, seen)).await {
            Ok(Ok(Answer::News(seq))) if seq != seen => {
                seen = seq;
                changes.send_replace(seq);
            }
            Ok(Ok(_)) => {}
            _ => {
                tokio::time::sleep(REST).await;
                // It may be worked on here by now, or nowhere: whoever listens looks for itself.
                changes.send_modify(|_| ());
            }
        }
    }
}
