//! Takes every second factor off an account whose owner lost it: secret, texts and recovery codes go, every session ends, and the
//! owner is told. Needs a fresh sign-in: whoever has the password alone gets in from then on.

use crate::{
    crypto::record_mac::Factors,
    domain::{audit::AuditEvent, challenge::Purpose, ids::AccountId, message::MessageKind},
    service::{
        admin::{
            authorize::Authorized,
            change::{Standing, change_standing},
            error::AdminError,
            grants::ResetFactors,
            summary::AccountSummary,
        },
        core::Core,
    },
};

/// Takes it off. An account without one stays as it is.
pub async fn reset_factors(
    core: &Core,
    admin: &Authorized<ResetFactors>,
    id: &AccountId,
) -> Result<AccountSummary, AdminError> {
    admin.must_be_fresh(core).await?;
    let wanted = Standing {
        alter: &|security| {
            if security.factors != Factors::default() {
                security.factors = Factors::default();
                security.epoch += 1;
                security.kept_session = None;
            }
        },
        // What waits for its first code is theirs no more than what was in use.
        touch: &|account| {
            account.codes = None;
            account.void(Purpose::SecondFactor);
            if let Some(sealed) = &mut account.sealed {
                sealed.totp_pending = None;
            }
        },
        tell: Some(MessageKind::FactorsReset),
        event: AuditEvent::FactorsReset,
    };
    change_standing(core, admin, id, &wanted).await
}
