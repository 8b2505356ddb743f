//! What the OpenAPI document says and poem can't: examples, headers, which codes a status may carry, `null`.
//!
//! Every operation goes through [`finish`], so that a new one needs nothing here: its answer stands in [`examples`], its
//! refusals in its type ([`crate::http::refusals::Refused`]).

pub mod admin_examples;
pub mod components;
pub mod examples;
pub mod factor_examples;
pub mod schemas;
pub mod yaml;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use self::schemas::Schemas;
use crate::http::{
    error_code::ErrorCode,
    middleware::errors::is_link_route,
    problem::{PROBLEM_JSON, Problem},
    well_known_api::PREFIX,
};

const HTML: &str = "text/html";
const FORM: &str = "application/x-www-form-urlencoded";

/// The document with everything that poem left out.
#[must_use]
pub fn finish(mut document: Value) -> Value {
    document["openapi"] = "3.0.3".into();
    let mut schemas = Schemas(document["components"]["schemas"].take());
    schemas.add(Problem::schemas());
    let mut answered = BTreeSet::new();
    for (path, methods) in members(&mut document["paths"]) {
        for (_, operation) in members(methods) {
            finish_operation(path, operation, &mut schemas, &mut answered);
        }
    }
    document["components"]["schemas"] = schemas.0;
    document["components"]["parameters"] = components::parameters();
    document["components"]["headers"] = components::headers();
    document["components"]["examples"] = components::refusals(&answered);
    for (_, scheme) in members(&mut document["components"]["securitySchemes"]) {
        scheme["flows"]["password"]["scopes"] = json!({});
    }
    document
}

fn members(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flatten()
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

fn finish_operation(path: &str, operation: &mut Value, schemas: &mut Schemas, answered: &mut BTreeSet<&'static str>) {
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
            schemas.finish_sent(&schema);
            media["examples"] = sent_examples(name, &schemas.0[&schema]["example"]);
            if media_type == FORM {
                media["schema"] = reference("schemas", &schemas.finish_form(&schema));
            }
        }
    }
    for (status, response) in members(&mut operation["responses"]) {
        if status.starts_with(['2', '3']) {
            finish_answer(name, response, schemas);
            let links = examples::links(name);
            if !links.is_empty() {
                response["links"] = links
                    .into_iter()
                    .map(|link| (link.operation.to_owned(), link.to_json(&tag)))
                    .collect();
            }
        } else {
            answered.extend(finish_refusal(path, response).into_iter().map(ErrorCode::as_str));
        }
        let names = header_names(path, status, response);
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
        let known = parameter["name"]
            .as_str()
            .and_then(|parameter| examples::parameter(name, parameter));
        if let Some(example) = known {
            parameter["example"] = example.into();
        }
    }
    if matches!(name, "create" | "otp_phone" | "admin_invite") {
        list.push(reference("parameters", "Idempotency-Key"));
    }
    // An administrator names whom they please.
    if operation["security"].is_array() && !name.starts_with("admin_") {
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

fn finish_answer(name: &str, response: &mut Value, schemas: &mut Schemas) {
    let Some((description, example)) = examples::answer(name) else {
        return;
    };
    response["description"] = description.into();
    // A redirect has none.
    let Some(Value::Object(content)) = response.as_object_mut().and_then(|members| members.remove("content")) else {
        return;
    };
    // Charsets are a matter of course, and generators stumble over them.
    for (media_type, mut media) in content {
        let essence = media_type.split(';').next().unwrap_or_default().to_owned();
        let schema = schema_name(&media);
        if !schema.is_empty() {
            schemas.finish_answered(&schema);
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

fn header_names(path: &str, status: &str, response: &Value) -> Vec<&'static str> {
    let may_be = |code: ErrorCode| !response["content"][PROBLEM_JSON]["examples"][code.as_str()].is_null();
    let mut names = vec!["X-Request-ID"];
    // What is the same for everybody is counted for nobody.
    let is_public = path.starts_with(PREFIX);
    if is_public && status == "200" {
        names.extend(["Cache-Control", "Access-Control-Allow-Origin"]);
    }
    if status == "200" && path.ends_with("/export") {
        names.push("Content-Disposition");
    }
    if status == "303" {
        names.push("Location");
    }
    if !is_public && (status.starts_with('2') || may_be(ErrorCode::TooManyRequests)) {
        names.extend(["RateLimit", "RateLimit-Policy"]);
    }
    if status == "429" || status == "503" || may_be(ErrorCode::RequestInProgress) {
        names.push("Retry-After");
    }
    if status == "401" || may_be(ErrorCode::Forbidden) {
        names.push("WWW-Authenticate");
    }
    names
}
