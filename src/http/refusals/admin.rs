//! Refusals of the administration.

use crate::{
    http::{
        error_code::ErrorCode,
        problem::{FieldProblem, Problem},
        refusals::{gone, stale_sign_in},
    },
    service::{
        admin::{AdminError, Denial, authorize::Refusal},
        register::RegisterError,
    },
};

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Stranger => gone(),
            Refusal::Lacks(permission) => {
                let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", permission.as_str());
                Self::new(ErrorCode::Forbidden).with_header("www-authenticate", challenge)
            }
        }
    }
}

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::NotFound => Self::new(ErrorCode::AccountNotFound),
            Denial::OwnAccount => Self::new(ErrorCode::OwnAccount),
            Denial::Outranked => {
                Self::new(ErrorCode::Forbidden).with_detail("The account, or the role, may more than your own role.")
            }
            Denial::RoleUnknown => Self::of_fields(vec![FieldProblem {
                field: "role".to_owned(),
                code: "role_unknown".to_owned(),
                detail: "The user type has no such role.".to_owned(),
            }]),
        }
    }
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Denied(denial) => denial.into(),
            AdminError::StaleSignIn => stale_sign_in(),
            AdminError::AddressTaken => Self::new(ErrorCode::AddressTaken),
            AdminError::UsernameTaken => RegisterError::UsernameTaken.into(),
            AdminError::VersionConflict => Self::new(ErrorCode::VersionConflict),
            AdminError::PhoneIsSecondFactor => Self::new(ErrorCode::PhoneIsSecondFactor),
            AdminError::NothingToResend => Self::new(ErrorCode::NothingToResend),
            AdminError::CursorInvalid => Self::new(ErrorCode::CursorInvalid),
            AdminError::Failure(failure) => failure.into(),
        }
    }
}
