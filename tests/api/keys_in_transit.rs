//! Key-encryption keys in a transit engine, and what holds while it is slow or away: keys that were unwrapped a moment ago
//! serve for their time, everything else is 503, and nothing is ever sealed under a key that was not to be used.

use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use sealgate::{
    crypto::{
        dek_cache::DekCache,
        kek::{KekError, KekProvider, Keks, WrappedKey},
        keyring::{KeyUse, SharedKeyring},
        local_keks::{LocalKeks, make_line},
    },
    domain::{
        clock::Timestamp,
        ids::{AccountId, KekId},
        user_type::UserType,
    },
    service::{
        Core, Failure,
        rotation::{destroy::destroy, rotate},
        vault::Vault,
    },
    storage::Ref,
};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::{
    fault_proxy::Fault,
    rotation,
    support::{Person, Setup, StoreSet, TestApp, TransitEngine, eventually, logged, say},
    token_keys::Operator,
};

cases_per_store! {
    an_installation_lives_on_transit_and_serves_from_memory_while_it_is_away
    what_is_remembered_opens_only_what_the_key_database_still_has
    keys_move_from_a_file_to_transit_and_back_while_everything_serves
}

cases_once! {
    past_their_time_keys_serve_no_more_and_come_back_with_the_engine
    an_engine_that_hangs_is_given_up_in_time
    a_version_that_was_made_wraps_and_the_one_before_unwraps
    an_engine_that_is_away_at_the_start_is_said_and_no_key_is_made
    an_erased_account_is_gone_though_its_key_was_in_memory
}

