//! Accounts as administrators see and change them.

use poem_openapi::Object;

use crate::{
    domain::{
        account::NewPerson, country::CountryCode, email::Email, person_name::PersonName, phone::Phone, role::Role,
        username::Username,
    },
    http::{
        body::Dto,
        dto::{
            export::EventExport,
            profile::{ProfileSchema, read_attributes, read_update, required_if_there},
        },
        fields::Fields,
        population::Population,
    },
    service::{
        admin::{page::Page, read::AccountView, summary::AccountSummary},
        update_profile::Update,
    },
    storage::audit::AuditRecord,
};

/// An account without its personal data.
#[derive(Object)]
#[oai(rename = "AccountSummary")]
pub struct AccountSummarySchema {
    /// Names it.
    id: String,
    /// `active` or `locked`; `unreadable` where its record can't be read or was changed behind the service's back: then
    /// nothing else is known.
    status: String,
    /// What it may do.
    role: Option<String>,
    /// The address was confirmed.
    is_email_verified: Option<bool>,
    /// The number was confirmed.
    is_phone_verified: Option<bool>,
    /// Signing in takes a second factor.
    mfa_enabled: Option<bool>,
    /// It has no password yet.
    is_invited: Option<bool>,
    /// RFC 3339, UTC.
    created_at: Option<String>,
    /// When its profile last changed. RFC 3339, UTC.
    updated_at: Option<String>,
    /// Counts the profile's changes.
    version: Option<u64>,
}

impl From<AccountSummary> for AccountSummarySchema {
    fn from(summary: AccountSummary) -> Self {
        let facts = summary.facts.as_ref();
        Self {
            id: summary.id.to_string(),
            status: facts.map_or("unreadable", |facts| facts.status.as_str()).to_owned(),
            role: facts.map(|facts| facts.role.as_str().to_owned()),
            is_email_verified: facts.map(|facts| facts.is_email_verified),
            is_phone_verified: facts.map(|facts| facts.is_phone_verified),
            mfa_enabled: facts.map(|facts| facts.is_mfa_enabled),
            is_invited: facts.map(|facts| facts.is_invited),
            created_at: facts.map(|facts| facts.created_at.to_string()),
            updated_at: facts.map(|facts| facts.updated_at.to_string()),
            version: facts.map(|facts| facts.version),
        }
    }
}

/// A page of accounts.
#[derive(Object)]
pub struct AccountList {
    /// In order of id.
    accounts: Vec<AccountSummarySchema>,
    /// Goes back as `cursor`, where there may be more.
    next: Option<String>,
}

impl From<Page<AccountSummary>> for AccountList {
    fn from(page: Page<AccountSummary>) -> Self {
        Self {
            accounts: page.entries.into_iter().map(Into::into).collect(),
            next: page.next,
        }
    }
}

/// An account with its personal data.
#[derive(Object)]
#[oai(rename = "Account")]
pub struct AdminAccountSchema {
    /// The person, as its owner sees it.
    profile: ProfileSchema,
    /// `active` or `locked`.
    status: String,
    /// It has no password yet.
    is_invited: bool,
    /// A changed address that waits for its link.
    email_pending: Option<String>,
}

impl From<AccountView> for AdminAccountSchema {
    fn from(view: AccountView) -> Self {
        Self {
            profile: view.profile.into(),
            status: view.status.as_str().to_owned(),
            is_invited: view.is_invited,
            email_pending: view.pending_email.map(|email| email.expose().to_owned()),
        }
    }
}

/// Somebody to be invited.
#[derive(Object)]
#[oai(example, rename = "Invite")]
pub struct InviteSchema {
    /// 1 to 100 characters, any script, kept byte for byte.
    #[oai(validator(min_length = 1, max_length = 100))]
    first_name: String,
    /// The same.
    #[oai(validator(min_length = 1, max_length = 100))]
    last_name: String,
    /// Where the invitation goes.
    #[oai(validator(max_length = 254))]
    email: String,
    /// `+` and 7 to 15 digits, or a national number read with `country_code`. Stored unverified.
    phone: Option<String>,
    /// `US` or `+1`.
    country_code: Option<String>,
    /// Signs in beside the address.
    #[oai(validator(min_length = 3, max_length = 64))]
    username: Option<String>,
    /// The user type's own fields, as its schema says.
    attributes: Option<serde_json::Value>,
    /// `user` unless said; another takes `roles.assign`.
    #[oai(validator(max_length = 32))]
    role: Option<String>,
}

