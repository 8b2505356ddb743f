//! What every adapter of the store must do, contention included: each case runs against each adapter, and is named
//! `<adapter>::<port>::<case>`.
//!
//! A case gets a [`World`](harness::World): two openings of one new and empty store, as two processes would have them.
//!
//! # To add a case
//! An async function in the file named like the port, and its name in the list below.

#![cfg(all(feature = "sqlite", feature = "mongo"))]

#[path = "../support/records.rs"]
mod records;

mod accounts;
mod harness;

/// Makes a test of every case for every adapter.
macro_rules! conformance {
    ($($port:ident { $($case:ident)+ })+) => {
        conformance!(@adapter sqlite $($port { $($case)+ })+);
    };
    (@adapter $adapter:ident $($port:ident { $($case:ident)+ })+) => {
        mod $adapter {$(
            mod $port {$(
                #[test]
                fn $case() {
                    crate::harness::$adapter(crate::$port::$case);
                }
            )+}
        )+}
    };
}

conformance! {
    accounts {
        what_is_inserted_is_found_unchanged
    }
}