/// What the stores have of wrapped keys.
async fn stored(app: &TestApp) -> Vec<String> {
    let records = app.open_stores().await.keyring.list().await.expect("a store");
    let wrapped = records.into_iter().map(|record| record.wrapped.wrapped);
    wrapped
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

async fn an_installation_lives_on_transit_and_serves_from_memory_while_it_is_away(stores: &StoreSet) {
    let engine = TransitEngine::start().await;
    let app = engine
        .lead(Setup::new(stores))
        .set("DEK_CACHE_SECONDS", "300")
        .spawn()
        .await;
    let (person, pair) = app.member("User1").await;
    let profile = app.profile("User1", &pair.access).await.expect(200);
    assert!(!app.kek_file.exists(), "no file is made");
    let stored = stored(&app).await;
    assert!(
        !stored.is_empty() && stored.iter().all(|wrapped| wrapped.starts_with("vault:v1:")),
        "{stored:?}"
    );
    let (stranger, rival) = (Person::new(), person.rival());

    engine.set(Fault::Gone);
    let again = app.profile("User1", &pair.access).await.expect(200);
    assert_eq!(again.json(), profile.json());
    let refused = app.create("User1", &stranger).await.expect_problem(503, "unavailable");
    assert!(!refused.header("retry-after").is_empty());
    app.create("User1", &rival).await.expect_problem(503, "unavailable");
    app.login("User1", &person).await;

    engine.set(Fault::None);
    app.member("User1").await;
    app.settle().await;
    assert!(app.mails(&stranger.email).is_empty(), "what was refused was not done");
    assert_eq!(engine.versions().await, 1, "no key makes itself");
    assert!(!logged().contains("hvs."), "tokens stay out of logs");
    engine.check();
    app.shut_down().await;
}

/// The key-encryption keys that data keys, and the other root keys, name.
async fn wrapping(core: &Core) -> BTreeSet<KekId> {
    let mut named = BTreeSet::new();
    for user_type in core.user_types.keys() {
        for (id, _) in core.stores.deks.versions(user_type, None, 1000).await.expect("answers") {
            let found = core.stores.deks.find(&Ref::new(user_type, id)).await.expect("answers");
            named.extend(
                found
                    .into_iter()
                    .flat_map(|record| record.deks.into_values())
                    .map(|key| key.kek_id),
            );
        }
    }
    let root = core.stores.keyring.list().await.expect("answers").into_iter();
    named.extend(
        root.filter(|record| record.key_use != "kek")
            .map(|record| record.wrapped.kek_id),
    );
    named
}

async fn keys_move_from_a_file_to_transit_and_back_while_everything_serves(stores: &StoreSet) {
    let engine = TransitEngine::start().await;
    let file = rotation::setup(stores);
    let transit = engine.lead(file.clone()).set("DEK_CACHE_SECONDS", "0");
    let app = file.spawn().await;
    let (first, _) = app.member("User1").await;
    let waiting = Person::new();
    let link = app.register("User2", &waiting).await;
    app.shut_down().await;

    // There, and back into a file that is made for it; the one before is not needed at the end.
    let mut people = vec![first];
    for (from, to, version) in [("file", "transit", 1), ("transit", "file", 2)] {
        let setup = transit.clone().set("KEK_PROVIDER", to).set("KEK_PROVIDER_BEFORE", from);
        if to == "file" {
            let config = setup.config();
            std::fs::remove_file(&config.stores.kek_file).expect("there");
            sealgate::app::make_key_file(&config).expect("made");
        }
        let app = setup.spawn().await;
        let operator = Operator::of(&setup).await;
        let core = operator.core();
        let old = wrapping(core).await;
        assert_eq!(old.len(), 1);
        people.push(app.member("User1").await.0);
        assert_eq!(wrapping(core).await, old, "as before, until it is told otherwise");
        assert_eq!(rotate(core, &KeyUse::Kek).await.expect("made"), version + 1);
        rotation::until_done(&app, core, &KeyUse::Kek, async || {
            app.login("User1", &people[0]).await;
        })
        .await;
        let new = wrapping(core).await;
        assert_eq!(new.len(), 1);
        assert!(old.is_disjoint(&new), "{old:?} {new:?}");
        people.push(app.member("User1").await.0);
        app.shut_down().await;

        let alone = transit.clone().set("KEK_PROVIDER", to);
        let app = alone.spawn().await;
        for person in &people {
            app.login("User1", person).await;
        }
        let operator = Operator::of(&alone).await;
        destroy(operator.core(), &KeyUse::Kek, version).await.expect("noted");
        app.shut_down().await;
        // The one before opens nothing any more, and says so.
        let before = transit.clone().set("KEK_PROVIDER", from);
        let says = format!("{:#}", before.start().await.expect_err("must not start"));
        assert!(says.contains("the key provider has no key"), "{says}");
    }
    engine.check();
    let app = file.clone().set("KEK_PROVIDER", "file").spawn().await;
    app.confirm("User2", &link).await.expect(200);
    app.login("User2", &waiting).await;
    app.shut_down().await;
}

async fn past_their_time_keys_serve_no_more_and_come_back_with_the_engine(stores: &StoreSet) {
    let engine = TransitEngine::start().await;
    let app = engine
        .lead(Setup::new(stores))
        .set("DEK_CACHE_SECONDS", "1")
        .spawn()
        .await;
    let (_, pair) = app.member("User1").await;
    engine.set(Fault::Gone);
    let refused = eventually("the profile to be refused", async || {
        let answer = app.profile("User1", &pair.access).await;
        (answer.status == 503).then_some(answer)
    })
    .await;
    refused.expect_problem(503, "unavailable");
    engine.set(Fault::None);
    eventually("the profile to be served", async || {
        (app.profile("User1", &pair.access).await.status == 200).then_some(())
    })
    .await;
    engine.check();
    app.shut_down().await;
}

async fn an_engine_that_hangs_is_given_up_in_time(stores: &StoreSet) {
    let engine = TransitEngine::start().await;
    let app = engine.lead(Setup::new(stores)).spawn().await;
    engine.set(Fault::Hang);
    let began = Instant::now();
    app.create("User1", &Person::new())
        .await
        .expect_problem(503, "unavailable");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    say(&format!("transit engine hangs: 503 after {:.2} s", took.as_secs_f64()));
    engine.set(Fault::None);
    app.member("User1").await;
    app.shut_down().await;
}

async fn a_version_that_was_made_wraps_and_the_one_before_unwraps(stores: &StoreSet) {
    let engine = TransitEngine::start().await;
    let setup = engine.lead(Setup::new(stores));
    let app = setup.spawn().await;
    let (person, _) = app.member("User1").await;
    app.shut_down().await;
    engine.rotate().await;
    let app = setup.spawn().await;
    app.login("User1", &person).await;
    app.member("User1").await;
    engine.check();
    app.shut_down().await;
}

async fn an_engine_that_is_away_at_the_start_is_said_and_no_key_is_made(stores: &StoreSet) {
    let engine = TransitEngine::start().await;
    let setup = engine.lead(Setup::new(stores));
    let refused = async |setup: &Setup, part: &str| {
        let refused = setup.start().await.expect_err("must not start");
        let says = format!("{refused:#}");
        assert!(says.contains(part) && !says.contains("hvs."), "{says}");
    };
    engine.set(Fault::Gone);
    refused(&setup, "TRANSIT_URL: the key provider is away").await;
    engine.set(Fault::None);
    refused(
        &setup.clone().set("TRANSIT_TOKEN", "hvs.another"),
        "TRANSIT_TOKEN is refused",
    )
    .await;
    refused(
        &setup.clone().set("TRANSIT_KEY", "not-there"),
        "there is no key of that name",
    )
    .await;
    assert_eq!(engine.versions().await, 1);

    // And what one engine's key wrapped opens with no other's, which is not to wrap anything either.
    let app = setup.spawn().await;
    app.member("User1").await;
    app.shut_down().await;
    let another = TransitEngine::start().await;
    refused(
        &another.lead(Setup {
            pairs: Vec::new(),
            ..setup.clone()
        }),
        "the key provider has no key",
    )
    .await;
    setup.spawn().await.shut_down().await;
}

async fn an_erased_account_is_gone_though_its_key_was_in_memory(stores: &StoreSet) {
    let engine = TransitEngine::start().await;
    let app = engine
        .lead(Setup::new(stores))
        .set("DEK_CACHE_SECONDS", "300")
        .spawn()
        .await;
    let (person, pair) = app.member("User1").await;
    app.profile("User1", &pair.access).await.expect(200);
    let proof = serde_json::json!({ "password": person.password });
    app.delete("User1", &pair.access, &proof).await.expect(200);
    app.profile("User1", &pair.access).await.expect(401);
    app.sign_in("User1", &person.email, &person.password).await.expect(401);
    engine.check();
    app.shut_down().await;
}

/// A provider that counts what it is asked to unwrap, and goes away.
struct Counting {
    keks: LocalKeks,
    unwrapped: AtomicUsize,
    is_away: AtomicBool,
}

#[async_trait]
impl KekProvider for Counting {
    async fn known(&self) -> Result<Vec<KekId>, KekError> {
        self.keks.known().await
    }

    async fn make(&self) -> Result<KekId, KekError> {
        KekProvider::make(&self.keks).await
    }

    async fn destroy(&self, id: &KekId) -> Result<(), KekError> {
        self.keks.destroy(id).await
    }

    async fn wrap(&self, under: &KekId, key: &[u8]) -> Result<WrappedKey, KekError> {
        self.keks.wrap(under, key)
    }

    async fn unwrap(&self, wrapped: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, KekError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(KekError::Unavailable);
        }
        self.unwrapped.fetch_add(1, Ordering::Relaxed);
        self.keks.unwrap(wrapped)
    }
}

