//! What can be printed and stored of a person. `Debug` is the one way to text that the private types have, so that
//! structures around them can be printed; what must not even compile is proven in `leaks/`.

use std::fmt::Debug;

use sealgate::{
    crypto::{
        data_key::{DataKeys, Dek},
        keyring::{KeyState, RootKey},
        password_hasher::PasswordHash,
        system_entropy::SystemEntropy,
    },
    domain::{
        account::NewPerson,
        code::{OtpCode, TotpSecret},
        country::CountryCode,
        email::Email,
        ids::AccountId,
        password::Password,
        person_name::PersonName,
        phone::Phone,
        private::Private,
        second_factor::RecoveryKey,
        token::{AccessToken, LinkToken},
        username::Username,
    },
    storage::profile::SealedProfile,
};
use zeroize::Zeroizing;

#[test]
fn debugging_shows_the_type_and_nothing_else() {
    fn check(name: &str, value: &dyn Debug) {
        assert_eq!(format!("{value:?}"), name);
        assert_eq!(format!("{value:#?}"), name);
    }
    let id: AccountId = "usr_a".parse().expect("valid");
    check("Private", &Private::new("text".to_owned()));
    check("Email", &Email::parse("ada@example.com").expect("valid"));
    check("Phone", &Phone::parse("+14155550123", None).expect("valid"));
    check("PersonName", &PersonName::parse("Ada").expect("valid"));
    check("Username", &Username::parse("ada").expect("valid"));
    check(
        "Password",
        &Password::for_check("hunter2".to_owned()).expect("short enough"),
    );
    check("OtpCode", &OtpCode::make(&SystemEntropy));
    check("TotpSecret", &TotpSecret::make(&SystemEntropy));
    check("RecoveryKey", &RecoveryKey::make(&SystemEntropy));
    check("AccessToken", &AccessToken::new("a.b.c".to_owned()));
    check("LinkToken", &LinkToken::make(id, &SystemEntropy));
    check("PasswordHash", &PasswordHash::from_stored("$argon2id$".to_owned()));
    check("Dek", &Dek::make());
    let root = RootKey {
        version: 1,
        state: KeyState::Active,
        material: Zeroizing::new(vec![7; 32]),
    };
    check("RootKey(v1, Active)", &root);
}

/// A whole person and everything made of one, printed, serialised and searched for the plaintext.
#[test]
fn no_word_of_a_person_is_in_what_is_stored_or_printed() {
    let words = [
        "ada.marker",
        "marker.example",
        "4155550123",
        "Adamarker",
        "Lovemarker",
        "ada_marker",
        "attribute marker",
    ];
    let person = NewPerson {
        email: Email::parse("ada.marker@marker.example").expect("valid"),
        username: Username::parse("ada_marker").ok(),
        first_name: PersonName::parse("Adamarker").expect("valid"),
        last_name: PersonName::parse("Lovemarker").expect("valid"),
        phone: Phone::parse("+14155550123", None).ok(),
        country_code: CountryCode::parse("US").ok(),
        attributes: Some(Private::new(r#"{"motto":"attribute marker"}"#.to_owned())),
    };
    let keys = DataKeys::new(&"User1".parse().expect("valid"), "usr_a", [(1, Dek::make())]).expect("a key");
    let sealed = SealedProfile::seal(&person, &keys);
    let record = bson::serialize_to_vec(&sealed).expect("a document");
    let printed = format!("{person:?} {sealed:?} {keys:?}");
    for word in words {
        assert!(!printed.contains(word), "{word} in {printed}");
        let is_in_record = record.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(!is_in_record, "{word} in the record");
    }
    let opened = sealed.open(&keys).expect("opens");
    assert_eq!(opened.email.expose(), person.email.expose());
}
