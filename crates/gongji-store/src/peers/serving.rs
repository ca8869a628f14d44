//! Answers the other processes: for the partitions that are worked on here, and never by asking a third.

use super::sealed::{self, Reading, Writing};
use super::{Answer, Call, NEWS, Peers, UNDER_WAY_MAX};
use crate::engine::doors::Doors;
use crate::fault::Fault;
use gongji_ledger::Part;
use std::net::TcpListener;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

/// Processes that may ask at once, and those who only knock.
const CONNECTIONS_MAX: usize = 256;

/// How long one that knocks may take to show that it has the keys.
const HELLO: Duration = Duration::from_secs(5);

/// Answers at an address until the runtime ends.
///
/// # Errors
/// `Failed` if the address cannot be listened at.
pub fn serve(listener: TcpListener, peers: &Arc<Peers>, doors: &Arc<Doors>) -> Result<(), Fault> {
    listener.set_nonblocking(true)?;
    let (keys, doors) = (peers.keys().clone(), Arc::downgrade(doors));
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let _inside = peers.runtime().enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    tokio::spawn(async move {
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let Ok((stream, _)) = listener.accept().await else {
                // No file is free: some connection ends sooner or later.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (keys, doors) = (keys.clone(), doors.clone());
            tokio::spawn(async move {
                let _place = place;
                if let Ok(Ok((reading, writing))) = timeout(HELLO, sealed::open(stream, &keys, false)).await {
                    converse(reading, writing, doors).await;
                }
            });
        }
    });
    Ok(())
}

async fn converse(mut reading: Reading, mut writing: Writing, doors: Weak<Doors>) {
    let (answers, mut queue) = mpsc::channel::<Vec<u8>>(UNDER_WAY_MAX);
    let writer = tokio::spawn(async move {
        while let Some(answer) = queue.recv().await {
            if writing.write(&answer).await.is_err() {
                return;
            }
        }
    });
    let places = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    while let Ok(frame) = reading.read().await {
        let (Ok((number, call)), Some(doors)) = (postcard::from_bytes::<(u64, Call)>(&frame), doors.upgrade()) else { break };
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let answers = answers.clone();
        tokio::spawn(async move {
            let _place = place;
            let answer = answer(&doors, call).await;
            let _ = answers.send(postcard::to_stdvec(&(number, answer)).expect("an answer is encodable")).await;
        });
    }
    writer.abort();
}

async fn answer(doors: &Arc<Doors>, call: Call) -> Answer {
    match call {
        Call::Ask(part, requests) => match doors.is_here(part) {
            true => {
                let replies = doors.ask_all_here(part, requests).await;
                // It was closed before anything was looked at.
                let is_closed = replies.iter().all(|reply| *reply == Err(Fault::Stopped(part)));
                if is_closed { not_here(doors, part, replies.len()) } else { Answer::Replies(replies) }
            }
            false => not_here(doors, part, requests.len()),
        },
        Call::Object(part, key) => match doors.here(part) {
            None => Answer::NotHere,
            Some(handle) => match handle.shared.get(&key) {
                Some(object) => Answer::Object(Ok(Some((*object).clone()))),
                // The books are read by blocking.
                None => {
                    let read = tokio::task::spawn_blocking(move || handle.object(&key)).await;
                    Answer::Object(read.unwrap_or_else(|error| Err(Fault::Failed(error.to_string()))).map(|object| object.map(|object| (*object).clone())))
                }
            },
        },
        Call::LinesWritten(part) => match doors.here(part) {
            None => Answer::NotHere,
            Some(handle) => Answer::LinesWritten(handle.lines_written().await),
        },
        Call::News(part, seen) => match doors.here(part) {
            None => Answer::NotHere,
            Some(handle) => {
                let mut committed = handle.committed.clone();
                drop(handle);
                let seq = match timeout(NEWS, committed.wait_for(|seq| *seq != seen)).await {
                    Ok(Ok(seq)) => *seq,
                    // Nobody commits any more, here.
                    Ok(Err(_)) => return Answer::NotHere,
                    Err(_) => seen,
                };
                Answer::News(seq)
            }
        },
    }
}

/// Whether somebody else works on it, or nobody will before a person has looked.
fn not_here(doors: &Doors, part: Part, requests: usize) -> Answer {
    if doors.is_broken(part) { Answer::Replies(vec![Err(Fault::Stopped(part)); requests]) } else { Answer::NotHere }
}
