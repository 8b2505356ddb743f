//! Nothing that the MAC covers is read before it was verified.

use sealgate::storage::accounts::AccountRecord;

fn trust(account: &AccountRecord) -> bool {
    account.security().security.is_email_verified
}

fn main() {}
