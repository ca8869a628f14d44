//! Several engines on one database: partitions spread over them, whoever is asked passes on, the dead are replaced, the late are fenced.

use crate::country::*;
use crate::journey::{check_destination, journey};
use crate::postgres_server::Database;
use gongji_ledger::{HolderId, Part};
use gongji_store::postgres::{PostgresStore, Roster};
use gongji_store::seal::Keys;
use gongji_store::vault::{InMemory, Vault};
use gongji_store::{Engine, Fault, Options};
use gongji_wallet::ids::{Key, RequestKey};
use gongji_wallet::{Command, Decision, Outcome, Request};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One process of several: what `gongji serve` makes of a database and an address for its peers.
struct Process {
    engine: Engine,
    roster: Arc<Roster>,
}

fn keys() -> Keys {
    Keys::for_tests(1)
}

impl Process {
    fn start(database: &Database, parts: Part) -> Process {
        Process::start_behind(database, parts, |address| address)
    }

    /// The others reach it at another address than its own.
    fn start_behind(database: &Database, parts: Part, reached: impl FnOnce(SocketAddr) -> SocketAddr) -> Process {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = reached(listener.local_addr().unwrap()).to_string();
        let store = PostgresStore::open(&database.url(), parts).unwrap();
        let roster = Arc::new(Roster::join(&store, Some(&address)).unwrap().expect("nobody works alone here"));
        store.work_as(&roster);
        let engine = Engine::start_among(Arc::new(store), clock(), Options::new(parts), roster.clone(), &keys(), listener).unwrap();
        Process { engine, roster }
    }

    fn has(&self, part: Part) -> bool {
        self.engine.reading(part).is_some_and(|reading| reading.is_writing)
    }

    fn parts(&self) -> Vec<Part> {
        (0..=self.engine.parts()).filter(|part| self.has(*part)).collect()
    }
}

/// Waits, beat by beat, until this is so.
async fn until(process: &Process, mut is_so: impl FnMut() -> bool) {
    let mut views = process.roster.views();
    while !is_so() {
        views.changed().await.unwrap();
    }
}

async fn settle(processes: &[Process]) {
    let count = || processes.iter().map(|process| process.engine.messages_under_way()).sum::<u64>();
    loop {
        for process in processes {
            process.engine.settle().await.unwrap();
        }
        let heads =
            || processes.iter().flat_map(|process| (0..=process.engine.parts()).map(|part| process.engine.reading(part).unwrap().seq)).collect::<Vec<_>>();
        let before = heads();
        for process in processes {
            process.engine.nudge().await.unwrap();
        }
        if count() == 0 && heads() == before {
            return;
        }
    }
}

