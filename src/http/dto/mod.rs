//! What routes take and give, and its twin in the document.

pub mod admin;
pub mod admin_keys;
pub mod email_sign_in;
pub mod export;
pub mod phone;
pub mod profile;
pub mod recovery;
pub mod second_factor;
pub mod session;
pub mod token;
pub mod well_known;

use poem_openapi::Object;
use zeroize::Zeroizing;

use crate::{
    domain::{
        account::NewPerson, country::CountryCode, email::Email, password::Password, person_name::PersonName,
        phone::Phone, private::Private, username::Username,
    },
    http::{body::Dto, fields::Fields, population::Population},
    service::{choose_password::context_of_service, sessions::TokenPair},
};

/// A registration.
#[derive(Object)]
#[oai(example, rename = "Create")]
pub struct CreateSchema {
    /// Given name: 1 to 100 characters, any script, kept byte for byte.
    #[oai(validator(min_length = 1, max_length = 100))]
    first_name: String,
    /// Family name, the same.
    #[oai(validator(min_length = 1, max_length = 100))]
    last_name: String,
    /// Where the confirmation goes. Unique within the user type once confirmed.
    #[oai(validator(max_length = 254))]
    email: String,
    /// `+` and 7 to 15 digits, or a national number read with `country_code`. Stored unverified.
    phone: Option<String>,
    /// `US` or `+1`.
    country_code: Option<String>,
    /// By the user type's policy; by default 8 to 128 characters with upper and lower case, a digit and another.
    #[oai(validator(min_length = 8, max_length = 128))]
    password: String,
    /// 3 to 64 letters, digits, `.`, `_`, `-`; signs in beside the address. Unique within the user type, and public.
    #[oai(validator(min_length = 3, max_length = 64))]
    username: Option<String>,
    /// The user type's own fields, as its schema says.
    attributes: Option<serde_json::Value>,
    /// Accepted and ignored: only the mailed link verifies an address.
    #[oai(deprecated)]
    is_email_verified: Option<bool>,
}

impl poem_openapi::types::Example for CreateSchema {
    fn example() -> Self {
        Self {
            first_name: "Ada".into(),
            last_name: "Lovelace".into(),
            email: "ada@example.com".into(),
            phone: Some("+1234567890".into()),
            country_code: Some("US".into()),
            password: "SecureP@ssw0rd123!".into(),
            username: Some("ada".into()),
            attributes: None,
            is_email_verified: None,
        }
    }
}

/// A parsed registration.
#[derive(Debug)]
pub struct Create {
    /// Who.
    pub person: NewPerson,
    /// With what password.
    pub password: Password,
}

impl Dto for Create {
    type Schema = CreateSchema;
    const TAKES_FORM: bool = false;
    const CHOOSES_PASSWORD: bool = true;

    fn read(fields: &mut Fields, population: &Population) -> Option<Self> {
        let first_name = fields.required("first_name");
        let last_name = fields.required("last_name");
        let email = fields.required("email");
        let phone = fields.optional("phone");
        let country_code = fields.optional("country_code");
        let password = fields.required("password");
        let username = fields.optional("username");
        fields.ignore("is_email_verified");
        let attributes = profile::read_attributes(fields, population);

        let context: Vec<&str> = [&first_name, &last_name, &username]
            .into_iter()
            .filter_map(|text| text.as_ref().map(|text| text.as_str()))
            .chain(email.as_ref().and_then(|text| text.split('@').next()))
            .chain(context_of_service(&population.user_type))
            .collect();
        let rules = population.core.settings(&population.user_type).password_rules;
        let parsed = password.map(|text| Password::parse_new(text.as_str().to_owned(), &rules, &context));
        let password = match parsed {
            Some(Ok(password)) => Some(password),
            Some(Err(refused)) => {
                for (code, detail) in refused.reasons() {
                    fields.refuse("password", code, detail);
                }
                None
            }
            None => None,
        };

        let first_name = fields.parse("first_name", first_name, PersonName::parse);
        let last_name = fields.parse("last_name", last_name, PersonName::parse);
        let email = fields.parse("email", email, Email::parse);
        let (asked_country, asked_phone) = (is_given(country_code.as_ref()), is_given(phone.as_ref()));
        let country_code = fields.parse("country_code", country_code, CountryCode::parse);
        // A number that needs a country which was refused would be refused for the wrong reason.
        let phone = if asked_country && country_code.is_none() {
            None
        } else {
            fields.parse("phone", phone, |text| Phone::parse(text, country_code.as_ref()))
        };
        let username_given = is_given(username.as_ref());
        let username = fields.parse("username", username, Username::parse);
        if (asked_phone && phone.is_none())
            || (asked_country && country_code.is_none())
            || (username_given && username.is_none())
        {
            return None;
        }
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
            password: password?,
        })
    }
}

fn is_given(text: Option<&Zeroizing<String>>) -> bool {
    text.is_some()
}

/// A sign-in, as OAuth 2's password form (RFC 6749 section 4.3.2) or the same in JSON.
#[derive(Object)]
#[oai(example, rename = "Login")]
pub struct LoginSchema {
    /// Address or username.
    username: String,
    /// The password.
    password: String,
    /// `password`, if it is sent at all.
    grant_type: Option<String>,
    /// `false` makes the refresh token last a day instead of weeks.
    remember_me: Option<bool>,
    /// Accepted and ignored.
    scope: Option<String>,
    /// Accepted and ignored.
    client_id: Option<String>,
    /// Accepted and ignored.
    client_secret: Option<String>,
}

