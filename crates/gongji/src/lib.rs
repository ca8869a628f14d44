//! The program: HTTP API, pages for people, jobs and commands.

pub mod api;
pub mod app;
pub mod identity;
pub mod pages;
pub mod problem;
pub mod server;
pub mod service;
pub mod time;
pub mod web;
