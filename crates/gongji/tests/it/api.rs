//! The API from outside: the router in process, a store on disk, a clock that stands until it is moved.

mod approvals;
mod asks;
mod authorisation;
mod bad_input;
mod document;
mod edge;
mod events;
mod gateway;
mod idempotency;
mod institutions;
mod jobs;
mod journey;
mod outcomes;
mod readiness;
mod reconciliation;
mod rights;
mod sheets;
mod signed;
mod watching;
mod what_if;
mod world;
