//! What is fuzzed: each target takes any bytes, must not panic, checks what holds of whatever it lets in, and answers
//! whether it let it in. `cargo fuzz` calls them (`fuzz_targets/`), and `tests/rules/fuzzing.rs`, which is this same file,
//! with the corpus.
//!
//! # To add a target
//! A function here and its line in [`ALL`], a binary, a folder of its name in `corpus/` with something that is let in and
//! something that is not.

use std::sync::OnceLock;

use data_encoding::HEXLOWER;
use sealgate::{
    crypto::{
        data_key::{DataKeys, Dek},
        device_token::DeviceToken,
        email_sign_in::Challenge,
        field::{
            Attributes, Country, EmailAddress, Field, FirstName, LastName, OutboxAddress, OutboxLink, PendingEmail,
            PhoneNumber, RequestAddress, SessionAgent, SessionNetwork, SignInChallenge, Totp, UsernameField,
        },
        keyring::{KeyState, KeyUse, Keyring, RootKey, SharedKeyring},
        refresh_token::RefreshToken,
        sealed::Sealed,
        session_link::{linked_session, session_link},
        token_signer::{SigningMethod, TokenSigner},
    },
    domain::{
        clock::Timestamp, country::CountryCode, email::Email, import::ImportedAccount, phone::Phone, token::LinkToken,
        user_type::UserType,
    },
};
use serde_json::Value;
use zeroize::Zeroizing;

/// A target: whether it let the bytes in.
pub type Target = fn(&[u8]) -> bool;

/// Every target by its name, which its corpus and its binary have too.
pub const ALL: [(&str, Target); 5] = [
    ("envelope", envelope),
    ("tokens", tokens),
    ("email", email),
    ("phone", phone),
    ("import_line", import_line),
];

/// The keys of the frozen vectors, so that the corpus holds what opens and verifies, and mutations begin there.
struct Keys {
    user_type: UserType,
    data: DataKeys,
    request: Vec<u8>,
    ring: Keyring,
    signer: TokenSigner,
    now: Timestamp,
}

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let frozen: Value = serde_json::from_str(include_str!("../../tests/vectors/frozen.json")).expect("JSON");
        let bytes = |value: &Value| HEXLOWER.decode(value.as_str().expect("text").as_bytes()).expect("hex");
        let user_type: UserType = frozen["user_type"].as_str().expect("text").parse().expect("valid");
        let dek = bytes(&frozen["dek"]);
        let deks = [1, 0x0102].map(|number| (number, Dek::from_bytes(&dek).expect("32 bytes")));
        let owner = frozen["account_id"].as_str().expect("text");
        let ring = || {
            let mut ring = Keyring::default();
            let key = |material| RootKey {
                version: 1,
                state: KeyState::Active,
                material: Zeroizing::new(material),
            };
            ring.insert(KeyUse::Refresh, key(bytes(&frozen["refresh"]["key"])));
            ring.insert(KeyUse::Token, key(bytes(&frozen["access_token"]["eddsa"]["pkcs8"])));
            ring
        };
        let issued = frozen["access_token"]["claims"]["iat"].as_i64().expect("a number");
        Keys {
            data: DataKeys::new(&user_type, owner, deks).expect("keys"),
            user_type,
            request: bytes(&frozen["email_challenge"]["key"]),
            ring: ring(),
            signer: TokenSigner::new(
                SharedKeyring::new(ring()),
                SigningMethod::Keyring,
                Vec::new(),
                "https://id.example.com",
            ),
            now: Timestamp::from_millis(issued * 1000),
        }
    })
}

/// A sealed field opens as what it was sealed as, or not at all; and no bit of it may be another.
pub fn envelope(data: &[u8]) -> bool {
    fn opens<F: Field>(envelope: &[u8]) -> bool {
        keys().data.open(&Sealed::<F>::from_envelope(envelope.to_vec())).is_ok()
    }
    let fields = [
        opens::<EmailAddress>,
        opens::<PendingEmail>,
        opens::<UsernameField>,
        opens::<FirstName>,
        opens::<LastName>,
        opens::<PhoneNumber>,
        opens::<Country>,
        opens::<Attributes>,
        opens::<Totp>,
        opens::<RequestAddress>,
        opens::<SignInChallenge>,
        opens::<OutboxAddress>,
        opens::<OutboxLink>,
        opens::<SessionAgent>,
        opens::<SessionNetwork>,
    ];
    let mut open = fields.iter().filter(|opens| opens(data));
    let Some(field) = open.next() else {
        return false;
    };
    assert!(open.next().is_none(), "one envelope opens as two fields");
    for bit in 0..data.len() * 8 {
        let mut flipped = data.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!field(&flipped), "bit {bit} may be another");
    }
    true
}

