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
    let enrols = !security.factors.is_on();
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
        let factors = factors(core, &key.user_type, security);
        Due::Proof { token, factors }
    }))
}

fn factors(core: &Core, user_type: &UserType, security: &Security) -> Vec<SecondFactor> {
    let of = &security.factors;
    // What nobody sends can't be shown.
    let has_texts = of.texts && !core.settings(user_type).is_texting_off;
    let each = [
        (SecondFactor::Totp, of.totp.is_some()),
        (SecondFactor::Text, has_texts),
        (SecondFactor::RecoveryCode, !of.recovery.is_empty()),
    ];
    each.into_iter()
        .filter_map(|(factor, is_there)| is_there.then_some(factor))
        .collect()
}

/// What the token of a first half says, where it is ours and in time.
#[must_use]
pub fn read_token(core: &Core, user_type: &UserType, token: &str) -> Option<FirstHalf> {
    FirstHalf::read(user_type, token, &core.keyring.current(), core.clock.now())
}
