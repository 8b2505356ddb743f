//! What a client, or an attacker, sees: the whole service on a port of its own, over HTTP.
//!
//! Every answer of every case is checked for what holds always: security headers, a request id, the shape of problems,
//! and that no error repeats an address, a password or a token (`tests/support/api/answer.rs`).
//!
//! # To add a case
//! An async function in the file of its topic, and its name in one of that file's lists. `cases!` makes a test of it
//! for each store set and each user type, named `<topic>::<store>::<type>::<case>`; `cases_per_store!` one for each store
//! set, and `cases_once!` a single one, for what depends on the configuration or on HTTP alone: those start the service
//! by themselves.

#![cfg(all(
    feature = "http",
    feature = "jobs",
    feature = "sqlite",
    feature = "mongo",
    feature = "redis",
    feature = "transit"
))]

#[path = "../support/api/mod.rs"]
mod support;

#[path = "../support/fault_proxy.rs"]
#[expect(dead_code, reason = "other suites use other faults")]
mod fault_proxy;

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

/// Makes a test of every case for every store set.
macro_rules! cases_per_store {
    ($($case:ident)+) => {
        mod on_sqlite {
            $(#[test]
            fn $case() {
                crate::support::run_bare(crate::support::StoreSet::sqlite, super::$case);
            })+
        }
        mod on_mongo {
            $(#[test]
            fn $case() {
                crate::support::run_bare(crate::support::StoreSet::mongo, super::$case);
            })+
        }
    };
}

/// Makes a test of every case on MongoDB and Redis: for what takes several servers, or a Redis that goes away.
macro_rules! cases_on_production {
    ($($case:ident)+) => {
        mod on_mongo {
            $(#[test]
            fn $case() {
                crate::support::run_bare(crate::support::StoreSet::mongo, super::$case);
            })+
        }
    };
}

/// Makes one test of every case.
macro_rules! cases_once {
    ($($case:ident)+) => {
        mod once {
            $(#[test]
            fn $case() {
                crate::support::run_bare(crate::support::StoreSet::sqlite, super::$case);
            })+
        }
    };
}

mod addresses;
mod administration;
mod attributes;
mod audit;
mod audit_chain;
mod audit_collector;
mod audit_found;
mod audit_tampering;
mod bearer;
mod bodies;
mod breached_passwords;
mod configuration;
mod confirmation;
mod contention;
mod credentials;
mod damaged_fields;
mod defects;
mod defects_of_accounts;
mod defects_of_installations;
mod deletion;
mod email_sign_in;
mod email_sign_in_beside;
mod email_sign_in_guarded;
mod erasure_restore;
mod export;
mod faults;
mod headers;
mod idempotency;
mod key_ages;
mod keys_in_transit;
mod limits;
mod limits_everywhere;
mod limits_of_identities;
mod links;
mod lost_answers;
mod mail_over_smtp;
mod names;
mod pages;
mod phone;
mod pre_hijacking;
mod profile;
mod protocol;
mod records;
mod recovery;
mod redis_away;
mod redis_queue;
mod redis_tls;
mod refresh;
mod resend;
mod resource_server;
mod rotation;
mod second_factor;
mod second_factor_changes;
mod second_factor_required;
mod second_factor_text_changes;
mod second_factor_texts;
mod sessions;
mod sign_in;
mod slow_and_large_bodies;
mod store_copies;
mod text_guard;
mod text_status;
mod texts_over_twilio;
mod throttle;
mod token_attacks;
mod token_configuration;
mod token_keys;
mod two_servers;
mod verify_token;
mod walk;
mod well_known;
