//! The sandbox: full at its first start, quick and unchanged at its second, its books in order whatever the number of partitions.

use gongji::sandbox::{self, Plan, Running};
use gongji::service::key::{IdempotencyKey, fresh};
use gongji::service::payment;
use gongji::verify::{self, VerifyError};
use gongji_ledger::{Fen, HolderId, InstitutionId};
use gongji_store::clock::Clock;
use gongji_wallet::event::Payer;
use gongji_wallet::object::{Bill, Holder, PayFirst, TransferState};
use indicatif::ProgressBar;
use std::path::Path;

async fn start(folder: &Path, partitions: Option<u16>, with_history: bool) -> Running {
    let plan = Plan { folder: folder.to_owned(), store: None, partitions, clock: sandbox::start_of_clock(), with_history };
    sandbox::start(&plan, &|_| ProgressBar::hidden()).await.unwrap()
}

fn holder(running: &Running, name: &str) -> Holder {
    let logins = &running.app.sandbox.as_ref().unwrap().logins;
    let login = logins.iter().find(|login| login.name == name).unwrap();
    let id = running.app.vault.find_by_id_number(&login.id_number).unwrap().unwrap();
    running.app.engine.holder(HolderId(id)).unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_is_full_of_life_and_a_second_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path(), Some(4), true).await;
    // The main story is left to the visitor.
    let (son, mother) = (holder(&running, "李强"), holder(&running, "王秀兰"));
    assert_eq!((son.personal_total(), son.relations.len()), (Fen(600_000), 0));
    assert!(mother.wallet.is_none() && mother.incoming.is_empty());
    // Others have lived: two origins in one wallet, something waiting, something returned.
    let father = holder(&running, "马文华");
    assert_eq!(father.wallet.as_ref().unwrap().lots.as_slice().len(), 2);
    let waiting = holder(&running, "李凤仙");
    assert_eq!((waiting.incoming.len(), waiting.awaiting), (1, Fen(20_000)));
    let sender = holder(&running, "赵永年");
    let lines = running.app.engine.lines(sender.id, None, 50, |_| true).await.unwrap();
    assert_eq!(lines.first().unwrap().amount, Fen(30_000), "what nobody took came back");
    assert!(running.app.now() >= sandbox::start_of_clock());
    let keys = running.app.sandbox.as_ref().unwrap().institution_keys.clone();
    let owner = running.app.vault.verify_institution_key(&keys[0].2).unwrap();
    assert_eq!(owner.as_deref(), Some(keys[0].0.as_str()));
    // The clock moves forward only, and what falls due is done.
    let six = sandbox::start_of_clock() + 20 * 3_600_000;
    assert!(sandbox::set_clock(&running.app, six).await.unwrap());
    assert!(!sandbox::set_clock(&running.app, six - 1_000_000).await.unwrap());
    let returned = holder(&running, "李凤仙");
    assert!(returned.incoming.is_empty() && returned.awaiting == Fen::ZERO);
    let transfer = running.app.engine.incoming(returned.id, waiting.incoming[0]).unwrap().unwrap();
    assert_eq!(transfer.state, TransferState::Returned);
    // An hour later nothing has happened; the clock stands there all the same after the next start.
    let seven = six + 3_600_000;
    assert!(sandbox::set_clock(&running.app, seven).await.unwrap());
    drop(running);

    let report = verify::run(folder.path(), true).unwrap();
    assert_eq!((report.partitions, report.people, report.undelivered), (4, 63, 0));

    let again = start(folder.path(), None, true).await;
    assert_eq!(again.installation.partitions(), 4);
    assert_eq!(again.app.sandbox.as_ref().unwrap().institution_keys, keys);
    assert!(again.app.sandbox.as_ref().unwrap().clock.now() >= seven, "the clock goes on from where it was");
    assert_eq!(holder(&again, "马文华"), father);
    let beside = verify::run(folder.path(), true).unwrap();
    assert_eq!(beside.records, report.records, "a second start writes nothing");
}

/// Runs SQL against one of the files of a partition.
fn tamper(folder: &Path, file: &str, sql: &str) {
    let connection = rusqlite::Connection::open(folder.join(file)).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[track_caller]
fn finding(folder: &Path) -> (&'static str, u16) {
    match verify::run(folder, true) {
        Err(VerifyError::Differs(finding)) => (finding.kind.code(), finding.part),
        other => panic!("expected a finding, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_row_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    drop(start(folder.path(), Some(1), false).await);
    verify::run(folder.path(), true).unwrap();
    let books = "p01/books.sqlite";
    // Statement lines are blocks of kind 66.
    tamper(folder.path(), books, "create table kept as select * from block where kind = 66 order by first limit 1");
    tamper(folder.path(), books, "delete from block where kind = 66 and first = (select first from kept)");
    assert_eq!(finding(folder.path()), ("ROW_MISSING", 1));
    tamper(folder.path(), books, "insert into block select * from kept");
    verify::run(folder.path(), true).unwrap();
    // A person vanishes from the books.
    tamper(folder.path(), books, "delete from person where id = (select min(id) from person)");
    assert_eq!(finding(folder.path()), ("ROW_MISSING", 1));

    // Deleted books are no difference: they are made anew.
    for file in ["books.sqlite", "books.sqlite-wal", "books.sqlite-shm"] {
        let _ = std::fs::remove_file(folder.path().join("p01").join(file));
    }
    let report = verify::run(folder.path(), true).unwrap();
    assert_eq!(report.heads.iter().find(|head| head.part == 1).unwrap().books_seq, None);
    drop(start(folder.path(), None, false).await);
    let rebuilt = verify::run(folder.path(), true).unwrap();
    assert!(rebuilt.heads.iter().all(|head| head.books_seq == Some(head.seq)));

    tamper(folder.path(), "p01/journal.sqlite", "update journal set stamp = stamp + 1 where seq = 2");
    assert_eq!(finding(folder.path()), ("HASH_BROKEN", 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn books_verify_beside_the_running_program() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path(), Some(3), true).await;
    let payer = holder(&running, "买买提·吐尔逊").id;
    let app = running.app.clone();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    // Orders at institutions of other partitions: messages are always under way.
    let load = tokio::spawn(async move {
        let mut count = 0;
        while stopped.try_recv().is_err() {
            for institution in ["H65310000001", "H65310000003", "P65310000001"] {
                let institution = InstitutionId::parse(institution).unwrap();
                let key = || IdempotencyKey::new("test", "load", &fresh(), b"").unwrap();
                let (code, _) = payment::issue_code(&app, payer, payer, PayFirst::Wallet, key()).await.unwrap();
                let (part, code) = payment::parse_code(&code.0).unwrap();
                let bill = Bill { total: Fen(100), fund: Fen::ZERO, own: Fen(100), institution: Fen::ZERO };
                let hold = payment::Hold {
                    institution,
                    number: fresh(),
                    payer: Payer::Code(code),
                    part,
                    bill,
                    partial: false,
                    visit: payment::usual_visit(&app, institution),
                    quote: None,
                };
                let (order, _) = payment::hold(&app, &hold, key()).await.unwrap();
                payment::void(&app, institution, order.payment, key()).await.unwrap();
                count += 1;
            }
        }
        count
    });
    let mut records = 0;
    for _ in 0..8 {
        let place = folder.path().to_owned();
        let report = tokio::task::spawn_blocking(move || verify::run(&place, true)).await.unwrap().unwrap();
        assert!(report.records >= records);
        records = report.records;
    }
    stop.send(()).unwrap();
    assert!(load.await.unwrap() > 0);
}
