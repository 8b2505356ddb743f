//! Whether a sign-in with the right password, or the right mail, goes on to a second half.

use crate::{
    crypto::{record_mac::Security, second_factor_token::FirstHalf},
    domain::{
        ids::AccountId,
        private::Private,
        second_factor::{FirstFactor, SIGN_IN, SecondFactor, SecondFactorPolicy},
        user_type::UserType,
    },
    service::{core::Core, failure::Failure},
    storage::Ref,
};

/// What is due.
#[derive(Debug)]
pub enum Due {
    /// One of the account's second factors.
    Proof {
        /// For the second half.
        token: Private,
        /// Any of these.
        factors: Vec<SecondFactor>,
    },
    /// The user type wants a second factor and the account has none.
    Enrolment {
        /// For enrolling one.
        token: Private,
    },
}

/// What is due of an account whose first factor was right.
pub(in crate::service) fn due(
    core: &Core,
    key: &Ref<AccountId>,
    security: &Security,
    first: FirstFactor,
    remember: bool,
) -> Result<Option<Due>, Failure> {
    let factors = factors(security);
    let enrols = factors.is_empty();
    if enrols && core.settings(&key.user_type).second_factor == SecondFactorPolicy::Optional {
        return Ok(None);
    }
    let half = FirstHalf {
        account_id: key.id.clone(),
        first,
        epoch: security.epoch,
        remember,
        enrols,
        expires_at: core.clock.now().plus(SIGN_IN),
    };
    let token = half.sign(&key.user_type, &core.keyring.current())?;
    Ok(Some(if enrols {
        Due::Enrolment { token }
    } else {
        Due::Proof { token, factors }
    }))
}

fn factors(security: &Security) -> Vec<SecondFactor> {
    let mut factors = Vec::new();
    if security.factors.totp.is_some() {
        factors.push(SecondFactor::Totp);
        if !security.factors.recovery.is_empty() {
            factors.push(SecondFactor::RecoveryCode);
        }
    }
    factors
}

/// What the token of a first half says, where it is ours and in time.
#[must_use]
pub fn read_token(core: &Core, user_type: &UserType, token: &str) -> Option<FirstHalf> {
    FirstHalf::read(user_type, token, &core.keyring.current(), core.clock.now())
}
