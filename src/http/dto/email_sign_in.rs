//! Signing in by mail.

use poem_openapi::Object;

use crate::{
    crypto::email_sign_in::Shown,
    domain::{email_sign_in::SignInCode, private::Private, token::LinkToken},
    http::{body::Dto, fields::Fields, population::Population},
};

/// The answer to who asked: what to keep until the mail has come.
#[derive(Debug, Object)]
pub struct EmailSignInAsked {
    /// For people.
    pub message: String,
    /// To be shown with the code. Keep it on this device and nowhere else: it is what makes the code good here alone.
    pub challenge: String,
    /// Seconds that a mail of it works.
    pub expires_in: u64,
}

/// The code that a link shows.
#[derive(Debug, Object)]
pub struct EmailSignInCode {
    /// For people.
    pub message: String,
    /// Eight digits, for the device that asked.
    pub code: String,
    /// Seconds that it works still.
    pub expires_in: u64,
}

/// The end of a sign-in by mail.
#[derive(Object)]
#[oai(example, rename = "VerifyEmailSignIn")]
pub struct VerifyEmailSignInSchema {
    /// What `/login/email` answered to this device.
    challenge: String,
    /// The eight digits of the mail, or of the page that its link shows. Or `token`.
    code: Option<String>,
    /// What stands behind `token=` in the mailed link, of an app that takes its own links. Or `code`.
    token: Option<String>,
    /// `false` makes the refresh token last a day instead of weeks.
    remember_me: Option<bool>,
}

impl poem_openapi::types::Example for VerifyEmailSignInSchema {
    fn example() -> Self {
        Self {
            challenge: crate::http::document::factor_examples::EMAIL_CHALLENGE.into(),
            code: Some("04204204".into()),
            token: None,
            remember_me: Some(true),
        }
    }
}

/// The end of a sign-in by mail, read.
#[derive(Debug)]
pub struct VerifyEmailSignIn {
    /// Of the device that asked.
    pub challenge: Private,
    /// What the mail brought; `None` where that can't be any, which is answered like a wrong one.
    pub shown: Option<Shown>,
    /// Keep the session for long.
    pub remember: bool,
}

impl Dto for VerifyEmailSignIn {
    type Schema = VerifyEmailSignInSchema;
    const TAKES_FORM: bool = true;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        let challenge = fields.required("challenge");
        let remember = fields.boolean("remember_me", true);
        // An integer loses its zeros on the left; they come back.
        let code = match fields.json("code") {
            Some(serde_json::Value::String(text)) => Some(SignInCode::parse(&text)),
            Some(serde_json::Value::Number(number)) => Some(SignInCode::parse(&number.to_string())),
            Some(serde_json::Value::Null) | None => None,
            Some(_) => Some(None),
        };
        let token = fields.optional("token").map(|text| LinkToken::parse(text.as_str()));
        let shown = match (code, token) {
            (Some(code), None) => code.map(Shown::Code),
            (None, Some(token)) => token.map(Shown::Link),
            (Some(_), Some(_)) => {
                fields.refuse("token", "repeated", "Send `code` or `token`, not both.");
                return None;
            }
            (None, None) => {
                fields.refuse("code", "missing", "Send `code` or `token`.");
                return None;
            }
        };
        Some(Self {
            challenge: Private::new(challenge?.as_str().to_owned()),
            shown,
            remember,
        })
    }
}
