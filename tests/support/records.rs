//! Records to store in tests: whole and sound in shape, sealed by nobody. The sealed fields hold arbitrary bytes, every
//! value of a byte among them; index slots are made by the real indexer from fixed keys.

use std::{collections::BTreeMap, time::Duration};

use sealgate::{
    crypto::{
        blind_index::{BlindIndexer, Candidate, IndexSlots},
        field::Field,
        kek::WrappedKey,
        keyring::{KeyState, KeyUse, Keyring, RootKey},
        password_hasher::PasswordHash,
        record_mac::{Factors, RecordMac, Security},
        sealed::Sealed,
    },
    domain::{
        account::AccountStatus,
        audit::{AuditEvent, Details, Outcome},
        challenge::{Challenge, Purpose},
        clock::Timestamp,
        email::Email,
        ids::AccountId,
        message::MessageKind,
        network::Network,
        phone::Phone,
        role::Role,
        session::AuthenticationMethod,
        token::TokenDigest,
        trace_context::TraceParent,
        user_type::UserType,
        username::Username,
    },
    storage::{
        Ref, SCHEMA,
        accounts::{AccountRecord, NewAccount},
        audit::{AuditRecord, CheckpointRecord},
        deks::DekRecord,
        heartbeats::{HeartbeatRecord, ServiceHealth},
        keyring::KeyringRecord,
        outbox::{Failed, Outbox, OutboxEntry},
        profile::SealedProfile,
        registrations::RegistrationRecord,
        requests::RequestRecord,
        sessions::SessionRecord,
    },
};
use zeroize::Zeroizing;

/// When everything in the tests happens.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_123);

/// A typed id: its prefix and `n`. Ids of one type sort by `n`.
pub(crate) fn id<I: std::str::FromStr<Err: std::fmt::Debug>>(prefix: &str, n: usize) -> I {
    format!("{prefix}{n:026}").parse().expect("a valid id")
}

pub(crate) fn user_type(name: &str) -> UserType {
    name.parse().expect("a valid user type")
}

/// `ms` milliseconds after [`NOW`], or before it.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + ms)
}

pub(crate) fn sealed<F: Field>(seed: usize) -> Sealed<F> {
    Sealed::from_envelope(bytes(seed, 256))
}

pub(crate) fn digest(seed: usize) -> TokenDigest {
    TokenDigest::new(bytes(seed, 32).try_into().expect("32 bytes"))
}

/// A run of all values of a byte, beginning at `seed`.
fn bytes(seed: usize, len: usize) -> Vec<u8> {
    (seed..seed + len)
        .map(|n| u8::try_from(n % 256).expect("a byte"))
        .collect()
}

fn wrapped(seed: usize) -> WrappedKey {
    WrappedKey {
        kek_id: id("kek_", seed),
        wrapped: bytes(seed, 40),
    }
}

/// One person of one user type, from whom registrations, accounts and the rest are made.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) user_type: UserType,
    pub(crate) id: AccountId,
    pub(crate) email: String,
    pub(crate) username: Option<String>,
    pub(crate) phone: Option<String>,
    /// Version of the index key: an odd one is written to slot 1, an even one to slot 0.
    pub(crate) index_version: u16,
    pub(crate) outbox: Outbox,
}

impl Person {
    /// Number `n` of `User1`, with an address of their own and no more.
    pub(crate) fn new(n: usize) -> Self {
        Self {
            user_type: user_type("User1"),
            id: id("usr_", n),
            email: format!("person{n}@example.org"),
            username: None,
            phone: None,
            index_version: 1,
            outbox: Outbox::default(),
        }
    }

    pub(crate) fn key(&self) -> Ref<AccountId> {
        Ref::new(&self.user_type, self.id.clone())
    }

    pub(crate) fn slots(&self) -> IndexSlots {
        let keyring = keyring(&self.user_type, self.index_version);
        let email = Email::parse(&self.email).expect("a valid address");
        let username = self
            .username
            .as_deref()
            .map(|name| Username::parse(name).expect("valid"));
        let phone = self
            .phone
            .as_deref()
            .map(|phone| Phone::parse(phone, None).expect("valid"));
        BlindIndexer::new(&keyring, &self.user_type)
            .slots(&self.id, &email, username.as_ref(), phone.as_ref())
            .expect("keys")
    }

    /// What a look-up of the address is given.
    pub(crate) fn email_candidates(&self) -> Vec<Candidate> {
        let keyring = keyring(&self.user_type, self.index_version);
        let email = Email::parse(&self.email).expect("a valid address");
        BlindIndexer::new(&keyring, &self.user_type)
            .find_email(&email)
            .expect("keys")
    }

    /// What a look-up of the username is given.
    pub(crate) fn username_candidates(&self) -> Vec<Candidate> {
        let keyring = keyring(&self.user_type, self.index_version);
        let username = Username::parse(self.username.as_deref().expect("a username")).expect("valid");
        BlindIndexer::new(&keyring, &self.user_type)
            .find_username(&username)
            .expect("keys")
    }

