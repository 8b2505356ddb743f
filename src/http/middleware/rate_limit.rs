//! Limits of a user type's routes, as the contract numbers them. GET and POST of one path share a bucket.
//!
//! Most count the client's address, before the body is read. Some count who proved to be somebody, an account or a token
//! family: there a client's address is charged only for requests that prove nothing, once they are answered. Neither
//! does an office behind one address use up its people's requests, nor does a token help whoever has none.
//!
//! What several limits count shows the tightest of them ([`Shown`]). Addresses in `LIMIT_EXEMPT` are not counted where
//! nothing is guessed and nothing texted ([`may_be_exempt`]).
//!
//! # To add a route
//! Its path and [`Counted`] in [`counted`]; where that is by identity, its handler takes what calls
//! [`Identity::spend`] ([`SignedIn`](crate::http::caller::SignedIn) does) before it asks the store.

use std::{
    cmp::Reverse,
    net::IpAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use poem::{Endpoint, IntoResponse, Middleware, Request, Response};

use crate::{
    domain::{limits::Limit, user_type::UserType},
    http::{
        client_address::{ExemptClients, TrustedProxies, subject},
        error_code::ErrorCode,
        population::Population,
        problem::Problem,
    },
    service::{Core, limits},
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
        "/login/email" => Counted::Client(Limit::EmailSignIn),
        "/login/email/verify" | "/login/email/link" => Counted::Client(Limit::VerifyEmailSignIn),
        "/verify" => Counted::Client(Limit::Verify),
        "/otp_phone" => Counted::Client(Limit::OtpPhone),
        "/verify_otp_phone" => Counted::Client(Limit::VerifyOtpPhone),
        "/forget_password" => Counted::Client(Limit::ForgetPassword),
        "/reset_password_form" | "/forget_password_form" => Counted::Client(Limit::ResetPasswordForm),
        "/reset_password" => Counted::Client(Limit::ResetPassword),
        "/update" => Counted::Client(Limit::Update),
        "/verify-token" => Counted::Client(Limit::VerifyToken),
        "/logout" => Counted::Client(Limit::Logout),
        "/" => by_identity(Limit::Account, Limit::Account),
        "/mfa/totp" | "/mfa/totp/confirm" | "/mfa/sms" | "/mfa/sms/confirm" | "/mfa/verify" | "/mfa/recovery-codes" => {
            by_identity(Limit::SecondFactor, Limit::Stranger)
        }
        "/reauthenticate" => by_identity(Limit::Reauthenticate, Limit::Stranger),
        "/delete" | "/export" | "/change-password" | "/sessions" | "/sessions/:id" | "/sessions/{id}" => {
            by_identity(Limit::Account, Limit::Stranger)
        }
        "/admin/accounts" | "/admin/audit" => by_identity(Limit::AdminBulk, Limit::Stranger),
        path if path.starts_with("/admin/") => by_identity(Limit::Admin, Limit::Stranger),
        "/refresh-token" => by_identity(Limit::Refresh, Limit::Stranger),
        _ => Counted::Client(Limit::Stranger),
    }
}

/// The paths, under the user type, on which the address of a client may be exempt; `docs/CONTROLS.md` lists the same.
pub const EXEMPT: [&str; 9] = [
    "/",
    "/create",
    "/verify",
    "/resend-verification",
    "/forget_password",
    "/reset_password_form",
    "/update",
    "/verify-token",
    "/logout",
];

/// Whether the address of a client may be exempt on that path: not where a password, code or token is tried, and not where
/// a text is sent.
#[must_use]
pub fn may_be_exempt(path: &str) -> bool {
    EXEMPT.contains(&path)
}

/// What a request spent so far, to be shown with its answer.
#[derive(Clone, Debug, Default)]
pub struct Shown(Arc<Mutex<Vec<(Quota, Spent)>>>);

impl Shown {
    fn note(&self, quota: Quota, spent: Spent) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((quota, spent));
    }

    /// The fields of the limit that has least left; of two, of the one that is whole again later.
    fn tightest(&self) -> Option<LimitFields> {
        let spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = spent.iter().filter_map(|(quota, spent)| match spent {
            Spent::Allowed { remaining, reset_after } => Some((*quota, *remaining, *reset_after)),
            Spent::Refused { .. } => None,
        });
        let tightest = allowed.min_by_key(|(_, remaining, reset_after)| (*remaining, Reverse(*reset_after)));
        tightest.map(|(quota, remaining, reset_after)| LimitFields(fields(quota, remaining, reset_after)))
    }
}

