#![allow(clippy::unwrap_used)]

mod contract;
mod country;
mod couriers;
mod crashes;
mod crowd;
mod engine;
mod faults;
mod files;
mod gate;
mod histories;
mod journey;
mod postgres;
mod postgres_proxy;
mod postgres_server;
mod postgres_standby;
mod power;
mod sharing;
mod stores;
