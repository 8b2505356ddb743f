//! Sessions and the proofs that they rest on.

use poem_openapi::Object;

use crate::{
    domain::{password::Password, private::Private, second_factor::Proof},
    http::{body::Dto, dto::second_factor::read_proof, fields::Fields, population::Population},
    service::{list_sessions::SessionView, reauthenticate::Proven},
};

/// One of one's sessions.
#[derive(Debug, Object)]
pub struct Session {
    /// Names it.
    pub id: String,
    /// What the client called itself when the session began.
    pub user_agent: Option<String>,
    /// The network that it began from: the first 24 bits of an IPv4 address, 48 of an IPv6 one.
    pub network: Option<String>,
    /// When it began.
    pub first_seen_at: String,
    /// When its tokens were last renewed: an access token lasts half an hour at most.
    pub last_seen_at: String,
    /// When you last proved who you are.
    pub authenticated_at: String,
    /// When it ends, unless it is used before.
    pub expires_at: String,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

impl From<SessionView> for Session {
    fn from(view: SessionView) -> Self {
        Self {
            id: view.id.to_string(),
            user_agent: view.agent.map(|agent| agent.expose().to_owned()),
            network: view.network.map(|network| network.as_str().to_owned()),
            first_seen_at: view.created_at.to_string(),
            last_seen_at: view.seen_at.to_string(),
            authenticated_at: view.authenticated_at.to_string(),
            expires_at: view.expires_at.to_string(),
            is_current: view.is_current,
        }
    }
}

/// One's sessions.
#[derive(Debug, Object)]
pub struct SessionList {
    /// Newest first.
    pub sessions: Vec<Session>,
}

/// The answer to ending all others.
#[derive(Debug, Object)]
pub struct Ended {
    /// For people.
    pub message: String,
    /// How many there were.
    pub ended: u32,
}

/// A proof of who one is.
#[derive(Object)]
#[oai(example, rename = "Reauthenticate")]
pub struct ReauthenticateSchema {
    /// The password.
    password: String,
    /// Six digits of the authenticator app, where the account has one.
    code: Option<String>,
    /// In place of `code`: one of the recovery codes.
    recovery_code: Option<String>,
    /// In place of `code`: six digits of the text that `/mfa/sms` sent.
    sms_code: Option<String>,
}

impl poem_openapi::types::Example for ReauthenticateSchema {
    fn example() -> Self {
        Self {
            password: "SecureP@ssw0rd123!".into(),
            code: None,
            recovery_code: None,
            sms_code: None,
        }
    }
}

/// A proof of who one is, read.
#[derive(Debug)]
pub struct Reauthenticate {
    /// The password.
    pub password: Password,
    /// Of a second factor.
    pub proof: Option<Proof>,
}

impl Dto for Reauthenticate {
    type Schema = ReauthenticateSchema;
    const TAKES_FORM: bool = true;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        let password = fields.required("password");
        let password = fields.parse("password", password, |text| Password::for_check(text.to_owned()));
        let proof = read_proof(fields).ok()?;
        Some(Self {
            password: password?,
            proof,
        })
    }
}

/// The answer to a proof.
#[derive(Object)]
pub struct Reauthenticated {
    /// In place of the one before: its `auth_time` is now.
    access_token: String,
    /// `bearer`.
    token_type: String,
    /// Seconds that it lasts.
    expires_in: u64,
    /// When you proved who you are, in seconds since 1970.
    auth_time: i64,
}

impl From<Proven> for Reauthenticated {
    fn from(proven: Proven) -> Self {
        Self {
            access_token: proven.access.expose().to_owned(),
            token_type: "bearer".to_owned(),
            expires_in: proven.expires_in.as_secs(),
            auth_time: proven.authenticated_at.as_secs(),
        }
    }
}

/// Another password.
#[derive(Object)]
#[oai(example, rename = "ChangePassword")]
pub struct ChangePasswordSchema {
    /// The one that is in use.
    current_password: String,
    /// By the user type's policy.
    #[oai(validator(min_length = 8, max_length = 128))]
    new_password: String,
}

impl poem_openapi::types::Example for ChangePasswordSchema {
    fn example() -> Self {
        Self {
            current_password: "SecureP@ssw0rd123!".into(),
            new_password: "An0ther-SecureP@ssw0rd".into(),
        }
    }
}

/// Another password, read. The new one is judged once it is known whose it is to be.
#[derive(Debug)]
pub struct ChangePassword {
    /// The one that is in use.
    pub current: Password,
    /// The new one.
    pub new: Private,
}

impl Dto for ChangePassword {
    type Schema = ChangePasswordSchema;
    const TAKES_FORM: bool = true;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        let current = fields.required("current_password");
        let current = fields.parse("current_password", current, |text| Password::for_check(text.to_owned()));
        let new = fields.required("new_password")?;
        Some(Self {
            current: current?,
            new: Private::new(new.as_str().to_owned()),
        })
    }
}
