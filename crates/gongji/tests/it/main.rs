//! Tests of the program from outside: one binary.
#![allow(clippy::unwrap_used)]

mod api;
mod canary;
mod cli_bench;
mod cli_clearing;
mod cli_commands;
mod cli_import;
mod cli_keys;
mod cli_postgres;
mod cli_sandbox;
mod conformance;
mod crash;
mod heads;
mod institutions;
mod links;
#[path = "../../../gongji-store/tests/it/postgres_server.rs"]
#[allow(dead_code)]
mod postgres_server;
mod program;
mod silence;
mod wire;
