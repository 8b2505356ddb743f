//! What came back, with the checks that hold for every answer of the service.

use std::{collections::BTreeSet, sync::LazyLock};

use reqwest::header::HeaderMap;
use sealgate::{domain::user_type::parse_user_types, http::docs::document};
use serde_json::Value;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let user_types = parse_user_types("User1,User2").expect("valid");
    serde_json::from_str(&document(&user_types)).expect("JSON")
});

/// What the document says of a path, which it may name by a template.
fn operations(path: &str) -> &'static Value {
    let is_of = |template: &str| {
        let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
        template.len() == path.len()
            && template
                .iter()
                .zip(path)
                .all(|(part, own)| *part == own || part.starts_with('{'))
    };
    let paths = &DOCUMENT["paths"];
    let templated = || {
        let mut all = paths.as_object().expect("paths").iter();
        all.find(|(template, _)| is_of(template))
            .map(|(_, operations)| operations)
    };
    paths.get(path).or_else(templated).unwrap_or(&Value::Null)
}

/// An answer that was read whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The call, for messages: method and path.
    pub(crate) call: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The same answer, if its status is `status`.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} answered {}", self.call, self.text());
        self
    }

    /// The same answer, if it is the problem `code` with `status`.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(
            answer.json()["code"],
            code,
            "{} answered {}",
            answer.call,
            answer.text()
        );
        answer
    }

    /// A header's text; empty where it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("answers are UTF-8")
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{} answered no JSON ({error}): {}", self.call, self.text()))
    }

    /// A text member of the body.
    #[track_caller]
    pub(crate) fn member(&self, name: &str) -> String {
        let json = self.json();
        let text = json[name].as_str();
        text.unwrap_or_else(|| panic!("{} answered no `{name}`: {json}", self.call))
            .to_owned()
    }

    /// Which members were refused, each with its code, in order of name.
    #[track_caller]
    pub(crate) fn errors(&self) -> Vec<(String, String)> {
        let json = self.json();
        let text = |error: &Value, name: &str| error[name].as_str().expect("a text").to_owned();
        let errors = json["errors"].as_array().cloned().unwrap_or_default();
        let mut errors: Vec<_> = errors
            .iter()
            .map(|error| (text(error, "field"), text(error, "code")))
            .collect();
        errors.sort();
        errors
    }

    /// All that a client could tell two answers apart by: status, header names, and the body without what names the
    /// one request.
    #[track_caller]
    pub(crate) fn shape(&self) -> (u16, BTreeSet<String>, Value) {
        let names = self.headers.keys().map(|name| name.as_str().to_owned()).collect();
        let mut body = self.json();
        if let Some(members) = body.as_object_mut() {
            members.remove("request_id");
        }
        (self.status, names, body)
    }

    /// What holds for every answer.
    #[track_caller]
    pub(super) fn check<'s>(&self, secrets: impl IntoIterator<Item = &'s String>) {
        let what = format!("{} answered {} with {:?}", self.call, self.status, self.headers);
        // What is public is the same for everybody, and some of it stands at no route of the document.
        let cached = if self.call.contains(" /.well-known/") && self.status == 200 {
            "public, max-age=60"
        } else {
            "no-store"
        };
        for (name, expected) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", cached),
        ] {
            assert_eq!(self.header(name), expected, "{name}: {what}");
        }
        assert!(
            self.header("content-security-policy")
                .contains("frame-ancestors 'none'"),
            "{what}"
        );
        assert!(!self.header("x-request-id").is_empty(), "{what}");
        assert!(
            self.headers.get("set-cookie").is_none(),
            "the API sets no cookie: {what}"
        );
        if self.status >= 400 {
            self.check_problem(&what);
        }
        self.check_documented(&what);
        // The other answers are tokens, profiles, and pages that hold a link's own token.
        if self.status >= 400 || [201, 202, 204].contains(&self.status) {
            for secret in secrets {
                assert!(
                    !self.text().contains(secret.as_str()),
                    "the answer repeats {secret}: {what} {}",
                    self.text()
                );
            }
        }
    }

    /// The document says that the operation may answer so, down to the code.
    #[track_caller]
    fn check_documented(&self, what: &str) {
        let (method, path) = self.call.split_once(' ').expect("method and path");
        let path = path.split('?').next().unwrap_or_default();
        let path = if path.matches('/').count() == 1 {
            format!("{path}/")
        } else {
            path.to_owned()
        };
        let operation = &operations(&path)[method.to_ascii_lowercase()];
        // What is no operation is 404 or 405; and any request may have a body that can't be read.
        let is_of_the_edge = matches!(self.status, 404 | 405 | 408 | 413) && operation["requestBody"].is_null();
        if operation.is_null() || is_of_the_edge {
            return;
        }
        let response = &operation["responses"][self.status.to_string()];
        assert!(response.is_object(), "the document does not have this answer: {what}");
        if self.status >= 400 && self.header("content-type") == "application/problem+json" {
            let code = self.member("code");
            let examples = &response["content"]["application/problem+json"]["examples"];
            assert!(examples[&code].is_object(), "the document does not have {code}: {what}");
        }
    }

    #[track_caller]
    fn check_problem(&self, what: &str) {
        // HEAD has no body; link routes answer people with a page.
        if self.call.starts_with("HEAD ") || self.header("content-type").starts_with("text/html") {
            return;
        }
        assert_eq!(self.header("content-type"), "application/problem+json", "{what}");
        let body = self.json();
        for member in ["type", "title", "detail", "instance", "code", "request_id"] {
            let text = body[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "no {member} in {body}: {what}");
        }
        let code = body["code"].as_str().unwrap_or_default();
        assert!(
            code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "codes are snake_case: {body}"
        );
        assert_eq!(body["status"], self.status, "{what}");
        assert_eq!(body["request_id"], self.header("x-request-id"), "{what}");
        if self.status == 401 {
            assert!(self.header("www-authenticate").starts_with("Bearer"), "{what}");
        }
        if self.status == 503 {
            assert!(!self.header("retry-after").is_empty(), "{what}");
        }
    }
}