/// `RateLimit` and `RateLimit-Policy` of an answer. A refusal carries them to where it becomes a problem.
#[derive(Clone, Debug)]
pub struct LimitFields(pub [(&'static str, String); 2]);

/// Notes what a handler spent by itself, for the answer.
pub fn note(request: &Request, quota: Quota, spent: Spent) {
    if let Some(shown) = request.data::<Shown>() {
        shown.note(quota, spent);
    }
}

/// Spends one of `subject`'s on `route`, beside what the route counts anyway; nothing, or the 429.
pub async fn spend(
    request: &Request,
    population: &Population,
    route: &str,
    subject: &str,
    limit: Limit,
) -> Result<(), Problem> {
    let quota = population.core.quota(limit);
    let spent = limits::spend(&population.core, &population.user_type, route, subject, quota).await?;
    note(request, quota, spent);
    allowed(quota, spent)
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
        // A second call in one request would be a second identity.
        let _ = spent.set((*own, verdict));
        note(request, *own, verdict);
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
        if population.core.limits().is_none() {
            return Ok(self.inner.call(request).await?.into_response());
        }
        let LimitRate { path, user_type } = &self.route;
        let exempt = request.data::<ExemptClients>();
        let is_exempt = may_be_exempt(path) && exempt.is_some_and(|exempt| exempt.has(address));
        let shown = Shown::default();
        request.set_data(shown.clone());
        let charge = async |limit| {
            if is_exempt {
                return Ok(());
            }
            let quota = population.core.quota(limit);
            let spent = limits::spend(&population.core, user_type, path, &subject(address), quota).await?;
            shown.note(quota, spent);
            allowed(quota, spent)
        };
        match counted(path) {
            Counted::Client(limit) => {
                charge(limit).await?;
                with_fields(self.inner.call(request).await, &shown)
            }
            Counted::Identity { own, strangers } => {
                let identity = Identity {
                    route: self.route.clone(),
                    own: population.core.quota(own),
                    spent: Arc::default(),
                };
                request.set_data(identity.clone());
                let answer = self.inner.call(request).await;
                if identity.spent.get().is_none() {
                    charge(strangers).await?;
                }
                with_fields(answer, &shown)
            }
        }
    }
}

/// The middleware of routes that belong to no user type: every request, by the client's address. Not for probes, which cost
/// nothing and are asked every few seconds.
#[derive(Clone, Copy, Debug)]
pub struct LimitService {
    /// What the bucket is named by.
    pub route: &'static str,
    /// How many.
    pub limit: Limit,
}

impl LimitService {
    /// 100 an hour.
    #[must_use]
    pub const fn strangers(route: &'static str) -> Self {
        let limit = Limit::Stranger;
        Self { route, limit }
    }
}

impl<E: Endpoint> Middleware<E> for LimitService {
    type Output = ServiceLimited<E>;
    fn transform(&self, inner: E) -> ServiceLimited<E> {
        ServiceLimited { inner, counted: *self }
    }
}

/// The endpoint.
#[derive(Debug)]
pub struct ServiceLimited<E> {
    inner: E,
    counted: LimitService,
}

impl<E: Endpoint> Endpoint for ServiceLimited<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let address = address(&request);
        let is_exempt = request
            .data::<ExemptClients>()
            .is_some_and(|exempt| exempt.has(address));
        let shown = Shown::default();
        if let Some(core) = request
            .data::<Arc<Core>>()
            .filter(|core| core.limits().is_some() && !is_exempt)
        {
            let quota = core.quota(self.counted.limit);
            let spent = limits::spend_of_service(core, self.counted.route, &subject(address), quota).await;
            let spent = spent.map_err(Problem::from)?;
            shown.note(quota, spent);
            allowed(quota, spent)?;
        }
        with_fields(self.inner.call(request).await, &shown)
    }
}

/// With the fields of the tightest limit, refusals too.
fn with_fields(answer: poem::Result<impl IntoResponse>, shown: &Shown) -> poem::Result<Response> {
    let Some(fields) = shown.tightest() else {
        return answer.map(IntoResponse::into_response);
    };
    match answer {
        Ok(answer) => {
            let mut response = answer.into_response();
            for (name, value) in fields.0 {
                if let Ok(value) = value.parse() {
                    response.headers_mut().insert(name, value);
                }
            }
            Ok(response)
        }
        Err(mut error) => {
            error.set_data(fields);
            Err(error)
        }
    }
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
