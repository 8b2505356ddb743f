//! What an account may do beyond its own data: a role, and the permissions that go with it in a user type.
//!
//! `user`, `admin` and `super_admin` are built in; further roles are named by the operator (`ROLES`). A record holds the
//! role's name and no permission: what a name stands for is read from the settings at every use, and a name that they don't
//! know stands for nothing.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::domain::{
    permission::{Permission, Permissions, UnknownPermission},
    private::Refusal,
};

/// What the account may do. The stored text is part of the format: it is covered by the account's MAC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Role {
    /// Its own data only.
    User,
    /// The administration of its user type.
    Admin,
    /// The administration of every user type, and of what belongs to none. From the command line alone.
    SuperAdmin,
    /// As the settings say.
    Named(RoleName),
}

/// The name of a role that the settings define: `[a-z][a-z0-9_]{0,31}`, and none of the built-in ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleName(String);

/// Not the name of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role's name is a lower-case letter, then up to 31 lower-case letters, digits or `_`")]
pub struct InvalidRole;

impl Refusal for InvalidRole {
    fn code(&self) -> &'static str {
        "role_invalid"
    }
}

impl Role {
    /// The stored name, also the token's `role` claim.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
            Self::SuperAdmin => "super_admin",
            Self::Named(RoleName(name)) => name,
        }
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        for built_in in [Self::User, Self::Admin, Self::SuperAdmin] {
            if text == built_in.as_str() {
                return Ok(built_in);
            }
        }
        let mut bytes = text.bytes();
        let is_well_formed = text.len() <= 32
            && bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if is_well_formed {
            Ok(Self::Named(RoleName(text.to_owned())))
        } else {
            Err(InvalidRole)
        }
    }
}

impl TryFrom<String> for Role {
    type Error = InvalidRole;
    fn try_from(text: String) -> Result<Self, InvalidRole> {
        text.parse()
    }
}

impl From<Role> for String {
    fn from(role: Role) -> Self {
        role.as_str().to_owned()
    }
}

/// The roles of one user type, beside the built-in ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles(BTreeMap<RoleName, Permissions>);

/// What is wrong with one entry of `ROLES`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolesMistake {
    /// Not `name=permission,permission`.
    Form(String),
    /// The name of a built-in role.
    BuiltIn(String),
    /// Defined twice.
    Repeated(String),
    /// Without a permission: that is `user`.
    Empty(String),
    /// There is none of that name.
    Unknown {
        /// Of which role.
        role: String,
        /// What was written.
        permission: String,
    },
    /// No role of a user type may have it.
    NotOfUserType {
        /// Of which role.
        role: String,
        /// Which.
        permission: Permission,
    },
}

impl fmt::Display for RolesMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(entry) => write!(f, "has an entry that is no role: `{entry}`"),
            Self::BuiltIn(role) => write!(f, "defines `{role}`, which is built in"),
            Self::Repeated(role) => write!(f, "defines `{role}` twice"),
            Self::Empty(role) => write!(f, "gives `{role}` no permission"),
            Self::Unknown { role, permission } => {
                write!(f, "gives `{role}` a permission that does not exist: `{permission}`")
            }
            Self::NotOfUserType { role, permission } => {
                write!(
                    f,
                    "gives `{role}` a permission of super_admin alone: `{}`",
                    permission.as_str()
                )
            }
        }
    }
}

impl RolesMistake {
    /// What to do.
    #[must_use]
    pub fn mend(&self) -> String {
        let names = || {
            let own = Permission::ALL.iter().filter(|permission| permission.is_of_user_type());
            own.map(|permission| permission.as_str()).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Form(_) => "Write `name=permission,permission;name=permission`, names in lower case".to_owned(),
            Self::BuiltIn(_) | Self::Repeated(_) => "Give the role another name, or leave it out".to_owned(),
            Self::Empty(_) => "Give it one, or leave the role out: an account without one is a `user`".to_owned(),
            Self::Unknown { .. } | Self::NotOfUserType { .. } => format!("Use some of {}", names()),
        }
    }
}

impl Roles {
    /// Reads `support=accounts.list,accounts.read;auditor=audit.read`; all mistakes at once.
    pub fn parse(text: &str) -> Result<Self, Vec<RolesMistake>> {
        let (mut roles, mut mistakes) = (BTreeMap::new(), Vec::new());
        for entry in text.split(';').map(str::trim).filter(|entry| !entry.is_empty()) {
            let Some((name, list)) = entry.split_once('=') else {
                mistakes.push(RolesMistake::Form(entry.to_owned()));
                continue;
            };
            let name = name.trim();
            let role = match name.parse() {
                Ok(Role::Named(role)) => role,
                Ok(Role::User | Role::Admin | Role::SuperAdmin) => {
                    mistakes.push(RolesMistake::BuiltIn(name.to_owned()));
                    continue;
                }
                Err(InvalidRole) => {
                    mistakes.push(RolesMistake::Form(entry.to_owned()));
                    continue;
                }
            };
            let mut permissions = Vec::new();
            for text in list.split(',').map(str::trim).filter(|text| !text.is_empty()) {
                let role = name.to_owned();
                match text.parse::<Permission>() {
                    Ok(permission) if permission.is_of_user_type() => permissions.push(permission),
                    Ok(permission) => mistakes.push(RolesMistake::NotOfUserType { role, permission }),
                    Err(UnknownPermission) => {
                        let permission = text.to_owned();
                        mistakes.push(RolesMistake::Unknown { role, permission });
                    }
                }
            }
            if list.trim().is_empty() {
                mistakes.push(RolesMistake::Empty(name.to_owned()));
            }
            if roles.insert(role, permissions.into_iter().collect()).is_some() {
                mistakes.push(RolesMistake::Repeated(name.to_owned()));
            }
        }
        if mistakes.is_empty() {
            Ok(Self(roles))
        } else {
            Err(mistakes)
        }
    }

