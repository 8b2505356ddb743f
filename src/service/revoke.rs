//! Tells every server that a session ended or an account moved on, after the database was told: the moment of the
//! answer is the moment from which nobody takes its tokens any more.

use crate::{
    crypto::record_mac::Security,
    domain::{
        account::AccountStatus,
        ids::{AccountId, SessionId},
        user_type::UserType,
    },
    service::core::Core,
    storage::{
        Ref, StoreError,
        revocations::{Standing, WAIT},
    },
};

/// What the account stands behind.
#[must_use]
pub fn standing(security: &Security) -> Standing {
    Standing {
        epoch: security.epoch,
        kept_session: security.kept_session.clone(),
        is_active: security.status == AccountStatus::Active,
    }
}

/// The session was ended.
pub async fn session_ended(core: &Core, session: &Ref<SessionId>) {
    if let Some(revocations) = &core.revocations {
        let told = revocations
            .end_session(session, lifetime(core, &session.user_type))
            .await;
        confirm(told).await;
    }
}

/// The account's epoch was raised.
pub async fn account_moved_on(core: &Core, account: &Ref<AccountId>, standing: &Standing) {
    if let Some(revocations) = &core.revocations {
        let lifetime = lifetime(core, &account.user_type);
        let told = revocations.raise(account, standing, lifetime).await;
        confirm(told).await;
    }
}

/// As long as a token that was issued a moment ago.
fn lifetime(core: &Core, user_type: &UserType) -> std::time::Duration {
    core.settings(user_type).sessions.access_lifetime + WAIT
}

/// Where it is not known that the others know, what they remember is waited out.
async fn confirm(told: Result<(), StoreError>) {
    if let Err(error) = told {
        tracing::warn!(%error, "the other servers were not told of an end; it is waited until they know");
        tokio::time::sleep(WAIT).await;
    }
}
