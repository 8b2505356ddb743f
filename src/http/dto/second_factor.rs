//! The second factor.

use data_encoding::BASE64;
use fast_qr::{ECL, QRBuilder, convert::svg::SvgBuilder};
use poem_openapi::Object;
use zeroize::Zeroizing;

use crate::{
    domain::{
        code::OtpCode,
        private::Private,
        second_factor::{Proof, RecoveryCode},
    },
    http::{body::Dto, dto::Tokens, fields::Fields, population::Population},
    service::second_factor::enrol::Enrolment,
};

/// Setting an authenticator app up.
#[derive(Object)]
#[oai(example, rename = "EnrolTotp")]
pub struct EnrolTotpSchema {
    /// What a sign-in answered that waits for it. Left out by who is signed in.
    mfa_token: Option<String>,
}

impl poem_openapi::types::Example for EnrolTotpSchema {
    fn example() -> Self {
        Self { mfa_token: None }
    }
}

/// The same, read.
#[derive(Debug)]
pub struct EnrolTotp(pub Option<Private>);

impl Dto for EnrolTotp {
    type Schema = EnrolTotpSchema;
    const TAKES_FORM: bool = true;
    const IS_REQUIRED: bool = false;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        Some(Self(fields.optional("mfa_token").as_ref().map(private)))
    }
}

fn private(text: &Zeroizing<String>) -> Private {
    Private::new(text.as_str().to_owned())
}

/// A mistake was noted.
#[derive(Debug)]
pub struct Noted;

/// What an authenticator app is given. It counts for nothing until its first code confirms it.
#[derive(Object)]
pub struct TotpEnrolment {
    /// To be typed in: 160 bits in base32.
    secret: String,
    /// To be opened on the device that has the app.
    otpauth_uri: String,
    /// The same as a picture to be scanned: an SVG as a data URI.
    qr: String,
    /// The first code must come before.
    expires_at: String,
}

impl From<Enrolment> for TotpEnrolment {
    fn from(enrolment: Enrolment) -> Self {
        Self {
            secret: enrolment.secret.expose().to_owned(),
            otpauth_uri: enrolment.uri.expose().to_owned(),
            qr: picture(enrolment.uri.expose()),
            expires_at: enrolment.expires_at.to_string(),
        }
    }
}

/// A QR code (ISO/IEC 18004) of `text`, which is no longer than names of services and addresses make it.
fn picture(text: &str) -> String {
    let svg = QRBuilder::new(text).ecl(ECL::M).build();
    let svg = svg.map(|code| Zeroizing::new(SvgBuilder::default().to_str(&code)));
    svg.map_or_else(
        |_| String::new(),
        |svg| format!("data:image/svg+xml;base64,{}", BASE64.encode(svg.as_bytes())),
    )
}

/// An app's first code.
#[derive(Object)]
#[oai(example, rename = "ConfirmTotp")]
pub struct ConfirmTotpSchema {
    /// Six digits of the authenticator app.
    code: String,
    /// What a sign-in answered that waits for it. Left out by who is signed in.
    mfa_token: Option<String>,
}

impl poem_openapi::types::Example for ConfirmTotpSchema {
    fn example() -> Self {
        Self {
            code: "042042".into(),
            mfa_token: None,
        }
    }
}

/// The same, read.
#[derive(Debug)]
pub struct ConfirmTotp {
    /// The code.
    pub code: OtpCode,
    /// Of a sign-in that waits.
    pub token: Option<Private>,
}

impl Dto for ConfirmTotp {
    type Schema = ConfirmTotpSchema;
    const TAKES_FORM: bool = true;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        let token = fields.optional("mfa_token").as_ref().map(private);
        if !fields.has("code") {
            fields.refuse("code", "missing", "Send this member.");
            return None;
        }
        let code = read_code(fields, "code")?;
        Some(Self { code, token })
    }
}

/// Asking for a code by text.
#[derive(Object)]
#[oai(example, rename = "SendSms")]
pub struct SendSmsSchema {
    /// What a sign-in answered that waits for it. Left out by who is signed in.
    mfa_token: Option<String>,
}

impl poem_openapi::types::Example for SendSmsSchema {
    fn example() -> Self {
        Self {
            mfa_token: Some("mf1.bm90IGEgdG9rZW4gb2YgYW55Ym9keQ".into()),
        }
    }
}

/// The same, read.
#[derive(Debug)]
pub struct SendSms(pub Option<Private>);

impl Dto for SendSms {
    type Schema = SendSmsSchema;
    const TAKES_FORM: bool = true;
    const IS_REQUIRED: bool = false;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        Some(Self(fields.optional("mfa_token").as_ref().map(private)))
    }
}

/// A code by text is on its way.
#[derive(Object)]
pub struct SmsSent {
    /// For people.
    pub message: String,
    /// Seconds that the code works.
    pub expires_in: u64,
}

