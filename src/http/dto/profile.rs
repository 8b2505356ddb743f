//! The profile: shown, changed, deleted.

use poem_openapi::{Object, types::ToJSON as _};

use crate::{
    domain::{
        account::Profile,
        attributes::parse_attributes,
        country::CountryCode,
        email::Email,
        password::Password,
        person_name::PersonName,
        phone::Phone,
        private::{Private, Refusal},
        username::Username,
    },
    http::{body::Dto, fields::Fields, population::Population, problem::FieldProblem},
    service::update_profile::{Patch, Update},
};

/// An account as its owner sees it.
#[derive(Object)]
#[oai(rename = "Profile")]
pub struct ProfileSchema {
    /// Names the account for ever.
    id: String,
    /// Signs in beside the address.
    username: Option<String>,
    /// Given name.
    first_name: String,
    /// Family name.
    last_name: String,
    /// The address.
    email: String,
    /// With `+` and the country's code.
    phone: Option<String>,
    /// `US` or `+1`, as it was sent.
    country_code: Option<String>,
    /// The country's English name, where the code names exactly one.
    country: Option<String>,
    /// The user type's own fields.
    attributes: Option<serde_json::Value>,
    /// Always: only a confirmed address makes an account.
    is_email_verified: bool,
    /// Whether a code proved it.
    is_phone_verified: bool,
    /// Whether signing in takes a second factor.
    mfa_enabled: bool,
    /// `user`, `admin`, `super_admin`, or a role that the settings define.
    role: String,
    /// RFC 3339, UTC.
    created_at: String,
    /// RFC 3339, UTC.
    updated_at: String,
    /// Counts the profile's changes.
    version: u64,
}

impl From<Profile> for ProfileSchema {
    fn from(profile: Profile) -> Self {
        let person = profile.person;
        Self {
            id: profile.id.to_string(),
            username: person.username.map(|username| username.expose().to_owned()),
            first_name: person.first_name.expose().to_owned(),
            last_name: person.last_name.expose().to_owned(),
            email: person.email.expose().to_owned(),
            phone: person.phone.map(|phone| phone.expose().to_owned()),
            country: person
                .country_code
                .as_ref()
                .and_then(|code| code.country().map(str::to_owned)),
            country_code: person.country_code.map(|code| code.expose().to_owned()),
            is_email_verified: profile.is_email_verified,
            is_phone_verified: profile.is_phone_verified,
            mfa_enabled: profile.is_mfa_enabled,
            attributes: person
                .attributes
                .and_then(|text| serde_json::from_str(text.expose()).ok()),
            role: profile.role.as_str().to_owned(),
            created_at: profile.created_at.to_string(),
            updated_at: profile.updated_at.to_string(),
            version: profile.version,
        }
    }
}

/// Whether a client sent back what it was shown. A form has texts only.
fn is_as_shown(shown: &serde_json::Value, sent: &serde_json::Value) -> bool {
    match (shown, sent) {
        (serde_json::Value::Bool(shown), serde_json::Value::String(sent)) => shown.to_string() == *sent,
        _ => shown == sent,
    }
}

/// What only the service changes; a client may send it back as it was.
const READ_ONLY: [&str; 8] = [
    "id",
    "country",
    "is_email_verified",
    "is_phone_verified",
    "mfa_enabled",
    "role",
    "created_at",
    "updated_at",
];

/// Attributes as they were sent: kept where they were not, removed by `null`. `None` when they were refused, which is
/// noted.
pub(in crate::http) fn read_attributes(fields: &mut Fields, population: &Population) -> Option<Patch<Private>> {
    if fields.takes_null("attributes") {
        return Some(Patch::Remove);
    }
    if !fields.has("attributes") {
        return Some(Patch::Keep);
    }
    let schema = population.core.settings(&population.user_type).attributes;
    match parse_attributes(fields.object("attributes")?, schema.as_ref()) {
        Ok(text) => Some(Patch::Set(text)),
        Err(refusal) => {
            fields.refuse_with("attributes", &refusal);
            None
        }
    }
}

/// A change of the profile: any of its fields; `null` removes an optional one.
#[derive(Default, Object)]
#[oai(example, rename = "Update")]
pub struct UpdateSchema {
    /// 1 to 100 characters, any script, kept byte for byte.
    #[oai(validator(min_length = 1, max_length = 100))]
    first_name: Option<String>,
    /// The same.
    #[oai(validator(min_length = 1, max_length = 100))]
    last_name: Option<String>,
    /// Takes effect when the link mailed to it is confirmed. Needs a sign-in of the last five minutes.
    #[oai(validator(max_length = 254))]
    email: Option<String>,
    /// Signs in beside the address; `null` removes it.
    #[oai(validator(min_length = 3, max_length = 64))]
    username: Option<String>,
    /// Unverified at once. Needs a sign-in of the last five minutes. `null` removes it.
    phone: Option<String>,
    /// `US` or `+1`; `null` removes it.
    country_code: Option<String>,
    /// The user type's own fields, as its schema says.
    attributes: Option<serde_json::Value>,
    /// The version that the client has seen; another one by now is 409.
    version: Option<u64>,
    /// Accepted as it is; another is 422.
    id: Option<String>,
    /// Accepted as it is; another is 422.
    country: Option<String>,
    /// Accepted as it is; another is 422.
    is_email_verified: Option<bool>,
    /// Accepted as it is; another is 422.
    is_phone_verified: Option<bool>,
    /// Accepted as it is; another is 422.
    mfa_enabled: Option<bool>,
    /// Accepted as it is; another is 422.
    role: Option<String>,
    /// Accepted as it is; another is 422.
    created_at: Option<String>,
    /// Accepted as it is; another is 422.
    updated_at: Option<String>,
}

