//! The sealed half of a person, as registrations and accounts store it.

use serde::{Deserialize, Serialize};

use crate::{
    crypto::{
        data_key::DataKeys,
        field::{
            Attributes, Country, EmailAddress, FirstName, LastName, PendingEmail, PendingTotp, PhoneNumber,
            UsernameField,
        },
        sealed::{CannotOpen, Sealed},
    },
    domain::account::NewPerson,
};

/// Sealed fields of one person, under that person's own data key. A field that is not given is absent, so that a
/// thief learns which optional fields are filled, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedProfile {
    /// The address.
    pub email: Sealed<EmailAddress>,
    /// A changed address that waits for its link.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email_pending: Option<Sealed<PendingEmail>>,
    /// The name to sign in with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub username: Option<Sealed<UsernameField>>,
    /// Given name.
    pub first_name: Sealed<FirstName>,
    /// Family name.
    pub last_name: Sealed<LastName>,
    /// The number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phone: Option<Sealed<PhoneNumber>>,
    /// The country code as given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub country_code: Option<Sealed<Country>>,
    /// The user type's own fields.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attributes: Option<Sealed<Attributes>>,
    /// The secret of an authenticator app that was shown and waits for its first code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub totp_pending: Option<Sealed<PendingTotp>>,
}

impl SealedProfile {
    /// Seals what a person typed in.
    #[must_use]
    pub fn seal(person: &NewPerson, keys: &DataKeys) -> Self {
        Self {
            email: keys.seal(&person.email),
            email_pending: None,
            username: person.username.as_ref().map(|username| keys.seal(username)),
            first_name: keys.seal(&person.first_name),
            last_name: keys.seal(&person.last_name),
            phone: person.phone.as_ref().map(|phone| keys.seal(phone)),
            country_code: person.country_code.as_ref().map(|code| keys.seal(code)),
            attributes: person.attributes.as_ref().map(|text| keys.seal(text)),
            totp_pending: None,
        }
    }

    /// Seals anew what another key than the sealing one has sealed; whether there was anything.
    pub fn renew(&mut self, keys: &DataKeys) -> Result<bool, CannotOpen> {
        // Taken apart by name: a new field does not compile until it is sealed anew, too.
        let Self {
            email,
            email_pending,
            username,
            first_name,
            last_name,
            phone,
            country_code,
            attributes,
            totp_pending,
        } = self;
        let renewed = [
            keys.renew(email)?,
            keys.renew_any(email_pending)?,
            keys.renew_any(username)?,
            keys.renew(first_name)?,
            keys.renew(last_name)?,
            keys.renew_any(phone)?,
            keys.renew_any(country_code)?,
            keys.renew_any(attributes)?,
            keys.renew_any(totp_pending)?,
        ];
        Ok(renewed.contains(&true))
    }

    /// Opens it for its owner.
    pub fn open(&self, keys: &DataKeys) -> Result<NewPerson, CannotOpen> {
        Ok(NewPerson {
            email: keys.open(&self.email)?,
            username: self.username.as_ref().map(|sealed| keys.open(sealed)).transpose()?,
            first_name: keys.open(&self.first_name)?,
            last_name: keys.open(&self.last_name)?,
            phone: self.phone.as_ref().map(|sealed| keys.open(sealed)).transpose()?,
            country_code: self.country_code.as_ref().map(|sealed| keys.open(sealed)).transpose()?,
            attributes: self.attributes.as_ref().map(|sealed| keys.open(sealed)).transpose()?,
        })
    }
}
