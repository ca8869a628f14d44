//! Pages for people, rendered on the server.

pub mod preview;
pub mod views;