async fn what_is_remembered_opens_only_what_the_key_database_still_has(stores: &StoreSet) {
    let user_type: UserType = "User1".parse().expect("a user type");
    let setup = Setup::new(stores);
    let stores = stores.open(setup.folder(), std::slice::from_ref(&user_type)).await;
    let (_, line) = make_line(Timestamp::from_millis(1));
    let provider = Arc::new(Counting {
        keks: LocalKeks::parse(line.lines()).expect("a key"),
        unwrapped: AtomicUsize::default(),
        is_away: AtomicBool::default(),
    });
    let keks = Keks::newest(Arc::clone(&provider) as Arc<_>).await.expect("a key");
    let keks = Arc::new(keks);
    // Each as a server of its own.
    let [here, there] = [(), ()].map(|()| {
        let cache = DekCache::new(NonZeroUsize::MIN.saturating_add(9), Duration::from_mins(1));
        Vault::new(Arc::clone(&keks), Arc::clone(&stores.deks), SharedKeyring::default())
            .remembering(Some(Arc::new(cache)))
    });
    let [erased, other] = ["usr_erased", "usr_other"].map(|id| {
        let id: AccountId = id.parse().expect("an id");
        Ref::new(&user_type, id)
    });
    here.make(&erased).await.expect("made");
    here.make(&other).await.expect("made");
    for vault in [&here, &here, &there, &there] {
        vault.open(&erased).await.expect("opens");
    }
    assert_eq!(provider.unwrapped.load(Ordering::Relaxed), 2, "once on each");

    provider.is_away.store(true, Ordering::Relaxed);
    here.open(&erased).await.expect("remembered");
    let unknown = here.open(&other).await.expect_err("not remembered");
    assert!(matches!(unknown, Failure::Kek(KekError::Unavailable)), "{unknown}");
    assert!(here.destroy(&erased).await.expect("a store"));
    for vault in [&here, &there] {
        let gone = vault.open(&erased).await.expect_err("erased");
        assert!(matches!(gone, Failure::NoDataKey(_)), "{gone}");
    }

    // A failure is not remembered.
    provider.is_away.store(false, Ordering::Relaxed);
    here.open(&other).await.expect("opens");
}
