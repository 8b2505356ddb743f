//! What the Python service stored of a person, opened and read, so that it can be imported like any other account.
//!
//! An account is refused where its id, names, address or hash can't be used; a phone or country that can't is left out,
//! and told. Names that the service spoilt are told and taken over as they are: whether `Tom amp Jerry` was `Tom & Jerry`,
//! the owner knows.

use std::sync::Arc;

use crate::{
    crypto::fernet::LegacyKeys,
    domain::{
        account::NewPerson,
        country::CountryCode,
        email::Email,
        ids::AccountId,
        import::{FieldNote, ImportedAccount, looks_corrupted},
        person_name::{PersonName, PersonNameError},
        phone::Phone,
        private::{Private, Refusal as _},
        user_type::UserType,
    },
    service::{
        core::Core,
        failure::Failure,
        import_run::{Place, Prepared},
    },
    storage::{Ref, StoreError, legacy::LegacyRecord},
};

/// A record that was read.
#[derive(Debug)]
pub struct Read {
    /// The account, or why it can't be one.
    pub account: Result<ImportedAccount, Vec<FieldNote>>,
    /// What to look at by hand.
    pub notes: Vec<FieldNote>,
}

/// Whether the keys are those of the service, as far as these records show: most fields open, for a few may be damaged or
/// sealed under an older key, and some address has its search hash.
pub fn check_keys(keys: &LegacyKeys, records: &[LegacyRecord]) -> Result<(), &'static str> {
    let fields = records
        .iter()
        .flat_map(|record| [&record.email, &record.first_name, &record.last_name, &record.phone])
        .flatten();
    let (opened, closed): (Vec<_>, Vec<_>) = fields.partition(|sealed| keys.open(sealed).is_ok());
    if opened.len() <= closed.len() {
        return Err("ENCRYPTION_KEY is not the key under which the records are sealed");
    }
    if !records.iter().any(|record| has_own_address(keys, record)) {
        return Err("EMAIL_SALT is not the salt of the records' search hashes");
    }
    Ok(())
}

fn has_own_address(keys: &LegacyKeys, record: &LegacyRecord) -> bool {
    let email = record.email.as_ref().and_then(|sealed| keys.open(sealed).ok());
    match (email, &record.email_search_hash) {
        (Some(email), Some(hash)) => keys.is_search_hash_of(email.expose(), hash),
        _ => false,
    }
}

/// Reads the record at `number` for an import into `user_type`.
pub async fn prepare(
    core: &Core,
    user_type: &UserType,
    keys: &Arc<LegacyKeys>,
    number: u64,
    record: LegacyRecord,
) -> Result<Prepared, Failure> {
    let id: Option<AccountId> = record.id.as_ref().and_then(|id| id.parse().ok());
    let is_known = match &id {
        Some(id) => core
            .stores
            .accounts
            .find(&Ref::new(user_type, id.clone()))
            .await?
            .is_some(),
        None => false,
    };
    let id = id.map_or_else(|| format!("_id {}", record.document_id), |id| id.to_string());
    let keys = Arc::clone(keys);
    let read = tokio::task::spawn_blocking(move || read(record, &keys, is_known)).await;
    let read = read.map_err(|_| StoreError::Damaged(format!("the old record {id}")))?;
    Ok(Prepared {
        place: Place { number, id: Some(id) },
        user_type: Some(user_type.clone()),
        account: read.account,
        notes: read.notes,
    })
}

