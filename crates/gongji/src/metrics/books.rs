//! Σ = 0, looked at while the program runs: now and then all balances of a partition's books are added up.
//!
//! A move has one amount for both sides, so the sum is zero unless something has changed the books behind the program's back, or a bug has. It
//! says less than `gongji verify`, which rebuilds everything from the journal; but it says it all day, by itself.

use crate::app::App;
use gongji_ledger::Part;
use gongji_store::Fault;
use gongji_wallet::ids::Key;
use gongji_wallet::object::{Holder, Object};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// After a start there is more urgent work.
const FIRST_REST: Duration = Duration::from_secs(60);

/// At least this long between two looks at a partition.
const REST_MIN: Duration = Duration::from_secs(10 * 60);

/// One part in so many of the time goes into looking: two million people take seconds to read.
const REST_FACTOR: u32 = 100;

/// Objects between two questions whether the program ends.
const ASKED_EVERY: u64 = 4_096;

/// What the last look at each partition found.
#[derive(Default)]
pub struct Sums(Mutex<BTreeMap<Part, Sum>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// All balances of the partition (fen): zero.
    pub fen: i128,
    /// When they were added up (ms, UTC).
    pub at: i64,
}

impl Sums {
    pub fn all(&self) -> BTreeMap<Part, Sum> {
        self.0.lock().expect("no holder of the sums panics").clone()
    }

    fn set(&self, part: Part, sum: Sum) {
        self.0.lock().expect("no holder of the sums panics").insert(part, sum);
    }
}

/// Adds up one partition after the other, for ever, at its leisure.
pub async fn watch(app: Arc<App>) {
    tokio::time::sleep(FIRST_REST).await;
    loop {
        let begun = Instant::now();
        for part in (0..=app.engine.parts()).filter(|part| app.engine.reading(*part).is_some_and(|reading| reading.is_here)) {
            if let Err(fault) = add_up(&app, part).await
                && !matches!(fault, Fault::Stopped(_))
            {
                tracing::warn!(part, %fault, "the books could not be added up; they are tried again");
            }
        }
        tokio::time::sleep(REST_MIN.max(begun.elapsed() * REST_FACTOR)).await;
    }
}

/// Adds a partition up and keeps the sum.
///
/// # Errors
/// The books cannot be read.
pub async fn add_up(app: &Arc<App>, part: Part) -> Result<(), Fault> {
    let reading = Arc::clone(app);
    // A handle of its own, at one moment of the books.
    let summed = tokio::task::spawn_blocking(move || sum(&reading, part)).await;
    let fen = summed.map_err(|error| Fault::Failed(error.to_string()))??;
    if fen != 0 {
        tracing::error!(part, sum.fen = %fen, "the books of a partition do not add up to zero");
    }
    app.metrics.books.set(part, Sum { fen, at: app.now() });
    Ok(())
}

fn sum(app: &App, part: Part) -> Result<i128, Fault> {
    let mut books = app.engine.store().books(part)?;
    books.hold_still()?;
    let (mut sum, mut count) = (0, 0_u64);
    books.each_object(&mut |key, object| {
        sum += money(&key, &object);
        count += 1;
        // Nobody waits for this when the program is to end.
        let is_over = count.is_multiple_of(ASKED_EVERY) && !app.engine.reading(part).is_some_and(|reading| reading.is_writing);
        if is_over { Err(Fault::Stopped(part)) } else { Ok(()) }
    })?;
    Ok(sum)
}

/// Money that an object holds (fen).
fn money(key: &Key, object: &Object) -> i128 {
    let fen = match (key, object) {
        (_, Object::Holder(holder)) => of_person(holder),
        (Key::Balance(_), Object::Balance(balance)) => *balance,
        _ => gongji_ledger::Fen::ZERO,
    };
    i128::from(fen.0)
}

fn of_person(holder: &Holder) -> gongji_ledger::Fen {
    holder.personal_total() + holder.wallet_total() + holder.held + holder.awaiting
}
