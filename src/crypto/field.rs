//! The registry of sealed fields: the name that is bound into key and associated data, the plaintext's type, and
//! whether its length is hidden.
//!
//! To add a field: a line in the registry below. A name is for ever: data sealed under it opens under no other.

use zeroize::Zeroizing;

use crate::domain::{
    code::TotpSecret, country::CountryCode, device::UserAgent, email::Email, network::Network, person_name::PersonName,
    phone::Phone, private::Private, second_factor::RecoveryKey, username::Username,
};

/// A sealed field of a record.
pub trait Field {
    /// Bound into the field's key and associated data.
    const NAME: &'static str;
    /// Whether the plaintext is padded (ISO/IEC 7816-4) to 32, 64, 128, 256 or 512 bytes, so that its length tells
    /// nothing.
    const IS_PADDED: bool;
    /// What is sealed.
    type Plain;
    /// Its bytes.
    fn encode(plain: &Self::Plain) -> Zeroizing<Vec<u8>>;
    /// From its bytes. `None` when they were never such a value, which opening reports like any other damage.
    fn decode(bytes: &[u8]) -> Option<Self::Plain>;
}

fn text(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

fn utf8(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

macro_rules! fields {
    ($($(#[$doc:meta])+ $marker:ident $name:literal $plain:ty, padded $padded:literal, $encode:expr, $decode:expr;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug)]
        pub enum $marker {}
        impl Field for $marker {
            const NAME: &'static str = $name;
            const IS_PADDED: bool = $padded;
            type Plain = $plain;
            fn encode(plain: &$plain) -> Zeroizing<Vec<u8>> {
                let encode: fn(&$plain) -> Zeroizing<Vec<u8>> = $encode;
                encode(plain)
            }
            fn decode(bytes: &[u8]) -> Option<$plain> {
                let decode: fn(&[u8]) -> Option<$plain> = $decode;
                decode(bytes)
            }
        }
    )+

        /// Every field's name and whether it is padded.
        #[cfg(test)]
        const ALL: &[(&str, bool)] = &[$(($name, $padded)),+];
    };
}

fields! {
    /// The confirmed (or, in a registration, the claimed) address.
    EmailAddress "email" Email, padded false, |p| text(p.expose()), |b| Email::parse(utf8(b)?).ok();
    /// A changed address that waits for its link.
    PendingEmail "email_pending" Email, padded false, |p| text(p.expose()), |b| Email::parse(utf8(b)?).ok();
    /// The name to sign in with beside the address.
    UsernameField "username" Username, padded true, |p| text(p.expose()), |b| Username::parse(utf8(b)?).ok();
    /// Given name.
    FirstName "first_name" PersonName, padded true, |p| text(p.expose()), |b| Some(PersonName::from_sealed(utf8(b)?));
    /// Family name.
    LastName "last_name" PersonName, padded true, |p| text(p.expose()), |b| Some(PersonName::from_sealed(utf8(b)?));
    /// The number, E.164.
    PhoneNumber "phone" Phone, padded true, |p| text(p.expose()), |b| Phone::parse(utf8(b)?, None).ok();
    /// The country code, as given.
    Country "country_code" CountryCode, padded true, |p| text(p.expose()), |b| CountryCode::parse(utf8(b)?).ok();
    /// A JSON object that the user type's schema describes.
    Attributes "attributes" Private, padded false, |p| text(p.expose()), |b| Some(Private::new(utf8(b)?.to_owned()));
    /// The secret of an authenticator app.
    Totp "totp" TotpSecret, padded false, |p| Zeroizing::new(p.expose().to_vec()), |b| TotpSecret::from_sealed(b);
    /// One that was shown and waits for its first code.
    PendingTotp "totp_pending" TotpSecret, padded false, |p| Zeroizing::new(p.expose().to_vec()), |b| TotpSecret::from_sealed(b);
    /// What digests of recovery codes are keyed with, where that is not the app's secret.
    RecoverySecret "recovery_key" RecoveryKey, padded false, |p| Zeroizing::new(p.expose().to_vec()), |b| RecoveryKey::from_sealed(b);
    /// The address that somebody asked about (forgotten password, resend): any address, known or not.
    RequestAddress "request_address" Email, padded true, |p| text(p.expose()), |b| Email::parse(utf8(b)?).ok();
    /// The address that somebody asked to sign in with, in the challenge that they hold.
    SignInChallenge "sign_in_challenge" Email, padded true, |p| text(p.expose()), |b| Email::parse(utf8(b)?).ok();
    /// An address that differs from the account's own, for one message.
    OutboxAddress "outbox_to" Email, padded true, |p| text(p.expose()), |b| Email::parse(utf8(b)?).ok();
    /// What a session's client calls itself.
    SessionAgent "session_agent" UserAgent, padded true, |p| text(p.expose()), |b| UserAgent::parse(utf8(b)?);
    /// The network that a session began from.
    SessionNetwork "session_network" Network, padded true, |p| text(p.as_str()), |b| Some(Network::from_sealed(utf8(b)?));
    /// The link token of a message that is being sent, so that a second try sends the same link.
    OutboxLink "outbox_link" Private, padded false, |p| text(p.expose()), |b| Some(Private::new(utf8(b)?.to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::frozen::Frozen;

    #[test]
    fn names_and_padding_are_for_ever() {
        let frozen = Frozen::read().0;
        let fields = frozen["fields"].as_object().expect("an object");
        for &(name, is_padded) in ALL {
            assert_eq!(fields.get(name), Some(&is_padded.into()), "{name}");
        }
        assert_eq!(fields.len(), ALL.len());
    }
}
