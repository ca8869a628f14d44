//! The money of gongji: integers, accounts, lots with their origin, and the hash chain of the journal.
//!
//! Pure: no clock, no randomness, no I/O. It does not know medicine, provinces or their rules.
//!
//! | account | whose | sign |
//! | --- | --- | --- |
//! | `Personal`, `Wallet`, `Held`, `Awaiting` | a person | never below zero |
//! | `Payable` | an institution | may go below zero by a refund after the month was paid out |
//! | `Premium`, `Unclaimed` | an area | never below zero |
//! | `Fund` | an area | negative: what it has paid into personal accounts |
//! | `Transit` | another partition | either sign; zero over both sides when nothing is on its way |

mod account;
mod chain;
mod fen;
mod lot;
mod planted;

pub use account::{Account, AreaCode, HolderId, InstitutionId, Move, PART_MAX, Part};
pub use chain::{Digest, GENESIS, RecordHead, link};
pub use fen::Fen;
pub use lot::{GrantKind, LOTS_MAX, Lot, Lots, Origin, total};
#[cfg(planted)]
pub use planted::plant;
pub use planted::planted;
