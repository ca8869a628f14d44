//! The sandbox: movable clock, inbox, face results. Never served by the production profile.

use askama::Template;

use super::account::SampleLogin;
use super::{Choice, Fact, Layout, Link};

/// `/sandbox` — POST `/sandbox/clock`: `key`, `to` (`21:59`, `22:00`, `06:00`, `next-month`, or
/// `free` with `at` as `datetime-local`).
#[derive(Template, Clone, Debug, Default)]
#[template(path = "sandbox/home.html")]
pub struct Home {
    pub layout: Layout,
    pub key: String,
    /// "2026年11月23日 周一 10:00".
    pub now: String,
    /// Value of the free entry: "2026-11-23T10:00".
    pub now_typed: String,
    /// Where each preset leads: value, label, note ("转账马上停办").
    pub presets: Vec<Choice>,
    pub people: Vec<SampleLogin>,
    /// Institution and key.
    pub institutions: Vec<Fact>,
    pub links: Vec<Link>,
}

/// `/sandbox/inbox` — codes and notices by phone. GET form: `phone`.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "sandbox/inbox.html")]
pub struct Inbox {
    pub layout: Layout,
    pub phone: String,
    pub messages: Vec<InboxMessage>,
}

#[derive(Clone, Debug, Default)]
pub struct InboxMessage {
    pub phone: String,
    /// "李建国"; may be empty.
    pub name: String,
    pub at: String,
    /// The code alone, to copy; empty for notices.
    pub code: String,
    pub text: String,
}

/// `/sandbox/face` — what the face check answers for each person. POST: `key`, `person`, `result` (`pass`, `fail`, `unavailable`).
#[derive(Template, Clone, Debug, Default)]
#[template(path = "sandbox/face.html")]
pub struct Face {
    pub layout: Layout,
    pub key: String,
    pub people: Vec<FacePerson>,
}

#[derive(Clone, Debug, Default)]
pub struct FacePerson {
    pub id: String,
    pub name: String,
    /// "是本人".
    pub result: String,
}
