//! The rules of the medical insurance wallet: commands in, decisions out.
//!
//! `decide(work, request)` is the only place with business meaning. It reads the batch's view of the state and the batch's stamp, and never a clock,
//! randomness, environment, file or socket. What it decides is recorded as events; `apply` turns events into state and never refuses.

mod apply;
pub mod approval;
pub mod area;
pub mod citizen;
pub mod clearing;
pub mod command;
pub mod day;
mod decide;
pub mod directory;
pub mod event;
pub mod ids;
pub mod object;
pub mod operator;
pub mod payment;
pub mod person;
pub mod premium;
pub mod reason;
pub mod relation;
pub mod rules;
pub mod transfer;
pub mod what_if;
pub mod work;

pub use command::{Command, Proof, Request};
pub use decide::{Decision, decide};
pub use event::{Event, Fact, Message, Outcome};
pub use reason::Reason;
pub use work::{Lookup, Memory, Stop, Work};
