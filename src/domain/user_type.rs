//! A separate population of accounts, with its own routes, keys and token audience.
//!
//! The name is identity: it stands in keys, in what is authenticated beside every sealed field, in tokens and in
//! collection names, and therefore can't be changed once an account exists.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// First path segments that are the system's own; no user type may look like one, in any case.
const RESERVED: &[&str] = &[
    "health",
    "livez",
    "readyz",
    "dbcheck",
    "metrics",
    "docs",
    "redoc",
    "scalar",
    "openapi",
    "dev",
    "static",
    "assets",
    "wellknown",
    "admin",
    "favicon",
    "robots",
    "hooks",
];

/// A configured population: `[A-Za-z][A-Za-z0-9]{0,31}`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserType(Arc<str>);

/// Why a name, or a list of names, was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserTypeError {
    /// Not of the form.
    #[error("`{0}` is not a user type: a letter, then up to 31 letters or digits")]
    Form(String),
    /// One of the service's own paths.
    #[error("`{0}` is one of the service's own paths; choose another name")]
    Reserved(String),
    /// Two names that differ in case only.
    #[error("`{0}` is listed twice (names are compared without case)")]
    Repeated(String),
    /// An empty list.
    #[error("at least one user type is needed, for example `User1,User2`")]
    Empty,
}

impl UserType {
    /// The name as configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserType {
    type Err = UserTypeError;

    fn from_str(name: &str) -> Result<Self, UserTypeError> {
        let mut bytes = name.bytes();
        let well_formed = name.len() <= 32
            && bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
            && bytes.all(|b| b.is_ascii_alphanumeric());
        if !well_formed {
            return Err(UserTypeError::Form(name.to_owned()));
        }
        if RESERVED.iter().any(|path| path.eq_ignore_ascii_case(name)) {
            return Err(UserTypeError::Reserved(name.to_owned()));
        }
        Ok(Self(name.into()))
    }
}

impl TryFrom<String> for UserType {
    type Error = UserTypeError;
    fn try_from(name: String) -> Result<Self, UserTypeError> {
        name.parse()
    }
}

impl From<UserType> for String {
    fn from(user_type: UserType) -> Self {
        user_type.0.as_ref().to_owned()
    }
}

impl fmt::Display for UserType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parses a comma-separated list; names are distinct without case.
pub fn parse_user_types(list: &str) -> Result<Vec<UserType>, UserTypeError> {
    let mut types: Vec<UserType> = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let user_type: UserType = name.parse()?;
        if types.iter().any(|other| other.as_str().eq_ignore_ascii_case(name)) {
            return Err(UserTypeError::Repeated(name.to_owned()));
        }
        types.push(user_type);
    }
    if types.is_empty() {
        Err(UserTypeError::Empty)
    } else {
        Ok(types)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_parsed_in_order() {
        let types = parse_user_types("Customer, Driver").expect("valid");
        assert_eq!(
            types.iter().map(UserType::as_str).collect::<Vec<_>>(),
            ["Customer", "Driver"]
        );
    }

    #[test]
    fn names_that_would_shadow_or_confuse_are_refused() {
        assert!(matches!(parse_user_types("Docs"), Err(UserTypeError::Reserved(_))));
        assert!(matches!(
            parse_user_types("User1,user1"),
            Err(UserTypeError::Repeated(_))
        ));
        assert!(matches!(parse_user_types(" , "), Err(UserTypeError::Empty)));
        for bad in ["1User", "User-1", "Üser", "a/b", &"x".repeat(33), "User 1"] {
            assert!(matches!(bad.parse::<UserType>(), Err(UserTypeError::Form(_))), "{bad}");
        }
    }
}
