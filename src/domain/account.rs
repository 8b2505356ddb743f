//! A confirmed person of one user type: what the account may be, and what its owner sees of it.

use serde::{Deserialize, Serialize};

use crate::domain::{
    clock::Timestamp, country::CountryCode, email::Email, ids::AccountId, person_name::PersonName, phone::Phone,
    private::Private, role::Role, username::Username,
};

/// Whether the account may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// In use.
    Active,
    /// Closed by an administrator until unlocked.
    Locked,
    /// A tombstone: erased, waiting for its last traces to be removed.
    Erased,
}

impl AccountStatus {
    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Locked => "locked",
            Self::Erased => "erased",
        }
    }
}

/// What a person types in when registering, parsed.
#[derive(Debug)]
pub struct NewPerson {
    /// Where the confirmation goes; unique within the user type once confirmed.
    pub email: Email,
    /// Optional second name to sign in with; unique and public by nature.
    pub username: Option<Username>,
    /// Given name.
    pub first_name: PersonName,
    /// Family name.
    pub last_name: PersonName,
    /// Stored unverified; may stand on many accounts.
    pub phone: Option<Phone>,
    /// As given: `US` or `+1`.
    pub country_code: Option<CountryCode>,
    /// A JSON object that the user type's schema accepted.
    pub attributes: Option<Private>,
}

/// The opened account, as its owner may see it.
#[derive(Debug)]
pub struct Profile {
    /// The account.
    pub id: AccountId,
    /// The person's data.
    pub person: NewPerson,
    /// The address was confirmed by its link.
    pub is_email_verified: bool,
    /// The number was confirmed by a code.
    pub is_phone_verified: bool,
    /// A second factor is on.
    pub is_mfa_enabled: bool,
    /// What the account may do.
    pub role: Role,
    /// When the registration was made.
    pub created_at: Timestamp,
    /// When the profile last changed.
    pub updated_at: Timestamp,
    /// Counts the profile's changes, for optimistic locking by clients.
    pub version: u64,
}
