//! What the pages remember for minutes, in memory alone.
//!
//! A payment code is stored nowhere but as a digest, yet the page that shows it is loaded again and again while the cashier looks for the
//! scanner. A restart forgets it, and a new one is made.

use crate::service::asking::Remembered;
use gongji_ledger::HolderId;
use std::sync::{Arc, Mutex};

/// An expired code is still told to have expired for this long (ms).
const TOLD_MS: i64 = 5 * 60_000;

/// Shared by all pages.
#[derive(Clone, Default)]
pub struct Recall(Arc<Mutex<Remembered<u64, ShownCode>>>);

/// A payment code that one session shows.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownCode {
    pub holder: HolderId,
    pub text: String,
    pub expires: i64,
}

impl Recall {
    /// The code that this session shows for this person now.
    pub fn code(&self, session: u64, holder: HolderId) -> Option<ShownCode> {
        let codes = self.0.lock().expect("no holder of the codes panics");
        codes.get(&session).filter(|code| code.holder == holder).cloned()
    }

    pub fn show_code(&self, session: u64, code: ShownCode, now: i64) {
        let ends = code.expires + TOLD_MS;
        self.0.lock().expect("no holder of the codes panics").put(session, code, ends, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_shows_its_own_code_alone() {
        let recall = Recall::default();
        recall.show_code(1, ShownCode { holder: HolderId(7), text: "X".to_owned(), expires: 60_000 }, 0);
        assert!(recall.code(1, HolderId(7)).is_some());
        assert!(recall.code(1, HolderId(8)).is_none() && recall.code(2, HolderId(7)).is_none());
    }
}
