//! `/docs`: the API reference, read from the OpenAPI document of this very binary.

use askama::Template;

use super::Layout;

#[derive(Template, Clone, Debug, Default)]
#[template(path = "reference.html")]
pub struct Reference {
    pub layout: Layout,
    pub version: String,
    /// Paragraphs before the operations.
    pub introduction: Vec<String>,
    pub groups: Vec<Group>,
    pub codes: Vec<CodeRow>,
}

#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Anchor.
    pub id: String,
    pub name: String,
    pub text: String,
    pub operations: Vec<Operation>,
}

#[derive(Clone, Debug, Default)]
pub struct Operation {
    /// Anchor.
    pub id: String,
    /// "POST".
    pub method: String,
    pub path: String,
    pub summary: String,
    pub text: String,
    pub parameters: Vec<Item>,
    pub body: Vec<Item>,
    pub responses: Vec<Response>,
    /// Example of a request, `curl` or JSON; may be empty.
    pub example: String,
}

/// A parameter or a field.
#[derive(Clone, Debug, Default)]
pub struct Item {
    pub name: String,
    /// "query", "path", "header", or the level of nesting for fields; may be empty.
    pub place: String,
    pub kind: String,
    pub required: bool,
    pub text: String,
}

#[derive(Clone, Debug, Default)]
pub struct Response {
    pub status: String,
    pub text: String,
    pub fields: Vec<Item>,
}

/// A stable error code.
#[derive(Clone, Debug, Default)]
pub struct CodeRow {
    pub code: String,
    pub status: String,
    pub title: String,
    pub next: String,
}
