//! A sealed field that was damaged, or moved, is nobody's: whatever somebody who can write to the store makes of it, it
//! opens as what it was sealed as where it was sealed, or with one and the same error.
//!
//! The long run: `PROPTEST_CASES=1000000 cargo test --test rules sealed_damage`.

use proptest::{prelude::*, sample::Index};
use sealgate::crypto::{
    data_key::{DataKeys, Dek},
    field::{
        Attributes, Country, EmailAddress, Field, FirstName, LastName, OutboxAddress, OutboxLink, PendingEmail,
        PhoneNumber, RecoverySecret, RequestAddress, SessionAgent, SessionNetwork, SignInChallenge, Totp,
        UsernameField,
    },
    sealed::{CannotOpen, Sealed},
};

/// One kind of field, its own type left behind.
struct Kind {
    name: &'static str,
    sample: &'static [u8],
    seal: fn(&DataKeys, &[u8]) -> Vec<u8>,
    open: fn(&DataKeys, &[u8]) -> Result<Vec<u8>, CannotOpen>,
}

const fn kind<F: Field>(sample: &'static [u8]) -> Kind {
    Kind {
        name: F::NAME,
        sample,
        seal: |keys, plain| {
            let plain = F::decode(plain).expect("a value of the field");
            keys.seal::<F>(&plain).as_envelope().to_vec()
        },
        open: |keys, envelope| {
            let opened = keys.open(&Sealed::<F>::from_envelope(envelope.to_vec()))?;
            Ok(F::encode(&opened).to_vec())
        },
    }
}

/// Values that would be good in another field too, wherever there are such: nothing but the sealing tells them apart.
static KINDS: [Kind; 16] = [
    kind::<EmailAddress>(b"ada@example.com"),
    kind::<PendingEmail>(b"ada@example.com"),
    kind::<RequestAddress>(b"ada@example.com"),
    kind::<SignInChallenge>(b"ada@example.com"),
    kind::<OutboxAddress>(b"ada@example.com"),
    kind::<UsernameField>(b"ada.lovelace"),
    kind::<FirstName>(b"ada.lovelace"),
    kind::<LastName>(b"ada.lovelace"),
    kind::<SessionAgent>(b"ada.lovelace"),
    kind::<Attributes>(b"ada.lovelace"),
    kind::<OutboxLink>(b"ada.lovelace"),
    kind::<SessionNetwork>(b"203.0.113.0/24"),
    kind::<PhoneNumber>(b"+4915112345678"),
    kind::<Country>(b"DE"),
    kind::<Totp>(b"01234567890123456789"),
    kind::<RecoverySecret>(b"01234567890123456789"),
];

/// Whose a field may be. Two have the same id in different user types, as imported accounts may.
const OWNERS: [(&str, &str); 3] = [
    ("User1", "usr_06dbd5v801rgf1o70s3ge1o70s"),
    ("User1", "usr_06dbd5v801rgf1o70s3ge1o79s"),
    ("User2", "usr_06dbd5v801rgf1o70s3ge1o70s"),
];

/// The keys of an owner, sealing under `number`. That the data keys of all are the same is worse than it can be: then
/// owner, user type and number alone keep fields apart.
fn keys(owner: usize, number: u16, are_shared: bool) -> DataKeys {
    let (user_type, id) = OWNERS[owner];
    let deks = [1, 2].map(|number: u8| {
        let byte = if are_shared {
            7
        } else {
            16 * u8::try_from(owner).expect("small") + number
        };
        (u16::from(number), Dek::from_bytes(&[byte; 32]).expect("32 bytes"))
    });
    let keys = DataKeys::new(&user_type.parse().expect("valid"), id, deks).expect("keys");
    keys.sealing_under(number).expect("one of them")
}

/// What somebody does to the stored bytes.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index),
    Byte(Index, u8),
    Cut(Index),
    CutInFront(Index),
    Extend(Vec<u8>),
    Suite(u8),
    Number(u16),
    /// From there on it is another envelope.
    Splice(Index, usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let (owners, kinds) = (0..OWNERS.len(), 0..KINDS.len());
    prop_oneof![
        4 => any::<Index>().prop_map(Damage::Flip),
        1 => any::<(Index, u8)>().prop_map(|(at, byte)| Damage::Byte(at, byte)),
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => any::<Index>().prop_map(Damage::CutInFront),
        1 => prop::collection::vec(any::<u8>(), 1..48).prop_map(Damage::Extend),
        1 => any::<u8>().prop_map(Damage::Suite),
        1 => (0u16..4).prop_map(Damage::Number),
        1 => (any::<Index>(), owners, kinds).prop_map(|(at, owner, kind)| Damage::Splice(at, owner, kind)),
    ]
}