/// Whatever is read as a token has one text: the one that it was read from.
pub fn tokens(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let keys = keys();
    let refresh = RefreshToken::parse(text, &keys.ring);
    if let Some(token) = &refresh {
        assert_eq!(token.expose().expose(), text);
        let next = token.successors(&keys.ring).next().expect("a key, a successor");
        assert_eq!(next.session_id(), token.session_id());
        assert!(RefreshToken::parse(next.expose().expose(), &keys.ring).is_some());
    }
    let device = DeviceToken::parse(text, &keys.user_type, &keys.ring);
    if let Some(token) = &device {
        assert_eq!(token.expose().expose(), text);
    }
    let link = LinkToken::parse(text);
    if let Some(token) = &link {
        assert_eq!(token.expose().expose(), text);
    }
    let session = linked_session(&keys.user_type, text, &keys.ring);
    if let Some(session) = &session {
        let made = session_link(&keys.user_type, session, &keys.ring).expect("a key");
        assert_eq!(made.expose(), text);
    }
    let challenge = Challenge::split(text).filter(|challenge| {
        let dek = Dek::from_bytes(&keys.request).expect("32 bytes");
        let request = DataKeys::new(&keys.user_type, challenge.request.as_str(), [(1, dek)]).expect("a key");
        challenge.open(&request).is_some()
    });
    let access = keys.signer.verify(&keys.user_type, text, keys.now);
    if let Ok(claims) = &access {
        assert_eq!(claims.user_type, keys.user_type);
    }
    let read = [
        refresh.is_some(),
        device.is_some(),
        link.is_some(),
        session.is_some(),
        challenge.is_some(),
        access.is_ok(),
    ];
    let kinds = read.iter().filter(|is_read| **is_read).count();
    assert!(kinds < 2, "one text is two tokens");
    kinds == 1
}

/// An address that is taken is taken again in each of its forms, and is then the same address; nothing in it breaks a
/// mail's header.
pub fn email(data: &[u8]) -> bool {
    let Some(email) = std::str::from_utf8(data).ok().and_then(|text| Email::parse(text).ok()) else {
        return false;
    };
    for form in [email.expose(), email.mailbox(), email.index_form()] {
        let again = Email::parse(form).unwrap_or_else(|error| panic!("a form of its own is refused: {error}"));
        assert_eq!(again.index_form(), email.index_form());
        assert!(!form.contains(|c: char| c.is_control() || c.is_whitespace()));
        assert!(form.len() <= 254 && form.matches('@').count() == 1);
    }
    assert!(!email.index_form().contains(|c: char| c.is_ascii_uppercase()));
    true
}

/// A number that is taken is E.164, and its own E.164. The first line is the country, empty for none.
pub fn phone(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let (country, number) = text.split_once('\n').unwrap_or(("", text));
    let country = CountryCode::parse(country).ok();
    let Ok(phone) = Phone::parse(number, country.as_ref()) else {
        return false;
    };
    let digits = phone.expose().strip_prefix('+').expect("E.164 begins with a plus");
    assert!((7..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit()));
    assert!(!digits.starts_with('0'));
    let again = Phone::parse(phone.expose(), None).expect("its own E.164 is refused");
    assert_eq!(again.expose(), phone.expose());
    true
}

/// A line that is taken is one object; whoever is refused learns fields and codes, and nothing that stood there.
pub fn import_line(data: &[u8]) -> bool {
    match ImportedAccount::parse_line(data) {
        Ok(account) => {
            assert!(data.trim_ascii().starts_with(b"{") && data.trim_ascii().ends_with(b"}"));
            let again = Email::parse(account.person.email.expose()).expect("its own address is refused");
            assert_eq!(again.index_form(), account.person.email.index_form());
            assert_eq!(format!("{account:?}"), format!("ImportedAccount({})", account.id));
            true
        }
        Err(notes) => {
            assert!(!notes.is_empty());
            false
        }
    }
}
