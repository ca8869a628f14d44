//! The OpenAPI document, made from the code that answers.

use super::{of_institutions, routes};
use crate::problem;
use serde_json::{Value, json};
use std::sync::LazyLock;
use utoipa::OpenApi;

/// What stands before the operations.
const INTRODUCTION: &str = "\
Interface of gongji (共济), the medical insurance wallet. Everything that the pages do is possible here.

**Who asks.** A person sends the session token as `Authorization: Bearer` (or the cookie that pages use), and `Gongji-For: <person id>` to act for a \
relative who has allowed it. An institution signs its requests (RFC 9421) and gets signed answers: \
`docs/institutions/signing.md`; a sandbox also takes its key as `Authorization: Bearer gk.…`.

**Retries.** Every request that changes money takes `Idempotency-Key`, best a UUIDv7. Scope is caller and operation; a key never expires. The same key and body \
get the first answer again with `Idempotency-Replayed: true`; another body gets 422 `IDEMPOTENCY_KEY_REUSED`. 409 with `Retry-After` means that a step in another \
partition is still open. One answer cannot be given again: a payment code, of which only a digest is kept.

**Money** is a whole number of fen with its currency: `{\"amount\": 1234, \"currency\": \"CNY\"}`. **Times** are RFC 3339; answers use China's offset, `+08:00`. \
**Unknown fields** are refused.

**Refusals** are `application/problem+json` (RFC 9457). `code` is stable; `reasons[]` has everything that applies, not only the first. \
Nothing is ever said about whether somebody else exists.

**Lists** have an opaque cursor, a stable order and at most 200 rows.

**Sandbox.** Operations with the tag `sandbox` exist only there.";

#[derive(OpenApi)]
#[openapi(components(schemas(problem::Body)))]
struct Refusals;

static DOCUMENT: LazyLock<Value> = LazyLock::new(build);

/// The document as a value, for the page that shows it.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// The document as text, as it is committed and served.
pub fn openapi_json() -> String {
    let mut text = serde_json::to_string_pretty(document()).expect("a document is JSON");
    text.push('\n');
    text
}

fn build() -> Value {
    let mut document = serde_json::to_value(routes(true).merge(of_institutions()).into_openapi()).expect("a document is JSON");
    let refusals = serde_json::to_value(Refusals::openapi()).expect("a document is JSON");
    document["info"] = json!({
        "title": "gongji",
        "version": "v1",
        "summary": "Medical insurance wallet for families",
        "description": INTRODUCTION,
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    });
    document["servers"] = json!([{ "url": "/", "description": "This server" }]);
    document["tags"] = json!([
        { "name": "auth", "description": "Registering, logging in, sessions, password" },
        { "name": "me", "description": "The person and what they were told" },
        { "name": "wallet", "description": "The wallet, its origins, its place of use" },
        { "name": "family", "description": "Opening and acting for a relative; confirmed relations" },
        { "name": "proofs", "description": "Identity checks before money moves" },
        { "name": "transfers", "description": "Transfers between relatives" },
        { "name": "paying", "description": "Payment codes, for the payer" },
        { "name": "payments", "description": "Decode, quote, hold, capture, void, refund and reverse, for institutions" },
        { "name": "events", "description": "What happened to an institution's payments: the feed, which is the truth, and webhooks, which are a hint to read it" },
        { "name": "reconciliation", "description": "Totals and lines of a day, an institution's file beside them, what does not agree" },
        { "name": "premiums", "description": "The resident premium" },
        { "name": "statement", "description": "Movements, receipts, the monthly picture" },
        { "name": "lookup", "description": "Regions and institutions, for everybody" },
        { "name": "reference", "description": "The state machines" },
        { "name": "sandbox", "description": "Only in a sandbox: clock, inbox, face results, operators' hands" },
    ]);
    if let (Some(into), Some(from)) = (document["components"]["schemas"].as_object_mut(), refusals["components"]["schemas"].as_object()) {
        into.extend(from.clone());
    }
    document["components"]["securitySchemes"] = json!({
        "session": { "type": "http", "scheme": "bearer", "description": "Session token of a person, from `POST /api/v1/sessions`" },
        "institution": { "type": "http", "scheme": "bearer", "bearerFormat": "gk.<id>.<secret>", "description": "Key of an institution" },
    });
    let refusal = |description: &str| {
        json!({
            "description": description,
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        })
    };
    let items = document["paths"].as_object_mut().into_iter().flatten();
    let operations = items.filter_map(|(path, item)| Some((path, item.as_object_mut()?)));
    for (id, operation) in operations.flat_map(|(path, item)| item.iter_mut().map(move |(method, operation)| (operation_id(method, path), operation))) {
        operation["operationId"] = id.into();
        let is_keyed = operation["parameters"].as_array().is_some_and(|parameters| parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key"));
        let schemes = operation["security"].clone();
        let is_for = |scheme: &str| schemes.as_array().is_some_and(|schemes| schemes.iter().any(|one| one.get(scheme).is_some()));
        if is_for("session") {
            let description = "Id of the relative for whom the person acts; checked at every request";
            add_header(
                operation,
                json!({ "name": "Gongji-For", "in": "header", "required": false, "schema": { "type": "string" }, "description": description }),
            );
        }
        if is_for("institution") {
            let description = "Only in a sandbox: `lost-reply`, `duplicate`, `slow=3s` (1 to 10 seconds), `decline=CODE`";
            add_header(
                operation,
                json!({ "name": "Test-Fault", "in": "header", "required": false, "schema": { "type": "string" }, "description": description }),
            );
        }
        let Some(responses) = operation["responses"].as_object_mut() else { continue };
        if is_keyed {
            for response in responses.values_mut() {
                response["headers"] = json!({
                    "Idempotency-Replayed": { "description": "`true` where this answer was given before to the same key and body", "schema": { "type": "string" } },
                });
            }
        }
        responses.insert("4XX".to_owned(), refusal("Refused, with all reasons; nothing was changed"));
        responses.insert("5XX".to_owned(), refusal("Not done, or not known to be done: ask again later, with the same key if there is one"));
    }
    document
}

fn add_header(operation: &mut Value, header: Value) {
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.push(header),
        None => operation["parameters"] = json!([header]),
    }
}

/// `post_transfers_id_accept`: unique, and the same as long as the address is.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.trim_start_matches("/api/v1/").split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(method.to_owned(), |id, word| format!("{id}_{word}"))
}