impl poem_openapi::types::Example for InviteSchema {
    fn example() -> Self {
        Self {
            first_name: "Grace".into(),
            last_name: "Hopper".into(),
            email: "grace@example.com".into(),
            phone: Some("+12025550123".into()),
            country_code: Some("US".into()),
            username: None,
            attributes: None,
            role: None,
        }
    }
}

/// Somebody to be invited, read.
#[derive(Debug)]
pub struct Invite {
    /// Who.
    pub person: NewPerson,
    /// What they will be allowed to do.
    pub role: Role,
}

impl Dto for Invite {
    type Schema = InviteSchema;
    const TAKES_FORM: bool = false;

    fn read(fields: &mut Fields, population: &Population) -> Option<Self> {
        let first_name = fields.required("first_name");
        let first_name = fields.parse("first_name", first_name, PersonName::parse);
        let last_name = fields.required("last_name");
        let last_name = fields.parse("last_name", last_name, PersonName::parse);
        let email = fields.required("email");
        let email = fields.parse("email", email, Email::parse);
        let country_code = fields.optional("country_code");
        let country_code = fields.parse("country_code", country_code, CountryCode::parse);
        let phone = fields.optional("phone");
        let phone = fields.parse("phone", phone, |text| Phone::parse(text, country_code.as_ref()));
        let username = fields.optional("username");
        let username = fields.parse("username", username, Username::parse);
        let attributes = read_attributes(fields, population);
        let role = fields.optional("role");
        let role = fields.parse("role", role, str::parse);
        // What was refused is noted, and then nothing of it is used.
        Some(Self {
            person: NewPerson {
                email: email?,
                username,
                first_name: first_name?,
                last_name: last_name?,
                phone,
                country_code,
                attributes: attributes?.into_set(),
            },
            role: role.unwrap_or(Role::User),
        })
    }
}

/// A change of somebody's account: any field of its profile, and its role. `null` removes what is optional.
#[derive(Default, Object)]
#[oai(example, rename = "AccountUpdate")]
pub struct AdminUpdateSchema {
    /// 1 to 100 characters, any script, kept byte for byte.
    #[oai(validator(min_length = 1, max_length = 100))]
    first_name: Option<String>,
    /// The same.
    #[oai(validator(min_length = 1, max_length = 100))]
    last_name: Option<String>,
    /// Takes effect when the link mailed to it is confirmed.
    #[oai(validator(max_length = 254))]
    email: Option<String>,
    /// `null` removes it.
    #[oai(validator(min_length = 3, max_length = 64))]
    username: Option<String>,
    /// Unverified at once; `null` removes it.
    phone: Option<String>,
    /// `US` or `+1`; `null` removes it.
    country_code: Option<String>,
    /// The user type's own fields, as its schema says.
    attributes: Option<serde_json::Value>,
    /// The version that the client has seen; another one by now is 409.
    version: Option<u64>,
    /// Ends the account's sessions. Takes `roles.assign`, and may no more than one's own.
    #[oai(validator(max_length = 32))]
    role: Option<String>,
}

impl poem_openapi::types::Example for AdminUpdateSchema {
    fn example() -> Self {
        Self {
            first_name: Some("Augusta Ada".into()),
            version: Some(1),
            role: Some("user".into()),
            ..Self::default()
        }
    }
}

/// A change, read.
#[derive(Debug)]
pub struct AdminUpdate {
    /// Of the profile.
    pub update: Update,
    /// Another role.
    pub role: Option<Role>,
}

impl Dto for AdminUpdate {
    type Schema = AdminUpdateSchema;
    const TAKES_FORM: bool = true;
    /// Without one nothing changes.
    const IS_REQUIRED: bool = false;

    fn read(fields: &mut Fields, population: &Population) -> Option<Self> {
        let role = required_if_there(fields, "role", str::parse::<Role>);
        let update = read_update(fields, population);
        Some(Self {
            update: update?,
            role: role?.into_set(),
        })
    }
}

/// A page of the audit.
#[derive(Object)]
pub struct AuditList {
    /// Oldest first.
    events: Vec<AuditEntry>,
    /// Goes back as `cursor`, where there may be more.
    next: Option<String>,
}

/// An event of the audit, and whom it concerns.
#[derive(Object)]
struct AuditEntry {
    /// The account, where it concerns one.
    account_id: Option<String>,
    /// What happened.
    entry: EventExport,
}

impl From<Page<AuditRecord>> for AuditList {
    fn from(page: Page<AuditRecord>) -> Self {
        let entry = |record: AuditRecord| AuditEntry {
            account_id: record.account_id.as_ref().map(ToString::to_string),
            entry: record.into(),
        };
        Self {
            events: page.entries.into_iter().map(entry).collect(),
            next: page.next,
        }
    }
}
