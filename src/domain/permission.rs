//! What may be done to the accounts of a user type, one by one, and sets of that.
//!
//! To add a permission: a line in the list below, its row in `docs/ADMINISTRATION.md`, and its marker in
//! [`service::admin::grants`](crate::service::admin::grants).

use std::str::FromStr;

macro_rules! permissions {
    ($($(#[$doc:meta])+ $name:ident $text:literal,)+) => {
        /// One thing that somebody may do to the accounts of a user type. The name is stable: it stands in settings and in
        /// tokens.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Permission {
            $($(#[$doc])+ $name,)+
        }

        impl Permission {
            /// Each of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

permissions! {
    /// Lists accounts, and finds them by address, number or status. Shows no personal data.
    ListAccounts "accounts.list",
    /// Reads one account, personal data included.
    ReadAccount "accounts.read",
    /// Invites somebody, and mails links again.
    CreateAccount "accounts.create",
    /// Changes names, address, number and the rest of a profile.
    UpdateAccount "accounts.update",
    /// Locks and unlocks.
    LockAccount "accounts.lock",
    /// Erases.
    DeleteAccount "accounts.delete",
    /// Ends all sessions of an account.
    RevokeSessions "sessions.revoke",
    /// Takes the second factor off an account.
    ResetFactors "mfa.reset",
    /// Gives an account another role, none that may more than one's own.
    AssignRole "roles.assign",
    /// Reads the audit of the user type.
    ReadAudit "audit.read",
    /// Looks at the keys of the installation. Of the super-admin alone: keys belong to no user type.
    ReadKeys "keys.read",
}

impl Permission {
    const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// Whether it is about one user type, so that a role of it may have it.
    #[must_use]
    pub const fn is_of_user_type(self) -> bool {
        !matches!(self, Self::ReadKeys)
    }
}

const _: () = assert!(Permission::ALL.len() <= u16::BITS as usize);

/// The permission is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a permission")]
pub struct UnknownPermission;

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        let found = Self::ALL.iter().find(|permission| permission.as_str() == text);
        found.copied().ok_or(UnknownPermission)
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u16);

impl Permissions {
    /// Those that `is_in` says.
    #[must_use]
    pub fn of(is_in: impl Fn(Permission) -> bool) -> Self {
        let all = Permission::ALL.iter().copied().filter(|permission| is_in(*permission));
        all.collect()
    }

    /// Whether it is one of them.
    #[must_use]
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Whether `other` has each of them.
    #[must_use]
    pub const fn are_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Each of them, in their order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL
            .iter()
            .copied()
            .filter(move |permission| self.has(*permission))
    }

    /// As a token's `scope` (RFC 9068 section 2.2.3.1): their names, a space between each two.
    #[must_use]
    pub fn to_scope(self) -> String {
        let names: Vec<&str> = self.iter().map(Permission::as_str).collect();
        names.join(" ")
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(
            permissions
                .into_iter()
                .fold(0, |set, permission| set | permission.bit()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_named_once() {
        let names: std::collections::BTreeSet<_> = Permission::ALL.iter().map(|one| one.as_str()).collect();
        assert_eq!(names.len(), Permission::ALL.len());
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(*permission));
        }
    }
}