    /// The account, with every optional field absent.
    pub(crate) fn account(&self) -> AccountRecord {
        AccountRecord::new(NewAccount {
            key: self.key(),
            created_at: NOW,
            updated_at: NOW,
            sealed: bare_profile(),
            security: self.sign(self.security()),
            outbox: self.outbox.clone(),
        })
    }

    /// The account with every optional field present, and every number as large as it may get.
    pub(crate) fn full_account(&self) -> AccountRecord {
        let largest = u64::try_from(i64::MAX).expect("positive");
        let mut account = AccountRecord::new(NewAccount {
            key: self.key(),
            created_at: Timestamp::from_millis(i64::MIN),
            updated_at: Timestamp::NEVER,
            sealed: full_profile(),
            security: self.sign(Security {
                status: AccountStatus::Locked,
                role: Role::Admin,
                is_phone_verified: true,
                password_hash: Some(PasswordHash::from_stored(
                    "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".into(),
                )),
                factors: Factors {
                    totp: Some(sealed(7)),
                    texts: true,
                    recovery: vec![digest(1), digest(2)],
                    recovery_key: Some(sealed(9)),
                },
                epoch: largest,
                kept_session: Some(id("ses_", 1)),
                rev_sec: largest,
                ..self.security()
            }),
            outbox: full_outbox(),
        });
        account.rev = largest - 1;
        account.version = largest;
        account
            .devices
            .get_or_insert_default()
            .note(&[digest(4), digest(5)], NOW);
        account.challenges = BTreeMap::from([
            (Purpose::ResetPassword, challenge(1, Some(digest(3)))),
            (Purpose::VerifyPhone, challenge(2, None)),
        ]);
        account
    }

    /// A registration with every optional field absent.
    pub(crate) fn registration(&self) -> RegistrationRecord {
        RegistrationRecord {
            id: self.id.clone(),
            user_type: self.user_type.clone(),
            schema: SCHEMA,
            rev: 0,
            created_at: NOW,
            expires_at: NOW.plus(Duration::from_hours(24)),
            sealed: bare_profile(),
            password_hash: PasswordHash::from_stored("$argon2id$v=19$x".into()),
            slots: self.slots(),
            link_digest: None,
            outbox: self.outbox.clone(),
        }
    }

    /// A registration with every optional field present.
    pub(crate) fn full_registration(&self) -> RegistrationRecord {
        RegistrationRecord {
            sealed: full_profile(),
            link_digest: Some(digest(9)),
            outbox: full_outbox(),
            ..self.registration()
        }
    }

    /// One wrapped data key.
    pub(crate) fn dek(&self) -> DekRecord {
        DekRecord::first(&self.key(), wrapped(1), 1)
    }

    /// Session `n`, just begun.
    pub(crate) fn session(&self, n: usize) -> SessionRecord {
        SessionRecord {
            id: id("ses_", n),
            user_type: self.user_type.clone(),
            schema: SCHEMA,
            rev: 0,
            account_id: self.id.clone(),
            epoch: 0,
            created_at: NOW,
            authenticated_at: NOW,
            methods: vec![AuthenticationMethod::Password],
            agent: None,
            network: None,
            generation: 0,
            current: digest(0),
            parent: None,
            rotated_at: None,
            idle_expires_at: NOW.plus(Duration::from_hours(1)),
            expires_at: NOW.plus(Duration::from_hours(2)),
            ended_at: None,
            mac: bytes(2, 34),
        }
    }

    /// Session `n` with every optional field present.
    pub(crate) fn full_session(&self, n: usize) -> SessionRecord {
        SessionRecord {
            epoch: u64::try_from(i64::MAX).expect("positive"),
            methods: vec![
                AuthenticationMethod::Password,
                AuthenticationMethod::Otp,
                AuthenticationMethod::Mfa,
            ],
            agent: Some(sealed(10)),
            network: Some(sealed(11)),
            generation: u32::MAX,
            parent: Some(digest(200)),
            rotated_at: Some(NOW),
            ended_at: Some(NOW),
            ..self.session(n)
        }
    }

    /// What the account's MAC covers.
    pub(crate) fn security(&self) -> Security {
        Security {
            status: AccountStatus::Active,
            role: Role::User,
            is_email_verified: true,
            is_phone_verified: false,
            password_hash: None,
            factors: Factors::default(),
            epoch: 0,
            kept_session: None,
            slots: self.slots(),
            rev_sec: 0,
        }
    }

    /// Signs it.
    pub(crate) fn sign(&self, security: Security) -> sealgate::crypto::record_mac::SignedSecurity {
        RecordMac::new(&keyring(&self.user_type, self.index_version))
            .sign(&self.user_type, &self.id, security)
            .expect("a key")
    }
}

