//! The reference of the API as a page, read from the very document that programs read.

use super::frame::{Page, Visit};
use super::views::Section;
use super::views::reference::{CodeRow, Group, Item, Operation, Reference, Response};
use crate::api;
use crate::app::App;
use crate::problem;
use axum::Router;
use axum::routing::get;
use serde_json::{Map, Value};
use std::sync::{Arc, OnceLock};

/// Levels of nested fields that are listed; deeper ones are named by their schema.
const DEPTH_MAX: usize = 4;

pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/docs", get(show))
}

async fn show(visit: Visit) -> Page {
    static READ: OnceLock<Reference> = OnceLock::new();
    let read = READ.get_or_init(|| {
        let document = serde_json::to_value(api::document()).expect("the document is JSON");
        Reader { document: &document }.reference()
    });
    let layout = visit.public_layout("接口文档", Section::None);
    visit.page(&Reference { layout, ..read.clone() })
}

struct Reader<'a> {
    document: &'a Value,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Reader<'_> {
    fn reference(&self) -> Reference {
        let info = &self.document["info"];
        let mut groups: Vec<Group> = Vec::new();
        for tag in self.document["tags"].as_array().into_iter().flatten() {
            groups.push(group(&text(&tag["name"]), &text(&tag["description"])));
        }
        for (path, methods) in self.document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                let tag = operation["tags"][0].as_str().unwrap_or("other");
                let at = groups.iter().position(|group| group.name == tag || group.id == anchor(tag)).unwrap_or_else(|| {
                    groups.push(group(tag, ""));
                    groups.len() - 1
                });
                let operation = self.operation(path, method, operation);
                groups[at].operations.push(operation);
            }
        }
        groups.retain(|group| !group.operations.is_empty());
        Reference {
            version: text(&info["version"]),
            introduction: text(&info["description"]).split("\n\n").map(plain).filter(|line| !line.is_empty()).collect(),
            groups,
            codes: codes(),
            ..Reference::default()
        }
    }

    fn operation(&self, path: &str, method: &str, operation: &Value) -> Operation {
        let summary = text(&operation["summary"]);
        let parameters = operation["parameters"].as_array().into_iter().flatten().map(|parameter| Item {
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            kind: self.kind(&parameter["schema"]),
            required: parameter["required"].as_bool().unwrap_or(false),
            text: plain(parameter["description"].as_str().unwrap_or_default()),
        });
        let body = &operation["requestBody"]["content"]["application/json"];
        let example = if body.is_null() { String::new() } else { self.example(&body["schema"], 0) };
        Operation {
            id: anchor(&format!("{method} {path}")),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: if summary.is_empty() { text(&operation["operationId"]) } else { plain(&summary) },
            text: plain(operation["description"].as_str().unwrap_or_default()),
            parameters: parameters.collect(),
            body: self.fields(&body["schema"], "", 0),
            responses: operation["responses"].as_object().into_iter().flatten().map(|(status, response)| self.response(status, response)).collect(),
            example,
        }
    }

    fn response(&self, status: &str, response: &Value) -> Response {
        let response = self.resolved(response);
        let content = response["content"].as_object().and_then(|content| content.values().next());
        Response {
            status: status.to_owned(),
            text: plain(response["description"].as_str().unwrap_or_default()),
            fields: content.map(|content| self.fields(&content["schema"], "", 0)).unwrap_or_default(),
        }
    }

    /// Follows references to what they name.
    fn resolved<'v>(&'v self, value: &'v Value) -> &'v Value {
        match value["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
            Some(path) => self.document.pointer(path).unwrap_or(&Value::Null),
            None => value,
        }
    }

    /// Fields of an object, those of nested ones after their parent with a dotted name.
    fn fields(&self, schema: &Value, prefix: &str, depth: usize) -> Vec<Item> {
        let schema = self.resolved(schema);
        let mut items = Vec::new();
        for part in ["allOf", "oneOf", "anyOf"].iter().filter_map(|kind| schema[*kind].as_array()).flatten() {
            items.extend(self.fields(part, prefix, depth));
        }
        let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, field) in schema["properties"].as_object().unwrap_or(&Map::new()) {
            let described = field["description"].as_str().or_else(|| self.resolved(field)["description"].as_str());
            let dotted = format!("{prefix}{name}");
            items.push(Item {
                name: dotted.clone(),
                place: String::new(),
                kind: self.kind(field),
                required: required.contains(&name.as_str()),
                text: plain(described.unwrap_or_default()),
            });
            if depth + 1 < DEPTH_MAX {
                let (inner, mark) = if self.resolved(field)["items"].is_object() { (&self.resolved(field)["items"], "[]") } else { (field, "") };
                items.extend(self.fields(inner, &format!("{dotted}{mark}."), depth + 1));
            }
        }
        items.dedup_by(|one, other| one.name == other.name);
        items
    }

    fn kind(&self, schema: &Value) -> String {
        if let Some(path) = schema["$ref"].as_str() {
            let resolved = self.resolved(schema);
            if resolved["enum"].is_array() {
                return self.kind(resolved);
            }
            return path.rsplit('/').next().unwrap_or_default().to_owned();
        }
        if let Some(values) = schema["enum"].as_array() {
            return values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ");
        }
        if schema["items"].is_object() {
            return format!("[{}]", self.kind(&schema["items"]));
        }
        let parts = ["oneOf", "anyOf", "allOf"].iter().find_map(|kind| schema[*kind].as_array());
        if let Some(parts) = parts {
            return parts.iter().map(|part| self.kind(part)).filter(|kind| kind != "null").collect::<Vec<_>>().join(" | ");
        }
        match &schema["type"] {
            Value::String(kind) => kind.clone(),
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect::<Vec<_>>().join(" | "),
            _ => "any".to_owned(),
        }
    }

    /// A body with an example for each field.
    fn example(&self, schema: &Value, depth: usize) -> String {
        serde_json::to_string_pretty(&self.example_value(schema, depth)).unwrap_or_default()
    }

    fn example_value(&self, schema: &Value, depth: usize) -> Value {
        let schema = self.resolved(schema);
        if depth >= DEPTH_MAX {
            return Value::Null;
        }
        let given = [&schema["example"], &schema["examples"][0], &schema["default"], &schema["enum"][0]];
        if let Some(given) = given.into_iter().find(|given| !given.is_null()) {
            return given.clone();
        }
        if let Some(properties) = schema["properties"].as_object() {
            return properties.iter().map(|(name, field)| (name.clone(), self.example_value(field, depth + 1))).collect::<Map<_, _>>().into();
        }
        let parts = ["allOf", "oneOf", "anyOf"].iter().find_map(|kind| schema[*kind].as_array());
        if let Some(part) = parts.and_then(|parts| parts.iter().find(|part| part["type"] != "null")) {
            return self.example_value(part, depth + 1);
        }
        if schema["items"].is_object() {
            return Value::Array(vec![self.example_value(&schema["items"], depth + 1)]);
        }
        let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("string");
        match kind {
            "integer" | "number" => 1.into(),
            "boolean" => true.into(),
            _ => "…".into(),
        }
    }
}

