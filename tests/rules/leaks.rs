//! What must not compile: each file of `leaks/` tries to carry plaintext, a credential or a key to where it could be
//! read, and the compiler's refusal stands beside it.
//!
//! A package of its own, because the compiler has to build everything below once more for it: so this is the crypto
//! layer's few crates, and not the web framework, the databases and their drivers.
//!
//! To add one: a file there, then `TRYBUILD=overwrite cargo test -p sealgate-leaks`, and read what the compiler says: it
//! must refuse for the reason that the file names. Where a trait is missing, call a method that asks for it: of a plain
//! bound the compiler lists other types that have the trait, which are others with every new dependency.

#[test]
fn nothing_private_can_be_stored_sent_logged_or_copied() {
    trybuild::TestCases::new().compile_fail("*.rs");
}
