//! What each use case's refusal is to a client: the one place that knows statuses. No wildcard arms, so that a new
//! variant does not compile until someone decides.

mod admin;
mod email_sign_in;
mod second_factor;

use std::time::Duration;

use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};

use crate::{
    crypto::{kek::KekError, password_hasher},
    domain::password_rules::RefusedPassword,
    http::{
        error_code::{Codes, ErrorCode, codes, listed},
        middleware::rate_limit::{refused_for_now, too_many},
        problem::{FieldProblem, PROBLEM_JSON, Problem},
    },
    service::{
        Failure,
        authenticate::AuthenticateError,
        change_password::ChangePasswordError,
        check_password::PasswordError,
        confirm::ConfirmError,
        end_sessions::EndError,
        erase_account::EraseError,
        phone_codes::{SendCodeError, VerifyCodeError},
        refresh::RefreshError,
        register::RegisterError,
        reset_password::ResetError,
        sign_in::SignInError,
        text_guard::GuardError,
        update_profile::UpdateError,
    },
    storage::{StoreError, limits::Quota},
};

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(StoreError::Unavailable(_) | StoreError::Contended | StoreError::Newer(_))
            | Failure::Kek(KekError::Unavailable | KekError::Unusable(_)) => {
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
    Problem::new(ErrorCode::Unavailable).with_header("retry-after", retry_after_secs.to_string())
}

/// A 500: says nothing but the request id.
#[must_use]
pub fn internal() -> Problem {
    Problem::new(ErrorCode::Internal)
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::UsernameTaken => Self::new(ErrorCode::UsernameTaken),
            RegisterError::Failure(failure) => failure.into(),
        }
    }
}

impl From<ConfirmError> for Problem {
    fn from(error: ConfirmError) -> Self {
        match error {
            ConfirmError::LinkInvalid => Self::new(ErrorCode::LinkInvalid),
            ConfirmError::Failure(failure) => failure.into(),
        }
    }
}

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::InvalidCredentials => Self::new(ErrorCode::InvalidCredentials)
                .with_oauth_error("invalid_grant")
                .with_header("www-authenticate", "Bearer"),
            SignInError::TooManyTries { retry_after } => too_many_tries(retry_after).with_oauth_error("invalid_grant"),
            SignInError::EmailNotVerified => Self::new(ErrorCode::EmailNotVerified).with_oauth_error("invalid_grant"),
            SignInError::SecondFactorDue(due) => second_factor::second_half(due).with_oauth_error("invalid_grant"),
            SignInError::Failure(failure) => failure.into(),
        }
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        let refused = |code| {
            Self::new(code)
                .with_oauth_error("invalid_grant")
                .with_header("www-authenticate", "Bearer error=\"invalid_token\"")
        };
        match error {
            RefreshError::InvalidToken => refused(ErrorCode::InvalidRefreshToken),
            RefreshError::Reused => refused(ErrorCode::RefreshTokenReused),
            RefreshError::Failure(failure) => failure.into(),
        }
    }
}

impl From<AuthenticateError> for Problem {
    fn from(error: AuthenticateError) -> Self {
        match error {
            AuthenticateError::InvalidToken => {
                Self::new(ErrorCode::InvalidToken).with_header("www-authenticate", "Bearer error=\"invalid_token\"")
            }
            AuthenticateError::Failure(failure) => failure.into(),
        }
    }
}

/// The sign-in is too old for what can't be undone (RFC 9470).
#[must_use]
pub fn stale_sign_in() -> Problem {
    Problem::new(ErrorCode::InsufficientUserAuthentication).with_header(
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
            ResetError::Refused(refused) => refused_password("password", &refused),
            ResetError::Failure(failure) => failure.into(),
        }
    }
}

/// The 422 of a password that breaks rules; `field` is what the route calls it.
#[must_use]
pub fn refused_password(field: &str, refused: &RefusedPassword) -> Problem {
    let errors = refused.reasons().map(|(code, detail)| FieldProblem {
        field: field.to_owned(),
        code: code.to_owned(),
        detail,
    });
    Problem::of_fields(errors.collect())
}

impl From<UpdateError> for Problem {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::VersionConflict => Self::new(ErrorCode::VersionConflict),
            UpdateError::UsernameTaken => RegisterError::UsernameTaken.into(),
            UpdateError::PhoneIsSecondFactor => Self::new(ErrorCode::PhoneIsSecondFactor),
            UpdateError::StaleSignIn => stale_sign_in(),
            UpdateError::Gone => gone(),
            UpdateError::Denied(denial) => denial.into(),
            UpdateError::Failure(failure) => failure.into(),
        }
    }
}

impl From<SendCodeError> for Problem {
    fn from(error: SendCodeError) -> Self {
        match error {
            SendCodeError::Off => Self::new(ErrorCode::PhoneNotTextable).with_detail("This service sends no texts."),
            SendCodeError::NoPhone => Self::new(ErrorCode::PhoneMissing),
            SendCodeError::NotTextable => Self::new(ErrorCode::PhoneNotTextable),
            SendCodeError::NotServed => {
                Self::new(ErrorCode::PhoneNotTextable).with_detail("Texts are not sent to numbers of this country.")
            }
            SendCodeError::TooSoon { pause, retry_after } => {
                let quota = Quota {
                    burst: 1,
                    period: pause,
                };
                refused_for_now(ErrorCode::CodeSentRecently, quota, retry_after)
            }
            SendCodeError::Held(GuardError::TooMany { quota, retry_after }) => too_many(quota, retry_after),
            SendCodeError::Held(GuardError::Paused { retry_after }) => {
                let wait = retry_after.as_millis().div_ceil(1000).max(1);
                Self::new(ErrorCode::TextsPaused).with_header("retry-after", wait.to_string())
            }
            SendCodeError::IsSecondFactor => Self::new(ErrorCode::PhoneIsSecondFactor),
            SendCodeError::StaleSignIn => stale_sign_in(),
            SendCodeError::Gone => gone(),
            SendCodeError::Held(GuardError::Failure(failure)) | SendCodeError::Failure(failure) => failure.into(),
        }
    }
}

