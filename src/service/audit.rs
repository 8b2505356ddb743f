//! Notes what happened. A note that can't be stored is logged and stops nobody: the act itself was done, or refused,
//! already.

use crate::{
    domain::{
        audit::{AuditEvent, Outcome},
        ids::{AccountId, AuditId},
        user_type::UserType,
    },
    service::core::Core,
    storage::audit::AuditRecord,
};

impl Core {
    /// Appends an entry about `account_id` of `user_type`.
    pub async fn note(&self, user_type: &UserType, account_id: &AccountId, event: AuditEvent, outcome: Outcome) {
        self.append(user_type, Some(account_id), event, outcome).await;
    }

    /// Appends an entry about nobody in particular.
    pub async fn note_of_nobody(&self, user_type: &UserType, event: AuditEvent, outcome: Outcome) {
        self.append(user_type, None, event, outcome).await;
    }

    async fn append(&self, user_type: &UserType, account_id: Option<&AccountId>, event: AuditEvent, outcome: Outcome) {
        let at = self.clock.now();
        let record = AuditRecord {
            id: AuditId::make(at, &*self.entropy),
            schema: crate::storage::SCHEMA,
            user_type: user_type.clone(),
            account_id: account_id.cloned(),
            event,
            outcome,
            at,
            request_id: current_request_id(),
        };
        if let Err(error) = self.stores.audit.append(&record).await {
            tracing::error!(%error, ?event, "an audit entry was not stored");
        }
    }
}

tokio::task_local! {
    /// The id of the HTTP request that this task serves.
    pub static REQUEST_ID: String;
}

fn current_request_id() -> Option<String> {
    REQUEST_ID.try_with(Clone::clone).ok()
}
