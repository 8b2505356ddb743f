//! Argon2id (RFC 9106) with the pepper as its secret input; the pepper's version stands in the hash as `keyid`.

use argon2::{
    Algorithm, Argon2, KeyId, Params, ParamsBuilder, PasswordHash as Phc, Version,
    password_hash::phc::{Output, ParamsString, Salt},
};
use subtle::ConstantTimeEq as _;

use crate::crypto::{
    hash_memory::HashMemory,
    keyring::{KeyUse, Keyring, RootKey},
    password_hasher::{Check, HashCost, HashError, PasswordHash},
    system_entropy,
};

/// Hashes with the live parameters and the active pepper.
pub(in crate::crypto) fn hash(
    password: &[u8],
    keyring: &Keyring,
    cost: HashCost,
    memory: &HashMemory,
) -> Result<PasswordHash, HashError> {
    let (pepper, params) = live(keyring, cost)?;
    let mut salt = [0; 16];
    system_entropy::fill(&mut salt);
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    compute(&argon2(pepper, params.clone())?, password, &salt, &mut output, memory)?;
    phc(&params, &salt, &output)
}

/// Of no password: random where a hash would stand, with the live parameters, so that checking it costs what checking a
/// hash of today costs.
pub(in crate::crypto) fn decoy(keyring: &Keyring, cost: HashCost) -> Result<PasswordHash, HashError> {
    let (_, params) = live(keyring, cost)?;
    let (mut salt, mut output) = ([0; 16], [0; Params::DEFAULT_OUTPUT_LEN]);
    system_entropy::fill(&mut salt);
    system_entropy::fill(&mut output);
    phc(&params, &salt, &output)
}

/// What a new hash is made with.
fn live(keyring: &Keyring, cost: HashCost) -> Result<(&RootKey, Params), HashError> {
    let pepper = keyring.active(&KeyUse::Pepper)?;
    let params = ParamsBuilder::new()
        .m_cost(cost.memory_kib)
        .t_cost(cost.passes)
        .p_cost(cost.lanes)
        .keyid(KeyId::new(&pepper.version.to_be_bytes()).map_err(|_| HashError::Unusable)?)
        .build()
        .map_err(|_| HashError::Unusable)?;
    Ok((pepper, params))
}

fn phc(params: &Params, salt: &[u8], output: &[u8]) -> Result<PasswordHash, HashError> {
    let phc = Phc {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(|_| HashError::Unusable)?,
        salt: Some(Salt::new(salt).map_err(|_| HashError::Unusable)?),
        hash: Some(Output::new(output).map_err(|_| HashError::Unusable)?),
    };
    Ok(PasswordHash::from_stored(phc.to_string()))
}

/// Checks with the parameters and the pepper that stand in the hash.
pub(in crate::crypto) fn verify(
    password: &[u8],
    stored: &PasswordHash,
    keyring: &Keyring,
    cost: HashCost,
    memory: &HashMemory,
) -> Result<Check, HashError> {
    let phc = Phc::new(stored.as_str()).map_err(|_| HashError::Unusable)?;
    let (Some(salt), Some(expected)) = (&phc.salt, &phc.hash) else {
        return Err(HashError::Unusable);
    };
    let is_ours = phc.algorithm == Algorithm::Argon2id.ident() && phc.version == Some(Version::V0x13.into());
    if !is_ours {
        return Err(HashError::Unusable);
    }
    let params = Params::try_from(&phc).map_err(|_| HashError::Unusable)?;
    let version: [u8; 2] = params.keyid().try_into().map_err(|_| HashError::Unusable)?;
    let pepper = keyring.readable(&KeyUse::Pepper, u16::from_be_bytes(version))?;
    let is_outdated = pepper.version != keyring.active(&KeyUse::Pepper)?.version
        || params.m_cost() < cost.memory_kib
        || params.t_cost() < cost.passes;
    let mut output = [0; Output::MAX_LENGTH];
    let output = &mut output[..expected.as_ref().len()];
    compute(&argon2(pepper, params)?, password, salt.as_ref(), output, memory)?;
    if output.ct_eq(expected.as_ref()).into() {
        Ok(Check::Match { is_outdated })
    } else {
        Ok(Check::Mismatch)
    }
}

fn argon2(pepper: &RootKey, params: Params) -> Result<Argon2<'_>, HashError> {
    Argon2::new_with_secret(&pepper.material, Algorithm::Argon2id, Version::V0x13, params)
        .map_err(|_| HashError::Unusable)
}

