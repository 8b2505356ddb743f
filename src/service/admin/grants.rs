//! Permissions as types: what a use case asks for stands in its signature.

use crate::domain::permission::Permission;

mod closed {
    /// Nobody else makes grants.
    pub trait Closed {}
}

/// One permission.
pub trait Grant: closed::Closed + Send + Sync + 'static {
    /// Which.
    const PERMISSION: Permission;
}

macro_rules! grants {
    ($($name:ident)+) => {$(
        #[doc = concat!("[`Permission::", stringify!($name), "`].")]
        #[derive(Debug)]
        pub enum $name {}

        impl closed::Closed for $name {}

        impl Grant for $name {
            const PERMISSION: Permission = Permission::$name;
        }
    )+};
}

grants! {
    ListAccounts
    ReadAccount
    CreateAccount
    UpdateAccount
    LockAccount
    DeleteAccount
    RevokeSessions
    ResetFactors
    ReadAudit
    ReadKeys
}
