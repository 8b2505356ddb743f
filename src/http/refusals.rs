//! What each use case's refusal is to a client: the one place that knows statuses. No wildcard arms, so that a new
//! variant does not compile until someone decides.

use poem::http::StatusCode;
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
};

use crate::{
    crypto::password_hasher,
    http::{middleware::rate_limit::too_many, problem::Problem},
    service::{
        Failure,
        authenticate::AuthenticateError,
        confirm::ConfirmError,
        erase_account::EraseError,
        phone_codes::{SendCodeError, VerifyCodeError},
        refresh::RefreshError,
        register::RegisterError,
        reset_password::ResetError,
        sign_in::SignInError,
        update_profile::UpdateError,
    },
    storage::StoreError,
};

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(StoreError::Unavailable(_) | StoreError::Contended)
            | Failure::Kek(crate::crypto::kek::KekError::Unavailable) => {
                tracing::error!(error = %failure, "a request could not be served");
                unavailable(2)
            }
            Failure::Busy => unavailable(password_hasher::RETRY_AFTER.as_secs()),
            Failure::Store(StoreError::Damaged(_))
            | Failure::Kek(_)
            | Failure::MissingKey(_)
            | Failure::Hash
            | Failure::CannotOpen(_)
            | Failure::NoDataKey(_)
            | Failure::Tampered(_) => {
                tracing::error!(error = %failure, "a request failed");
                internal()
            }
        }
    }
}

/// A 503 that says when to come back.
#[must_use]
pub fn unavailable(retry_after_secs: u64) -> Problem {
    let detail = "The service can't answer right now. Try again in a moment.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
        .with_header("retry-after", retry_after_secs.to_string())
}

/// A 500: says nothing but the request id.
#[must_use]
pub fn internal() -> Problem {
    let detail = "Something went wrong on our side. Quote the request id when you report it.";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::UsernameTaken => Self::new(
                StatusCode::CONFLICT,
                "username_taken",
                "The username is taken. Choose another.",
            ),
            RegisterError::Failure(failure) => failure.into(),
        }
    }
}

impl From<ConfirmError> for Problem {
    fn from(error: ConfirmError) -> Self {
        match error {
            ConfirmError::LinkInvalid => Self::new(
                StatusCode::BAD_REQUEST,
                "link_invalid",
                "The link has been used, has expired, or was replaced by a later mail. Sign in, or ask for a new link.",
            ),
            ConfirmError::Failure(failure) => failure.into(),
        }
    }
}

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::InvalidCredentials => Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_credentials",
                "The name or the password is not right.",
            )
            .with_oauth_error("invalid_grant")
            .with_header("www-authenticate", "Bearer"),
            SignInError::EmailNotVerified => Self::new(
                StatusCode::FORBIDDEN,
                "email_not_verified",
                "The address is not confirmed yet. Use the link in the mail, or ask for a new one.",
            )
            .with_oauth_error("invalid_grant"),
            SignInError::Failure(failure) => failure.into(),
        }
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        let refused = |code, detail| {
            Self::new(StatusCode::UNAUTHORIZED, code, detail)
                .with_oauth_error("invalid_grant")
                .with_header("www-authenticate", "Bearer error=\"invalid_token\"")
        };
        match error {
            RefreshError::InvalidToken => refused(
                "invalid_refresh_token",
                "The refresh token is not valid any more. Sign in again.",
            ),
            RefreshError::Reused => refused(
                "refresh_token_reused",
                "The refresh token was used before; its session has been ended. Sign in again.",
            ),
            RefreshError::Failure(failure) => failure.into(),
        }
    }
}

impl From<AuthenticateError> for Problem {
    fn from(error: AuthenticateError) -> Self {
        match error {
            AuthenticateError::InvalidToken => Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "The access token is not valid any more. Refresh it, or sign in again.",
            )
            .with_header("www-authenticate", "Bearer error=\"invalid_token\""),
            AuthenticateError::Failure(failure) => failure.into(),
        }
    }
}

/// The sign-in is too old for what can't be undone (RFC 9470).
fn stale_sign_in() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "insufficient_user_authentication",
        "This needs a sign-in of the last five minutes. Sign in again.",
    )
    .with_header(
        "www-authenticate",
        "Bearer error=\"insufficient_user_authentication\", max_age=300",
    )
}

/// The account of a token that was good a moment ago is gone.
fn gone() -> Problem {
    AuthenticateError::InvalidToken.into()
}

impl From<ResetError> for Problem {
    fn from(error: ResetError) -> Self {
        match error {
            ResetError::LinkInvalid => ConfirmError::LinkInvalid.into(),
            ResetError::Failure(failure) => failure.into(),
        }
    }
}

impl From<UpdateError> for Problem {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::VersionConflict => Self::new(
                StatusCode::CONFLICT,
                "version_conflict",
                "The profile was changed since you read it. Read it again, then send your change.",
            ),
            UpdateError::UsernameTaken => RegisterError::UsernameTaken.into(),
            UpdateError::StaleSignIn => stale_sign_in(),
            UpdateError::Gone => gone(),
            UpdateError::Failure(failure) => failure.into(),
        }
    }
}

