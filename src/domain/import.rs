//! An account that comes from elsewhere, and the line of JSON that carries one (`docs/IMPORTING.md`).
//!
//! Everything that is wrong with a line is told at once, by field and code, and no value is ever repeated: what is refused
//! is a person, too. The line is judged by the same rules as a registration; what its user type's JSON Schema says of
//! `attributes`, and whether its password hash can be checked, is asked where those are known.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value, error::Category};

use crate::domain::{
    account::NewPerson,
    clock::Timestamp,
    country::CountryCode,
    email::Email,
    ids::AccountId,
    person_name::PersonName,
    phone::Phone,
    private::{Private, Refusal},
    user_type::UserType,
    username::Username,
};

/// The most that a line may have, in bytes.
pub const LONGEST_LINE: usize = 64 * 1024;

/// What is wrong with one field, or worth knowing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldNote {
    /// The member's name; `line` for the whole of it.
    pub field: &'static str,
    /// `snake_case`.
    pub code: &'static str,
}

impl FieldNote {
    /// Of one field.
    #[must_use]
    pub const fn new(field: &'static str, code: &'static str) -> Self {
        Self { field, code }
    }
}

/// An account to be made, as far as it can be judged by itself.
pub struct ImportedAccount {
    /// The population; the import's own where the line names none.
    pub user_type: Option<UserType>,
    /// Kept.
    pub id: AccountId,
    /// The person, without attributes.
    pub person: NewPerson,
    /// Not yet held against a schema.
    pub attributes: Option<Map<String, Value>>,
    /// Not yet read. Without one the owner sets a password by mail.
    pub password_hash: Option<Private>,
    /// The address was confirmed.
    pub is_email_verified: bool,
    /// The number was confirmed.
    pub is_phone_verified: bool,
    /// When the account was made; now, where nobody knows.
    pub created_at: Option<Timestamp>,
}

impl fmt::Debug for ImportedAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImportedAccount({})", self.id)
    }
}

/// The members as they stand. `null` is as good as none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    id: Option<Value>,
    user_type: Option<Value>,
    email: Option<Value>,
    username: Option<Value>,
    first_name: Option<Value>,
    last_name: Option<Value>,
    phone: Option<Value>,
    country_code: Option<Value>,
    attributes: Option<Value>,
    password_hash: Option<Value>,
    is_email_verified: Option<Value>,
    is_phone_verified: Option<Value>,
    created_at: Option<Value>,
}

/// Collects what is wrong.
#[derive(Default)]
struct Judge(Vec<FieldNote>);

impl Judge {
    fn refuse(&mut self, field: &'static str, code: &'static str) {
        self.0.push(FieldNote::new(field, code));
    }

    fn text(&mut self, field: &'static str, value: Option<Value>) -> Option<Private> {
        match value? {
            Value::String(text) => Some(Private::new(text)),
            _ => {
                self.refuse(field, "not_a_text");
                None
            }
        }
    }

    fn needed(&mut self, field: &'static str, value: Option<Value>) -> Option<Private> {
        if value.is_none() {
            self.refuse(field, "missing");
        }
        self.text(field, value)
    }

    fn flag(&mut self, field: &'static str, value: Option<&Value>) -> bool {
        match value {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.refuse(field, "not_a_boolean");
                false
            }
        }
    }

    fn parsed<T, E: Refusal>(
        &mut self,
        field: &'static str,
        text: Option<Private>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(text?.expose()) {
            Ok(value) => Some(value),
            Err(refusal) => {
                self.refuse(field, refusal.code());
                None
            }
        }
    }

    fn read<T>(
        &mut self,
        field: &'static str,
        text: Option<Private>,
        code: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = read(text?.expose());
        if value.is_none() {
            self.refuse(field, code);
        }
        value
    }
}

