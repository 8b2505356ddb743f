//! Nobody makes the proof up.

use sealgate::service::{
    admin::{Authorized, grants::LockAccount},
    authenticate::Caller,
};

fn made_up(caller: Caller) -> Authorized<LockAccount> {
    Authorized { caller }
}

fn main() {}
