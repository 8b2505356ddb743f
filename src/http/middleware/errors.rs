//! Every error leaves as a problem: ours as they are, poem's own by what they mean, panics as a 500 that says nothing.
//! Link routes show it as a page to who prefers one.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use poem::{
    Endpoint, Error, IntoResponse, Middleware, PathPattern, Request, Response,
    error::{MethodNotAllowedError, NotFoundError},
};
use poem_openapi::error::{ContentTypeError, ParseParamError, ParsePathError, ParseRequestPayloadError};

use crate::http::{
    accounts_api::problem_page, error_code::ErrorCode, middleware::rate_limit::LimitFields, negotiate::prefers_html,
    pages::Pages, problem::Problem, refusals::internal,
};

/// The middleware.
#[derive(Clone, Debug)]
pub struct Problems {
    /// For link routes.
    pub pages: Pages,
    /// Path to the methods it takes.
    pub methods: Arc<HashMap<String, String>>,
}

impl<E: Endpoint> Middleware<E> for Problems {
    type Output = WithProblems<E>;
    fn transform(&self, inner: E) -> WithProblems<E> {
        WithProblems {
            inner,
            problems: self.clone(),
        }
    }
}

/// The endpoint.
#[derive(Debug)]
pub struct WithProblems<E> {
    inner: E,
    problems: Problems,
}

/// Whether people come to it without an app: by a mailed link, or to ask for one.
#[must_use]
pub fn is_link_route(path: &str) -> bool {
    [
        "/verify",
        "/reset_password",
        "/reset_password_form",
        "/forget_password",
        "/forget_password_form",
        "/end-session",
        "/login/email/link",
    ]
    .iter()
    .any(|route| path.ends_with(route))
}

/// Whether OAuth 2 says how its errors look (RFC 6749 section 5.2).
fn is_token_route(path: &str) -> bool {
    ["/login", "/refresh-token"].iter().any(|route| path.ends_with(route))
}

impl<E: Endpoint> Endpoint for WithProblems<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let path = request.uri().path().to_owned();
        let is_for_people = is_link_route(&path) && prefers_html(&request);
        let mut route = None;
        let problem = match AssertUnwindSafe(self.inner.call(request)).catch_unwind().await {
            Ok(Ok(response)) => return Ok(response.into_response()),
            Ok(Err(error)) => {
                // Where nothing fits, what fitted the beginning is not the route.
                route = error
                    .data::<PathPattern>()
                    .filter(|_| !error.is::<NotFoundError>())
                    .cloned();
                let problem = self.problem(&error, &path);
                match error.data::<LimitFields>() {
                    Some(LimitFields(fields)) => problem.with_headers_beside(fields),
                    None => problem,
                }
            }
            Err(_) => {
                tracing::error!("a request panicked");
                internal()
            }
        };
        let problem = if is_token_route(&path) {
            problem.in_oauth_terms()
        } else {
            problem
        };
        let mut response = if is_for_people {
            problem_page(&self.problems.pages, &problem)
        } else {
            problem.into_response()
        };
        if let Some(route) = route {
            response.set_data(route);
        }
        Ok(response)
    }
}

/// What `path` takes, where the document may name it by a template.
fn methods_of<'m>(methods: &'m HashMap<String, String>, path: &str) -> &'m str {
    let parts: Vec<&str> = path.split('/').collect();
    let is_of = |template: &str| {
        let of_template: Vec<&str> = template.split('/').collect();
        let is_part = |(part, own): (&&str, &&str)| part == own || part.starts_with('{');
        of_template.len() == parts.len() && of_template.iter().zip(&parts).all(is_part)
    };
    let templated = || {
        methods
            .iter()
            .find(|(template, _)| template.contains('{') && is_of(template))
    };
    let found = methods.get(path).or_else(|| templated().map(|(_, allow)| allow));
    found.map_or("GET", String::as_str)
}

impl<E> WithProblems<E> {
    fn problem(&self, error: &Error, path: &str) -> Problem {
        if let Some(problem) = error.data::<Problem>() {
            return problem.clone();
        }
        if error.is::<NotFoundError>() {
            return Problem::new(ErrorCode::NotFound);
        }
        if error.is::<MethodNotAllowedError>() {
            let allow = methods_of(&self.problems.methods, path);
            let detail = format!("This path does not take the method. It takes {allow}.");
            return Problem::new(ErrorCode::MethodNotAllowed)
                .with_detail(detail)
                .with_header("allow", allow);
        }
        if error.is::<ParseParamError>() || error.is::<ParsePathError>() {
            return Problem::new(ErrorCode::MalformedParameter);
        }
        if error.is::<ContentTypeError>() {
            return Problem::new(ErrorCode::UnsupportedMediaType);
        }
        if error.is::<ParseRequestPayloadError>() {
            return Problem::new(ErrorCode::MalformedBody);
        }
        match error.status() {
            status if status.is_client_error() => Problem::new(ErrorCode::MalformedRequest),
            _ => {
                // The text may hold anything: it is not logged.
                tracing::error!("an error without a mapping");
                internal()
            }
        }
    }
}
