//! Import files as a clerk meets them, and the sample files of the sandbox.
#![allow(clippy::unwrap_used)]

mod import;
mod reconcile;
mod sandbox;
mod signing;
