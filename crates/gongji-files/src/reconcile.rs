//! Reconciliation (对账): an institution's list of a business day beside ours, to the fen.
//!
//! ```text
//! their file ──read──▶ Listing ─┐
//!                               ├─ reconcile ──▶ totals of both, pairs that agree, breaks
//! our lines ──────────▶ Listing ─┘
//! ```
//!
//! Every line that does not pair in full is in exactly one [`Break`], with its likely cause and a proposed correction. The differences of
//! all breaks add up to the difference of the totals, or the program stops: nothing is hidden by a guess. A proposal is a sentence for
//! people; nothing here or behind it moves money.

mod breaks;
mod listing;
mod matching;
mod reading;
mod report;
mod writing;

pub use breaks::{BreakKind, ProposalCode, Told};
pub use listing::{Class, Direction, Line, Listing, NUMBER_LEN_MAX, Scope, Totals};
pub use matching::{Break, Reconciled, reconcile};
pub use reading::{FileFormat, LINES_PER_ORDER_MAX, ReadLimits, ReadList, read_list};
pub use report::{BreakRow, LINES_TOLD_MAX, LineRow, Report};
pub use writing::{Encoding, ListWriter, TextTable};
