#![allow(clippy::unwrap_used)]

mod country;
mod journey;
