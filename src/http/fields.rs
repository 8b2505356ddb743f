//! The members of a request body: read one by one into domain types, every mistake collected, none echoed.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use zeroize::Zeroizing;

use crate::{domain::private::Refusal, http::problem::FieldProblem, service::update_profile::Patch};

/// The value of a member. Text is wiped on drop: it may be a password.
pub enum Value {
    /// A string.
    Text(Zeroizing<String>),
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// `null`: as if the member were absent.
    Null,
    /// An object; of repeated names within it the last counts.
    Object(serde_json::Map<String, serde_json::Value>),
    /// Anything else.
    Other,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(Zeroizing::new(text.to_owned())))
            }
            fn visit_string<E>(self, text: String) -> Result<Value, E> {
                Ok(Value::Text(Zeroizing::new(text)))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Integer(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(i64::try_from(value).map_or(Value::Other, Value::Integer))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
                Ok(Value::Other)
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                while seq.next_element::<de::IgnoredAny>()?.is_some() {}
                Ok(Value::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut object = serde_json::Map::new();
                while let Some((name, value)) = map.next_entry()? {
                    object.insert(name, value);
                }
                Ok(Value::Object(object))
            }
        }
        deserializer.deserialize_any(AnyValue)
    }
}

/// A JSON object with its members in order, repeated ones too.
pub struct Members(pub Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyMembers;
        impl<'de> Visitor<'de> for AnyMembers {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(AnyMembers)
    }
}

/// Members still to be read, and what was wrong with those that were.
pub struct Fields {
    members: Vec<(String, Value)>,
    errors: Vec<FieldProblem>,
}

/// The longest name of the client's own that is shown back.
const SHOWN_NAME: usize = 24;

/// A name that the client made up, as an answer may show it: what could be a misspelt member. Anything else stands for
/// itself no more: a body in the wrong format is one long name, with a password or a token in it.
fn shown(name: &str) -> &str {
    let is_plain = name.len() <= SHOWN_NAME && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
    if is_plain { name } else { "(not shown)" }
}

impl Fields {
    /// From the members of a body. Of a repeated one, the first is kept and the repetition reported.
    #[must_use]
    pub fn new(members: Members) -> Self {
        let mut fields = Self {
            members: Vec::new(),
            errors: Vec::new(),
        };
        for (name, value) in members.0 {
            if fields.members.iter().any(|(known, _)| *known == name) {
                fields.refuse(shown(&name), "repeated", "Send the member once.");
            } else {
                fields.members.push((name, value));
            }
        }
        fields
    }

    /// Notes what is wrong with a member.
    pub fn refuse(&mut self, field: &str, code: &'static str, detail: impl Into<String>) {
        self.errors.push(FieldProblem {
            field: field.to_owned(),
            code: code.to_owned(),
            detail: detail.into(),
        });
    }

    /// Notes a refusal of a domain type.
    pub fn refuse_with(&mut self, field: &str, refusal: &dyn Refusal) {
        self.refuse(field, refusal.code(), refusal.to_string());
    }

    /// A text that must be there.
    pub fn required(&mut self, name: &str) -> Option<Zeroizing<String>> {
        let is_there = self
            .members
            .iter()
            .any(|(known, value)| known == name && !matches!(value, Value::Null));
        if !is_there {
            self.take(name);
            self.refuse(name, "missing", "Send this member.");
            return None;
        }
        self.optional(name)
    }

    /// A text that may be there.
    pub fn optional(&mut self, name: &str) -> Option<Zeroizing<String>> {
        match self.take(name)? {
            Value::Text(text) => Some(text),
            Value::Null => None,
            Value::Bool(_) | Value::Integer(_) | Value::Object(_) | Value::Other => {
                self.refuse(name, "wrong_type", "Send a string.");
                None
            }
        }
    }