impl poem_openapi::types::Example for LoginSchema {
    fn example() -> Self {
        Self {
            username: "ada@example.com".into(),
            password: "SecureP@ssw0rd123!".into(),
            grant_type: Some("password".into()),
            remember_me: Some(true),
            scope: None,
            client_id: None,
            client_secret: None,
        }
    }
}

/// A parsed sign-in.
#[derive(Debug)]
pub struct Login {
    /// Address or username.
    pub identifier: Private,
    /// Password.
    pub password: Password,
    /// Keep the session for long.
    pub remember: bool,
}

impl Dto for Login {
    type Schema = LoginSchema;
    const TAKES_FORM: bool = true;
    const PREFERS_FORM: bool = true;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        let identifier = fields.required("username");
        let password = fields.required("password");
        let grant_type = fields.optional("grant_type");
        if grant_type.is_some_and(|grant| grant.as_str() != "password") {
            fields.refuse(
                "grant_type",
                "unsupported_grant_type",
                "Send `password`, or leave it out.",
            );
        }
        let remember = fields.boolean("remember_me", true);
        for name in ["scope", "client_id", "client_secret"] {
            fields.ignore(name);
        }
        let password = fields.parse("password", password, |text| Password::for_check(text.to_owned()));
        let identifier = Private::new(identifier?.as_str().to_owned());
        Some(Self {
            identifier,
            password: password?,
            remember,
        })
    }
}

/// A refresh token.
#[derive(Object)]
#[oai(example, rename = "Refresh")]
pub struct RefreshSchema {
    /// As the last answer gave it; used up by this call.
    refresh_token: String,
    /// `refresh_token`, if it is sent at all.
    grant_type: Option<String>,
}

impl poem_openapi::types::Example for RefreshSchema {
    fn example() -> Self {
        Self {
            refresh_token: "rt1.…".into(),
            grant_type: None,
        }
    }
}

/// A refresh token, read.
#[derive(Debug)]
pub struct Refresh(pub Private);

impl Dto for Refresh {
    type Schema = RefreshSchema;
    const TAKES_FORM: bool = true;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        let token = fields.required("refresh_token");
        if fields
            .optional("grant_type")
            .is_some_and(|grant| grant.as_str() != "refresh_token")
        {
            fields.refuse(
                "grant_type",
                "unsupported_grant_type",
                "Send `refresh_token`, or leave it out.",
            );
        }
        Some(Self(Private::new(token?.as_str().to_owned())))
    }
}

/// The token of a mailed link.
#[derive(Object)]
#[oai(example, rename = "Verify")]
pub struct VerifySchema {
    /// What stands behind `token=` in the mailed link.
    token: String,
    /// A trap for robots; leave it out.
    website: Option<String>,
}

impl poem_openapi::types::Example for VerifySchema {
    fn example() -> Self {
        Self {
            token: "dXNyX…".into(),
            website: None,
        }
    }
}

/// The token of a mailed link, read.
#[derive(Debug)]
pub struct Verify {
    /// The token.
    pub token: Private,
    /// Somebody filled in the field that people don't see.
    pub is_robot: bool,
}

impl Dto for Verify {
    type Schema = VerifySchema;
    const TAKES_FORM: bool = true;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        let token = fields.required("token");
        let is_robot = fields.optional("website").is_some_and(|text| !text.is_empty());
        Some(Self {
            token: Private::new(token?.as_str().to_owned()),
            is_robot,
        })
    }
}

/// An address.
#[derive(Object)]
#[oai(example, rename = "Address")]
pub struct AddressSchema {
    /// The address, known or not.
    email: String,
}

impl poem_openapi::types::Example for AddressSchema {
    fn example() -> Self {
        Self {
            email: "ada@example.com".into(),
        }
    }
}

/// An address, read.
#[derive(Debug)]
pub struct Address(pub Email);

impl Dto for Address {
    type Schema = AddressSchema;
    const TAKES_FORM: bool = true;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        let email = fields.required("email");
        fields.parse("email", email, Email::parse).map(Self)
    }
}

/// An answer without data.
#[derive(Debug, Object)]
pub struct Message {
    /// For people.
    pub message: String,
}

/// The answer to a registration; the same for every address.
#[derive(Debug, Object)]
pub struct Created {
    /// For people.
    pub message: String,
    /// The id the account will have, once the mailed link was used.
    pub id: String,
    /// `[ENCRYPTED]`: the address is not repeated.
    pub email: String,
}

/// A pair of tokens (RFC 6749 section 5.1).
#[derive(Object)]
pub struct Tokens {
    /// The short-lived bearer.
    access_token: String,
    /// `bearer`.
    token_type: String,
    /// Seconds that the access token lasts.
    expires_in: u64,
    /// The single-use renewal.
    refresh_token: String,
    /// Seconds that the refresh token lasts unused.
    refresh_expires_in: u64,
}

impl From<TokenPair> for Tokens {
    fn from(pair: TokenPair) -> Self {
        Self {
            access_token: pair.access.expose().to_owned(),
            token_type: "bearer".to_owned(),
            expires_in: pair.expires_in.as_secs(),
            refresh_token: pair.refresh.expose().to_owned(),
            refresh_expires_in: pair.refresh_expires_in.as_secs(),
        }
    }
}
