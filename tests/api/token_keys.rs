//! Keys of tokens: published before they sign, good until what they signed has expired, gone at once where others may have
//! them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use sealgate::{
    app::{Foundation, World},
    crypto::{keyring::KeyState, public_key::PairAlgorithm, system_entropy::SystemEntropy},
    service::{
        Core,
        token_keys::{self, OVERLAP, PENDING, RemoveError, RotateError},
    },
    storage::{
        Inserted, StoreError, Stores,
        keyring::{KeyringRecord, KeyringStore},
    },
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{Pair, Setup, StoreSet, TestApp, eventually, part};

cases_per_store! {
    a_new_key_is_published_before_it_signs_and_the_old_one_until_it_may_go
    of_many_that_rotate_or_advance_one_does
    receipts_outlive_their_key
    a_removed_key_lets_nobody_in_and_another_signs
    names_of_keys_that_are_made_up_make_no_read_each
}
mod of_two_servers {
    use super::a_key_made_in_a_hurry_is_known_when_its_first_token_comes;

    cases_on_production! {
        a_key_made_in_a_hurry_is_known_when_its_first_token_comes
    }
}

/// How often keys are read again where a test waits for it.
pub(crate) const OFTEN: Duration = Duration::from_millis(100);
pub(crate) const NAME: &str = "http://id.example.com";

/// What an operator's command sees: the same stores, keys and clock, in another process.
pub(crate) struct Operator(pub(crate) Foundation);

impl Operator {
    pub(crate) async fn of(setup: &Setup) -> Self {
        let world = World {
            audit_lines: None,
            clock: Arc::clone(&setup.clock) as Arc<_>,
            entropy: Arc::new(SystemEntropy),
            stores: None,
        };
        Self(Foundation::open(&setup.config(), world).await.expect("a foundation"))
    }

    pub(crate) fn core(&self) -> &Core {
        &self.0.core
    }

    async fn states(&self) -> Vec<(u16, KeyState)> {
        let keys = token_keys::list(self.core()).await.expect("answers");
        let tokens = keys.iter().filter(|key| key.key_use == "token");
        tokens.map(|key| (key.version, key.state)).collect()
    }
}

async fn wait_for(operator: &Operator, expected: &[(u16, KeyState)]) {
    eventually(&format!("keys to be {expected:?}"), async || {
        (operator.states().await == expected).then_some(())
    })
    .await;
}

pub(crate) async fn published(app: &TestApp) -> Vec<Value> {
    let set = app.get("/.well-known/jwks.json").send().await.expect(200).json();
    set["keys"].as_array().expect("a list").clone()
}

async fn wait_for_published(app: &TestApp, count: usize) -> Vec<Value> {
    eventually(&format!("{count} published keys"), async || {
        let keys = published(app).await;
        (keys.len() == count).then_some(keys)
    })
    .await
}

pub(crate) fn kid(token: &str) -> Value {
    part(token, 0)["kid"].clone()
}

