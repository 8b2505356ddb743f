//! A user type's own fields: a JSON object that a configured JSON Schema describes. Without a schema there are none.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

use crate::domain::private::{Private, Refusal};

/// The most the object may have once written out, in bytes.
const LARGEST: usize = 16 * 1024;

/// A compiled schema. Cheap to clone.
#[derive(Clone)]
pub struct AttributesSchema(Arc<jsonschema::Validator>);

/// The schema can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a JSON Schema of its own (references to other documents are not followed)")]
pub struct InvalidSchema;

/// Why attributes were refused. Names places, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributesError {
    /// No schema is configured.
    #[error("This user type has no attributes. Leave the member out.")]
    None,
    /// Too large.
    #[error("The attributes have over 16 KiB. Send less.")]
    TooLarge,
    /// Not as the schema says.
    #[error("The attributes are not as their schema says, at: {0}.")]
    Mismatch(String),
}

impl Refusal for AttributesError {
    fn code(&self) -> &'static str {
        match self {
            Self::None => "attributes_not_configured",
            Self::TooLarge => "attributes_too_large",
            Self::Mismatch(_) => "attributes_mismatch",
        }
    }
}

impl AttributesSchema {
    /// Compiles a schema.
    pub fn parse(text: &str) -> Result<Self, InvalidSchema> {
        let schema: Value = serde_json::from_str(text).map_err(|_| InvalidSchema)?;
        jsonschema::validator_for(&schema)
            .map(|validator| Self(Arc::new(validator)))
            .map_err(|_| InvalidSchema)
    }
}

impl fmt::Debug for AttributesSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttributesSchema")
    }
}

/// Checks an object and writes it out, to be sealed as one field. An empty one needs no schema.
pub fn parse_attributes(
    object: Map<String, Value>,
    schema: Option<&AttributesSchema>,
) -> Result<Private, AttributesError> {
    let is_empty = object.is_empty();
    let value = Value::Object(object);
    match schema {
        Some(schema) => {
            let places: Vec<String> = schema
                .0
                .iter_errors(&value)
                .take(5)
                .map(|error| format!("/{}", error.instance_path().as_str().trim_start_matches('/')))
                .collect();
            if !places.is_empty() {
                return Err(AttributesError::Mismatch(places.join(", ")));
            }
        }
        None if !is_empty => return Err(AttributesError::None),
        None => {}
    }
    let text = value.to_string();
    if text.len() > LARGEST {
        Err(AttributesError::TooLarge)
    } else {
        Ok(Private::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).expect("an object")
    }

    #[test]
    fn attributes_are_what_their_schema_says_and_nothing_without_one() {
        let schema = r#"{"type":"object","properties":{"plan":{"enum":["free","pro"]}},"additionalProperties":false}"#;
        let schema = AttributesSchema::parse(schema).expect("a schema");
        let text = parse_attributes(object(r#"{"plan":"pro"}"#), Some(&schema)).expect("as it says");
        assert_eq!(text.expose(), r#"{"plan":"pro"}"#);
        let error = parse_attributes(object(r#"{"plan":"secret-value"}"#), Some(&schema)).expect_err("not as it says");
        assert!(
            error.to_string().contains("/plan") && !error.to_string().contains("secret-value"),
            "{error}"
        );
        assert!(matches!(
            parse_attributes(object(r#"{"a":1}"#), None),
            Err(AttributesError::None)
        ));
        assert!(parse_attributes(Map::new(), None).is_ok());
    }

    #[test]
    fn a_schema_that_points_elsewhere_is_refused() {
        assert!(AttributesSchema::parse(r#"{"$ref":"https://example.com/schema.json"}"#).is_err());
        assert!(AttributesSchema::parse("not json").is_err());
    }
}
