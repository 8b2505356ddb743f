//! What the OpenAPI document says and poem can't: examples, headers, which codes a status may carry, `null`.
//!
//! Every operation goes through [`finish`], so that a new one needs nothing here: its answer stands in [`examples`], its
//! refusals in its type ([`crate::http::refusals::Refused`]).

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::{Map, Value, json};

use crate::http::{
    error_code::ErrorCode,
    examples,
    middleware::errors::is_link_route,
    problem::{FieldProblem, PROBLEM_JSON, Problem},
};

const HTML: &str = "text/html";
const FORM: &str = "application/x-www-form-urlencoded";

/// Members of a request that `null` does not remove.
const NEVER_NULL: [(&str, &str); 3] = [("Update", "first_name"), ("Update", "last_name"), ("Update", "email")];
/// The document with everything that poem left out.
#[must_use]
pub fn finish(mut document: Value) -> Value {
    document["openapi"] = "3.0.3".into();
    let mut components = Components(document["components"]["schemas"].take());
    components.add(Problem::schemas());
    let mut answered = BTreeSet::new();
    for (path, methods) in members(&mut document["paths"]) {
        for (_, operation) in members(methods) {
            finish_operation(path, operation, &mut components, &mut answered);
        }
    }
    document["components"]["schemas"] = components.0;
    document["components"]["parameters"] = parameters();
    document["components"]["headers"] = headers();
    document["components"]["examples"] = refusals(&answered);
    for (_, scheme) in members(&mut document["components"]["securitySchemes"]) {
        scheme["flows"]["password"]["scopes"] = json!({});
    }
    document
}

/// The schemas, finished one by one as operations use them.
struct Components(Value);

impl Components {
    fn add(&mut self, schemas: Value) {
        if let (Some(known), Value::Object(more)) = (self.0.as_object_mut(), schemas) {
            known.extend(more);
        }
    }

    /// What JSON bodies of this type look like.
    fn finish_sent(&mut self, name: &str) {
        let schema = &mut self.0[name];
        // Members that a route does not know are 422.
        schema["additionalProperties"] = false.into();
        if let Some(example) = schema["example"].as_object_mut() {
            example.retain(|_, value| !value.is_null());
        }
        let required = required(schema);
        for (member, property) in members(&mut schema["properties"]) {
            finish_property(member, property);
            if !required.contains(member) && !NEVER_NULL.contains(&(name, member)) {
                property["nullable"] = true.into();
            }
        }
    }

    /// The same as a form: it has neither `null` nor objects. A schema of its own, so that generated clients can tell
    /// the two apart.
    fn finish_form(&mut self, name: &str) -> String {
        let form = format!("{name}Form");
        let mut schema = self.0[name].clone();
        schema["title"] = form.clone().into();
        if let Some(properties) = schema["properties"].as_object_mut() {
            properties.retain(|_, property| property["type"] != "object");
        }
        for (_, property) in members(&mut schema["properties"]) {
            property.as_object_mut().map(|property| property.remove("nullable"));
        }
        self.0[form.as_str()] = schema;
        form
    }

    /// What is answered: every member is there, and `null` where there is nothing.
    fn finish_answered(&mut self, name: &str) {
        let schema = &mut self.0[name];
        let required = required(schema);
        let mut names = Vec::new();
        for (member, property) in members(&mut schema["properties"]) {
            finish_property(member, property);
            if !required.contains(member) {
                property["nullable"] = true.into();
            }
            names.push(member.clone());
        }
        schema["required"] = names.into();
    }
}

fn required(schema: &Value) -> BTreeSet<String> {
    let list = schema["required"].as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
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
    property
        .as_object_mut()
        .map(|property| property.retain(|_, value| !value.is_null()));
}

