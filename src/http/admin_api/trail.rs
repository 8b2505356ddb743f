//! What happened, and how the keys stand.

use poem_openapi::{OpenApi, param::Query, payload::Json};

use super::{ADMIN, Admin, LIST, refused_parameter};
use crate::{
    domain::{audit::AuditEvent, clock::Timestamp, ids::AccountId},
    http::{
        dto::{admin::AuditList, admin_keys::KeyStatusSchema},
        refusals::Refused,
    },
    service::admin::{
        grants::{ReadAudit, ReadKeys},
        keys::key_status,
        page::USUAL,
        read_audit::{WantedEvents, read_audit},
    },
};

/// The routes.
#[derive(Clone, Debug)]
pub struct AdminTrailApi;

#[OpenApi]
impl AdminTrailApi {
    /// Read the audit
    ///
    /// Of the user type, oldest first. Reading it is an event, too. Takes `audit.read`.
    #[oai(path = "/admin/audit", method = "get", operation_id = "admin_audit")]
    async fn audit(
        &self,
        admin: Admin<ReadAudit>,
        /// `next` of the page before, within an hour, with the same filters.
        cursor: Query<Option<String>>,
        /// Events of a page: 50 unless said.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// About that account only.
        account_id: Query<Option<String>>,
        /// That event only, as `docs/OPERATIONS.md` names it. A page may then be empty though more come.
        event: Query<Option<String>>,
        /// From that moment on, RFC 3339.
        since: Query<Option<String>>,
    ) -> Result<Json<AuditList>, Refused<{ ADMIN | LIST }>> {
        let account_id = account_id.0.map(|text| text.parse::<AccountId>()).transpose();
        let event = event.0.map(|text| AuditEvent::from_name(&text).ok_or(())).transpose();
        let since = since.0.map(|text| text.parse::<Timestamp>()).transpose();
        let wanted = WantedEvents {
            account_id: account_id.map_err(|_| refused_parameter("account_id", "Send an account's id."))?,
            event: event.map_err(|()| refused_parameter("event", "Send the name of an event of the audit."))?,
            since: since.map_err(|_| refused_parameter("since", "Send a moment as RFC 3339 writes it."))?,
        };
        let limit = limit.0.unwrap_or(USUAL);
        let core = &admin.population.core;
        let page = read_audit(core, &admin.proof, &wanted, cursor.0.as_deref(), limit).await?;
        Ok(Json(page.into()))
    }

    /// How the keys stand
    ///
    /// Every version of every key of the installation, and how far the work is that a new one makes: records that still name
    /// the old one, how many a second, how long yet. No key is in it. Takes `keys.read`, which a super-admin alone has.
    #[oai(path = "/admin/keys", method = "get", operation_id = "admin_keys")]
    async fn keys(&self, admin: Admin<ReadKeys>) -> Result<Json<KeyStatusSchema>, Refused<ADMIN>> {
        Ok(Json(key_status(&admin.population.core, &admin.proof).await?.into()))
    }
}
