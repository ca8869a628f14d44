//! The platform's public keys, where everybody finds them.

use super::{Policy, platform_key};
use crate::app::App;
use axum::extract::State;
use axum::{Extension, Json};
use gongji_files::signature::Profile;
use serde::Serialize;
use std::sync::Arc;

/// Where the keys are published.
pub const WELL_KNOWN: &str = "/.well-known/gongji-keys.json";

#[derive(Serialize)]
pub struct PublishedKeys {
    keys: Vec<PublishedKey>,
}

#[derive(Serialize)]
struct PublishedKey {
    key_id: String,
    /// `ed25519` or `sm2`.
    profile: &'static str,
    /// `current` signs now; `next` will, from a day that is announced.
    state: &'static str,
    public_key: String,
}

/// The keys under which answers are signed, and those that come after them.
pub async fn platform_keys(State(app): State<Arc<App>>, Extension(policy): Extension<Arc<Policy>>) -> Json<PublishedKeys> {
    let both = [("current", policy.answer_key), ("next", policy.answer_key.saturating_add(1))];
    let keys = both.into_iter().flat_map(|(state, number)| Profile::ALL.map(|profile| (state, platform_key(&app.vault, profile, number))));
    let published = keys.map(|(state, key)| {
        let key = key.verifying_key();
        PublishedKey { key_id: key.key_id().to_owned(), profile: key.profile().as_str(), state, public_key: key.to_pem() }
    });
    Json(PublishedKeys { keys: published.collect() })
}