impl From<SendCodeError> for Problem {
    fn from(error: SendCodeError) -> Self {
        match error {
            SendCodeError::Off => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "phone_not_textable",
                "This service sends no texts.",
            ),
            SendCodeError::NoPhone => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "phone_missing",
                "Your profile has no phone number. Send one as `phone`.",
            ),
            SendCodeError::NotTextable => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "phone_not_textable",
                "Texts can't be sent to this number. Use a mobile number, with `+` and its country's code.",
            ),
            SendCodeError::TooSoon { retry_after } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "code_sent_recently",
                "A code was sent a moment ago. Wait before you ask for another.",
            )
            .with_header("retry-after", retry_after.as_millis().div_ceil(1000).max(1).to_string()),
            SendCodeError::TooMany { quota, retry_after } => too_many(quota, retry_after),
            SendCodeError::StaleSignIn => stale_sign_in(),
            SendCodeError::Gone => gone(),
            SendCodeError::Failure(failure) => failure.into(),
        }
    }
}

impl From<VerifyCodeError> for Problem {
    fn from(error: VerifyCodeError) -> Self {
        match error {
            VerifyCodeError::Refused => Self::new(
                StatusCode::BAD_REQUEST,
                "code_invalid",
                "The code is wrong, too old, or was tried too often. Ask for another.",
            ),
            VerifyCodeError::Failure(failure) => failure.into(),
        }
    }
}

impl From<EraseError> for Problem {
    fn from(error: EraseError) -> Self {
        match error {
            EraseError::StaleSignIn => stale_sign_in(),
            EraseError::WrongPassword => {
                Self::new(StatusCode::FORBIDDEN, "wrong_password", "The password is not right.")
            }
            EraseError::Gone => gone(),
            EraseError::Failure(failure) => failure.into(),
        }
    }
}

/// No bearer token at all (RFC 6750 section 3.1: then no error code).
#[must_use]
pub fn missing_token() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "missing_token",
        "Send the access token as `Authorization: Bearer <token>`.",
    )
    .with_header("www-authenticate", "Bearer")
}

/// A problem, and which statuses its operation may answer; the statuses are what the document says.
#[derive(Debug)]
pub struct Refused<const STATUSES: u8>(Problem);

/// Bits of [`Refused`]: the body is refused (400, 413, 415, 422).
pub const BODY: u8 = 1;
/// The caller is nobody (401).
pub const NOBODY: u8 = 2;
/// The caller may not (403).
pub const FORBIDDEN: u8 = 4;
/// Something else holds the value (409).
pub const CONFLICT: u8 = 8;
/// A parameter is refused (400).
pub const PARAMETER: u8 = 16;

impl<const STATUSES: u8> Refused<STATUSES> {
    fn documented() -> Vec<(u16, &'static str)> {
        let table: [(u8, u16, &'static str); 11] = [
            (
                BODY | PARAMETER,
                400,
                "The request can't be read, or its token or link is not valid.",
            ),
            (NOBODY, 401, "The credentials, or the token, are not valid."),
            (FORBIDDEN, 403, "Not allowed now; `code` says why."),
            (CONFLICT, 409, "Another record holds the value; `code` says which."),
            (BODY, 413, "The body has over 64 KiB."),
            (BODY, 415, "The body is of a type that this route does not take."),
            (
                BODY,
                422,
                "The body's members are not as they should be; `errors` says which and why.",
            ),
            (u8::MAX, 408, "The body did not arrive in time."),
            (
                u8::MAX,
                429,
                "Too many requests; come back after `Retry-After` seconds.",
            ),
            (
                u8::MAX,
                500,
                "Something went wrong on the service's side; `request_id` names the request.",
            ),
            (
                u8::MAX,
                503,
                "Too busy, or a store is away; come back after `Retry-After` seconds.",
            ),
        ];
        table
            .into_iter()
            .filter(|(bits, status, _)| {
                if *bits == u8::MAX {
                    *status != 408 || STATUSES & BODY != 0
                } else {
                    bits & STATUSES != 0
                }
            })
            .map(|(_, status, description)| (status, description))
            .collect()
    }
}

impl<const STATUSES: u8, E: Into<Problem>> From<E> for Refused<STATUSES> {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl<const STATUSES: u8> From<Refused<STATUSES>> for poem::Error {
    fn from(refused: Refused<STATUSES>) -> Self {
        refused.0.into()
    }
}

impl<const STATUSES: u8> ApiResponse for Refused<STATUSES> {
    fn meta() -> MetaResponses {
        let response = |(status, description)| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: "application/problem+json",
                schema: Problem::schema(),
            }],
            headers: Vec::new(),
        };
        MetaResponses {
            responses: Self::documented().into_iter().map(response).collect(),
        }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}
