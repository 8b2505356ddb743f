//! Refusals about the second factor.

use std::time::Duration;

use crate::{
    domain::second_factor::SecondFactor,
    http::{
        error_code::ErrorCode,
        problem::{FieldProblem, Problem},
        refusals::{gone, stale_sign_in},
    },
    service::{
        reauthenticate::ReauthenticateError,
        second_factor::{
            confirm::ConfirmTotpError,
            confirm_text::ConfirmTextError,
            due::Due,
            enrol::EnrolError,
            prove::ProveError,
            recovery_codes::ChangeFactorsError,
            text::{NoTextFactor, SendTextError},
            verify::VerifyError,
        },
    },
};

/// A second factor is due.
pub(super) fn second_half(due: Due) -> Problem {
    match due {
        Due::Proof { token, factors } => {
            let methods = factors.into_iter().map(SecondFactor::as_str).collect();
            Problem::new(ErrorCode::MfaRequired).with_second_half(token, methods)
        }
        Due::Enrolment { token } => Problem::new(ErrorCode::MfaEnrolmentRequired).with_second_half(token, Vec::new()),
    }
}

/// The 429 of codes.
fn too_many_codes(retry_after: Duration) -> Problem {
    let wait = retry_after.as_millis().div_ceil(1000).max(1);
    Problem::new(ErrorCode::TooManyCodes)
        .with_detail(format!(
            "Too many wrong codes of the second factor in this hour. Come back in {wait} seconds."
        ))
        .with_header("retry-after", wait.to_string())
}

fn mfa_token_invalid() -> Problem {
    Problem::new(ErrorCode::MfaTokenInvalid).with_header("www-authenticate", "Bearer")
}

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::TokenInvalid => mfa_token_invalid(),
            VerifyError::Refused => Self::new(ErrorCode::CodeInvalid),
            VerifyError::TooManyTries { retry_after } => too_many_codes(retry_after),
            VerifyError::Failure(failure) => failure.into(),
        }
    }
}

impl From<ProveError> for Problem {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Refused => Self::new(ErrorCode::CodeInvalid),
            ProveError::TooManyTries { retry_after } => too_many_codes(retry_after),
            ProveError::Gone => gone(),
            ProveError::Failure(failure) => failure.into(),
        }
    }
}

impl From<EnrolError> for Problem {
    fn from(error: EnrolError) -> Self {
        match error {
            EnrolError::StaleSignIn => stale_sign_in(),
            EnrolError::TokenInvalid => mfa_token_invalid(),
            EnrolError::Gone => gone(),
            EnrolError::Failure(failure) => failure.into(),
        }
    }
}

impl From<ConfirmTotpError> for Problem {
    fn from(error: ConfirmTotpError) -> Self {
        match error {
            ConfirmTotpError::Refused => Self::new(ErrorCode::CodeInvalid),
            ConfirmTotpError::TooManyTries { retry_after } => too_many_codes(retry_after),
            ConfirmTotpError::Enrol(error) => error.into(),
        }
    }
}

impl From<NoTextFactor> for Problem {
    fn from(error: NoTextFactor) -> Self {
        Self::new(match error {
            NoTextFactor::NotEnabled => ErrorCode::MfaNotEnabled,
            NoTextFactor::NotAllowed => ErrorCode::MfaSmsNotAllowed,
            NoTextFactor::NotVerified => ErrorCode::PhoneNotVerified,
        })
    }
}

impl From<SendTextError> for Problem {
    fn from(error: SendTextError) -> Self {
        match error {
            SendTextError::NoFactor(none) => none.into(),
            SendTextError::Enrol(error) => error.into(),
            SendTextError::Send(error) => error.into(),
        }
    }
}

impl From<ConfirmTextError> for Problem {
    fn from(error: ConfirmTextError) -> Self {
        match error {
            ConfirmTextError::NoFactor(none) => none.into(),
            ConfirmTextError::Confirm(error) => error.into(),
        }
    }
}

impl From<ChangeFactorsError> for Problem {
    fn from(error: ChangeFactorsError) -> Self {
        match error {
            ChangeFactorsError::StaleSignIn => stale_sign_in(),
            ChangeFactorsError::NotEnabled => Self::new(ErrorCode::MfaNotEnabled),
            ChangeFactorsError::Mandatory => Self::new(ErrorCode::MfaMandatory),
            ChangeFactorsError::Gone => gone(),
            ChangeFactorsError::Failure(failure) => failure.into(),
        }
    }
}

impl From<ReauthenticateError> for Problem {
    fn from(error: ReauthenticateError) -> Self {
        match error {
            ReauthenticateError::Password(error) => error.into(),
            ReauthenticateError::SecondFactorDue => Self::of_fields(vec![FieldProblem {
                field: "code".to_owned(),
                code: "missing".to_owned(),
                detail: "Your account has a second factor: send `code`, `sms_code` or `recovery_code`, too.".to_owned(),
            }]),
            ReauthenticateError::SecondFactor(error) => error.into(),
        }
    }
}