async fn a_new_key_is_published_before_it_signs_and_the_old_one_until_it_may_go(stores: &StoreSet) {
    let setup = Setup {
        reread: OFTEN,
        ..Setup::new(stores)
    };
    let app = setup.spawn().await;
    let operator = Operator::of(&setup).await;
    let (person, first) = app.member("User1").await;
    let old = published(&app).await;
    assert_eq!(old.len(), 1);
    assert_eq!(old[0]["kid"], kid(&first.access));

    assert_eq!(
        token_keys::rotate(operator.core(), PairAlgorithm::Es256)
            .await
            .expect("made"),
        2
    );
    let again = token_keys::rotate(operator.core(), PairAlgorithm::Es256).await;
    assert!(matches!(again, Err(RotateError::UnderWay(2))), "{again:?}");
    let both = wait_for_published(&app, 2).await;
    assert_eq!((&both[0]["alg"], &both[1]), (&json!("ES256"), &old[0]));
    // It does not sign before its time, however often a worker looks.
    app.clock.advance(PENDING.saturating_sub(Duration::from_secs(1)));
    tokio::time::timeout(
        OFTEN * 6,
        wait_for(&operator, &[(1, KeyState::Active), (2, KeyState::Active)]),
    )
    .await
    .expect_err("too early");
    let last_of_old = app.login("User1", &person).await;
    assert_eq!(kid(&last_of_old.access), old[0]["kid"]);

    app.clock.advance(Duration::from_secs(1));
    wait_for(&operator, &[(1, KeyState::VerifyOnly), (2, KeyState::Active)]).await;
    let new = eventually("a token of the new key", async || {
        let pair = app.login("User1", &person).await;
        (kid(&pair.access) == both[0]["kid"]).then_some(pair)
    })
    .await;
    assert_eq!(part(&new.access, 0)["alg"], "ES256");
    for pair in [&first, &last_of_old, &new] {
        app.profile("User1", &pair.access).await.expect(200);
    }
    // What the old key signed last is good to its end.
    app.clock.advance(Duration::from_mins(30) - Duration::from_secs(2));
    app.profile("User1", &last_of_old.access).await.expect(200);
    assert_eq!(published(&app).await.len(), 2);
    app.clock
        .advance(OVERLAP.saturating_sub(Duration::from_mins(30)) + Duration::from_secs(2));
    wait_for(&operator, &[(1, KeyState::Retired), (2, KeyState::Active)]).await;
    assert_eq!(wait_for_published(&app, 1).await[0], both[0]);
    let pair = Pair::of(&app, &app.refresh("User1", &new.refresh).await.expect(200));
    app.profile("User1", &pair.access).await.expect(200);
    app.shut_down().await;
    operator.0.close().await;
}

async fn of_many_that_rotate_or_advance_one_does(stores: &StoreSet) {
    let setup = Setup::new(stores);
    // It makes the keys; and ends, for its worker would take the steps.
    setup.spawn().await.shut_down().await;
    let (one, other) = (Operator::of(&setup).await, Operator::of(&setup).await);
    let by_turns = |n: usize| if n.is_multiple_of(2) { one.core() } else { other.core() };
    let rotated = (0..20).map(|n| token_keys::rotate(by_turns(n), PairAlgorithm::EdDsa));
    let rotated = futures_util::future::join_all(rotated).await;
    assert_eq!(rotated.iter().filter(|rotated| rotated.is_ok()).count(), 1);
    let refused = |rotated: &&Result<_, _>| matches!(rotated, Err(RotateError::UnderWay(2)));
    assert_eq!(rotated.iter().filter(refused).count(), 19);

    for (later, steps, states) in [
        (PENDING, 2, [(1, KeyState::VerifyOnly), (2, KeyState::Active)]),
        (OVERLAP, 1, [(1, KeyState::Retired), (2, KeyState::Active)]),
        (OVERLAP, 0, [(1, KeyState::Retired), (2, KeyState::Active)]),
    ] {
        setup.clock.advance(later);
        let advanced = (0..20).map(|n| token_keys::advance(by_turns(n)));
        let advanced = futures_util::future::join_all(advanced).await;
        let taken: usize = advanced
            .iter()
            .map(|taken| taken.as_ref().expect("answers").len())
            .sum();
        assert_eq!(taken, steps, "each step is taken once");
        assert_eq!(one.states().await, states);
    }
    one.0.close().await;
    other.0.close().await;
}

/// The claims of a receipt, if one of `keys` signed it.
fn verified(receipt: &str, keys: &[sealgate::crypto::public_key::Jwk]) -> Option<Value> {
    let kid = kid(receipt);
    let key = &keys.iter().find(|key| kid == *key.kid)?.key;
    let decoding = DecodingKey::from_ed_components(key.x.as_deref().expect("a point")).expect("a key");
    let mut rules = Validation::new(Algorithm::EdDSA);
    // A receipt is for nobody in particular, and does not expire.
    rules.validate_aud = false;
    rules.validate_exp = false;
    rules.required_spec_claims.clear();
    Some(
        jsonwebtoken::decode::<Value>(receipt, &decoding, &rules)
            .expect("verifies")
            .claims,
    )
}