fn damaged(mut envelope: Vec<u8>, damage: &Damage, are_shared: bool) -> Vec<u8> {
    match damage {
        Damage::Flip(bit) if !envelope.is_empty() => {
            let bit = bit.index(envelope.len() * 8);
            envelope[bit / 8] ^= 1 << (bit % 8);
        }
        Damage::Byte(at, byte) if !envelope.is_empty() => {
            let at = at.index(envelope.len());
            envelope[at] = *byte;
        }
        Damage::Cut(at) => envelope.truncate(at.index(envelope.len() + 1)),
        Damage::CutInFront(at) => drop(envelope.drain(..at.index(envelope.len() + 1))),
        Damage::Extend(more) => envelope.extend(more),
        Damage::Suite(suite) if envelope.len() > 1 => envelope[1] = *suite,
        Damage::Number(number) if envelope.len() > 3 => envelope[2..4].copy_from_slice(&number.to_be_bytes()),
        Damage::Splice(at, owner, kind) => {
            let (keys, kind) = (keys(*owner, 1, are_shared), &KINDS[*kind]);
            let other = (kind.seal)(&keys, kind.sample);
            let at = at.index(envelope.len() + 1);
            envelope.truncate(at);
            envelope.extend(other.iter().skip(at));
        }
        _ => {}
    }
    envelope
}

proptest! {
    #[test]
    fn what_was_damaged_or_moved_opens_nowhere(
        from in (0..OWNERS.len(), 0..KINDS.len(), 1u16..3),
        to in (0..OWNERS.len(), 0..KINDS.len()),
        stays: bool,
        are_shared: bool,
        steps in prop::collection::vec(damage(), 0..4),
    ) {
        let (owner, kind, number) = from;
        let (target, other) = if stays { (owner, kind) } else { to };
        let whole = (KINDS[kind].seal)(&keys(owner, number, are_shared), KINDS[kind].sample);
        let stored = steps.iter().fold(whole.clone(), |stored, step| damaged(stored, step, are_shared));
        let opened = (KINDS[other].open)(&keys(target, 1, are_shared), &stored);
        // A splice may put the whole of another envelope there, which then opens where that one belongs.
        let is_spliced = steps.iter().any(|step| matches!(step, Damage::Splice(_, owner, kind)
            if (*owner, *kind) == (target, other)));
        match opened {
            Ok(plain) if stored == whole => {
                prop_assert_eq!((target, other), (owner, kind), "moved");
                prop_assert_eq!(plain, KINDS[kind].sample);
            }
            Ok(plain) => {
                prop_assert!(is_spliced, "{} as {}", KINDS[kind].name, KINDS[other].name);
                prop_assert_eq!(plain, KINDS[other].sample);
            }
            Err(error) => {
                prop_assert!(stored != whole || (target, other) != (owner, kind), "{} is lost", KINDS[kind].name);
                prop_assert_eq!(error.to_string(), "a sealed field cannot be opened");
                prop_assert_eq!(format!("{error:?}"), "CannotOpen");
            }
        }
    }
}

#[test]
fn no_bit_of_any_field_may_be_another_and_no_length() {
    let keys = keys(0, 1, false);
    for kind in &KINDS {
        let whole = (kind.seal)(&keys, kind.sample);
        assert_eq!((kind.open)(&keys, &whole).expect("whole"), kind.sample);
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                (kind.open)(&keys, &flipped),
                Err(CannotOpen),
                "{}, bit {bit}",
                kind.name
            );
        }
        for length in 0..whole.len() {
            assert_eq!(
                (kind.open)(&keys, &whole[..length]),
                Err(CannotOpen),
                "{} cut to {length}",
                kind.name
            );
        }
        for more in 1..64 {
            let long = [whole.as_slice(), &vec![0; more]].concat();
            assert_eq!((kind.open)(&keys, &long), Err(CannotOpen), "{} and {more}", kind.name);
        }
        for suite in (0..=u8::MAX).filter(|suite| *suite != whole[1]) {
            let other = [&whole[..1], &[suite], &whole[2..]].concat();
            assert_eq!(
                (kind.open)(&keys, &other),
                Err(CannotOpen),
                "{} of suite {suite}",
                kind.name
            );
        }
    }
}

#[test]
fn no_field_opens_as_another_or_as_anybody_elses() {
    for are_shared in [false, true] {
        for (owner, _) in OWNERS.iter().enumerate() {
            for kind in &KINDS {
                let whole = (kind.seal)(&keys(owner, 2, are_shared), kind.sample);
                for (target, _) in OWNERS.iter().enumerate() {
                    for other in &KINDS {
                        let is_home = target == owner && other.name == kind.name;
                        let opened = (other.open)(&keys(target, 1, are_shared), &whole);
                        assert_eq!(opened.is_ok(), is_home, "{} as {}", kind.name, other.name);
                    }
                }
            }
        }
    }
}