    /// What `role` may do.
    #[must_use]
    pub fn permissions(&self, role: &Role) -> Permissions {
        match role {
            Role::User => Permissions::default(),
            Role::Admin => Permissions::of(Permission::is_of_user_type),
            Role::SuperAdmin => Permissions::of(|_| true),
            Role::Named(name) => self.0.get(name).copied().unwrap_or_default(),
        }
    }

    /// Whether it is built in or defined.
    #[must_use]
    pub fn know(&self, role: &Role) -> bool {
        match role {
            Role::User | Role::Admin | Role::SuperAdmin => true,
            Role::Named(name) => self.0.contains_key(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn role(text: &str) -> Role {
        text.parse().expect("a role")
    }

    #[test]
    fn stored_names_of_before_are_the_same() {
        for (role, text) in [(Role::User, "user"), (Role::Admin, "admin")] {
            assert_eq!((role.as_str(), text.parse()), (text, Ok(role.clone())));
            let json = format!("\"{text}\"");
            assert_eq!(serde_json::to_string(&role).expect("JSON"), json);
            assert_eq!(serde_json::from_str::<Role>(&json).expect("a role"), role);
        }
    }

    #[test]
    fn names_that_would_confuse_are_no_roles() {
        for bad in [
            "",
            "Admin",
            "ADMIN",
            "ad min",
            "1st",
            "_x",
            "a-b",
            "ä",
            "a\0",
            "user ",
            &"x".repeat(33),
        ] {
            assert_eq!(bad.parse::<Role>(), Err(InvalidRole), "{bad:?}");
        }
        assert!("x".repeat(32).parse::<Role>().is_ok());
    }

    #[test]
    fn settings_define_roles_with_named_permissions() {
        let roles = Roles::parse(" support = accounts.list, accounts.read ; auditor=audit.read; ").expect("valid");
        let support = roles.permissions(&role("support"));
        assert_eq!(support.to_scope(), "accounts.list accounts.read");
        assert!(support.has(Permission::ReadAccount) && !support.has(Permission::ReadAudit));
        assert_eq!(roles.permissions(&role("auditor")).to_scope(), "audit.read");
        assert_eq!(roles.permissions(&role("nobody")), Permissions::default());
        assert!(roles.know(&role("support")) && !roles.know(&role("nobody")) && roles.know(&Role::SuperAdmin));
        assert_eq!(Roles::parse(""), Ok(Roles::default()));
    }

    #[test]
    fn what_may_more_is_not_within_what_may_less() {
        let roles = Roles::parse("support=accounts.list").expect("valid");
        let [user, support, admin, above] =
            [Role::User, role("support"), Role::Admin, Role::SuperAdmin].map(|role| roles.permissions(&role));
        for (one, other, expected) in [
            (user, user, true),
            (user, support, true),
            (support, user, false),
            (support, admin, true),
            (admin, support, false),
            (admin, above, true),
            (above, admin, false),
        ] {
            assert_eq!(one.are_within(other), expected, "{one:?} {other:?}");
        }
        assert!(!admin.has(Permission::ReadKeys) && above.has(Permission::ReadKeys));
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let text =
            "Support=audit.read;x;admin=audit.read;a=audit.read,audit.write;b=;c=keys.read;d=audit.read;d=audit.read";
        let mistakes = Roles::parse(text).expect_err("seven mistakes");
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "has an entry that is no role: `Support=audit.read`",
                "has an entry that is no role: `x`",
                "defines `admin`, which is built in",
                "gives `a` a permission that does not exist: `audit.write`",
                "gives `b` no permission",
                "gives `c` a permission of super_admin alone: `keys.read`",
                "defines `d` twice",
            ]
        );
        assert!(mistakes.iter().all(|mistake| !mistake.mend().is_empty()));
    }

    proptest! {
        #[test]
        fn a_role_comes_back_from_its_text(name in "[a-z][a-z0-9_]{0,31}") {
            let role = role(&name);
            prop_assert_eq!(role.as_str(), name);
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,200}") {
            let _ = (Roles::parse(&text), text.parse::<Role>());
        }
    }
}