/// Reads a record. The search hash takes long, and is not asked again where `is_known` says that the account is there.
#[must_use]
pub fn read(record: LegacyRecord, keys: &LegacyKeys, is_known: bool) -> Read {
    let (mut invalid, mut notes) = (Vec::new(), Vec::new());
    let mut refuse = |field, code| invalid.push(FieldNote::new(field, code));

    let id = record.id.as_ref().and_then(|id| id.parse().ok());
    if id.is_none() {
        refuse("id", if record.id.is_none() { "missing" } else { "id_invalid" });
    }
    let mut open = |field, sealed: Option<&String>| match sealed.map(|sealed| keys.open(sealed)) {
        Some(Ok(plain)) => Some(plain),
        Some(Err(_)) => {
            refuse(field, "does_not_open");
            None
        }
        None => {
            refuse(field, "missing");
            None
        }
    };
    let email = open("email", record.email.as_ref());
    let first_name = open("first_name", record.first_name.as_ref());
    let last_name = open("last_name", record.last_name.as_ref());
    let email = email.and_then(|text| {
        let hash = record.email_search_hash.as_deref().unwrap_or_default();
        if !is_known && !keys.is_search_hash_of(text.expose(), hash) {
            refuse("email", "search_hash_mismatch");
            return None;
        }
        Email::parse(text.expose())
            .map_err(|refusal| refuse("email", refusal.code()))
            .ok()
    });
    let mut name = |field, text: Option<Private>| {
        let text = text?;
        if looks_corrupted(text.expose()) {
            notes.push(FieldNote::new(field, "name_corrupted"));
        }
        // The service took names with space around them, which here would be a name of its own.
        let parsed = match PersonName::parse(text.expose()) {
            Err(PersonNameError::SurroundingSpace) => PersonName::parse(text.expose().trim()),
            parsed => parsed,
        };
        parsed.map_err(|refusal| refuse(field, refusal.code())).ok()
    };
    let first_name = name("first_name", first_name);
    let last_name = name("last_name", last_name);
    if record.password.is_none() {
        refuse("password_hash", "missing");
    }
    let country_code = record.country_code.as_deref().filter(|text| !text.is_empty());
    let country_code = country_code.and_then(|text| {
        let parsed =
            CountryCode::parse(text).or_else(|refusal| CountryCode::parse(&format!("+{text}")).map_err(|_| refusal));
        parsed
            .map_err(|refusal| notes.push(FieldNote::new("country_code", refusal.code())))
            .ok()
    });
    let phone = record.phone.as_ref().and_then(|sealed| {
        let text = match keys.open(sealed) {
            Ok(text) if text.expose().is_empty() => return None,
            Ok(text) => text,
            Err(_) => {
                notes.push(FieldNote::new("phone", "does_not_open"));
                return None;
            }
        };
        Phone::parse(text.expose(), country_code.as_ref())
            .map_err(|refusal| notes.push(FieldNote::new("phone", refusal.code())))
            .ok()
    });
    let account = match (id, email, first_name, last_name) {
        (Some(id), Some(email), Some(first_name), Some(last_name)) if invalid.is_empty() => Ok(ImportedAccount {
            user_type: None,
            id,
            person: NewPerson {
                email,
                username: None,
                first_name,
                last_name,
                phone,
                country_code,
                attributes: None,
            },
            attributes: None,
            password_hash: record.password.map(Private::new),
            is_email_verified: record.is_email_verified,
            is_phone_verified: false,
            created_at: None,
        }),
        _ => Err(invalid),
    };
    Read { account, notes }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn fixture() -> Value {
        serde_json::from_str(include_str!("../../tests/vectors/legacy.json")).expect("JSON")
    }

    fn keys(key: &str, salt: &str) -> LegacyKeys {
        LegacyKeys::parse(key, Private::new(salt.to_owned())).expect("a key")
    }

    fn own_keys(fixture: &Value) -> LegacyKeys {
        keys(
            fixture["encryption_key"].as_str().expect("text"),
            fixture["email_salt"].as_str().expect("text"),
        )
    }

    fn records(fixture: &Value) -> Vec<LegacyRecord> {
        let documents = fixture["databases"]["User1"].as_array().expect("a list");
        let record = |document: &Value| {
            let text = |name: &str| document[name].as_str().map(str::to_owned);
            LegacyRecord {
                document_id: text("_id").expect("text"),
                id: text("id"),
                first_name: text("first_name_encrypted"),
                last_name: text("last_name_encrypted"),
                email: text("email_encrypted"),
                phone: text("phone_encrypted"),
                email_search_hash: text("email_search_hash"),
                country_code: text("country_code"),
                password: text("password"),
                is_email_verified: document["is_email_verified"] == true,
            }
        };
        documents.iter().map(record).collect()
    }

    #[test]
    fn the_keys_are_checked_on_the_records() {
        let fixture = fixture();
        let records = records(&fixture);
        assert_eq!(check_keys(&own_keys(&fixture), &records[..1]), Ok(()));
        let other = keys(fixture["other_key"].as_str().expect("text"), "sel de mer, 2019");
        let refused = check_keys(&other, &records[..1]).expect_err("another key");
        assert!(refused.starts_with("ENCRYPTION_KEY"), "{refused}");
        let unsalted = keys(fixture["encryption_key"].as_str().expect("text"), "fleur de sel");
        let refused = check_keys(&unsalted, &records[..1]).expect_err("another salt");
        assert!(refused.starts_with("EMAIL_SALT"), "{refused}");
        let refused = check_keys(&other, &records).expect_err("another key, under which one field is sealed");
        assert!(refused.starts_with("ENCRYPTION_KEY"), "{refused}");
        // A damaged record among sound ones says nothing against the keys.
        let damaged = LegacyRecord::default();
        assert_eq!(check_keys(&own_keys(&fixture), &[damaged, records[0].clone()]), Ok(()));
    }

    #[test]
    fn a_record_is_read_as_the_service_meant_it() {
        let fixture = fixture();
        let keys = own_keys(&fixture);
        let all: Vec<Read> = records(&fixture)
            .into_iter()
            .map(|record| read(record, &keys, false))
            .collect();
        let account = |number: usize| all[number - 1].account.as_ref().expect("read");
        let notes = |number: usize| -> Vec<(&str, &str)> {
            let notes = all[number - 1].notes.iter();
            notes.map(|note| (note.field, note.code)).collect()
        };
        let refused = |number: usize| -> Vec<(&str, &str)> {
            let invalid = all[number - 1].account.as_ref().expect_err("refused").iter();
            invalid.map(|note| (note.field, note.code)).collect()
        };

        assert_eq!(account(1).person.first_name.expose(), "Ada");
        assert_eq!(account(1).person.email.expose(), "ada@example.com");
        assert!(account(1).is_email_verified && notes(1).is_empty());
        assert!(
            !account(5).is_email_verified && !account(17).is_email_verified,
            "only true is"
        );

        assert_eq!(account(2).person.last_name.expose(), "O#x27Brien", "untouched");
        assert_eq!(notes(2), [("last_name", "name_corrupted")]);
        assert_eq!(notes(3), [("first_name", "name_corrupted")]);
        let phone = account(3).person.phone.as_ref().expect("a number");
        assert_eq!(phone.expose(), "+14155550124", "national, read with the country");
        assert_eq!(account(4).person.email.expose(), "Grace.Hopper@Example.COM");
        assert!(account(4).person.phone.is_none());
        assert_eq!(notes(4), [("phone", "phone_too_short")]);
        assert!(account(14).person.phone.is_none() && notes(14).is_empty());
        assert_eq!(account(15).person.last_name.expose(), "Family");
        assert_eq!(notes(15), [("country_code", "country_code_invalid")]);
        assert_eq!(account(18).person.first_name.expose(), "Zo\u{eb}");

        assert_eq!(refused(9), [("email", "search_hash_mismatch")], "another's address");
        assert_eq!(refused(10), [("last_name", "does_not_open")]);
        assert_eq!(refused(11), [("first_name", "does_not_open")], "under another key");
        assert_eq!(refused(12), [("id", "id_invalid")]);
        assert_eq!(refused(16), [("email", "email_forbidden_character")]);

        let empty = read(LegacyRecord::default(), &keys, false);
        let missing = ["id", "email", "first_name", "last_name", "password_hash"];
        let invalid = empty.account.expect_err("nothing is there");
        assert_eq!(invalid, missing.map(|field| FieldNote::new(field, "missing")));
    }
}