impl From<VerifyCodeError> for Problem {
    fn from(error: VerifyCodeError) -> Self {
        match error {
            VerifyCodeError::Refused => Self::new(ErrorCode::CodeInvalid),
            VerifyCodeError::Failure(failure) => failure.into(),
        }
    }
}

impl From<EraseError> for Problem {
    fn from(error: EraseError) -> Self {
        match error {
            EraseError::StaleSignIn => stale_sign_in(),
            EraseError::WrongPassword => PasswordError::Wrong.into(),
            EraseError::TooManyTries { retry_after } => too_many_tries(retry_after),
            EraseError::Gone => gone(),
            EraseError::Failure(failure) => failure.into(),
        }
    }
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Wrong => Self::new(ErrorCode::WrongPassword),
            PasswordError::TooManyTries { retry_after } => too_many_tries(retry_after),
            PasswordError::Gone => gone(),
            PasswordError::Failure(failure) => failure.into(),
        }
    }
}

impl From<ChangePasswordError> for Problem {
    fn from(error: ChangePasswordError) -> Self {
        match error {
            ChangePasswordError::NotShown(error) => error.into(),
            ChangePasswordError::Refused(refused) => refused_password("new_password", &refused),
        }
    }
}

impl From<EndError> for Problem {
    fn from(error: EndError) -> Self {
        match error {
            EndError::NotFound => Self::new(ErrorCode::SessionNotFound),
            EndError::LinkInvalid => ConfirmError::LinkInvalid.into(),
            EndError::Gone => gone(),
            EndError::Failure(failure) => failure.into(),
        }
    }
}

/// The 429 of somebody who may be guessing.
fn too_many_tries(retry_after: Duration) -> Problem {
    let wait = retry_after.as_millis().div_ceil(1000).max(1);
    let detail = format!(
        "Too many wrong passwords lately. Come back in {wait} seconds, sign in from a device you used before, or ask for \
         a new password."
    );
    Problem::new(ErrorCode::TooManyTries)
        .with_detail(detail)
        .with_header("retry-after", wait.to_string())
}

/// No bearer token at all (RFC 6750 section 3.1: then no error code).
#[must_use]
pub fn missing_token() -> Problem {
    Problem::new(ErrorCode::MissingToken).with_header("www-authenticate", "Bearer")
}

/// A problem, and which codes its operation may answer: what the document says.
#[derive(Debug)]
pub struct Refused<const CODES: Codes>(Problem);

/// Of every operation.
pub const EVERYWHERE: Codes = codes([ErrorCode::TooManyRequests, ErrorCode::Internal, ErrorCode::Unavailable]);
/// Of those that take a body.
pub const BODY: Codes = codes([
    ErrorCode::MalformedBody,
    ErrorCode::BodyTimeout,
    ErrorCode::BodyTooLarge,
    ErrorCode::UnsupportedMediaType,
    ErrorCode::ValidationFailed,
]);
/// Of those that need somebody who is signed in.
pub const SIGNED_IN: Codes = codes([
    ErrorCode::MissingToken,
    ErrorCode::InvalidToken,
    ErrorCode::NotOwnAccount,
]);
/// Of those that take an `Idempotency-Key`.
pub const IDEMPOTENT: Codes = codes([
    ErrorCode::IdempotencyKeyInvalid,
    ErrorCode::IdempotencyKeyReused,
    ErrorCode::RequestInProgress,
]);
/// Of those that a mailed link leads to.
pub const LINK: Codes = codes([ErrorCode::LinkInvalid]);

impl<const CODES: Codes, E: Into<Problem>> From<E> for Refused<CODES> {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl<const CODES: Codes> From<Refused<CODES>> for poem::Error {
    fn from(refused: Refused<CODES>) -> Self {
        refused.0.into()
    }
}

impl<const CODES: Codes> ApiResponse for Refused<CODES> {
    /// The codes stand in the schema's place; [`crate::http::document`] makes examples of them.
    fn meta() -> MetaResponses {
        let mut responses = Vec::<MetaResponse>::new();
        for status in listed(CODES | EVERYWHERE).map(|code| code.status().as_u16()) {
            if responses.last().is_some_and(|last| last.status == Some(status)) {
                continue;
            }
            let of_status = listed(CODES | EVERYWHERE).filter(|code| code.status() == status);
            let mut schema = MetaSchema::new("string");
            schema.enum_items = of_status.map(|code| code.as_str().into()).collect();
            responses.push(MetaResponse {
                description: "",
                status: Some(status),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: PROBLEM_JSON,
                    schema: MetaSchemaRef::Inline(Box::new(schema)),
                }],
                headers: Vec::new(),
            });
        }
        MetaResponses { responses }
    }

    fn register(_: &mut Registry) {}
}
