//! What one call of the crypto layer costs. `docs/PERFORMANCE.md` has the figures and how they were taken.
//!
//!     cargo bench --bench crypto --no-default-features
//!
//! The layer needs no feature, so that no adapter is built for it.

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::Criterion;
use sealgate::{
    crypto::{
        Sealed,
        blind_index::{BlindIndexer, IndexSlots},
        data_key::{DataKeys, Dek},
        field::FirstName,
        keyring::{KeyState, KeyUse, Keyring, RootKey, SharedKeyring},
        local_keks::LocalKeks,
        password_hasher::{HashCost, PasswordHasher},
        record_mac::{Factors, RecordMac, Security},
        refresh_token::RefreshToken,
        system_entropy::SystemEntropy,
        token_signer::{AccessClaims, SigningMethod, TokenSigner},
    },
    domain::{
        account::AccountStatus,
        clock::Timestamp,
        email::Email,
        ids::{AccountId, KekId, SessionId, TokenId},
        password::Password,
        person_name::PersonName,
        role::Role,
        session::AuthenticationMethod,
        user_type::UserType,
    },
};
use zeroize::Zeroizing;

const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let user_type: UserType = "User1".parse().expect("valid");
    let keyring = keyring(&user_type);
    fields(&mut criterion, &user_type);
    records(&mut criterion, &user_type, &keyring);
    refresh_tokens(&mut criterion, &keyring);
    wrapped_keys(&mut criterion);
    let shared = SharedKeyring::new(keyring);
    access_tokens(&mut criterion, &user_type, &shared);
    passwords(&mut criterion, &shared);
    criterion.final_summary();
}

fn keyring(user_type: &UserType) -> Keyring {
    let mut keyring = Keyring::default();
    for key_use in KeyUse::all(std::slice::from_ref(user_type)) {
        let key = RootKey {
            version: 1,
            state: KeyState::Active,
            material: key_use.make_material(),
        };
        keyring.insert(key_use, key);
    }
    keyring
}

/// A name in the smallest padded length, 32 bytes.
fn fields(criterion: &mut Criterion, user_type: &UserType) {
    let dek = Dek::make();
    let bytes = *dek.expose();
    let keys = DataKeys::new(user_type, account_id().as_str(), [(1, dek)]).expect("a key");
    let name = PersonName::parse("Ada").expect("valid");
    let sealed: Sealed<FirstName> = keys.seal(&name);
    criterion.bench_function("field/seal", |b| b.iter(|| keys.seal::<FirstName>(black_box(&name))));
    criterion.bench_function("field/open", |b| b.iter(|| keys.open(black_box(&sealed))));
    criterion.bench_function("field/keys from an unwrapped key", |b| {
        b.iter(|| {
            let dek = Dek::from_bytes(black_box(&bytes)).expect("32 bytes");
            DataKeys::new(user_type, "usr_a", [(1, dek)])
        });
    });
}

fn records(criterion: &mut Criterion, user_type: &UserType, keyring: &Keyring) {
    let email = Email::parse("ada@example.com").expect("valid");
    criterion.bench_function("blind index/e-mail", |b| {
        b.iter(|| BlindIndexer::new(keyring, user_type).find_email(black_box(&email)));
    });
    let id = account_id();
    let security = Security {
        status: AccountStatus::Active,
        role: Role::User,
        is_email_verified: true,
        is_phone_verified: false,
        password_hash: None,
        factors: Factors::default(),
        epoch: 0,
        kept_session: None,
        slots: IndexSlots::unused(&id),
        rev_sec: 0,
    };
    let mac = RecordMac::new(keyring);
    let signed = mac.sign(user_type, &id, security).expect("a key");
    criterion.bench_function("record MAC/verify", |b| {
        b.iter(|| mac.verify(user_type, &id, black_box(&signed)).is_ok());
    });
}

fn refresh_tokens(criterion: &mut Criterion, keyring: &Keyring) {
    let session = SessionId::make(NOW, &SystemEntropy);
    let token = RefreshToken::make(session, keyring, &SystemEntropy).expect("a key");
    let text = token.expose();
    criterion.bench_function("refresh token/check", |b| {
        b.iter(|| RefreshToken::parse(black_box(text.expose()), keyring).expect("genuine"));
    });
    criterion.bench_function("refresh token/successor and its digest", |b| {
        b.iter(|| black_box(&token).successors(keyring).next().expect("a key").digest());
    });
}

fn wrapped_keys(criterion: &mut Criterion) {
    let id = KekId::make(NOW, &SystemEntropy);
    let keks = LocalKeks::new(vec![(id.clone(), Zeroizing::new(*Dek::make().expose()))]).expect("a key");
    let dek = Dek::make();
    let wrap = || keks.wrap(black_box(&id), dek.expose());
    let wrapped = wrap().expect("wraps");
    criterion.bench_function("data key/wrap", |b| b.iter(wrap));
    criterion.bench_function("data key/unwrap", |b| {
        b.iter(|| keks.unwrap(black_box(&wrapped)));
    });
}

fn access_tokens(criterion: &mut Criterion, user_type: &UserType, keyring: &SharedKeyring) {
    let claims = AccessClaims {
        user_type: user_type.clone(),
        account_id: account_id(),
        session_id: SessionId::make(NOW, &SystemEntropy),
        token_id: TokenId::make(NOW, &SystemEntropy),
        issued_at: NOW,
        expires_at: NOW.plus(Duration::from_mins(30)),
        authenticated_at: NOW,
        methods: vec![AuthenticationMethod::Password],
        role: Role::User,
        scope: String::new(),
    };
    let secret = Zeroizing::new(Dek::make().expose().to_vec());
    for (name, method) in [
        ("EdDSA", SigningMethod::Keyring),
        ("HS256", SigningMethod::hs256(&secret)),
    ] {
        let signer = TokenSigner::new(keyring.clone(), method, Vec::new(), "https://id.example.com");
        let token = signer.sign(&claims).expect("a key");
        criterion.bench_function(&format!("access token/sign {name}"), |b| {
            b.iter(|| signer.sign(black_box(&claims)));
        });
        // More tokens than are remembered: each comes as if for the first time.
        let tokens: Vec<_> = (0..10_000)
            .map(|_| {
                signer
                    .sign(&AccessClaims {
                        token_id: TokenId::make(NOW, &SystemEntropy),
                        ..claims.clone()
                    })
                    .expect("a key")
            })
            .collect();
        let mut unknown = tokens.iter().cycle();
        criterion.bench_function(&format!("access token/verify {name}"), |b| {
            b.iter(|| {
                unknown
                    .next()
                    .map(|token| signer.verify(user_type, black_box(token.expose()), NOW))
            });
        });
        criterion.bench_function(&format!("access token/verify again {name}"), |b| {
            b.iter(|| {
                signer
                    .verify(user_type, black_box(token.expose()), NOW)
                    .expect("genuine")
            });
        });
    }
}

/// The only one that is slow on purpose.
fn passwords(criterion: &mut Criterion, keyring: &SharedKeyring) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let hasher = PasswordHasher::new(keyring.clone(), HashCost::MINIMUM, 1, 1);
    let password = Arc::new(Password::for_check("correct horse battery staple".to_owned()).expect("short enough"));
    let mut group = criterion.benchmark_group("password");
    group.sample_size(10);
    group.bench_function("hash, Argon2id m=19456 t=2 p=1", |b| {
        b.iter(|| runtime.block_on(hasher.hash(Arc::clone(&password))).expect("a hash"));
    });
    group.finish();
}

fn account_id() -> AccountId {
    AccountId::make(NOW, &SystemEntropy)
}