fn create(serial: u64, part: Part) -> Request {
    Request { idempotency: Some((RequestKey(id(serial)), [0; 16])), command: Command::CreateHolder { holder: HolderId::new(part, serial) } }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_asked_answers_for_all() {
    let database = Database::new();
    let people = People::of(3);
    let processes = [Process::start(&database, 3), Process::start(&database, 3)];
    until(&processes[0], || processes[0].parts().len() == 2 && processes[1].parts().len() == 2).await;
    for part in 0..=3 {
        assert_eq!(processes.iter().filter(|process| process.has(part)).count(), 1, "partition {part} has one owner");
    }
    let steps: Vec<Step> = founding(&people).into_iter().chain(journey(&people)).collect();
    for (at, step) in steps.iter().enumerate() {
        let (asked, other) = (&processes[at % 2].engine, &processes[(at + 1) % 2].engine);
        let first = asked.ask(step.part, step.request.clone()).await.unwrap();
        // Whoever has the answer finds it everywhere, at once.
        let key = Key::Answer(step.request.idempotency.unwrap().0);
        let found = other.object(step.part, key).unwrap();
        assert!(found.is_some() && found == asked.object(step.part, key).unwrap());
        settle(&processes).await;
        let again = other.ask(step.part, step.request.clone()).await.unwrap().decision;
        assert!(matches!(again, Decision::Replayed(_)), "{:?}: {again:?}", first.decision);
        // A change of the directory is known to all before money is decided under it.
        until(&processes[0], || processes[0].engine.directory().version == processes[1].engine.directory().version).await;
    }
    for person in [people.wang, people.li] {
        let [one, other] = [&processes[0].engine, &processes[1].engine];
        assert_eq!(one.holder(person).unwrap(), other.holder(person).unwrap());
        let lines = one.lines(person, None, 100, |_| true).await.unwrap();
        assert!(lines.len() > 3 && lines == other.lines(person, None, 100, |_| true).await.unwrap());
        assert_eq!(one.line(person, lines[0].number).await.unwrap(), other.line(person, lines[0].number).await.unwrap());
    }
    let orders = processes[0].engine.orders(pharmacy(), 10).await.unwrap();
    assert!(orders.len() == 1 && orders == processes[1].engine.orders(pharmacy(), 10).await.unwrap());
    // News of a partition reach whoever listens elsewhere.
    let mut news = processes.iter().find(|process| !process.has(1)).unwrap().engine.changes(1);
    let owner = processes.iter().find(|process| process.has(1)).unwrap();
    let seq = owner.engine.ask(1, create(900, 1)).await.unwrap().seq;
    news.wait_for(|seen| *seen == seq).await.unwrap();
    for process in &processes {
        process.engine.flush().await;
    }
    check_destination(&people, &dump(&*processes[0].engine.store().clone(), 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_is_handed_over_and_comes_back_while_people_are_served() {
    let database = Database::new();
    let first = Process::start(&database, 5);
    assert_eq!(first.parts(), [0, 1, 2, 3, 4, 5]);
    let is_over = Arc::new(AtomicBool::new(false));
    let first = Arc::new(first);
    let asking = tokio::spawn({
        let (first, is_over) = (first.clone(), is_over.clone());
        async move {
            let mut serial = 0;
            while !is_over.load(Ordering::Relaxed) {
                serial += 1;
                let part = Part::try_from(serial % 5 + 1).unwrap();
                let decided = first.engine.ask(part, create(serial, part)).await.unwrap();
                assert_eq!(decided.decision, Decision::New(Outcome::Done), "it was asked once");
                assert!(first.engine.holder(HolderId::new(part, serial)).unwrap().is_some(), "what was answered is read");
            }
            serial
        }
    });
    let second = Process::start(&database, 5);
    until(&first, || first.parts().len() == 3 && second.parts().len() == 3).await;
    let third = Process::start(&database, 5);
    until(&first, || [&*first, &second, &third].iter().all(|process| process.parts().len() == 2)).await;
    for leaving in [second, third] {
        leaving.engine.stop();
        drop(leaving);
    }
    until(&first, || first.parts().len() == 6).await;
    is_over.store(true, Ordering::Relaxed);
    let asked = asking.await.unwrap();
    let mut found = 0;
    for serial in 1..=asked {
        found += u64::from(first.engine.holder(HolderId::new(Part::try_from(serial % 5 + 1).unwrap(), serial)).unwrap().is_some());
    }
    assert_eq!(found, asked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_taken_for_dead_is_replaced_and_writes_nothing_more() {
    let database = Database::new();
    let (one, other) = (Process::start(&database, 2), Process::start(&database, 2));
    until(&one, || one.parts().len() + other.parts().len() == 3 && !other.parts().is_empty()).await;
    let lost: BTreeSet<Part> = other.parts().into_iter().collect();
    database.sql(&format!("delete from process where name = '{}'", other.roster.name()));
    // Asked in the very moment: it is answered by whoever takes over.
    for part in lost.iter().filter(|part| **part > 0) {
        assert!(one.engine.ask(*part, create(u64::from(*part), *part)).await.is_ok());
    }
    until(&one, || one.parts().len() == 3).await;
    let mut is_lost = other.roster.lost();
    is_lost.wait_for(|is_lost| *is_lost).await.unwrap();
    until_closed(&other).await;
    assert!(matches!(other.engine.store().take_over(*lost.first().unwrap()), Err(Fault::Fenced(_))));
    assert!(one.engine.ask(1, create(50, 1)).await.is_ok(), "whoever came back late has disturbed nobody");
}

async fn until_closed(process: &Process) {
    while !process.parts().is_empty() {
        tokio::task::yield_now().await;
    }
}

/// Carries bytes to a process, and can lose one answer of it.
struct Wire {
    address: SocketAddr,
    is_cut: Arc<AtomicBool>,
}

impl Wire {
    fn to(target: SocketAddr) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let is_cut = Arc::new(AtomicBool::new(false));
        let cut = is_cut.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(target) else { return };
                let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
                let (mut server, mut client, cut) = (server, client, cut.clone());
                std::thread::spawn(move || {
                    let mut bytes = [0; 4_096];
                    while let Ok(len) = server.read(&mut bytes)
                        && len > 0
                        && !cut.swap(false, Ordering::AcqRel)
                        && client.write_all(&bytes[..len]).is_ok()
                    {}
                    let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
                });
            }
        });
        Wire { address, is_cut }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_between_processes_is_found_by_its_key() {
    let database = Database::new();
    let one = Process::start(&database, 3);
    let mut wire = None;
    let other = Process::start_behind(&database, 3, |target| wire.insert(Wire::to(target)).address);
    let wire = wire.unwrap();
    until(&one, || one.parts().len() == 2 && other.parts().len() == 2).await;
    let part = other.parts().into_iter().find(|part| *part > 0).unwrap();
    let seq = || other.engine.reading(part).unwrap().seq;
    one.engine.ask(part, create(1, part)).await.unwrap();
    // Whichever answer passes next is lost, be it to the question or to one about news: the question is asked until its answer comes.
    for serial in 2..=20 {
        let before = seq();
        wire.is_cut.store(true, Ordering::Release);
        let decided = one.engine.ask(part, create(serial, part)).await.unwrap();
        assert!(matches!(decided.decision, Decision::New(Outcome::Done) | Decision::Replayed(Outcome::Done)));
        assert_eq!((decided.seq, seq()), (before + 1, before + 1), "it was done once");
    }
    // Without a key nobody can find out, and nobody pretends to.
    wire.is_cut.store(true, Ordering::Release);
    let without_key = Request { idempotency: None, ..create(21, part) };
    let told = one.engine.ask(part, without_key).await;
    let is_known = other.engine.holder(HolderId::new(part, 21)).unwrap().is_some();
    assert!(matches!(told, Err(Fault::Unknown(_))) || told.is_ok() && is_known, "{told:?}");
}

#[test]
fn what_one_process_revokes_no_other_remembers() {
    let database = Database::new();
    let vault = |address: Option<&str>| {
        let store = PostgresStore::open(&database.url(), 2).unwrap();
        let vault = Vault::open_on(&store, keys(), 2).unwrap();
        let roster = address.map(|address| Arc::new(Roster::join(&store, Some(address)).unwrap().unwrap()));
        roster.iter().for_each(|roster| vault.heed(roster));
        (vault, roster)
    };
    // The third is the office's, which works beside them.
    let [(one, _of_one), (other, of_other), (office, _)] = [vault(Some("127.0.0.1:1")), vault(Some("127.0.0.1:2")), vault(None)];
    let holder = (1 << 48) | 7;
    let all: [&dyn Fn(u64); 3] =
        [&|session| assert!(one.revoke_session(holder, session).unwrap()), &|session| assert!(office.revoke_session(holder, session).unwrap()), &|_| {
            assert_eq!(one.revoke_sessions(holder, None).unwrap(), 1)
        }];
    for revoke in all {
        let (token, session) = one.start_session(holder, "浏览器", 1_000).unwrap();
        assert!(other.session(&token, 2_000).unwrap().is_some());
        assert!(matches!(other.session_in_memory(&token, 2_000), InMemory::Live(_)), "it is remembered");
        revoke(session.id);
        assert!(matches!(other.session_in_memory(&token, 3_000), InMemory::Unknown));
        assert!(other.session(&token, 3_000).unwrap().is_none());
    }
    let key = office.issue_institution_key(1, "P51050000012", 1_000).unwrap();
    for vault in [&one, &other] {
        assert!(vault.verify_institution_key(key.reveal()).unwrap().is_some());
        assert!(vault.institution_key_in_memory(key.reveal()).flatten().is_some());
    }
    assert!(one.revoke_institution_key(key.reveal().split('.').nth(1).unwrap(), 2_000).unwrap());
    for vault in [&one, &other] {
        assert!(vault.institution_key_in_memory(key.reveal()).is_none() && vault.verify_institution_key(key.reveal()).unwrap().is_none());
    }
    // One whose beat is not heard any more does not trust its memory.
    let (token, _) = one.start_session(holder, "浏览器", 1_000).unwrap();
    assert!(other.session(&token, 2_000).unwrap().is_some());
    let of_other = of_other.unwrap();
    database.sql(&format!("delete from process where name = '{}'", of_other.name()));
    let mut lost = of_other.lost();
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async { lost.wait_for(|is_lost| *is_lost).await.map(drop) }).unwrap();
    assert!(matches!(other.session_in_memory(&token, 2_000), InMemory::Unknown));
    one.end_session(&token).unwrap();
    assert!(other.session(&token, 3_000).unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_used_elsewhere_lives_on() {
    let database = Database::new();
    let vault = |address: &str| {
        let store = PostgresStore::open(&database.url(), 2).unwrap();
        let vault = Vault::open_on(&store, keys(), 2).unwrap();
        let roster = Arc::new(Roster::join(&store, Some(address)).unwrap().unwrap());
        vault.heed(&roster);
        (vault, roster)
    };
    let [(one, _of_one), (other, _of_other)] = [vault("127.0.0.1:1"), vault("127.0.0.1:2")];
    let minute = 60_000;
    let (token, _) = one.start_session((1 << 48) | 7, "浏览器", 0).unwrap();
    assert!(other.session(&token, minute).unwrap().is_some());
    assert!(one.session(&token, 25 * minute).unwrap().is_some());
    one.flush_last_seen().unwrap();
    // For the other it would have ended after half an hour.
    assert!(matches!(other.session_in_memory(&token, 40 * minute), InMemory::Unknown));
    assert!(other.session(&token, 40 * minute).unwrap().is_some());
    assert!(other.session(&token, 80 * minute).unwrap().is_none());
}
