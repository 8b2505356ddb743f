//! What a client, or an attacker, sees: the whole service on a port of its own, over HTTP.
//!
//! Every answer of every case is checked for what holds always: security headers, a request id, the shape of problems,
//! and that no error repeats an address, a password or a token (`tests/support/api/answer.rs`).
//!
//! # To add a case
//! An async function in the file of its topic, and its name in that file's list: `cases!` makes a test of it for each
//! store set and each user type, named `<topic>::<store>::<type>::<case>`; `cases_once!` one test, for what depends on
//! neither.

#![cfg(all(feature = "http", feature = "jobs", feature = "sqlite", feature = "mongo"))]

#[path = "../support/api/mod.rs"]
mod support;

/// Makes a test of every case for every store set and user type.
macro_rules! cases {
    ($($case:ident)+) => {
        cases!(@store sqlite $($case)+);
        cases!(@store mongo $($case)+);
    };
    (@store $store:ident $($case:ident)+) => {
        mod $store {
            mod user1 {
                $(#[test]
                fn $case() {
                    crate::support::run(crate::support::StoreSet::$store, "User1", super::super::$case);
                })+
            }
            mod user2 {
                $(#[test]
                fn $case() {
                    crate::support::run(crate::support::StoreSet::$store, "User2", super::super::$case);
                })+
            }
        }
    };
}

mod walk;
