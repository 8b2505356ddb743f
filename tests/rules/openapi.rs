//! The document in the repository is the one that the service serves, and the pages that name its routes name real ones.

use std::{fs, path::Path};

use sealgate::{
    domain::user_type::parse_user_types,
    http::{docs::document, error_code},
};
use serde_json::Value;

fn root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn generated() -> String {
    document(&parse_user_types("User1,User2").expect("valid"))
}

#[test]
fn the_document_in_the_repository_is_the_one_that_is_served() {
    let stored = fs::read_to_string(root("openapi/openapi.json")).expect("openapi/openapi.json");
    assert!(
        stored.trim_end() == generated().trim_end(),
        "openapi/openapi.json is not what the service serves: `cargo run -- openapi > openapi/openapi.json`"
    );
}

#[test]
fn the_errors_in_the_repository_are_the_ones_that_are_answered() {
    let stored = fs::read_to_string(root("docs/ERRORS.md")).expect("docs/ERRORS.md");
    assert!(
        stored == error_code::markdown(),
        "docs/ERRORS.md is not what the service answers: `cargo run -- openapi --errors > docs/ERRORS.md`"
    );
}

/// OpenAPI 3.0.3, "Schema Object": `nullable` needs `type` beside it; linters refuse the document otherwise.
#[test]
fn what_may_be_null_says_its_type() {
    let document: Value = serde_json::from_str(&generated()).expect("JSON");
    let mut nullable = 0;
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        for (member, property) in schema["properties"].as_object().into_iter().flatten() {
            if property["nullable"] == true {
                nullable += 1;
                assert!(property["type"].is_string(), "{name}.{member}: {property}");
            }
        }
    }
    assert!(nullable > 20, "only {nullable}");
}

#[test]
fn every_operation_says_what_it_does_and_how_it_fails() {
    let document: Value = serde_json::from_str(&generated()).expect("JSON");
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            operations += 1;
            let name = format!("{method} {path}");
            for text in ["summary", "description", "operationId"] {
                assert!(
                    operation[text].as_str().is_some_and(|text| !text.is_empty()),
                    "{name}: {text}"
                );
            }
            if let Some(content) = operation["requestBody"]["content"].as_object() {
                for (media_type, media) in content {
                    let examples = media["examples"].as_object().expect("examples");
                    assert!(!examples.is_empty(), "{name}: no example of {media_type}");
                }
            }
            let responses = operation["responses"].as_object().expect("responses");
            assert!(
                responses.keys().any(|status| status.starts_with(['2', '3'])),
                "{name} never succeeds"
            );
            for (status, response) in responses {
                let what = format!("{name} {status}");
                assert!(
                    response["description"].as_str().is_some_and(|text| !text.is_empty()),
                    "{what}"
                );
                assert!(response["headers"]["X-Request-ID"].is_object(), "{what}");
                // A redirect has a place and no content.
                for (media_type, media) in response["content"].as_object().into_iter().flatten() {
                    let examples = media["examples"].as_object().map_or(0, serde_json::Map::len);
                    let is_shown = !media["example"].is_null() || examples > 0;
                    assert!(is_shown, "{what}: no example of {media_type}");
                }
                if !status.starts_with(['2', '3']) {
                    let is_problem = response["content"]["application/problem+json"].is_object();
                    assert!(is_problem, "{what} is no problem");
                }
            }
        }
    }
    assert!(operations >= 30, "only {operations} operations");
}

#[test]
fn the_migration_guide_names_routes_that_exist() {
    let document: Value = serde_json::from_str(&generated()).expect("JSON");
    let guide = fs::read_to_string(root("docs/MIGRATING.md")).expect("docs/MIGRATING.md");
    let mut routes = 0;
    for row in guide.lines().filter(|line| line.starts_with('|')) {
        let Some(now) = row.split('|').nth(2).map(|cell| cell.trim().trim_matches('`')) else {
            continue;
        };
        let Some((method, path)) = now.split_once(' ').filter(|(_, path)| path.starts_with("/{T}/")) else {
            continue;
        };
        routes += 1;
        let path = path.replace("{T}", "User1");
        let operation = &document["paths"][&path][method.to_ascii_lowercase()];
        assert!(
            operation.is_object(),
            "docs/MIGRATING.md names {method} {path}, which does not exist"
        );
    }
    assert!(routes >= 15, "only {routes} routes were found in the guide");
}