fn compute(
    argon2: &Argon2<'_>,
    password: &[u8],
    salt: &[u8],
    output: &mut [u8],
    memory: &HashMemory,
) -> Result<(), HashError> {
    memory
        .with(argon2.params().block_count(), |blocks| {
            argon2.hash_password_into_with_memory(password, salt, output, blocks)
        })
        .map_err(|_| HashError::Unusable)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::crypto::{
        frozen::{Frozen, bytes, number, text},
        keyring::KeyState,
    };

    const CHEAP: HashCost = HashCost {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };

    fn keyring(versions: &[(u16, KeyState)]) -> Keyring {
        let mut keyring = Keyring::default();
        for &(version, state) in versions {
            let material = Zeroizing::new(vec![u8::try_from(version).expect("small"); 32]);
            keyring.insert(
                KeyUse::Pepper,
                RootKey {
                    version,
                    state,
                    material,
                },
            );
        }
        keyring
    }

    #[test]
    fn an_older_pepper_still_checks_and_asks_for_a_new_hash() {
        let stored = hash(b"pw", &keyring(&[(1, KeyState::Active)]), CHEAP, &HashMemory::default()).expect("hash");
        assert!(
            stored.as_str().contains("keyid="),
            "the pepper's version stands in the hash"
        );
        let later = keyring(&[(1, KeyState::VerifyOnly), (2, KeyState::Active)]);
        assert_eq!(
            verify(b"pw", &stored, &later, CHEAP, &HashMemory::default()),
            Ok(Check::Match { is_outdated: true })
        );
        assert_eq!(
            verify(b"no", &stored, &later, CHEAP, &HashMemory::default()),
            Ok(Check::Mismatch)
        );
    }

    #[test]
    fn frozen_vector() {
        let frozen = Frozen::read().0;
        let vector = &frozen["password_hash"];
        let mut keyring = Keyring::default();
        let pepper = RootKey {
            version: number(&vector["pepper_version"]),
            state: KeyState::Active,
            material: Zeroizing::new(bytes(&vector["pepper"])),
        };
        keyring.insert(KeyUse::Pepper, pepper);
        let stored = PasswordHash::from_stored(text(&vector["phc"]).to_owned());
        let check = |password: &str| {
            verify(
                password.as_bytes(),
                &stored,
                &keyring,
                HashCost::MINIMUM,
                &HashMemory::default(),
            )
        };
        assert_eq!(
            check(text(&vector["password"])),
            Ok(Check::Match { is_outdated: false })
        );
        assert_eq!(check("Zwölf Boxkämpfer 13!"), Ok(Check::Mismatch));

        // What is written today has the same shape: everything but salt and output is equal, and those are as long.
        let fresh = hash(b"pw", &keyring, HashCost::MINIMUM, &HashMemory::default()).expect("hash");
        let [fresh, frozen] = [&fresh, &stored].map(|hash| hash.as_str().split('$').collect::<Vec<_>>());
        assert_eq!(fresh[..4], frozen[..4]);
        assert_eq!([fresh[4], fresh[5]].map(str::len), [frozen[4], frozen[5]].map(str::len));
        assert_eq!(fresh.len(), 6);
    }

    #[test]
    fn without_its_pepper_nothing_matches() {
        let stored = hash(b"pw", &keyring(&[(1, KeyState::Active)]), CHEAP, &HashMemory::default()).expect("hash");
        let other = keyring(&[(2, KeyState::Active)]);
        assert!(matches!(
            verify(b"pw", &stored, &other, CHEAP, &HashMemory::default()),
            Err(HashError::MissingKey(_))
        ));
    }

    #[test]
    fn the_decoy_matches_nothing_and_looks_like_a_hash_of_today() {
        let keyring = keyring(&[(1, KeyState::VerifyOnly), (2, KeyState::Active)]);
        let [decoy, other] = [(); 2].map(|()| decoy(&keyring, CHEAP).expect("decoy"));
        assert_ne!(decoy, other);
        let memory = HashMemory::default();
        assert_eq!(verify(b"", &decoy, &keyring, CHEAP, &memory), Ok(Check::Mismatch));
        let real = hash(b"pw", &keyring, CHEAP, &memory).expect("hash");
        let [decoy, real] = [&decoy, &real].map(|hash| hash.as_str().split('$').collect::<Vec<_>>());
        assert_eq!(decoy[..4], real[..4]);
        assert_eq!([decoy[4], decoy[5]].map(str::len), [real[4], real[5]].map(str::len));
    }

    /// What argon2's own functions make is read, and what is made here they read.
    #[test]
    fn hashes_are_the_crates_own() {
        use argon2::{PasswordHasher as _, PasswordVerifier as _};
        let keyring = keyring(&[(1, KeyState::Active)]);
        let (pepper, params) = live(&keyring, CHEAP).expect("key");
        let theirs = argon2(pepper, params.clone()).expect("params");
        let memory = HashMemory::default();
        let made = hash(b"pw", &keyring, CHEAP, &memory).expect("hash");
        assert_eq!(theirs.verify_password(b"pw", made.as_str()), Ok(()));
        let made = theirs.hash_password_with_salt(b"pw", &[3; 16]).expect("hash");
        let made = PasswordHash::from_stored(made.to_string());
        let right = Ok(Check::Match { is_outdated: false });
        assert_eq!(verify(b"pw", &made, &keyring, CHEAP, &memory), right);
        assert_eq!(verify(b"no", &made, &keyring, CHEAP, &memory), Ok(Check::Mismatch));
    }
}
