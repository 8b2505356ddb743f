//! Refusals of a sign-in by mail.

use crate::{
    http::{error_code::ErrorCode, problem::Problem, refusals::second_factor::second_half},
    service::email_sign_in::verify::EmailSignInError,
};

impl From<EmailSignInError> for Problem {
    fn from(error: EmailSignInError) -> Self {
        match error {
            EmailSignInError::Refused => Self::new(ErrorCode::CodeInvalid),
            EmailSignInError::SecondFactorDue(due) => second_half(due),
            EmailSignInError::Failure(failure) => failure.into(),
        }
    }
}
