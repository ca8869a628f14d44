//! The program: HTTP API, pages for people, jobs and commands.

pub mod identity;
pub mod app;
pub mod pages;
pub mod service;