fn members(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flatten()
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

fn finish_operation(
    path: &str,
    operation: &mut Value,
    components: &mut Components,
    answered: &mut BTreeSet<&'static str>,
) {
    // `user1_login`: the rest is the same for every user type.
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    let tag = operation["tags"][0].as_str().unwrap_or_default().to_ascii_lowercase();
    let name = id.strip_prefix(&format!("{tag}_")).unwrap_or(&id);
    unwrap_lines(operation);
    finish_parameters(name, operation);
    if operation["security"].is_null() {
        operation["security"] = json!([]);
    }
    if let Some(content) = operation.pointer_mut("/requestBody/content") {
        for (media_type, media) in members(content) {
            let schema = schema_name(media);
            components.finish_sent(&schema);
            media["examples"] = sent_examples(name, &components.0[&schema]["example"]);
            if media_type == FORM {
                media["schema"] = reference("schemas", &components.finish_form(&schema));
            }
        }
    }
    for (status, response) in members(&mut operation["responses"]) {
        if status.starts_with('2') {
            finish_answer(name, response, components);
        } else {
            answered.extend(finish_refusal(path, response).into_iter().map(ErrorCode::as_str));
        }
        let names = header_names(status, response);
        response["headers"] = names
            .into_iter()
            .map(|name| (name.to_owned(), reference("headers", name)))
            .collect();
    }
}

/// Doc comments are wrapped; paragraphs are not.
fn unwrap_lines(operation: &mut Value) {
    if let Some(text) = operation["description"].as_str() {
        let paragraphs: Vec<_> = text.split("\n\n").map(|text| text.replace('\n', " ")).collect();
        operation["description"] = paragraphs.join("\n\n").into();
    }
}

fn schema_name(media: &Value) -> String {
    let path = media["schema"]["$ref"].as_str().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

fn finish_parameters(name: &str, operation: &mut Value) {
    let mut list = match operation["parameters"].take() {
        Value::Array(list) => list,
        _ => Vec::new(),
    };
    for parameter in &mut list {
        let known = parameter["name"].as_str().and_then(examples::parameter);
        if let Some(example) = known {
            parameter["example"] = example.into();
        }
    }
    if matches!(name, "create" | "otp_phone") {
        list.push(reference("parameters", "Idempotency-Key"));
    }
    if operation["security"].is_array() {
        list.extend(["id", "email", "phone"].map(|name| reference("parameters", name)));
    }
    if list.is_empty() {
        operation
            .as_object_mut()
            .map(|operation| operation.remove("parameters"));
    } else {
        operation["parameters"] = list.into();
    }
}

fn sent_examples(name: &str, own: &Value) -> Value {
    let mut all = Map::from_iter([("usual".to_owned(), json!({ "summary": "As usual", "value": own }))]);
    for other in examples::others(name) {
        all.insert(
            other.name.to_owned(),
            json!({ "summary": other.summary, "value": other.body }),
        );
    }
    all.into()
}

fn finish_answer(name: &str, response: &mut Value, components: &mut Components) {
    let Some((description, example)) = examples::answer(name) else {
        return;
    };
    response["description"] = description.into();
    let content = std::mem::take(&mut response["content"]);
    let Value::Object(content) = content else { return };
    // Charsets are a matter of course, and generators stumble over them.
    for (media_type, mut media) in content {
        let essence = media_type.split(';').next().unwrap_or_default().to_owned();
        let schema = schema_name(&media);
        if !schema.is_empty() {
            components.finish_answered(&schema);
        }
        media["example"] = if essence == HTML {
            examples::PAGE.into()
        } else {
            example.clone()
        };
        response["content"][essence] = media;
    }
}

/// The schema lists the codes: they become examples of the one schema that all problems have.
fn finish_refusal(path: &str, response: &mut Value) -> Vec<ErrorCode> {
    let codes = response["content"][PROBLEM_JSON]["schema"]["enum"].take();
    let is_listed = |code: &&ErrorCode| {
        let listed = codes.as_array().into_iter().flatten();
        listed.into_iter().any(|listed| listed == code.as_str())
    };
    let codes: Vec<ErrorCode> = ErrorCode::ALL.iter().filter(is_listed).copied().collect();
    let lines = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.as_str(), code.means()));
    response["description"] = lines.collect::<Vec<_>>().join("\n\n").into();
    let examples = codes
        .iter()
        .map(|code| (code.as_str().to_owned(), reference("examples", code.as_str())));
    response["content"][PROBLEM_JSON] = json!({
        "schema": reference("schemas", "Problem"),
        "examples": examples.collect::<Map<_, _>>(),
    });
    if is_link_route(path) {
        response["content"][HTML] = json!({ "schema": { "type": "string" }, "example": examples::PAGE });
    }
    codes
}

