//! Limits of a user type's routes, as the contract numbers them. GET and POST of one path share a bucket.
//!
//! Most count the client's address, before the body is read. Some count who proved to be somebody, an account or a token
//! family: there a client's address is charged only for requests that prove nothing, once they are answered. Neither
//! does an office behind one address use up its people's requests, nor does a token help whoever has none.
//!
//! # To add a route
//! Its path and [`Counted`] in [`counted`]; where that is by identity, its handler takes what calls
//! [`Identity::spend`] ([`SignedIn`](crate::http::caller::SignedIn) does) before it asks the store.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use poem::{Endpoint, IntoResponse, Middleware, Request, Response};

use crate::{
    domain::{limits::Limit, user_type::UserType},
    http::{
        client_address::{TrustedProxies, subject},
        error_code::ErrorCode,
        population::Population,
        problem::Problem,
    },
    service::limits,
    storage::limits::{Quota, Spent},
};

/// What a route counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Every request, by the client's address.
    Client(Limit),
    /// By who proved to be somebody; the rest by the client's address.
    Identity {
        /// Of one account or family.
        own: Limit,
        /// Of one address, for requests that proved nothing.
        strangers: Limit,
    },
}

/// What a route counts, by its path under the user type.
#[must_use]
pub fn counted(path: &str) -> Counted {
    let by_identity = |own, strangers| Counted::Identity { own, strangers };
    match path {
        "/create" => Counted::Client(Limit::Create),
        "/login" => Counted::Client(Limit::Login),
        "/verify" => Counted::Client(Limit::Verify),
        "/otp_phone" => Counted::Client(Limit::OtpPhone),
        "/verify_otp_phone" => Counted::Client(Limit::VerifyOtpPhone),
        "/forget_password" => Counted::Client(Limit::ForgetPassword),
        "/reset_password_form" => Counted::Client(Limit::ResetPasswordForm),
        "/reset_password" => Counted::Client(Limit::ResetPassword),
        "/update" => Counted::Client(Limit::Update),
        "/verify-token" => Counted::Client(Limit::VerifyToken),
        "/logout" => Counted::Client(Limit::Logout),
        "/" => by_identity(Limit::Account, Limit::Account),
        "/delete" => by_identity(Limit::Account, Limit::Stranger),
        "/refresh-token" => by_identity(Limit::Refresh, Limit::Stranger),
        _ => Counted::Client(Limit::Stranger),
    }
}

/// Counts who proved to be somebody; a request to a route that counts by identity carries one.
#[derive(Clone, Debug)]
pub struct Identity {
    route: LimitRate,
    own: Quota,
    spent: Arc<OnceLock<(Quota, Spent)>>,
}

impl Identity {
    /// Spends one of `subject`'s, where the route counts by identity. To be called with what a signature or MAC vouches
    /// for, before the store is asked.
    pub async fn spend(request: &Request, population: &Population, subject: &str) -> Result<(), Problem> {
        let Some(Self { route, own, spent }) = request.data::<Self>() else {
            return Ok(());
        };
        let verdict = limits::spend(&population.core, &route.user_type, &route.path, subject, *own).await?;
        // A second call in one request would be a second identity; the first one's fields are shown.
        let _ = spent.set((*own, verdict));
        allowed(*own, verdict)
    }
}

/// Nothing, or the 429.
pub fn allowed(quota: Quota, spent: Spent) -> Result<(), Problem> {
    match spent {
        Spent::Allowed { .. } => Ok(()),
        Spent::Refused { retry_after } => Err(too_many(quota, retry_after)),
    }
}

/// The client's address as limits count it.
#[must_use]
pub fn client(request: &Request) -> String {
    subject(address(request))
}

fn address(request: &Request) -> Option<IpAddr> {
    request.data::<TrustedProxies>()?.client(request)
}

/// The middleware of one route.
#[derive(Clone, Debug)]
pub struct LimitRate {
    /// The path under the user type.
    pub path: Arc<str>,
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

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let (population, address) = (Population::of(&request)?, address(&request));
        let spend = async |quota| {
            let LimitRate { path, user_type } = &self.route;
            let spent = limits::spend(&population.core, user_type, path, &subject(address), quota).await;
            spent.map_err(Problem::from)
        };
        let quota = |limit| population.core.quota(&self.route.user_type, limit);
        match counted(&self.route.path) {
            Counted::Client(limit) => {
                let quota = quota(limit);
                let spent = spend(quota).await?;
                allowed(quota, spent)?;
                Ok(with_fields(
                    self.inner.call(request).await?.into_response(),
                    quota,
                    spent,
                ))
            }
            Counted::Identity { own, strangers } => {
                let strangers = quota(strangers);
                let identity = Identity {
                    route: self.route.clone(),
                    own: quota(own),
                    spent: Arc::default(),
                };
                request.set_data(identity.clone());
                let answer = self.inner.call(request).await;
                if let Some((quota, spent)) = identity.spent.get() {
                    return Ok(with_fields(answer?.into_response(), *quota, *spent));
                }
                let spent = spend(strangers).await?;
                allowed(strangers, spent)?;
                Ok(with_fields(answer?.into_response(), strangers, spent))
            }
        }
    }
}

fn with_fields(mut response: Response, quota: Quota, spent: Spent) -> Response {
    if let Spent::Allowed { remaining, reset_after } = spent {
        for (name, value) in fields(quota, remaining, reset_after) {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
    }
    response
}

/// The 429 that says when to come back.
#[must_use]
pub fn too_many(quota: Quota, retry_after: Duration) -> Problem {
    refused_for_now(ErrorCode::TooManyRequests, quota, retry_after)
}

/// The same of another kind.
#[must_use]
pub fn refused_for_now(code: ErrorCode, quota: Quota, retry_after: Duration) -> Problem {
    let wait = retry_after.as_millis().div_ceil(1000).max(1);
    let detail = format!("{} Come back in {wait} seconds.", code.means());
    let mut problem = Problem::new(code)
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
