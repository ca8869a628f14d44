//! The independent auditor: the journal in, balances and lots out, by its own apply.
//!
//! It shares no code with what it audits and knows nothing but the journal's format (`docs/journal-format.md`). Pure: whoever calls it reads the files.
//!
//! 1. [`Auditor::check_head`] for each head that was exported earlier.
//! 2. [`Auditor::record`] for every record of every partition, each partition in order. Reading the partitions side by side, by commit time, keeps memory
//!    small; any order gives the same result. [`Auditor::expect_line`] and [`Auditor::expect_taking`] may follow each record, so that lines and takings
//!    need not be kept.
//! 3. [`Auditor::finish`], which holds over all partitions together.
//! 4. `expect_…` for every row of the projections, then [`Auditor::missing`].
//!
//! The first [`Finding`] ends an audit.

mod auditor;
mod books;
mod chain;
mod clearing;
mod compare;
mod finding;
mod finish;
mod messages;
mod offices;
mod payments;
mod postings;
mod takings;
mod transfers;
pub mod wire;

pub use auditor::{Auditor, Head};
pub use books::LineRow;
pub use chain::{GENESIS, link};
pub use clearing::{PairSum, Pairs};
pub use compare::{OrderRow, PaymentRow, PersonRow, Rows, Side};
pub use finding::{Finding, FindingKind, Result, Subject};
pub use finish::{AccountKind, OriginTotals, Summary, TrialLine};