/// One example of each code that an operation answers.
fn refusals(answered: &BTreeSet<&'static str>) -> Value {
    let example = |code: &ErrorCode| {
        let problem = refusal(*code).example("/User1/login", examples::REQUEST_ID);
        let example = json!({ "summary": code.title(), "value": problem });
        (code.as_str().to_owned(), example)
    };
    ErrorCode::ALL
        .iter()
        .filter(|code| answered.contains(code.as_str()))
        .map(example)
        .collect::<Map<_, _>>()
        .into()
}

fn refusal(code: ErrorCode) -> Problem {
    let field = |field: &str, code: &str, detail: &str| {
        vec![FieldProblem {
            field: field.to_owned(),
            code: code.to_owned(),
            detail: detail.to_owned(),
        }]
    };
    let problem = Problem::new(code);
    match code {
        ErrorCode::ValidationFailed => {
            problem
                .with_detail("email: Send this member.")
                .with_errors(field("email", "missing", "Send this member."))
        }
        ErrorCode::ReadOnly => {
            let detail = "Only the service changes it. Leave it out, or send it back as it is.";
            problem.with_errors(field("role", "read_only", detail))
        }
        ErrorCode::InvalidCredentials
        | ErrorCode::EmailNotVerified
        | ErrorCode::InvalidRefreshToken
        | ErrorCode::RefreshTokenReused => problem.with_oauth_error("invalid_grant"),
        _ => problem,
    }
}

fn header_names(status: &str, response: &Value) -> Vec<&'static str> {
    let may_be = |code: ErrorCode| !response["content"][PROBLEM_JSON]["examples"][code.as_str()].is_null();
    let mut names = vec!["X-Request-ID"];
    if status.starts_with('2') || may_be(ErrorCode::TooManyRequests) {
        names.extend(["RateLimit", "RateLimit-Policy"]);
    }
    if status == "429" || status == "503" || may_be(ErrorCode::RequestInProgress) {
        names.push("Retry-After");
    }
    if status == "401" {
        names.push("WWW-Authenticate");
    }
    names
}

fn parameters() -> Value {
    let old = |name: &str, what: &str| {
        json!({
            "name": name,
            "in": "query",
            "description": format!("{what}, as clients of the service before sent it: one's own or nothing."),
            "required": false,
            "deprecated": true,
            "schema": { "type": "string" },
        })
    };
    json!({
        "Idempotency-Key": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Names this request: sent again within a day with the same body, it is answered the same and done once.",
            "required": false,
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
            "example": "5f0c6a3e-8d0b-4d0e-9a64-0d5b8e4f7c11",
        },
        "id": old("id", "An account's id"),
        "email": old("email", "An address"),
        "phone": old("phone", "A number"),
    })
}

fn headers() -> Value {
    let header = |description: &str, example: Value| {
        let kind = if example.is_number() { "integer" } else { "string" };
        json!({ "description": description, "schema": { "type": kind }, "example": example })
    };
    json!({
        "X-Request-ID": header(
            "Names this request in the service's logs: the client's own name, if it sent a sane one.",
            examples::REQUEST_ID.into(),
        ),
        "RateLimit": header(
            "What is left of the quota, and in how many seconds it is whole again (draft-ietf-httpapi-ratelimit-headers).",
            "\"default\";r=4;t=12".into(),
        ),
        "RateLimit-Policy": header(
            "The quota, and over how many seconds it counts.",
            "\"default\";q=5;w=60".into(),
        ),
        "Retry-After": header("Seconds to wait before the next try.", 12.into()),
        "WWW-Authenticate": header(
            "How to authenticate (RFC 6750 section 3, RFC 9470).",
            "Bearer error=\"invalid_token\"".into(),
        ),
    })
}

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
    use super::*;

    #[test]
    fn yaml_nests_by_indentation() {
        let value = json!({ "a": { "b": [1, { "c": "x: y" }], "d": {} }, "e": null });
        let expected = "\"a\":\n  \"b\":\n    - 1\n    -\n      \"c\": \"x: y\"\n  \"d\": {}\n\"e\": null\n";
        assert_eq!(yaml(&value), expected);
    }
}