async fn receipts_outlive_their_key(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let app = setup.spawn().await;
    let operator = Operator::of(&setup).await;
    let (person, pair) = app.member("User1").await;
    let proof = json!({ "password": person.password });
    let receipt = app
        .delete("User1", &pair.access, &proof)
        .await
        .expect(200)
        .member("receipt");
    app.shut_down().await;

    let core = operator.core();
    let keys = async || token_keys::of_receipts(&token_keys::list(core).await.expect("answers"));
    let claims = verified(&receipt, &keys().await).expect("its key");
    token_keys::rotate(core, PairAlgorithm::EdDsa).await.expect("made");
    for later in [PENDING, OVERLAP] {
        setup.clock.advance(later);
        token_keys::advance(core).await.expect("answers");
    }
    assert_eq!(operator.states().await, [(1, KeyState::Retired), (2, KeyState::Active)]);
    // The public half is all that is left of it.
    let records = core.stores.keyring.list().await.expect("answers");
    let retired = records.iter().find(|record| record.id == "token/1").expect("kept");
    assert!(
        retired.wrapped.wrapped.len() > 80,
        "a JWK, not a private key of 48 bytes"
    );
    assert_eq!(verified(&receipt, &keys().await), Some(claims));
    // One that others may have had proves nothing any more, retired or not.
    token_keys::remove(core, 1, PairAlgorithm::EdDsa)
        .await
        .expect("removed");
    assert_eq!(verified(&receipt, &keys().await), None);
    let again = token_keys::remove(core, 1, PairAlgorithm::EdDsa).await;
    assert!(matches!(again, Err(RemoveError::Done(1))), "{again:?}");
    let missing = token_keys::remove(core, 9, PairAlgorithm::EdDsa).await;
    assert!(matches!(missing, Err(RemoveError::Missing(9))), "{missing:?}");
    operator.0.close().await;
}

async fn a_removed_key_lets_nobody_in_and_another_signs(stores: &StoreSet) {
    let setup = Setup {
        reread: OFTEN,
        ..Setup::new(stores)
    };
    let app = setup.spawn().await;
    let operator = Operator::of(&setup).await;
    let core = operator.core();
    let (person, leaked) = app.member("User1").await;
    app.profile("User1", &leaked.access).await.expect(200);
    // The one that is on its way takes over.
    token_keys::rotate(core, PairAlgorithm::EdDsa).await.expect("made");
    let signs = token_keys::remove(core, 1, PairAlgorithm::EdDsa)
        .await
        .expect("removed");
    assert_eq!(signs, Some(2));
    assert_eq!(operator.states().await, [(1, KeyState::Retired), (2, KeyState::Active)]);
    let refused = async |token: &str| {
        eventually("the removed key to be refused", async || {
            let answer = app.profile("User1", token).await;
            (answer.status == 401).then(|| answer.expect_problem(401, "invalid_token"))
        })
        .await;
    };
    refused(&leaked.access).await;
    // Refresh tokens are of another key: nobody has to sign in again.
    let pair = Pair::of(&app, &app.refresh("User1", &leaked.refresh).await.expect(200));
    app.profile("User1", &pair.access).await.expect(200);
    assert_eq!(published(&app).await.len(), 1);

    // With none on its way, one is made.
    let signs = token_keys::remove(core, 2, PairAlgorithm::Es256)
        .await
        .expect("removed");
    assert_eq!(signs, Some(3));
    refused(&pair.access).await;
    let pair = app.login("User1", &person).await;
    assert_eq!(part(&pair.access, 0)["alg"], "ES256");
    app.profile("User1", &pair.access).await.expect(200);
    app.shut_down().await;
    operator.0.close().await;
}

