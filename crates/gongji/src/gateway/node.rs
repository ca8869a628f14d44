//! Writing answers: nodes of JSON in the order of the national interface, amounts in yuan with two decimals and never through a float.

use gongji_ledger::Fen;

/// An object being written.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Node(String);

impl Node {
    pub fn new() -> Node {
        Node::default()
    }

    fn put(mut self, name: &str, json: &str) -> Node {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
        self.0.push_str(json);
        self
    }

    #[must_use]
    pub fn text(self, name: &str, value: impl AsRef<str>) -> Node {
        let json = serde_json::to_string(value.as_ref()).expect("text is JSON");
        self.put(name, &json)
    }

    /// `12.30`; negative where money goes back.
    #[must_use]
    pub fn yuan(self, name: &str, value: Fen) -> Node {
        self.put(name, &value.to_string())
    }

    #[must_use]
    pub fn number(self, name: &str, value: i64) -> Node {
        self.put(name, &value.to_string())
    }

    #[must_use]
    pub fn null(self, name: &str) -> Node {
        self.put(name, "null")
    }

    #[must_use]
    pub fn node(self, name: &str, value: Node) -> Node {
        let json = value.json();
        self.put(name, &json)
    }

    #[must_use]
    pub fn nodes(self, name: &str, values: impl IntoIterator<Item = Node>) -> Node {
        let json: Vec<String> = values.into_iter().map(Node::json).collect();
        self.put(name, &format!("[{}]", json.join(",")))
    }

    /// A node written before.
    #[must_use]
    pub fn written(self, name: &str, json: &str) -> Node {
        self.put(name, json)
    }

    pub fn json(self) -> String {
        format!("{{{}}}", self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn amounts_keep_their_two_decimals() {
        let node = Node::new().yuan("a", Fen(1230)).yuan("b", Fen(-7)).text("c", "引号\"").nodes("d", [Node::new().number("e", 1), Node::new()]).null("f");
        let text = node.json();
        assert_eq!(text, r#"{"a":12.30,"b":-0.07,"c":"引号\"","d":[{"e":1},{}],"f":null}"#);
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }
}
