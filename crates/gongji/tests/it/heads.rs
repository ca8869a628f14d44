//! Heads that were exported outside the database tell when somebody rewrites a journal so that it fits, or cuts its tail.

use gongji::heads::{HeadsError, add, read, signed, signing_key};
use gongji::kept::Kept;
use gongji::verify::{VerifyError, run_against};
use gongji_store::clock::MovableClock;
use gongji_store::seal::Keys;
use gongji_store::sqlite::SqliteStore;
use gongji_store::{Engine, Options};
use gongji_wallet::directory::{Coverage, DirectoryChange, Region, RegionLevel};
use gongji_wallet::{Command, Request};
use std::path::Path;
use std::sync::Arc;

fn region(code: u32) -> Command {
    Command::ChangeDirectory(vec![DirectoryChange::Region(Region {
        code,
        name: "泸州市".to_owned(),
        province_code: 510_000,
        province: "四川省".to_owned(),
        level: RegionLevel::Prefecture,
        openings: vec![(1, true)],
        change_of_use: false,
        coverage: Coverage::Area,
    })])
}

/// A ledger of one partition with these regions, one record each.
async fn ledger(folder: &Path, regions: &[u32]) {
    let store = SqliteStore::open(folder, 1).unwrap();
    let engine = Engine::start(Arc::new(store), Arc::new(MovableClock::standing(1_000_000)), Options::new(1)).unwrap();
    for code in regions {
        engine.ask(0, Request { idempotency: None, command: region(*code) }).await.unwrap();
    }
    engine.flush().await;
    engine.stop();
}

fn finding(folder: &Path, heads: &[(u16, u64, [u8; 32])]) -> Option<&'static str> {
    match run_against(folder, true, heads) {
        Ok(_) => None,
        Err(VerifyError::Differs(finding)) => Some(finding.kind.code()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewritten_chain_and_a_cut_tail_are_found_by_exported_heads() {
    let [honest, rewritten, cut] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    ledger(honest.path(), &[510_500, 510_600, 510_700]).await;
    ledger(rewritten.path(), &[510_500, 510_900, 510_700]).await;
    ledger(cut.path(), &[510_500, 510_600]).await;
    let kept = Kept::files(honest.path(), 1);
    let key = signing_key(&Keys::for_tests(1));
    let file = honest.path().join("heads.jsonl");
    add(&file, &signed(&kept, &*kept.store().unwrap(), &key, 2_000_000).unwrap()).unwrap();
    let heads = read(&file, key.verifying_key()).unwrap();
    assert_eq!(heads.iter().map(|(part, seq, _)| (*part, *seq)).collect::<Vec<_>>(), [(0, 3)]);

    assert_eq!(finding(honest.path(), &heads), None);
    for forged in [&rewritten, &cut] {
        assert_eq!(finding(forged.path(), &[]), None, "in itself everything fits");
        assert!(finding(forged.path(), &heads).is_some(), "but not with what was exported");
    }

    let stranger = signing_key(&Keys::for_tests(2));
    assert!(matches!(read(&file, stranger.verifying_key()), Err(HeadsError::Forged(1))));
    let text = std::fs::read_to_string(&file).unwrap().replace("\"seq\":3", "\"seq\":2");
    std::fs::write(&file, text).unwrap();
    assert!(matches!(read(&file, key.verifying_key()), Err(HeadsError::Forged(1))));
}