/// The code of a text.
#[derive(Object)]
#[oai(example, rename = "ConfirmSms")]
pub struct ConfirmSmsSchema {
    /// Six digits of the text.
    sms_code: String,
    /// What a sign-in answered that waits for it. Left out by who is signed in.
    mfa_token: Option<String>,
}

impl poem_openapi::types::Example for ConfirmSmsSchema {
    fn example() -> Self {
        Self {
            sms_code: "042042".into(),
            mfa_token: None,
        }
    }
}

/// The same, read.
#[derive(Debug)]
pub struct ConfirmSms {
    /// The code.
    pub code: OtpCode,
    /// Of a sign-in that waits.
    pub token: Option<Private>,
}

impl Dto for ConfirmSms {
    type Schema = ConfirmSmsSchema;
    const TAKES_FORM: bool = true;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        let token = fields.optional("mfa_token").as_ref().map(private);
        if !fields.has("sms_code") {
            fields.refuse("sms_code", "missing", "Send this member.");
            return None;
        }
        let code = read_code(fields, "sms_code")?;
        Some(Self { code, token })
    }
}

/// The second half of a sign-in.
#[derive(Object)]
#[oai(example, rename = "VerifyMfa")]
pub struct VerifyMfaSchema {
    /// What `/login` answered.
    mfa_token: String,
    /// Six digits of the authenticator app.
    code: Option<String>,
    /// In place of `code`: one of the recovery codes.
    recovery_code: Option<String>,
    /// In place of `code`: six digits of the text that `/mfa/sms` sent.
    sms_code: Option<String>,
}

impl poem_openapi::types::Example for VerifyMfaSchema {
    fn example() -> Self {
        Self {
            mfa_token: "mf1.bm90IGEgdG9rZW4gb2YgYW55Ym9keQ".into(),
            code: Some("042042".into()),
            recovery_code: None,
            sms_code: None,
        }
    }
}

/// The same, read.
#[derive(Debug)]
pub struct VerifyMfa {
    /// What `/login` answered.
    pub token: Private,
    /// What is shown.
    pub proof: Proof,
}

impl Dto for VerifyMfa {
    type Schema = VerifyMfaSchema;
    const TAKES_FORM: bool = true;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        let token = fields.required("mfa_token").as_ref().map(private);
        let proof = read_proof(fields).ok()?;
        if proof.is_none() {
            fields.refuse("code", "missing", "Send `code`, `sms_code` or `recovery_code`.");
        }
        Some(Self {
            token: token?,
            proof: proof?,
        })
    }
}

/// What is shown of a second factor, if anything.
pub(in crate::http) fn read_proof(fields: &mut Fields) -> Result<Option<Proof>, Noted> {
    let mut given = Vec::new();
    for name in ["code", "sms_code", "recovery_code"] {
        let is_absent = name != "code" && fields.takes_null(name) || !fields.has(name);
        if !is_absent {
            given.push(name);
        }
    }
    if given.len() > 1 {
        for name in &given {
            fields.ignore(name);
        }
        let detail = "Send one of `code`, `sms_code` and `recovery_code`.";
        fields.refuse(given[0], "one_of_two", detail);
        return Err(Noted);
    }
    let proof = match given.first() {
        Some(&"recovery_code") => {
            let text = fields.optional("recovery_code");
            let code = fields.parse("recovery_code", text, RecoveryCode::parse);
            code.map(Proof::Recovery)
        }
        Some(&"sms_code") => read_code(fields, "sms_code").map(Proof::Text),
        Some(_) => read_code(fields, "code").map(Proof::Totp),
        None => return Ok(None),
    };
    proof.map(Some).ok_or(Noted)
}

/// An integer loses its zeros on the left; they come back.
fn read_code(fields: &mut Fields, name: &str) -> Option<OtpCode> {
    let code = match fields.json(name) {
        Some(serde_json::Value::String(text)) => OtpCode::parse(text.trim()),
        Some(serde_json::Value::Number(number)) => OtpCode::parse(&number.to_string()),
        _ => None,
    };
    if code.is_none() {
        fields.refuse(name, "invalid", "Send the six digits that the app or the text shows.");
    }
    code
}

/// A second factor is on.
#[derive(Object)]
#[oai(rename = "TotpConfirmed")]
pub struct FactorConfirmed {
    /// For people.
    pub message: String,
    /// Each lets you in once without app or phone. Shown this once.
    pub recovery_codes: Vec<String>,
    /// The session, where a sign-in waited for it.
    pub tokens: Option<Tokens>,
}

/// Other recovery codes.
#[derive(Object)]
#[oai(rename = "RecoveryCodeSet")]
pub struct RecoveryCodes {
    /// For people.
    pub message: String,
    /// Each lets you in once without app or phone. Shown this once.
    pub recovery_codes: Vec<String>,
}