fn group(name: &str, description: &str) -> Group {
    Group { id: anchor(name), name: name.to_owned(), text: plain(description), operations: Vec::new() }
}

/// Letters and digits with dashes between.
fn anchor(name: &str) -> String {
    let letters: String = name.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' }).collect();
    let parts: Vec<&str> = letters.split('-').filter(|part| !part.is_empty()).collect();
    format!("at-{}", parts.join("-"))
}

/// Doc comments are wrapped and hold backticks; the page sets its own lines.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace(['`', '*'], "")
}

fn codes() -> Vec<CodeRow> {
    let row = |entry: problem::Entry| CodeRow { code: entry.code.to_owned(), status: entry.status.to_string(), title: entry.title, next: entry.next_step };
    problem::entries().into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_fields_and_references_are_told() {
        let document = json!({
            "info": { "version": "1", "description": "One.\n\nTwo `x`." },
            "paths": { "/a/{id}": { "post": {
                "tags": ["transfers"], "summary": "Send", "operationId": "send",
                "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
                "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Send" } } } },
                "responses": { "201": { "description": "Sent", "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Money" } } } } }
            } } },
            "components": { "schemas": {
                "Money": { "type": "object", "required": ["amount"], "properties": { "amount": { "type": "integer", "example": 1234, "description": "fen" } } },
                "Send": { "type": "object", "required": ["sum"], "properties": { "sum": { "$ref": "#/components/schemas/Money" }, "to": { "type": ["string", "null"] } } }
            } }
        });
        let reference = Reader { document: &document }.reference();
        assert_eq!(reference.introduction, ["One.", "Two x."]);
        let operation = &reference.groups[0].operations[0];
        assert_eq!((operation.id.as_str(), operation.method.as_str()), ("at-post-a-id", "POST"));
        let names: Vec<(&str, &str, bool)> = operation.body.iter().map(|item| (item.name.as_str(), item.kind.as_str(), item.required)).collect();
        assert_eq!(names, [("sum", "Money", true), ("sum.amount", "integer", true), ("to", "string", false)]);
        assert!(operation.example.contains("\"amount\": 1234"));
        assert_eq!(operation.responses[0].fields[0].text, "fen");
    }
}
