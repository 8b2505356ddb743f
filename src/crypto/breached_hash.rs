//! The hashes by which lists of stolen passwords name them. Good for finding a password in such a list and for nothing
//! else: both are broken, fast and without salt, and neither is ever stored.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use md4::{Digest as _, Md4};
use zeroize::Zeroizing;

/// Which hash a list is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreachedHash {
    /// SHA-1 of the password in UTF-8.
    Sha1,
    /// MD4 of the password in UTF-16, little-endian.
    Ntlm,
}

impl BreachedHash {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Ntlm => "NTLM",
        }
    }

    /// Its length in bytes.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Ntlm => 16,
        }
    }

    /// The hash of `password`.
    #[must_use]
    pub fn of(self, password: &str) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Sha1 => digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()).as_ref().to_vec(),
            Self::Ntlm => {
                let mut utf16 = Zeroizing::new(Vec::with_capacity(2 * password.len()));
                utf16.extend(password.encode_utf16().flat_map(u16::to_le_bytes));
                Md4::digest(&*utf16).to_vec()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXUPPER;

    use super::*;

    /// As the public lists have these passwords; `Zoë` by `iconv -t UTF-16LE | openssl md4`.
    #[test]
    fn passwords_have_the_hashes_of_the_lists() {
        for (hash, password, hex) in [
            (
                BreachedHash::Sha1,
                "password",
                "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8",
            ),
            (BreachedHash::Ntlm, "password", "8846F7EAEE8FB117AD06BDD830B7586C"),
            (BreachedHash::Ntlm, "", "31D6CFE0D16AE931B73C59D7E0C089C0"),
        ] {
            let found = hash.of(password);
            assert_eq!(HEXUPPER.encode(&found), hex, "{password}");
            assert_eq!(found.len(), hash.length());
        }
    }
}