impl ImportedAccount {
    /// Reads one line, without its end.
    pub fn parse_line(line: &[u8]) -> Result<Self, Vec<FieldNote>> {
        if line.len() > LONGEST_LINE {
            return Err(vec![FieldNote::new("line", "too_long")]);
        }
        // A list would be taken for the members in their order.
        if line.trim_ascii_start().first() != Some(&b'{') {
            return Err(vec![FieldNote::new("line", "not_an_object")]);
        }
        let members: Members = serde_json::from_slice(line).map_err(|error| {
            // The parser's own words may repeat values.
            let code = match error.classify() {
                Category::Data => "unknown_or_repeated_member",
                Category::Syntax | Category::Eof | Category::Io => "malformed_json",
            };
            vec![FieldNote::new("line", code)]
        })?;
        let mut judge = Judge::default();
        let id = judge.needed("id", members.id);
        let id = judge.read("id", id, "id_invalid", |text| text.parse().ok());
        let user_type = judge.text("user_type", members.user_type);
        let user_type = judge.read("user_type", user_type, "user_type_invalid", |text| text.parse().ok());
        let email = judge.needed("email", members.email);
        let email = judge.parsed("email", email, Email::parse);
        let username = judge.text("username", members.username);
        let username = judge.parsed("username", username, Username::parse);
        let first_name = judge.needed("first_name", members.first_name);
        let first_name = judge.parsed("first_name", first_name, PersonName::parse);
        let last_name = judge.needed("last_name", members.last_name);
        let last_name = judge.parsed("last_name", last_name, PersonName::parse);
        let country_code = judge.text("country_code", members.country_code);
        let country_code = judge.parsed("country_code", country_code, CountryCode::parse);
        let phone = judge.text("phone", members.phone);
        let phone = judge.parsed("phone", phone, |text| Phone::parse(text, country_code.as_ref()));
        let attributes = match members.attributes {
            None => None,
            Some(Value::Object(object)) => Some(object),
            Some(_) => {
                judge.refuse("attributes", "not_an_object");
                None
            }
        };
        let password_hash = judge.text("password_hash", members.password_hash);
        let is_email_verified = judge.flag("is_email_verified", members.is_email_verified.as_ref());
        let is_phone_verified = judge.flag("is_phone_verified", members.is_phone_verified.as_ref());
        let created_at = judge.text("created_at", members.created_at);
        let created_at = judge.read("created_at", created_at, "created_at_invalid", moment);
        match (id, email, first_name, last_name) {
            (Some(id), Some(email), Some(first_name), Some(last_name)) if judge.0.is_empty() => Ok(Self {
                user_type,
                id,
                person: NewPerson {
                    email,
                    username,
                    first_name,
                    last_name,
                    phone,
                    country_code,
                    attributes: None,
                },
                attributes,
                password_hash,
                is_email_verified,
                is_phone_verified,
                created_at,
            }),
            _ => Err(judge.0),
        }
    }
}

/// RFC 3339, not before 1970.
fn moment(text: &str) -> Option<Timestamp> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(moment.as_millisecond())).filter(|at| at.as_millis() >= 0)
}

