//! What an administrator sees of an account without its personal data.

use crate::{
    crypto::record_mac::{RecordMac, Security},
    domain::{account::AccountStatus, clock::Timestamp, ids::AccountId, role::Role, user_type::UserType},
    service::core::Core,
    storage::accounts::AccountRecord,
};

/// An account in a list.
#[derive(Debug)]
pub struct AccountSummary {
    /// Names it.
    pub id: AccountId,
    /// What is known of it; nothing where its record can't be read, or was changed behind the service's back.
    pub facts: Option<Facts>,
}

/// What is known of one that can be read.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, shown as it is")]
pub struct Facts {
    /// Whether it may be used.
    pub status: AccountStatus,
    /// What it may do.
    pub role: Role,
    /// The address was confirmed.
    pub is_email_verified: bool,
    /// The number was confirmed.
    pub is_phone_verified: bool,
    /// A second factor is on.
    pub is_mfa_enabled: bool,
    /// It has no password yet.
    pub is_invited: bool,
    /// When the registration was made.
    pub created_at: Timestamp,
    /// When the profile last changed.
    pub updated_at: Timestamp,
    /// Counts the profile's changes.
    pub version: u64,
}

impl Facts {
    /// Of a record and what was verified of it.
    #[must_use]
    pub fn of(account: &AccountRecord, security: &Security) -> Self {
        Self {
            status: security.status,
            role: security.role.clone(),
            is_email_verified: security.is_email_verified,
            is_phone_verified: security.is_phone_verified,
            is_mfa_enabled: security.factors.is_on(),
            is_invited: security.password_hash.is_none(),
            created_at: account.created_at,
            updated_at: account.updated_at,
            version: account.version,
        }
    }
}

impl AccountSummary {
    /// Of a record as it was read.
    #[must_use]
    pub fn read(core: &Core, user_type: &UserType, id: AccountId, record: Option<&AccountRecord>) -> Self {
        let keyring = core.keyring.current();
        let facts = record.and_then(|account| {
            let verified = RecordMac::new(&keyring).verify(user_type, &id, account.security());
            verified.ok().map(|security| Facts::of(account, security))
        });
        Self { id, facts }
    }
}