impl poem_openapi::types::Example for UpdateSchema {
    fn example() -> Self {
        Self {
            first_name: Some("Augusta Ada".into()),
            phone: Some("+12025550123".into()),
            country_code: Some("US".into()),
            version: Some(1),
            ..Self::default()
        }
    }
}

/// A parsed change.
#[derive(Debug)]
pub struct ProfileUpdate {
    /// What to change.
    pub update: Update,
    read_only: Vec<(&'static str, serde_json::Value)>,
}

impl ProfileUpdate {
    /// Read-only members that are not as the profile has them.
    #[must_use]
    pub fn changed_read_only(&self, profile: &ProfileSchema) -> Vec<FieldProblem> {
        let shown = profile.to_json().unwrap_or_default();
        self.read_only
            .iter()
            .filter(|(name, value)| !is_as_shown(shown.get(*name).unwrap_or(&serde_json::Value::Null), value))
            .map(|(name, _)| FieldProblem {
                field: (*name).to_owned(),
                code: "read_only".to_owned(),
                detail: "Only the service changes it. Leave it out, or send it back as it is.".to_owned(),
            })
            .collect()
    }
}

impl Dto for ProfileUpdate {
    type Schema = UpdateSchema;
    const TAKES_FORM: bool = true;

    fn read(fields: &mut Fields, population: &Population) -> Option<Self> {
        let read_only = READ_ONLY
            .into_iter()
            .filter_map(|name| Some((name, fields.json(name)?)))
            .collect();
        Some(Self {
            update: read_update(fields, population)?,
            read_only,
        })
    }
}

/// The fields that may be changed. `None` when one was refused, which is noted.
pub(in crate::http) fn read_update(fields: &mut Fields, population: &Population) -> Option<Update> {
    let first_name = required_if_there(fields, "first_name", PersonName::parse);
    let last_name = required_if_there(fields, "last_name", PersonName::parse);
    let email = required_if_there(fields, "email", Email::parse);
    let username = fields.patch("username", Username::parse);
    let country_code = fields.patch("country_code", CountryCode::parse);
    let country = match &country_code {
        Some(Patch::Set(code)) => Some(code),
        _ => None,
    };
    let phone = fields.patch("phone", |text| Phone::parse(text, country));
    let attributes = read_attributes(fields, population);
    let version = match fields.integer("version").map(u64::try_from) {
        Some(Ok(version)) => Some(version),
        // Not one that a profile ever has: ignored, it would look like a check that passed.
        Some(Err(_)) => {
            fields.refuse("version", "wrong_type", "Send the profile's version.");
            None
        }
        None => None,
    };
    Some(Update {
        first_name: first_name?.into_set(),
        last_name: last_name?.into_set(),
        email: email?.into_set(),
        username: username?,
        phone: phone?,
        country_code: country_code?,
        attributes: attributes?,
        version,
    })
}

/// A member that may be left out and not be `null`. `None` when it was refused, which is noted.
pub(in crate::http) fn required_if_there<T, E: Refusal>(
    fields: &mut Fields,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<Patch<T>> {
    if !fields.has(name) {
        return Some(Patch::Keep);
    }
    let text = fields.required(name);
    fields.parse(name, text, parse).map(Patch::Set)
}

/// Deleting one's account.
#[derive(Object)]
#[oai(example, rename = "Delete")]
pub struct DeleteSchema {
    /// One's password; not needed within five minutes of signing in.
    password: Option<String>,
    /// Accepted where it is one's own.
    #[oai(deprecated)]
    id: Option<String>,
    /// Accepted where it is one's own.
    #[oai(deprecated)]
    email: Option<String>,
}

impl poem_openapi::types::Example for DeleteSchema {
    fn example() -> Self {
        Self {
            password: Some("SecureP@ssw0rd123!".into()),
            id: None,
            email: None,
        }
    }
}

/// A deletion, read.
#[derive(Debug)]
pub struct Delete {
    /// The proof.
    pub password: Option<Password>,
    /// Must be the caller's own.
    pub id: Option<String>,
    /// Must be the caller's own.
    pub email: Option<Email>,
}

impl Dto for Delete {
    type Schema = DeleteSchema;
    const TAKES_FORM: bool = true;
    const IS_REQUIRED: bool = false;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        let password = fields.optional("password");
        let asked = password.is_some();
        let password = fields.parse("password", password, |text| Password::for_check(text.to_owned()));
        let id = fields.optional("id").map(|id| id.as_str().to_owned());
        let email = fields.optional("email");
        let asked_email = email.is_some();
        let email = fields.parse("email", email, Email::parse);
        if (asked && password.is_none()) || (asked_email && email.is_none()) {
            return None;
        }
        Some(Self { password, id, email })
    }
}

/// The answer to a deletion.
#[derive(Debug, Object)]
pub struct Deleted {
    /// For people.
    pub message: String,
    /// What was erased, when, and which keys were destroyed: a JWS signed with the token key.
    pub receipt: String,
}
