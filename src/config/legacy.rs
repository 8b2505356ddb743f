//! Variables of the services that Sealgate succeeds: read by the import of their database alone, and otherwise said once
//! at start when they are met and not used.

use crate::{
    config::source::{Reader, Source},
    domain::private::Private,
};

/// What the import of the old database needs.
#[derive(Debug)]
pub struct LegacyConfig {
    /// Where it is, unless the command says so.
    pub mongo_url: Option<Private>,
    /// Under which its fields are sealed.
    pub encryption_key: Option<Private>,
    /// Of its search hashes.
    pub email_salt: Option<Private>,
}

impl LegacyConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            mongo_url: reader.secret("LEGACY_MONGO_URL"),
            encryption_key: reader.secret("ENCRYPTION_KEY"),
            email_salt: reader.secret("EMAIL_SALT"),
        }
    }
}

const IMPORT_ONLY: &[&str] = &["ENCRYPTION_KEY", "EMAIL_SALT"];
const REPLACED: &[(&str, &str)] = &[
    (
        "DATABASE_URL",
        "MONGO_URL and REDIS_URL, or DATA_DIR for the embedded store",
    ),
    ("SECRET_KEY", "keys that the service makes itself"),
];

/// One line per variable that is set and not used.
#[must_use]
pub fn notices(source: &Source) -> Vec<String> {
    let mut notices = Vec::new();
    for name in source.names() {
        if IMPORT_ONLY.contains(&name) {
            notices.push(format!(
                "{name} is not used by the service: only importing the old database needs it"
            ));
        } else if let Some((_, instead)) = REPLACED.iter().find(|(old, _)| *old == name) {
            notices.push(format!("{name} is not used any more: see {instead}"));
        } else if name.starts_with("DB_") {
            notices.push(format!("{name} is not used any more: see {}", REPLACED[0].1));
        }
    }
    if source.get("AUDIT_COLLECTOR_URL").is_none()
        && (source.get("Account_id").is_some() || source.get("Access_token").is_some())
    {
        notices.push(
            "Account_id and Access_token are not used until AUDIT_COLLECTOR_URL names the collector that they are for"
                .to_owned(),
        );
    }
    if source
        .get("JWT_ALGORITHM")
        .is_none_or(|algorithm| algorithm.trim() != "HS256")
        && source.get("JWT_ALSO_VERIFY").is_none()
        && (source.get("JWT_SECRET").is_some() || source.get("JWT_SECRET_KEY").is_some())
    {
        notices.push(
            "JWT_SECRET is not used: JWT_ALGORITHM=HS256 signs with it, JWT_ALSO_VERIFY=HS256 verifies with it"
                .to_owned(),
        );
    }
    notices
}
