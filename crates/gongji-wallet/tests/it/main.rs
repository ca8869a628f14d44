//! The rules, proven from outside: cases as text, properties over random families, the published state tables, and the page of refusals.
#![allow(clippy::unwrap_used, reason = "a test may stop where its own fixture is wrong")]

mod approvals;
mod books;
mod cases;
mod ceilings;
mod clearing;
mod machines;
mod properties;
mod rules_page;
mod script;
mod transcript;
mod world;
