//! The program: HTTP API, pages for people, jobs and commands.

pub mod api;
pub mod app;
pub mod bench;
pub mod cli;
pub mod config;
pub mod demo;
pub mod gateway;
pub mod identity;
pub mod import;
pub mod installation;
pub mod jobs;
pub mod kept;
pub mod metrics;
pub mod notices;
pub mod pages;
pub mod problem;
pub mod sandbox;
pub mod server;
pub mod service;
pub mod time;
pub mod trust;
pub mod verify;
pub mod web;
pub mod webhooks;
