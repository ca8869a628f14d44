//! Clearing files: what a period comes to, so that each province can check it alone (docs/clearing/file.md).
//!
//! 1. [`Summing`] takes every line once, in order, and keeps per pair of areas its sums and a Merkle tree that grows at one end.
//! 2. [`Cleared`] is the result: totals of all pairs, nets by province, dues, one root over everything.
//! 3. [`ProvinceFile`] writes a province's own lines and signs the rest; [`verify`](verify::verify) recomputes all of it from the file and the public key.
//!
//! Pure: takings come in from an iterator, bytes go to whatever takes them. Memory depends on the number of pairs, never on that of lines.

mod calendar;
mod daily;
mod line;
mod netting;
mod province_file;
mod streaming;
mod tree;
mod verify;

pub use calendar::{Calendar, DueStep, Holidays, HolidaysError, Progress};
pub use daily::{DailyError, DailyLine, DailyStatements};
pub use line::{Line, LineKind, Person, Role, line_of, parse_line_id};
pub use netting::{Pair, PairSum, Pairs, dues_of, nets_of};
pub use province_file::{Area, CHECK_LEN, LINE_BYTES_MAX, PartRange, Period, ProvinceFile, StatementKind, VERSION};
pub use streaming::{BATCH, Cleared, Scope, Summing, Work, clear};
pub use tree::{Digest, Tree, leaf};
pub use verify::{Difference, Verified, Wrong, verify};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
