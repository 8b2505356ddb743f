//! Authenticator apps (RFC 6238: HMAC-SHA-1, six digits, thirty seconds) and the digests of recovery codes.
//!
//! A recovery code's digest is keyed with a key derived from the app's secret, or from one made for that alone where codes
//! by text are a second factor: whoever has the digests alone can try no codes, another secret makes the codes before
//! worthless, and data keys and root keys may be replaced beside them.

use hkdf::Hkdf;
use sha2::Sha256;
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::{
    crypto::encoding::{hmac_sha256, join},
    domain::{
        clock::Timestamp,
        code::{OtpCode, TotpSecret},
        ids::AccountId,
        private::Private,
        second_factor::{RecoveryCode, RecoveryKey, STEP_SECONDS},
        token::TokenDigest,
        user_type::UserType,
    },
};

/// The step whose code this is: the one of `now`, or the one before it (RFC 6238 section 5.2). In constant time.
#[must_use]
pub fn accepted_step(secret: &TotpSecret, code: &OtpCode, now: Timestamp) -> Option<u64> {
    let totp = totp(secret);
    let at = |seconds: i64| totp.check(code.expose(), u64::try_from(seconds).ok()?);
    // Both are compared, whichever it is.
    let (this, last) = (at(now.as_secs()), at(now.as_secs() - STEP_SECONDS));
    this.or(last)
}

/// What an app is given, typed in by hand: the secret in base32.
#[must_use]
pub fn typed_secret(secret: &TotpSecret) -> Private {
    Private::new(totp(secret).secret().to_base32())
}

/// What an app is given by a QR code: `otpauth://totp/ISSUER:ACCOUNT?secret=…&issuer=ISSUER`. Colons, which part the two,
/// are left out of both. `None` for an account without a name.
#[must_use]
pub fn otpauth_uri(secret: &TotpSecret, issuer: &str, account: &str) -> Option<Private> {
    let (issuer, account) = (issuer.replace(':', " "), account.replace(':', " "));
    let totp = builder(secret)
        .with_issuer(Some(issuer))
        .with_account_name(account)
        .build_noncompliant();
    totp.to_url().ok().map(Private::new)
}

fn totp(secret: &TotpSecret) -> Totp {
    builder(secret).build_noncompliant()
}

// SHA-1, six digits and thirty seconds are what every app knows, and what the builder begins with. Not the step after
// this one: clocks of telephones are not that wrong.
fn builder(secret: &TotpSecret) -> Builder {
    Builder::new()
        .with_secret(Secret::new_stack(*secret.expose()))
        .with_skew(0)
}

/// What is kept of a recovery code.
#[must_use]
pub fn recovery_digest(
    secret: &RecoveryKey,
    user_type: &UserType,
    account_id: &AccountId,
    code: &RecoveryCode,
) -> TokenDigest {
    let mut key = Zeroizing::new([0; 32]);
    #[expect(
        clippy::expect_used,
        reason = "HKDF-SHA-256 gives up to 8160 bytes (RFC 5869 section 2.3)"
    )]
    Hkdf::<Sha256>::new(None, secret.expose())
        .expand(b"sealgate/recovery/v1", &mut *key)
        .expect("32 bytes");
    let message = Zeroizing::new(join(&[
        b"sealgate/recovery/v1",
        user_type.as_str().as_bytes(),
        account_id.as_str().as_bytes(),
        code.expose_random(),
    ]));
    TokenDigest::new(hmac_sha256(&*key, &message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::frozen::{Frozen, bytes, hex, text};

    fn secret() -> TotpSecret {
        // RFC 6238 appendix B.
        TotpSecret::from_sealed(b"12345678901234567890").expect("20 bytes")
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Its eight digits, without the first two.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let code = OtpCode::parse(code).expect("a code");
            let step = u64::try_from(seconds / STEP_SECONDS).expect("positive");
            assert_eq!(accepted_step(&secret(), &code, at(seconds)), Some(step), "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_in_its_step_and_the_next_one() {
        let code = OtpCode::parse("287082").expect("a code");
        for (seconds, accepted) in [
            (29, None),
            (30, Some(1)),
            (59, Some(1)),
            (60, Some(1)),
            (89, Some(1)),
            (90, None),
        ] {
            assert_eq!(accepted_step(&secret(), &code, at(seconds)), accepted, "{seconds}");
        }
        assert_eq!(accepted_step(&secret(), &code, at(-1)), None);
    }

    #[test]
    fn the_uri_is_what_apps_read() {
        let uri = otpauth_uri(&secret(), "Seal: gate", "ada+x@example.com").expect("a URI");
        assert_eq!(
            uri.expose(),
            "otpauth://totp/Seal%20%20gate:ada%2Bx%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Seal%20%20gate"
        );
        assert_eq!(typed_secret(&secret()).expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(otpauth_uri(&secret(), "Sealgate", "").is_none());
    }

    #[test]
    fn frozen_vector_of_a_recovery_code() {
        let frozen = Frozen::read();
        let (user_type, id, vector) = (frozen.user_type(), frozen.account_id(), &frozen.0["recovery"]);
        let secret = RecoveryKey::from_sealed(&bytes(&vector["secret"])).expect("20 bytes");
        let code = RecoveryCode::parse(text(&vector["code"])).expect("a code");
        let digest = recovery_digest(&secret, &user_type, &id, &code);
        assert_eq!(hex(digest.as_bytes()), vector["digest"]);
        let others = [
            recovery_digest(&RecoveryKey::from(&self::secret()), &user_type, &id, &code),
            recovery_digest(&secret, &"User2".parse().expect("valid"), &id, &code),
            recovery_digest(&secret, &user_type, &"usr_b".parse().expect("valid"), &code),
        ];
        assert!(others.iter().all(|other| *other != digest));
    }
}
