//! The JSON error body (RFC 9457).

use poem::{IntoResponse, Response, http::StatusCode};
use poem_openapi::{
    Object,
    types::{ToJSON, Type},
};

use crate::service::audit::REQUEST_ID;

/// A name for the kind of problem that is ours, before the code.
const TYPE_BASE: &str = "urn:sealgate:problem:";

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

/// The body of every error.
#[derive(Clone, Debug, Object)]
#[oai(rename = "Problem", skip_serializing_if_is_none)]
struct ProblemBody {
    /// Names the kind of problem.
    #[oai(rename = "type")]
    kind: String,
    /// The status in words.
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
    /// The same as OAuth 2 says it (RFC 6749 section 5.2); on token routes only.
    error: Option<String>,
    /// The same for people; on token routes only.
    error_description: Option<String>,
}

/// A refusal on its way to the client.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldProblem>,
    oauth_error: Option<&'static str>,
    headers: Vec<(&'static str, String)>,
}

tokio::task_local! {
    /// The path of the request that this task serves.
    pub static INSTANCE: String;
}

impl Problem {
    /// A problem of that status.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            oauth_error: None,
            headers: Vec::new(),
        }
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

    /// With a response header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// What is wrong and how to mend it.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The members of the body's schema.
    #[must_use]
    pub fn schema() -> poem_openapi::registry::MetaSchemaRef {
        ProblemBody::schema_ref()
    }

    /// Registers the body's schema.
    pub fn register(registry: &mut poem_openapi::registry::Registry) {
        ProblemBody::register(registry);
    }

    /// Puts the problem's headers on a response that shows it in another form.
    #[must_use]
    pub fn decorate(&self, mut response: Response) -> Response {
        response.set_status(self.status);
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
        let body = ProblemBody {
            kind: format!("{TYPE_BASE}{}", self.code),
            title: self.status.canonical_reason().unwrap_or_default().to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            instance: INSTANCE.try_with(Clone::clone).ok(),
            code: self.code.to_owned(),
            request_id: REQUEST_ID.try_with(Clone::clone).ok(),
            errors: (!self.errors.is_empty()).then(|| self.errors.clone()),
            error: self.oauth_error.map(str::to_owned),
            error_description: self.oauth_error.map(|_| self.detail.clone()),
        };
        self.decorate(
            Response::builder()
                .content_type("application/problem+json")
                .body(body.to_json_string()),
        )
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
