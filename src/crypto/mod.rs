//! Plaintext in, sealed out.
//!
//! The only importer of ciphers, MACs, password hashing and signing. Formats stand byte by byte in `docs/CRYPTO.md`,
//! each with a frozen vector in `tests/vectors/frozen.json`; changing one means a new version beside the old, never an edit.
//!
//! To add a sealed field: a line in [`field`]. To add a keyed use: a variant of [`keyring::KeyUse`] with its own
//! root key, never a second meaning for an existing one, and a domain-separation constant of the form
//! `sealgate/<use>/v1`.

mod access_claims;
mod argon2id;
pub mod audit_chain;
pub mod blind_index;
pub mod breached_hash;
pub mod data_key;
pub mod dek_cache;
pub mod device_token;
pub mod digest;
pub mod email_sign_in;
pub mod encoding;
pub mod erasure_mac;
pub mod fernet;
pub mod field;
pub mod filter_item;
pub mod foreign_hash;
#[cfg(test)]
mod frozen;
mod hash_memory;
mod hash_threads;
pub mod kek;
pub mod kek_file;
pub mod kek_succession;
pub mod key_pair;
pub mod keyring;
pub mod local_keks;
pub mod page_cursor;
pub mod password_hasher;
pub mod public_key;
pub mod receipt;
pub mod record_mac;
pub mod refresh_token;
pub mod rsa_pem;
pub mod sealed;
pub mod second_factor_token;
pub mod session_link;
pub mod session_mac;
mod signing_keys;
pub mod system_entropy;
pub mod token_signer;
pub mod totp;
pub mod transit_names;
pub mod twilio_signature;
mod verified_tokens;
mod versioned_mac;

pub use sealed::Sealed;
