//! The only place where time is read.

use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where commit times come from (ms, UTC).
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> i64;
}

pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        system_now()
    }
}

/// The machine's time (ms, UTC).
pub fn system_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the machine's clock stands after 1970");
    i64::try_from(since.as_millis()).expect("the machine's clock stands before the year 292278994")
}

/// The sandbox's clock: it runs like any clock, and can be set forward.
pub struct MovableClock {
    set: Mutex<(i64, Option<Instant>)>,
}

impl MovableClock {
    pub fn running(from: i64) -> MovableClock {
        MovableClock { set: Mutex::new((from, Some(Instant::now()))) }
    }

    /// A clock that moves only when it is told to.
    pub fn standing(at: i64) -> MovableClock {
        MovableClock { set: Mutex::new((at, None)) }
    }

    /// Sets the clock forward. Returns `false`, and changes nothing, if that would be backward.
    pub fn set(&self, at: i64) -> bool {
        let mut set = self.set.lock().expect("no holder of this lock panics");
        if at < read(&set) {
            return false;
        }
        *set = (at, set.1.map(|_| Instant::now()));
        true
    }
}

fn read(set: &(i64, Option<Instant>)) -> i64 {
    let elapsed = set.1.map_or(0, |since| i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX));
    set.0.saturating_add(elapsed)
}

impl Clock for MovableClock {
    fn now(&self) -> i64 {
        read(&self.set.lock().expect("no holder of this lock panics"))
    }
}
