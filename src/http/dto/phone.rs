//! Codes to a phone.

use poem_openapi::Object;

use crate::{
    domain::{code::OtpCode, ids::ChallengeId, phone::Phone},
    http::{body::Dto, fields::Fields, population::Population},
};

/// Asking for a code.
#[derive(Object)]
#[oai(example, rename = "OtpPhone")]
pub struct OtpPhoneSchema {
    /// Another number to enrol; one's own when it is left out.
    phone: Option<String>,
}

impl poem_openapi::types::Example for OtpPhoneSchema {
    fn example() -> Self {
        Self { phone: None }
    }
}

/// Asking for a code, read.
#[derive(Debug)]
pub struct OtpPhone(pub Option<Phone>);

impl Dto for OtpPhone {
    type Schema = OtpPhoneSchema;
    const TAKES_FORM: bool = true;
    const IS_REQUIRED: bool = false;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        let phone = fields.optional("phone");
        let is_asked = phone.is_some();
        let phone = fields.parse("phone", phone, |text| Phone::parse(text, None));
        (phone.is_some() || !is_asked).then_some(Self(phone))
    }
}

/// The answer: where to send the code back.
#[derive(Debug, Object)]
pub struct CodeSent {
    /// For people.
    pub message: String,
    /// Names the code that was sent; never the code itself.
    pub otp: String,
    /// Seconds that the code works.
    pub expires_in: u64,
}

/// A code.
#[derive(Object)]
#[oai(example, rename = "VerifyOtp")]
pub struct VerifyOtpSchema {
    /// What `otp_phone` answered as `otp`.
    token: String,
    /// The six digits of the text.
    otp: String,
}

impl poem_openapi::types::Example for VerifyOtpSchema {
    fn example() -> Self {
        Self {
            token: "chl_06gvr51mvlsmn414vkm4i9n4u4".into(),
            otp: "042042".into(),
        }
    }
}

/// A code, read. What can't be one is no code of ours, and answered like a wrong one.
#[derive(Debug)]
pub struct VerifyOtp {
    /// Which code.
    pub challenge: Option<ChallengeId>,
    /// The digits.
    pub code: Option<OtpCode>,
}

impl VerifyOtp {
    /// From the parameters of a GET.
    #[must_use]
    pub fn from_query(token: Option<&str>, otp: Option<&str>) -> Self {
        Self {
            challenge: token.and_then(|text| text.parse().ok()),
            code: otp.and_then(OtpCode::parse),
        }
    }
}

impl Dto for VerifyOtp {
    type Schema = VerifyOtpSchema;
    const TAKES_FORM: bool = true;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        let token = fields.required("token");
        // An integer loses its zeros on the left; they come back.
        let code = match fields.json("otp") {
            Some(serde_json::Value::String(text)) => OtpCode::parse(&text),
            Some(serde_json::Value::Number(number)) => OtpCode::parse(&number.to_string()),
            None => {
                fields.refuse("otp", "missing", "Send this member.");
                return None;
            }
            Some(_) => None,
        };
        Some(Self {
            challenge: token?.parse().ok(),
            code,
        })
    }
}
