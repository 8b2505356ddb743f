//! Limits of a user type's routes, per client address, as the contract numbers them. GET and POST of one path share a
//! bucket. Spent before the body is read.

use std::time::Duration;

use poem::{Endpoint, IntoResponse, Middleware, Request, Response};

use crate::{
    domain::user_type::UserType,
    http::{
        client_address::{TrustedProxies, subject},
        error_code::ErrorCode,
        population::Population,
        problem::Problem,
    },
    service::limits::spend,
    storage::limits::{Quota, Spent},
};

const fn per_minute(burst: u32) -> Quota {
    Quota {
        burst,
        period: Duration::from_mins(1),
    }
}

/// The quota of a route, by its path under the user type.
#[must_use]
pub fn quota(path: &str) -> Quota {
    match path {
        "/create" | "/login" | "/verify_otp_phone" => per_minute(5),
        "/verify" | "/reset_password_form" | "/update" | "/logout" => per_minute(10),
        "/otp_phone" | "/forget_password" | "/reset_password" => per_minute(3),
        "/" => per_minute(60),
        "/refresh-token" => per_minute(30),
        _ => Quota {
            burst: 100,
            period: Duration::from_hours(1),
        },
    }
}

/// The middleware of one route.
#[derive(Clone, Debug)]
pub struct LimitRate {
    /// The path under the user type.
    pub path: String,
    /// The user type.
    pub user_type: UserType,
}

impl<E: Endpoint> Middleware<E> for LimitRate {
    type Output = RateLimited<E>;
    fn transform(&self, inner: E) -> RateLimited<E> {
        RateLimited {
            inner,
            route: self.clone(),
        }
    }
}

/// The endpoint.
#[derive(Debug)]
pub struct RateLimited<E> {
    inner: E,
    route: LimitRate,
}

impl<E: Endpoint> Endpoint for RateLimited<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let quota = quota(&self.route.path);
        let population = Population::of(&request)?;
        let client = request
            .data::<TrustedProxies>()
            .and_then(|proxies| proxies.client(&request));
        let spent = spend(
            &population.core,
            &self.route.user_type,
            &self.route.path,
            &subject(client),
            quota,
        )
        .await;
        match spent.map_err(Problem::from)? {
            Spent::Refused { retry_after } => Err(too_many(quota, retry_after).into()),
            Spent::Allowed { remaining, reset_after } => {
                let mut response = self.inner.call(request).await?.into_response();
                for (name, value) in fields(quota, remaining, reset_after) {
                    if let Ok(value) = value.parse() {
                        response.headers_mut().insert(name, value);
                    }
                }
                Ok(response)
            }
        }
    }
}

/// The 429 that says when to come back.
#[must_use]
pub fn too_many(quota: Quota, retry_after: Duration) -> Problem {
    let wait = retry_after.as_millis().div_ceil(1000).max(1);
    let detail = format!("Too many requests. Come back in {wait} seconds.");
    let mut problem = Problem::new(ErrorCode::TooManyRequests)
        .with_detail(detail)
        .with_header("retry-after", wait.to_string());
    for (name, value) in fields(quota, 0, retry_after) {
        problem = problem.with_header(name, value);
    }
    problem
}

/// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
fn fields(quota: Quota, remaining: u32, reset_after: Duration) -> [(&'static str, String); 2] {
    [
        (
            "ratelimit-policy",
            format!("\"default\";q={};w={}", quota.burst, quota.period.as_secs()),
        ),
        (
            "ratelimit",
            format!("\"default\";r={remaining};t={}", reset_after.as_millis().div_ceil(1000)),
        ),
    ]
}
