//! The auditor against real journals: made by the rules it audits, in memory, and then tampered with.
#![allow(clippy::unwrap_used)]

mod clearing;
mod comparing;
mod format;
mod journey;
mod offices;
mod reading;
mod rows;
mod tampering;
mod town;