    /// `true` or `false`; `default` when it is not there. A form's `on` counts as true.
    pub fn boolean(&mut self, name: &str, default: bool) -> bool {
        match self.take(name) {
            None | Some(Value::Null) => return default,
            Some(Value::Bool(value)) => return value,
            Some(Value::Text(text)) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" | "on" | "yes" => return true,
                "false" | "0" | "off" | "no" => return false,
                _ => {}
            },
            Some(Value::Integer(_) | Value::Object(_) | Value::Other) => {}
        }
        self.refuse(name, "wrong_type", "Send `true` or `false`.");
        default
    }

    /// A text to set, `null` to remove, or nothing to keep.
    pub fn patch<T, E: Refusal>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<Patch<T>> {
        if self.takes_null(name) {
            return Some(Patch::Remove);
        }
        if !self.has(name) {
            return Some(Patch::Keep);
        }
        let text = self.optional(name);
        self.parse(name, text, parse).map(Patch::Set)
    }

    /// Whether the member is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(known, _)| known == name)
    }

    /// Whether the member is `null`; then it is read.
    pub fn takes_null(&mut self, name: &str) -> bool {
        let is_null = self
            .members
            .iter()
            .any(|(known, value)| known == name && matches!(value, Value::Null));
        if is_null {
            self.take(name);
        }
        is_null
    }

    /// An object that may be there.
    pub fn object(&mut self, name: &str) -> Option<serde_json::Map<String, serde_json::Value>> {
        match self.take(name)? {
            Value::Object(object) => Some(object),
            Value::Null => None,
            _ => {
                self.refuse(name, "wrong_type", "Send an object.");
                None
            }
        }
    }

    /// A whole number that may be there; a form's digits count.
    pub fn integer(&mut self, name: &str) -> Option<i64> {
        let number = match self.take(name)? {
            Value::Integer(number) => Some(number),
            Value::Null => return None,
            Value::Text(text) => text.parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.refuse(name, "wrong_type", "Send a whole number.");
        }
        number
    }

    /// A member as JSON, whatever it is.
    pub fn json(&mut self, name: &str) -> Option<serde_json::Value> {
        Some(match self.take(name)? {
            Value::Text(text) => text.as_str().into(),
            Value::Bool(value) => value.into(),
            Value::Integer(number) => number.into(),
            Value::Object(object) => object.into(),
            Value::Null | Value::Other => serde_json::Value::Null,
        })
    }

    /// Reads a member without looking at it.
    pub fn ignore(&mut self, name: &str) {
        self.take(name);
    }

    /// Parses a text that was there; notes why it was refused.
    pub fn parse<T, E: Refusal>(
        &mut self,
        name: &str,
        text: Option<Zeroizing<String>>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(&text?) {
            Ok(value) => Some(value),
            Err(refusal) => {
                self.refuse_with(name, &refusal);
                None
            }
        }
    }

    /// Everything that was wrong, members that nobody read included.
    #[must_use]
    pub fn into_errors(mut self) -> Vec<FieldProblem> {
        for (name, _) in std::mem::take(&mut self.members) {
            self.refuse(
                shown(&name),
                "unknown",
                "This route does not know the member. Leave it out.",
            );
        }
        self.errors
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let index = self.members.iter().position(|(known, _)| known == name)?;
        Some(self.members.remove(index).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        Fields::new(serde_json::from_str(json).expect("an object"))
    }

    fn codes(fields: Fields) -> Vec<(String, String)> {
        fields
            .into_errors()
            .into_iter()
            .map(|error| (error.field, error.code))
            .collect()
    }

    #[test]
    fn unknown_repeated_missing_and_mistyped_members_are_all_named() {
        let mut fields = fields(r#"{"a":"x","a":"y","b":7,"d":null,"zz":{"deep":[1]}}"#);
        assert_eq!(fields.required("a").as_deref().map(String::as_str), Some("x"));
        assert!(fields.optional("b").is_none() && fields.required("c").is_none() && fields.required("d").is_none());
        let expected = [
            ("a", "repeated"),
            ("b", "wrong_type"),
            ("c", "missing"),
            ("d", "missing"),
            ("zz", "unknown"),
        ];
        assert_eq!(
            codes(fields),
            expected.map(|(field, code)| (field.to_owned(), code.to_owned()))
        );
    }

    #[test]
    fn a_name_that_may_be_a_secret_is_not_shown() {
        let names = [
            "Username",
            "passw0rd",
            "correct_horse_battery_staple",
            "rt1.AAAA",
            "a b",
            "\u{FC}ber",
            "",
        ];
        let body: serde_json::Map<String, serde_json::Value> =
            names.iter().map(|name| ((*name).to_owned(), 1.into())).collect();
        let shown: std::collections::BTreeSet<String> = codes(fields(&serde_json::Value::Object(body).to_string()))
            .into_iter()
            .map(|(field, _)| field)
            .collect();
        assert_eq!(shown.into_iter().collect::<Vec<_>>(), ["", "(not shown)", "Username"]);
    }
}
