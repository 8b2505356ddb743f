//! Schemas: what JSON, a form and an answer of one type look like.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::members;

/// Of a code; zeros on the left may be missing.
const DIGITS: &str = "^[0-9]{1,6}$";

/// Members of a request that `null` does not remove.
const NEVER_NULL: [(&str, &str); 7] = [
    ("Update", "first_name"),
    ("Update", "last_name"),
    ("Update", "email"),
    ("AccountUpdate", "first_name"),
    ("AccountUpdate", "last_name"),
    ("AccountUpdate", "email"),
    ("AccountUpdate", "role"),
];
/// Forms of others, who may add fields.
const OPEN: [&str; 1] = ["TwilioStatus"];
/// All of them, finished one by one as operations use them.
pub struct Schemas(pub Value);

impl Schemas {
    /// Adds those that poem did not see.
    pub fn add(&mut self, schemas: Value) {
        if let (Some(known), Value::Object(more)) = (self.0.as_object_mut(), schemas) {
            known.extend(more);
        }
    }

    /// What JSON bodies of this type look like.
    pub fn finish_sent(&mut self, name: &str) {
        let schema = &mut self.0[name];
        // Members that a route does not know are 422.
        schema["additionalProperties"] = OPEN.contains(&name).into();
        if let Some(example) = schema["example"].as_object_mut() {
            example.retain(|_, value| !value.is_null());
        }
        if let Some(otp) = schema.pointer_mut("/properties/otp") {
            // A client that reads it as a number may send it as one.
            let description = otp["description"].take();
            *otp = json!({
                "description": description,
                "oneOf": [
                    { "type": "string", "pattern": DIGITS },
                    { "type": "integer", "minimum": 0, "maximum": 999_999 },
                ],
            });
        }
        let required = required(schema);
        for (member, property) in members(&mut schema["properties"]) {
            finish_property(member, property);
            if !required.contains(member) && !NEVER_NULL.contains(&(name, member)) {
                or_null(property);
            }
        }
    }

    /// The same as a form: it has neither `null` nor objects. A schema of its own, so that generated clients can tell
    /// the two apart.
    pub fn finish_form(&mut self, name: &str) -> String {
        // What has no twin in JSON is itself the form.
        let form = if OPEN.contains(&name) {
            name.to_owned()
        } else {
            format!("{name}Form")
        };
        let mut schema = self.0[name].clone();
        schema["title"] = form.clone().into();
        if let Some(properties) = schema["properties"].as_object_mut() {
            properties.retain(|_, property| property["type"] != "object");
        }
        for (_, property) in members(&mut schema["properties"]) {
            property.as_object_mut().map(|property| property.remove("nullable"));
        }
        if let Some(otp) = schema.pointer_mut("/properties/otp") {
            *otp = json!({ "description": otp["description"], "type": "string", "pattern": DIGITS });
        }
        self.0[form.as_str()] = schema;
        form
    }

    /// What is answered, and what that consists of: every member is there, and `null` where there is nothing.
    pub fn finish_answered(&mut self, name: &str) {
        let schema = &mut self.0[name];
        let required = required(schema);
        let (mut names, mut parts) = (Vec::new(), Vec::new());
        for (member, property) in members(&mut schema["properties"]) {
            finish_property(member, property);
            if !required.contains(member) {
                or_null(property);
            }
            names.push(member.clone());
            parts.extend(part(property));
        }
        schema["required"] = names.into();
        for part in parts.iter().filter(|part| !SPARSE.contains(&part.as_str())) {
            self.finish_answered(part);
        }
    }
}

/// What leaves out members that it does not have, as its standard says.
const SPARSE: [&str; 1] = ["JsonWebKey"];

/// The schema that a property is of, or a list of.
fn part(property: &Value) -> Option<String> {
    let places = ["/$ref", "/allOf/0/$ref", "/items/$ref"];
    let reference = places.into_iter().find_map(|place| property.pointer(place)?.as_str())?;
    Some(reference.rsplit('/').next()?.to_owned())
}

fn required(schema: &Value) -> BTreeSet<String> {
    let list = schema["required"].as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// `nullable` says nothing where there is no `type` beside it (OpenAPI 3.0.3, "Schema Object").
fn or_null(property: &mut Value) {
    if property.get("type").is_none() && property.get("allOf").is_some() {
        property["type"] = "object".into();
    }
    property["nullable"] = true.into();
}

fn finish_property(member: &str, property: &mut Value) {
    if member == "attributes" {
        property["type"] = "object".into();
        property["additionalProperties"] = true.into();
    }
    if property["format"] == "uint64" {
        property["format"] = "int64".into();
        property["minimum"] = 0.into();
    }
    if let Some(property) = property.as_object_mut() {
        property.retain(|_, value| !value.is_null());
    }
}
