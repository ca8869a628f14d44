//! The program: HTTP API, pages for people, jobs and commands.

pub mod pages;
