//! The JSON error body (RFC 9457).

use std::sync::Arc;

use poem::{IntoResponse, Response, http::StatusCode};
use poem_openapi::{
    Object,
    registry::Registry,
    types::{ToJSON, Type},
};

use crate::{
    domain::private::{Private, Refusal},
    http::error_code::ErrorCode,
    service::audit::REQUEST_ID,
};

/// The media type.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// One member of the request that was refused.
#[derive(Clone, Debug, Object, PartialEq, Eq)]
pub struct FieldProblem {
    /// The member's name.
    #[oai(validator(max_length = 128))]
    pub field: String,
    /// What is wrong with it; stable, `snake_case`.
    pub code: String,
    /// How to mend it, for people.
    pub detail: String,
}

impl FieldProblem {
    /// What a domain type says of a member.
    #[must_use]
    pub fn of(field: &str, refusal: &dyn Refusal) -> Self {
        Self {
            field: field.to_owned(),
            code: refusal.code().to_owned(),
            detail: refusal.to_string(),
        }
    }
}

/// The body of every error.
#[derive(Clone, Debug, Object)]
#[oai(rename = "Problem", skip_serializing_if_is_none)]
struct ProblemBody {
    /// Names the kind of problem, and leads to what explains it.
    #[oai(rename = "type")]
    kind: String,
    /// The kind of problem in a few words, for people.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong and how to mend it, for people.
    detail: String,
    /// The path that was asked for.
    instance: Option<String>,
    /// The kind of problem, for programs; stable, `snake_case`.
    code: String,
    /// Names this request in the service's logs.
    request_id: Option<String>,
    /// What is wrong with which member.
    errors: Option<Vec<FieldProblem>>,
    /// For the second half of the sign-in, which is due; on `/login` and `/login/email/verify` only.
    mfa_token: Option<String>,
    /// What may be shown as a second factor: `totp`, `recovery_code`.
    mfa_methods: Option<Vec<String>>,
    /// The same as OAuth 2 says it (RFC 6749 section 5.2); on token routes only.
    error: Option<String>,
    /// The same for people; on token routes only.
    error_description: Option<String>,
}

/// A refusal on its way to the client.
#[derive(Clone, Debug)]
pub struct Problem {
    code: ErrorCode,
    detail: String,
    errors: Vec<FieldProblem>,
    oauth_error: Option<&'static str>,
    second_half: Option<Arc<SecondHalf>>,
    headers: Vec<(&'static str, String)>,
}

/// What a client needs for the second half of a sign-in.
struct SecondHalf {
    token: Private,
    methods: Vec<&'static str>,
}

impl std::fmt::Debug for SecondHalf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecondHalf")
    }
}

tokio::task_local! {
    /// The path of the request that this task serves.
    pub static INSTANCE: String;
}

impl Problem {
    /// A problem of that kind, in the kind's own words.
    #[must_use]
    pub fn new(code: ErrorCode) -> Self {
        Self {
            code,
            detail: code.detail(),
            errors: Vec::new(),
            oauth_error: None,
            second_half: None,
            headers: Vec::new(),
        }
    }

    /// The 422 that names each of these.
    #[must_use]
    pub fn of_fields(errors: Vec<FieldProblem>) -> Self {
        let detail = errors.iter().map(|error| format!("{}: {}", error.field, error.detail));
        let detail = detail.collect::<Vec<_>>().join(" ");
        Self::new(ErrorCode::ValidationFailed)
            .with_detail(detail)
            .with_errors(errors)
    }

    /// In words that fit this occurrence better.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// With what is wrong field by field.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldProblem>) -> Self {
        self.errors = errors;
        self
    }

    /// Also in OAuth 2's words.
    #[must_use]
    pub fn with_oauth_error(mut self, error: &'static str) -> Self {
        self.oauth_error = Some(error);
        self
    }

    /// With what the second half of a sign-in takes.
    #[must_use]
    pub fn with_second_half(mut self, token: Private, methods: Vec<&'static str>) -> Self {
        self.second_half = Some(Arc::new(SecondHalf { token, methods }));
        self
    }

    /// With a response header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With those response headers of `headers` that it has not of its own.
    #[must_use]
    pub fn with_headers_beside(mut self, headers: &[(&'static str, String)]) -> Self {
        for (name, value) in headers {
            if self.headers.iter().all(|(own, _)| own != name) {
                self.headers.push((name, value.clone()));
            }
        }
        self
    }

    /// What is wrong and how to mend it.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Its kind.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// The schemas of the body, by name.
    #[must_use]
    pub fn schemas() -> serde_json::Value {
        let mut registry = Registry::default();
        ProblemBody::register(&mut registry);
        serde_json::to_value(registry.schemas).unwrap_or_default()
    }

    /// With the OAuth 2 error of the same meaning (RFC 6749 sections 4.1.2.1 and 5.2), where it has none of its own.
    #[must_use]
    pub fn in_oauth_terms(self) -> Self {
        if self.oauth_error.is_some() {
            return self;
        }
        let is_about_grant = self.errors.iter().any(|error| error.code == "unsupported_grant_type");
        let error = match self.status().as_u16() {
            _ if is_about_grant => "unsupported_grant_type",
            429 | 503 => "temporarily_unavailable",
            500.. => "server_error",
            _ => "invalid_request",
        };
        self.with_oauth_error(error)
    }

    /// Puts the problem's headers on a response that shows it in another form.
    #[must_use]
    pub fn decorate(&self, mut response: Response) -> Response {
        response.set_status(self.status());
        for (name, value) in &self.headers {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(*name, value);
            }
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.body(
            INSTANCE.try_with(Clone::clone).ok(),
            REQUEST_ID.try_with(Clone::clone).ok(),
        );
        self.decorate(
            Response::builder()
                .content_type(PROBLEM_JSON)
                .body(body.to_json_string()),
        )
    }
}

impl Problem {
    fn body(&self, instance: Option<String>, request_id: Option<String>) -> ProblemBody {
        ProblemBody {
            kind: self.code.uri(),
            title: self.code.title().to_owned(),
            status: self.status().as_u16(),
            detail: self.detail.clone(),
            instance,
            code: self.code.as_str().to_owned(),
            request_id,
            errors: (!self.errors.is_empty()).then(|| self.errors.clone()),
            mfa_token: self.second_half.as_ref().map(|half| half.token.expose().to_owned()),
            mfa_methods: self
                .second_half
                .as_ref()
                .filter(|half| !half.methods.is_empty())
                .map(|half| half.methods.iter().map(|&method| method.to_owned()).collect()),
            error: self.oauth_error.map(str::to_owned),
            error_description: self.oauth_error.map(|_| self.detail.clone()),
        }
    }

    /// Its body as the document shows it.
    #[must_use]
    pub fn example(&self, instance: &str, request_id: &str) -> serde_json::Value {
        let body = self.body(Some(instance.to_owned()), Some(request_id.to_owned()));
        body.to_json().unwrap_or_default()
    }
}

impl From<Problem> for poem::Error {
    fn from(problem: Problem) -> Self {
        // Kept beside the response, so that a page can show the same in HTML.
        let mut error = Self::from_response(problem.clone().into_response());
        error.set_data(problem);
        error
    }
}
