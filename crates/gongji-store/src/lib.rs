//! Makes decisions durable: partitions with a journal and books behind it, and the vault of sealed personal data.

pub mod backup;
mod books;
pub mod clock;
mod courier;
mod engine;
mod fault;
pub mod gauges;
pub mod memory;
mod packed;
mod partition;
mod peers;
mod people;
pub mod postgres;
mod projector;
mod replay;
pub mod seal;
mod shared;
pub mod sqlite;
mod stepped;
pub mod store;
pub mod vault;

pub use books::Books;
pub use courier::DisturbMessages;
pub use courier::delivery;
pub use engine::{Engine, Options, QUEUE_MAX, Reply};
pub use fault::Fault;
pub use packed::{LatestPeople, PackedPeople};
pub use partition::{BATCH_MAX, Decided};
pub use projector::Progress;
pub use shared::{Limits, PEOPLE_MAX, SETTLED_MAX, Shared};
pub use stepped::Stepped;

#[cfg(test)]
#[path = "../tests/it/postgres_server.rs"]
#[allow(clippy::unwrap_used, dead_code)]
mod postgres_server;
