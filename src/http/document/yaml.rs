//! JSON as YAML.

use std::fmt::Write as _;

use serde_json::Value;

/// The document as YAML: every string as JSON quotes it, which YAML reads the same.
#[must_use]
pub fn yaml(document: &Value) -> String {
    let mut text = String::new();
    write_yaml(document, 0, &mut text);
    text
}

fn write_yaml(value: &Value, depth: usize, text: &mut String) {
    let mut line = |prefix: String, value: &Value| match value {
        Value::Object(members) if !members.is_empty() => {
            let _ = writeln!(text, "{:1$}{prefix}", "", depth * 2);
            write_yaml(value, depth + 1, text);
        }
        Value::Array(items) if !items.is_empty() => {
            let _ = writeln!(text, "{:1$}{prefix}", "", depth * 2);
            write_yaml(value, depth + 1, text);
        }
        plain => {
            let _ = writeln!(text, "{:1$}{prefix} {plain}", "", depth * 2);
        }
    };
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| line(format!("{}:", Value::from(name.as_str())), value)),
        Value::Array(items) => items.iter().for_each(|value| line("-".to_owned(), value)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_nests_by_indentation() {
        let value = json!({ "a": { "b": [1, { "c": "x: y" }], "d": {} }, "e": null });
        let expected = "\"a\":\n  \"b\":\n    - 1\n    -\n      \"c\": \"x: y\"\n  \"d\": {}\n\"e\": null\n";
        assert_eq!(yaml(&value), expected);
    }
}
