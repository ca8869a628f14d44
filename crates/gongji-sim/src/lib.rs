//! The whole system from one seed: the real rules, writer, projector, courier and replay, driven by one thread over a store, clocks and a network that
//! fail as they please; and a reader that knows what may be.

mod audit;
mod compare;
pub mod config;
mod country;
pub mod effects;
pub mod fault;
mod finale;
mod model;
pub mod planted;
pub mod rng;
mod run;
mod trace;
mod workload;
mod world;

pub use config::Span;
pub use run::{Failure, Report, last_panic, run};
