//! One account: read, changed, erased.

use poem_openapi::{OpenApi, param::Path, payload::Json};

use super::{ADMIN, Admin, CHANGE, FRESH, ONE, account_id, shown};
use crate::{
    http::{
        body::Body,
        dto::{
            admin::{AccountSummarySchema, AdminAccountSchema, AdminUpdate},
            profile::Deleted,
        },
        error_code::{Codes, ErrorCode, codes},
        refusals::{BODY, Refused},
    },
    service::admin::{
        delete::delete_account,
        grants::{DeleteAccount, ReadAccount, UpdateAccount},
        read::read_account,
        update::update_account,
    },
};

/// The routes.
#[derive(Clone, Debug)]
pub struct AdminAccountApi;

const UPDATE: Codes = codes([
    ErrorCode::VersionConflict,
    ErrorCode::UsernameTaken,
    ErrorCode::PhoneIsSecondFactor,
]);

#[OpenApi]
impl AdminAccountApi {
    /// Read an account
    ///
    /// With its personal data. Every reading is noted in the audit: who read whom. Takes `accounts.read`.
    #[oai(path = "/admin/accounts/:id", method = "get", operation_id = "admin_account")]
    async fn read(
        &self,
        admin: Admin<ReadAccount>,
        /// The account.
        id: Path<String>,
    ) -> Result<Json<AdminAccountSchema>, Refused<{ ADMIN | ONE }>> {
        let view = read_account(&admin.population.core, &admin.proof, &account_id(&id.0)?).await?;
        Ok(Json(view.into()))
    }

    /// Change an account
    ///
    /// Any field of its profile, `null` removes an optional one; and its role, which takes `roles.assign`, and ends its
    /// sessions. Another address takes effect when the link mailed to it is confirmed. Another address, number or role needs a
    /// sign-in of the last five minutes. Takes `accounts.update`.
    #[oai(path = "/admin/accounts/:id", method = "put", operation_id = "admin_update")]
    async fn update(
        &self,
        admin: Admin<UpdateAccount>,
        /// The account.
        id: Path<String>,
        body: Body<AdminUpdate>,
    ) -> Result<Json<AccountSummarySchema>, Refused<{ ADMIN | BODY | CHANGE | FRESH | UPDATE }>> {
        let AdminUpdate { update, role } = body.0;
        let core = &admin.population.core;
        let updated = update_account(core, &admin.proof, &account_id(&id.0)?, &update, role.as_ref()).await?;
        Ok(shown(updated))
    }

    /// Erase an account
    ///
    /// The same as its owner's own deletion: its keys are destroyed, and the receipt says what was erased, and when. Needs a
    /// sign-in of the last five minutes. Takes `accounts.delete`.
    #[oai(path = "/admin/accounts/:id", method = "delete", operation_id = "admin_delete")]
    async fn delete(
        &self,
        admin: Admin<DeleteAccount>,
        /// The account.
        id: Path<String>,
    ) -> Result<Json<Deleted>, Refused<{ ADMIN | CHANGE | FRESH }>> {
        let receipt = delete_account(&admin.population.core, &admin.proof, &account_id(&id.0)?).await?;
        Ok(Json(Deleted {
            message: "The account and everything in it is deleted.".to_owned(),
            receipt,
        }))
    }
}