async fn a_key_made_in_a_hurry_is_known_when_its_first_token_comes(stores: &StoreSet) {
    let often = Setup {
        reread: OFTEN,
        ..Setup::new(stores).set("PUBLIC_URL", NAME)
    };
    let seldom = Setup {
        reread: Duration::from_hours(1),
        ..often.clone()
    };
    let (one, other) = (often.spawn().await, seldom.spawn().await);
    let operator = Operator::of(&often).await;
    let (person, leaked) = one.member("User1").await;
    other.profile("User1", &leaked.access).await.expect(200);
    token_keys::remove(operator.core(), 1, PairAlgorithm::EdDsa)
        .await
        .expect("removed");
    let pair = eventually("a token of the new key", async || {
        let pair = one.login("User1", &person).await;
        (kid(&pair.access) != kid(&leaked.access)).then_some(pair)
    })
    .await;
    // The other server, which would read its keys in an hour, reads them now; at most once a second, and once was its start.
    eventually("the other server to know the key", async || {
        let answer = other.profile("User1", &pair.access).await;
        (answer.status == 200).then_some(())
    })
    .await;
    other
        .profile("User1", &leaked.access)
        .await
        .expect_problem(401, "invalid_token");
    one.shut_down().await;
    other.shut_down().await;
    operator.0.close().await;
}

/// Counts how often the keys are read.
struct Counting(Arc<dyn KeyringStore>, Arc<AtomicUsize>);

#[async_trait]
impl KeyringStore for Counting {
    async fn insert(&self, record: &KeyringRecord) -> Result<Inserted, StoreError> {
        self.0.insert(record).await
    }

    async fn list(&self) -> Result<Vec<KeyringRecord>, StoreError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.list().await
    }

    async fn replace(&self, expected: &KeyringRecord, record: &KeyringRecord) -> Result<bool, StoreError> {
        self.0.replace(expected, record).await
    }
}

async fn names_of_keys_that_are_made_up_make_no_read_each(stores: &StoreSet) {
    let mut setup = Setup {
        worker: |worker| {
            worker.keys_period = Duration::from_hours(1);
            worker.key_jobs_period = Duration::from_hours(1);
        },
        ..Setup::new(stores)
    };
    let user_types = setup.config().user_types.order;
    let opened = stores.open(setup.folder(), &user_types).await;
    let reads = Arc::new(AtomicUsize::new(0));
    setup.given_stores = Some(Stores {
        keyring: Arc::new(Counting(Arc::clone(&opened.keyring), Arc::clone(&reads))),
        ..opened
    });
    let app = setup.spawn().await;
    let (_, pair) = app.member("User1").await;
    let [head, claims, signature]: [&str; 3] = pair.access.split('.').collect::<Vec<_>>().try_into().expect("three");
    assert!(!head.is_empty());
    let (before, began) = (reads.load(Ordering::Relaxed), Instant::now());
    let made_up = |n: usize| {
        let head = json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": format!("{n:A>43}") });
        let token = format!("{}.{claims}.{signature}", crate::support::encoded(&head));
        let app = &app;
        async move { app.profile("User1", &token).await.expect_problem(401, "invalid_token") }
    };
    futures_util::future::join_all((0..300).map(made_up)).await;
    // One that comes within the second of a reading waits for the next: its key may have been made since.
    let until_now = reads.load(Ordering::Relaxed);
    made_up(300).await;
    assert!(reads.load(Ordering::Relaxed) > until_now);
    let (read, took) = (reads.load(Ordering::Relaxed) - before, began.elapsed());
    let most = 2 + usize::try_from(took.as_secs()).expect("seconds");
    assert!((1..=most).contains(&read), "{read} reads within {took:?}");
    // A name that no key of ours could have makes none at all.
    tokio::time::sleep_until(Instant::now() + sealgate::service::keyring::PAUSE).await;
    let before = reads.load(Ordering::Relaxed);
    for kid in ["x", "../../dev/null", "hs256-AAAAAAAAAAAAAAAA"] {
        let head = json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": kid });
        let token = format!("{}.{claims}.{signature}", crate::support::encoded(&head));
        app.profile("User1", &token).await.expect_problem(401, "invalid_token");
    }
    assert_eq!(reads.load(Ordering::Relaxed), before);
    app.profile("User1", &pair.access).await.expect(200);
    app.shut_down().await;
}
