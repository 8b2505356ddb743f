//! A forgotten password.

use poem_openapi::Object;

use crate::{
    domain::private::Private,
    http::{body::Dto, fields::Fields, population::Population},
};

/// A new password.
#[derive(Object)]
#[oai(example, rename = "ResetPassword")]
pub struct ResetSchema {
    /// What stands behind `token=` in the mailed link; may stand in the query instead.
    token: Option<String>,
    /// By the user type's policy.
    #[oai(validator(min_length = 8, max_length = 128))]
    password: String,
    /// A trap for robots; leave it out.
    website: Option<String>,
}

impl poem_openapi::types::Example for ResetSchema {
    fn example() -> Self {
        Self {
            token: Some("dXNyX…".into()),
            password: "An0ther-SecureP@ssw0rd".into(),
            website: None,
        }
    }
}

/// A new password, read.
#[derive(Debug)]
pub struct Reset {
    /// The link's token, if it stood in the body.
    pub token: Option<Private>,
    /// The new password, to be judged once the link says whose it is.
    pub password: Private,
    /// Somebody filled in the field that people don't see.
    pub is_robot: bool,
}

impl Dto for Reset {
    type Schema = ResetSchema;
    const TAKES_FORM: bool = true;
    const PREFERS_FORM: bool = true;

    fn read(fields: &mut Fields, _: &Population) -> Option<Self> {
        let token = fields
            .optional("token")
            .map(|text| Private::new(text.as_str().to_owned()));
        let is_robot = fields.optional("website").is_some_and(|text| !text.is_empty());
        let password = fields.required("password")?;
        // Robots are told that it worked, and nobody judges what they chose: what the document refuses is refused here.
        if is_robot && !(8..=128).contains(&password.chars().count()) {
            fields.refuse("password", "password_length", "Use 8 to 128 characters.");
        }
        Some(Self {
            token,
            password: Private::new(password.as_str().to_owned()),
            is_robot,
        })
    }
}
