//! What operations share: examples of problems, parameters, headers.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::examples;
use crate::http::{
    error_code::ErrorCode,
    problem::{FieldProblem, Problem},
};

/// One example of each code that an operation answers.
#[must_use]
pub fn refusals(answered: &BTreeSet<&'static str>) -> Value {
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

/// Parameters that operations share.
#[must_use]
pub fn parameters() -> Value {
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

/// Headers that answers share.
#[must_use]
pub fn headers() -> Value {
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
        "Cache-Control": header("For how long it may be kept.", "public, max-age=60".into()),
        "Access-Control-Allow-Origin": header("Any page may read it.", "*".into()),
        "Content-Disposition": header(
            "That it is a file, and its name (RFC 6266).",
            "attachment; filename=\"account-usr_06gvr51mvlsmn414vkm4i9n4u4.json\"".into(),
        ),
        "Location": header("Where to go.", "https://id.example.com/User1/forget_password_form".into()),
        "Retry-After": header("Seconds to wait before the next try.", 12.into()),
        "WWW-Authenticate": header(
            "How to authenticate (RFC 6750 section 3, RFC 9470).",
            "Bearer error=\"invalid_token\"".into(),
        ),
    })
}