/// An index key of that version and a MAC key.
fn keyring(user_type: &UserType, index_version: u16) -> Keyring {
    let mut keyring = Keyring::default();
    for (key_use, version) in [(KeyUse::Index(user_type.clone()), index_version), (KeyUse::Mac, 1)] {
        let key = RootKey {
            version,
            state: KeyState::Active,
            material: Zeroizing::new(vec![u8::try_from(version).expect("small"); 32]),
        };
        keyring.insert(key_use, key);
    }
    keyring
}

fn bare_profile() -> SealedProfile {
    SealedProfile {
        email: sealed(0),
        email_pending: None,
        username: None,
        first_name: sealed(1),
        last_name: sealed(2),
        phone: None,
        country_code: None,
        attributes: None,
        totp_pending: None,
    }
}

fn full_profile() -> SealedProfile {
    SealedProfile {
        email_pending: Some(sealed(3)),
        username: Some(sealed(4)),
        phone: Some(sealed(5)),
        country_code: Some(sealed(6)),
        attributes: Some(Sealed::from_envelope(Vec::new())),
        totp_pending: Some(sealed(8)),
        ..bare_profile()
    }
}

fn challenge(n: usize, digest: Option<TokenDigest>) -> Challenge {
    Challenge {
        made_at: at(1),
        sends: 1,
        id: id("chl_", n),
        digest,
        link: digest,
        good_for: None,
        expires_at: NOW,
        tries: u32::MAX,
        hour: i64::MAX,
        hour_tries: 0,
    }
}

/// An outbox with one message, due at `due`.
pub(crate) fn outbox_due(n: usize, due: Timestamp) -> Outbox {
    let entry = OutboxEntry {
        due,
        ..OutboxEntry::new(MessageKind::Welcome, NOW)
    };
    Outbox::with(&id("msg_", n), entry)
}

/// An outbox whose only message was given up.
pub(crate) fn outbox_dead(n: usize) -> Outbox {
    let mut outbox = outbox_due(n, NOW);
    outbox.fail(&id("msg_", n), NOW, 0, Failed::ForGood("refused"));
    outbox
}

/// An outbox with messages in every state.
fn full_outbox() -> Outbox {
    let mut outbox = outbox_dead(1);
    let held = OutboxEntry {
        to: Some(sealed(8)),
        link: Some(sealed(9)),
        session: Some(id("ses_", 9)),
        lease: Some(NOW),
        attempt: u32::MAX,
        traceparent: TraceParent::new(u128::MAX, u64::MAX, true),
        ..OutboxEntry::new(MessageKind::ResetPassword, NOW)
    };
    outbox.push(&id("msg_", 2), held);
    outbox.push(&id("msg_", 3), OutboxEntry::new(MessageKind::ConfirmAddress, NOW));
    outbox
}

/// Request `n` of `User1`; its id is its message's.
pub(crate) fn request(n: usize, due: Timestamp, expires_at: Timestamp) -> RequestRecord {
    RequestRecord {
        id: id("msg_", n),
        user_type: user_type("User1"),
        schema: SCHEMA,
        rev: 0,
        address: sealed(n),
        is_dropped: false,
        tries: None,
        expires_at,
        outbox: outbox_due(n, due),
    }
}

/// Version `version` of the MAC key.
pub(crate) fn root_key(version: u16, state: KeyState) -> KeyringRecord {
    KeyringRecord::new(&KeyUse::Mac, version, state, wrapped(usize::from(version)), NOW)
}

/// Audit entry `n` of `User1`, of account `account` if there is one.
pub(crate) fn audit_entry(n: usize, account: Option<usize>) -> AuditRecord {
    AuditRecord {
        id: id("aud_", n),
        schema: SCHEMA,
        user_type: Some(user_type("User1")),
        account_id: account.map(|account| id("usr_", account)),
        event: AuditEvent::SignedIn,
        outcome: Outcome::Success,
        at: NOW,
        request_id: account.map(|account| format!("request-{account}")),
        network: account.map(|_| Network::of([203, 0, 113, 9].into())),
        details: account.map_or_else(Details::default, |account| {
            Details::of_key("mac", u16::try_from(account).expect("small"))
        }),
    }
}

/// The link of the chain at `place`.
pub(crate) fn checkpoint(place: u64) -> CheckpointRecord {
    CheckpointRecord {
        id: CheckpointRecord::id_at(place),
        schema: SCHEMA,
        at: NOW,
        entries: vec![id("aud_", 1), id("aud_", 2)],
        digests: bytes(0, 64),
        through: NOW,
        begins_at: 1,
        begins_after: at(-1),
        previous: bytes(2, 34),
        mac: bytes(1, 34),
    }
}

/// Worker `n`'s sign of life.
pub(crate) fn heartbeat(n: usize, at: Timestamp) -> HeartbeatRecord {
    HeartbeatRecord {
        id: id("wrk_", n),
        schema: SCHEMA,
        at,
        email: ServiceHealth::Healthy,
        sms: ServiceHealth::Disabled,
    }
}
