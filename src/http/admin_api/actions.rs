//! What is done to one account at a stroke.

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi, param::Path, payload::Json};

use super::{ADMIN, Admin, CHANGE, FRESH, account_id, shown};
use crate::{
    domain::limits::Limit,
    http::{
        dto::{Message, admin::AccountSummarySchema},
        error_code::{ErrorCode, codes},
        middleware::rate_limit::spend,
        refusals::Refused,
    },
    service::admin::{
        grants::{CreateAccount, LockAccount, ResetFactors, RevokeSessions},
        lock::{lock_account, unlock_account},
        resend::resend,
        reset_factors::reset_factors,
        revoke_sessions::revoke_sessions,
    },
};

/// The routes.
#[derive(Clone, Debug)]
pub struct AdminActionsApi;

/// Will be done.
#[derive(ApiResponse)]
enum AcceptedResponse {
    /// The mail is on its way.
    #[oai(status = 202)]
    Accepted(Json<Message>),
}

#[OpenApi]
impl AdminActionsApi {
    /// Lock an account
    ///
    /// Its sessions are over at once, and its password, though right, is answered like a wrong one. Its owner is told by mail.
    /// No mailed link unlocks it. Takes `accounts.lock`.
    #[oai(path = "/admin/accounts/:id/lock", method = "post", operation_id = "admin_lock")]
    async fn lock(
        &self,
        admin: Admin<LockAccount>,
        /// The account.
        id: Path<String>,
    ) -> Result<Json<AccountSummarySchema>, Refused<{ ADMIN | CHANGE }>> {
        Ok(shown(
            lock_account(&admin.population.core, &admin.proof, &account_id(&id.0)?).await?,
        ))
    }

    /// Unlock an account
    ///
    /// Its owner signs in as before, and is told by mail. Takes `accounts.lock`.
    #[oai(path = "/admin/accounts/:id/unlock", method = "post", operation_id = "admin_unlock")]
    async fn unlock(
        &self,
        admin: Admin<LockAccount>,
        /// The account.
        id: Path<String>,
    ) -> Result<Json<AccountSummarySchema>, Refused<{ ADMIN | CHANGE }>> {
        Ok(shown(
            unlock_account(&admin.population.core, &admin.proof, &account_id(&id.0)?).await?,
        ))
    }

    /// End an account's sessions
    ///
    /// All of them, at every server at once. Who has the password signs in again. Takes `sessions.revoke`.
    #[oai(
        path = "/admin/accounts/:id/sessions/revoke",
        method = "post",
        operation_id = "admin_revoke_sessions"
    )]
    async fn revoke_sessions(
        &self,
        admin: Admin<RevokeSessions>,
        /// The account.
        id: Path<String>,
    ) -> Result<Json<AccountSummarySchema>, Refused<{ ADMIN | CHANGE }>> {
        Ok(shown(
            revoke_sessions(&admin.population.core, &admin.proof, &account_id(&id.0)?).await?,
        ))
    }

    /// Take an account's second factor off
    ///
    /// For an owner who lost it. Its sessions are over, and its owner is told by mail. Needs a sign-in of the last five
    /// minutes. Takes `mfa.reset`.
    #[oai(
        path = "/admin/accounts/:id/mfa/reset",
        method = "post",
        operation_id = "admin_reset_factors"
    )]
    async fn reset_factors(
        &self,
        admin: Admin<ResetFactors>,
        /// The account.
        id: Path<String>,
    ) -> Result<Json<AccountSummarySchema>, Refused<{ ADMIN | CHANGE | FRESH }>> {
        Ok(shown(
            reset_factors(&admin.population.core, &admin.proof, &account_id(&id.0)?).await?,
        ))
    }

    /// Mail a link again
    ///
    /// The invitation of an account without a password, or the link that confirms an address nobody has confirmed yet, a
    /// registration's too. The link before stops working. Takes `accounts.create`.
    #[oai(path = "/admin/accounts/:id/resend", method = "post", operation_id = "admin_resend")]
    async fn resend(
        &self,
        request: &Request,
        admin: Admin<CreateAccount>,
        /// The account, or the registration.
        id: Path<String>,
    ) -> Result<AcceptedResponse, Refused<{ ADMIN | CHANGE | codes([ErrorCode::NothingToResend]) }>> {
        let id = account_id(&id.0)?;
        // As many as anybody may have sent to one mailbox.
        let route = "/admin/accounts/{id}/resend, mailed";
        spend(request, &admin.population, route, id.as_str(), Limit::ResetLinks).await?;
        resend(&admin.population.core, &admin.proof, &id).await?;
        Ok(AcceptedResponse::Accepted(Json(Message {
            message: "A new mail is on its way.".to_owned(),
        })))
    }
}