/// Whether a name looks as if the Python service had spoilt it: it escaped `'` and `&` for HTML and then took `&` and `;`
/// out. People are called Amp and quot, too, so that nothing is mended on suspicion.
#[must_use]
pub fn looks_corrupted(name: &str) -> bool {
    name.contains("#x27") || name.split(' ').any(|word| word == "amp")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(line: &str) -> Vec<(&'static str, &'static str)> {
        let notes = ImportedAccount::parse_line(line.as_bytes()).expect_err(line);
        notes.iter().map(|note| (note.field, note.code)).collect()
    }

    #[test]
    fn a_whole_line_and_the_shortest_one() {
        let whole = r#"{"id": "4711", "user_type": "User2", "email": "Ada@Example.com", "username": "ada", "first_name": "Ada",
            "last_name": "Lovelace", "phone": "(415) 555-0123", "country_code": "US", "attributes": {"plan": "pro"},
            "password_hash": "$2b$", "is_email_verified": true, "is_phone_verified": true,
            "created_at": "2020-02-29T12:00:00+01:00"}"#;
        let account = ImportedAccount::parse_line(whole.as_bytes()).expect("whole");
        assert_eq!(account.id.as_str(), "4711");
        assert_eq!(account.user_type.as_ref().map(UserType::as_str), Some("User2"));
        assert_eq!(account.person.email.expose(), "Ada@Example.com");
        assert_eq!(account.person.phone.as_ref().map(Phone::expose), Some("+14155550123"));
        assert!(account.is_email_verified && account.is_phone_verified && account.attributes.is_some());
        assert_eq!(account.created_at, Some(Timestamp::from_millis(1_582_974_000_000)));

        let short = r#"{"id":"a","email":"a@b.example","first_name":"A","last_name":"B","phone":null}"#;
        let account = ImportedAccount::parse_line(short.as_bytes()).expect("short");
        assert!(account.password_hash.is_none() && account.person.phone.is_none() && account.created_at.is_none());
        assert!(!account.is_email_verified && !account.is_phone_verified);
        assert_eq!(format!("{account:?}"), "ImportedAccount(a)");
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let line = r#"{"id": "a.b", "user_type": "9", "email": "ada", "username": "a", "first_name": "", "last_name": 7,
            "phone": "12", "country_code": "XX", "attributes": [], "password_hash": {}, "is_email_verified": "yes",
            "is_phone_verified": 1, "created_at": "yesterday"}"#;
        assert_eq!(
            refused(line),
            [
                ("id", "id_invalid"),
                ("user_type", "user_type_invalid"),
                ("email", "email_at_sign"),
                ("username", "username_too_short"),
                ("first_name", "name_empty"),
                ("last_name", "not_a_text"),
                ("country_code", "country_code_unknown_country"),
                ("phone", "phone_country_needed"),
                ("attributes", "not_an_object"),
                ("password_hash", "not_a_text"),
                ("is_email_verified", "not_a_boolean"),
                ("is_phone_verified", "not_a_boolean"),
                ("created_at", "created_at_invalid"),
            ]
        );
        assert_eq!(
            refused("{}"),
            ["id", "email", "first_name", "last_name"].map(|field| (field, "missing"))
        );
    }

    #[test]
    fn what_is_no_such_object_is_refused_whole() {
        let twice = r#"{"id":"a","id":"b","email":"a@b.example","first_name":"A","last_name":"B"}"#;
        for line in [twice, r#"{"passwd":"x"}"#] {
            assert_eq!(refused(line), [("line", "unknown_or_repeated_member")], "{line}");
        }
        for line in ["", "[]", r#"["a", null, "a@b.example"]"#, "7", r#""text""#, "null"] {
            assert_eq!(refused(line), [("line", "not_an_object")], "{line}");
        }
        for line in ["{", "{\"id\":\"a\"} x", "{'id': 1}"] {
            assert_eq!(refused(line), [("line", "malformed_json")], "{line}");
        }
        assert!(ImportedAccount::parse_line(b"{\"id\": \"\xff\"}").is_err());
        let deep = "{\"attributes\":".repeat(4_000);
        assert!(ImportedAccount::parse_line(deep.as_bytes()).is_err());
        assert_eq!(refused(&" ".repeat(LONGEST_LINE + 1)), [("line", "too_long")]);
    }

    #[test]
    fn spoilt_names_are_seen() {
        for name in ["O#x27Brien", "Tom amp Jerry", "amp", "Tom amp"] {
            assert!(looks_corrupted(name), "{name}");
        }
        for name in ["O'Brien", "Tom & Jerry", "Ampère", "Campbell", "Champ"] {
            assert!(!looks_corrupted(name), "{name}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_line_makes_it_stumble(line in any::<Vec<u8>>(), id in any::<String>(), email in any::<String>()) {
            let _ = ImportedAccount::parse_line(&line);
            let line = serde_json::json!({ "id": id, "email": email, "first_name": id, "last_name": email });
            let _ = ImportedAccount::parse_line(line.to_string().as_bytes());
        }
    }
}
