//! Keys that data hangs on are replaced while the service serves: nobody notices, nothing is lost, and of the old key
//! nothing is left that names it.

use std::time::Duration;

use sealgate::{
    crypto::{
        keyring::{KeyState, KeyUse},
        record_mac::RecordMac,
    },
    domain::{ids::AccountId, user_type::UserType},
    service::{
        Core,
        rotation::{
            self,
            destroy::{DestroyError, destroy},
            progress::{Standing, progress},
        },
        token_keys::{RemoveError, RotateError},
    },
    storage::Ref,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    support::{Person, Setup, StoreSet, TestApp, eventually},
    token_keys::{OFTEN, Operator},
};

cases_per_store! {
    a_new_kek_wraps_everything_and_the_old_one_can_be_destroyed
    every_account_gets_a_new_data_key_while_it_is_used
    an_index_key_is_replaced_and_everybody_is_found_all_the_while
    a_code_outlives_the_key_it_was_made_with
    a_paused_job_waits_and_a_damaged_record_keeps_its_key
}

fn user1() -> UserType {
    "User1".parse().expect("valid")
}

/// Keys are looked at often, jobs rest for nobody.
pub(crate) fn setup(stores: &StoreSet) -> Setup {
    Setup {
        reread: OFTEN,
        worker: |worker| {
            worker.keys_period = OFTEN;
            worker.key_jobs_period = OFTEN;
        },
        ..Setup::new(stores)
    }
    .set("KEY_JOBS_SHARE", "100")
}

async fn states(core: &Core, key_use: &KeyUse) -> Vec<KeyState> {
    let name = key_use.name();
    let mut keys = core.stores.keyring.list().await.expect("answers");
    keys.retain(|record| record.key_use == name);
    keys.sort_by_key(|record| record.version);
    keys.into_iter().map(|record| record.state).collect()
}

/// Lets time go by until the new version is alone and its work is done.
pub(crate) async fn until_done(app: &TestApp, core: &Core, key_use: &KeyUse, mut meanwhile: impl AsyncFnMut()) {
    const PATIENCE: Duration = Duration::from_mins(3);
    let name = key_use.name();
    let deadline = Instant::now() + PATIENCE;
    loop {
        app.clock.advance(Duration::from_secs(30));
        meanwhile().await;
        let jobs = progress(core).await.expect("answers");
        let mut of_use = jobs.iter().filter(|job| job.key_use == name);
        let is_done = of_use.all(|job| job.standing == Standing::Done);
        if is_done
            && let [old @ .., KeyState::Active] = &states(core, key_use).await[..]
            && !old.is_empty()
            && old.iter().all(|state| *state == KeyState::Retired)
        {
            return;
        }
        assert!(Instant::now() < deadline, "{name} is not replaced: {jobs:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Somebody with everything that an account can have sealed, or be found by.
async fn somebody(app: &TestApp) -> Person {
    let person = Person::new().with_username().with_mobile();
    app.join("User1", &person).await;
    person
}

async fn profile(app: &TestApp, person: &Person) -> Value {
    let pair = app.login("User1", person).await;
    app.profile("User1", &pair.access).await.expect(200).json()
}

async fn ids(core: &Core) -> Vec<AccountId> {
    let page = core
        .stores
        .accounts
        .versions(&user1(), None, 1000)
        .await
        .expect("answers");
    page.into_iter().map(|(id, _)| id).collect()
}

async fn a_new_kek_wraps_everything_and_the_old_one_can_be_destroyed(stores: &StoreSet) {
    let app = setup(stores).spawn().await;
    let operator = Operator::of(&app.setup).await;
    let core = operator.core();
    let person = somebody(&app).await;
    let waiting = Person::new();
    let link = app.register("User1", &waiting).await;
    let before = profile(&app, &person).await;
    let old = core.stores.keyring.list().await.expect("answers")[0]
        .wrapped
        .kek_id
        .clone();

    assert_eq!(rotation::rotate(core, &KeyUse::Kek).await.expect("made"), 2);
    let again = rotation::rotate(core, &KeyUse::Kek).await;
    assert!(matches!(again, Err(RotateError::UnderWay(2))), "{again:?}");
    // One that serves other people only would leave these behind.
    let narrow = Operator::of(&app.setup.clone().set("USER_TYPES", "User1")).await;
    let refused = rotation::rotate(narrow.core(), &KeyUse::Dek).await;
    assert!(
        matches!(&refused, Err(RotateError::NotConfigured(left)) if left.as_str() == "User2"),
        "{refused:?}"
    );
    let early = destroy(core, &KeyUse::Kek, 1).await;
    assert!(
        matches!(early, Err(DestroyError::InUse { version: 1, .. })),
        "{early:?}"
    );
    until_done(&app, core, &KeyUse::Kek, async || {
        assert_eq!(profile(&app, &person).await, before);
    })
    .await;

    for id in ids(core).await {
        let deks = core.stores.deks.find(&Ref::new(&user1(), id)).await.expect("answers");
        assert!(deks.expect("keys").deks.values().all(|wrapped| wrapped.kek_id != old));
    }
    for record in core.stores.keyring.list().await.expect("answers") {
        let is_first_kek = record.id == "kek/1";
        assert_eq!(record.wrapped.kek_id == old, is_first_kek, "{}", record.id);
    }
    destroy(core, &KeyUse::Kek, 1).await.expect("destroyed");
    let again = destroy(core, &KeyUse::Kek, 1).await;
    assert!(
        matches!(again, Err(DestroyError::Remove(RemoveError::Done(1)))),
        "{again:?}"
    );
    assert!(
        !std::fs::read_to_string(app.setup.config().stores.kek_file)
            .expect("readable")
            .contains(old.as_str())
    );
    assert_eq!(profile(&app, &person).await, before);
    app.confirm("User1", &link).await.expect(200);
    // And once more, with the first one gone; another server begins with what is there.
    let app = {
        let setup = app.setup.clone();
        app.shut_down().await;
        setup.spawn().await
    };
    assert_eq!(profile(&app, &person).await, before);
    app.login("User1", &waiting).await;
    app.shut_down().await;
}

async fn every_account_gets_a_new_data_key_while_it_is_used(stores: &StoreSet) {
    let app = setup(stores).spawn().await;
    let operator = Operator::of(&app.setup).await;
    let core = operator.core();
    let (person, idle) = (somebody(&app).await, somebody(&app).await);
    let (waiting, late) = (Person::new(), Person::new());
    let link = app.register("User1", &waiting).await;
    let idle_before = profile(&app, &idle).await;

    assert_eq!(rotation::rotate(core, &KeyUse::Dek).await.expect("made"), 2);
    let late_link = app.register("User1", &late).await;
    let mut changes = 0;
    until_done(&app, core, &KeyUse::Dek, async || {
        changes += 1;
        let pair = app.login("User1", &person).await;
        let name = format!("Grace{}", "e".repeat(changes % 20));
        let change = json!({ "first_name": name });
        let changed = app.update("User1", &pair.access, &change).await.expect(200).json();
        assert_eq!(changed["first_name"], name);
        assert_eq!(
            app.profile("User1", &pair.access).await.expect(200).json()["first_name"],
            name
        );
    })
    .await;

    assert_eq!(profile(&app, &idle).await, idle_before);
    for link in [&link, &late_link] {
        app.confirm("User1", link).await.expect(200);
    }
    for person in [&waiting, &late] {
        assert_eq!(profile(&app, person).await["email"], person.email);
    }
    let keys = async |id: AccountId| {
        let key = Ref::new(&user1(), id);
        let found = core.stores.deks.find(&key).await.expect("answers").expect("keys");
        (found.generation, found.deks.into_keys().collect::<Vec<_>>())
    };
    for id in ids(core).await {
        let (generation, numbers) = keys(id).await;
        assert_eq!((generation, numbers.len()), (2, 1), "{numbers:?}");
    }
    // Who was there before has another key than before; its sessions tell their devices.
    let pair = app.login("User1", &idle).await;
    let sessions = app
        .get("/User1/sessions")
        .bearer(&pair.access)
        .send()
        .await
        .expect(200)
        .json();
    assert!(
        sessions["sessions"].as_array().is_some_and(|list| list.len() >= 2),
        "{sessions}"
    );
    app.shut_down().await;
}

async fn an_index_key_is_replaced_and_everybody_is_found_all_the_while(stores: &StoreSet) {
    let app = setup(stores).spawn().await;
    let operator = Operator::of(&app.setup).await;
    let core = operator.core();
    let index = KeyUse::Index(user1());
    let person = somebody(&app).await;
    let waiting = Person::new().with_username();
    let link = app.register("User1", &waiting).await;
    let username = person.username.clone().expect("a username");

    assert_eq!(rotation::rotate(core, &index).await.expect("made"), 2);
    let (mut late, mut turns) = (Vec::new(), 0);
    until_done(&app, core, &index, async || {
        turns += 1;
        let name = if turns % 2 == 0 { &person.email } else { &username };
        app.sign_in("User1", name, &person.password).await.expect(200);
        match turns {
            // Nobody gets what somebody has, whichever key it was written with.
            7 | 14 => {
                let mut rival = Person::new().json();
                rival["username"] = json!(username);
                let call = app.post("/User1/create").json(&rival);
                call.send().await.expect_problem(409, "username_taken");
            }
            3 | 9 => {
                let person = Person::new();
                app.join("User1", &person).await;
                late.push(person);
            }
            _ => {}
        }
    })
    .await;
    assert!(turns > 14, "{turns}");

    app.confirm("User1", &link).await.expect(200);
    for person in late.iter().chain([&waiting, &person]) {
        app.login("User1", person).await;
    }
    // Of the old key nothing is left: slot 1 is nobody's, slot 0 everybody's.
    let (keyring, user_type) = (core.keyring.current(), user1());
    for id in ids(core).await {
        let key = Ref::new(&user_type, id.clone());
        let account = core
            .stores
            .accounts
            .find(&key)
            .await
            .expect("answers")
            .expect("an account");
        let security = RecordMac::new(&keyring).verify(&user_type, &id, account.security());
        let slots = &security.expect("signed").slots;
        assert_eq!(slots.email_ix_1.as_bytes(), id.as_str().as_bytes());
        assert_eq!(slots.phone_ix_1.as_bytes(), id.as_str().as_bytes());
        assert_eq!(slots.email_ix_0.as_bytes().len(), 32);
    }
    destroy(core, &index, 1).await.expect("destroyed");
    // The next one uses the slot again.
    assert_eq!(rotation::rotate(core, &index).await.expect("made"), 3);
    eventually("the third to be alone", async || {
        app.clock.advance(Duration::from_secs(15));
        let states = states(core, &index).await;
        (states == [KeyState::Retired, KeyState::Retired, KeyState::Active]).then_some(())
    })
    .await;
    app.login("User1", &person).await;
    app.shut_down().await;
}

async fn a_code_outlives_the_key_it_was_made_with(stores: &StoreSet) {
    let app = setup(stores).spawn().await;
    let operator = Operator::of(&app.setup).await;
    let core = operator.core();
    let person = somebody(&app).await;
    assert_eq!(rotation::rotate(core, &KeyUse::Otp).await.expect("made"), 2);
    app.clock.advance(Duration::from_mins(1));
    let pair = app.login("User1", &person).await;
    let asked = app.ask_code("User1", &pair.access, &json!({})).await.expect(202).json();
    let code = app.next_code(&person.phone).await;
    app.clock.advance(Duration::from_secs(90));
    eventually("the new key to write", async || {
        (states(core, &KeyUse::Otp).await == [KeyState::VerifyOnly, KeyState::Active]).then_some(())
    })
    .await;
    let challenge = asked["otp"].as_str().expect("an id");
    app.send_code("User1", &pair.access, challenge, &code).await.expect(200);
    until_done(&app, core, &KeyUse::Otp, async || ()).await;
    destroy(core, &KeyUse::Otp, 1).await.expect("destroyed");
    app.shut_down().await;
}

async fn a_paused_job_waits_and_a_damaged_record_keeps_its_key(stores: &StoreSet) {
    let app = setup(stores).spawn().await;
    let operator = Operator::of(&app.setup).await;
    let core = operator.core();
    for _ in 0..3 {
        somebody(&app).await;
    }
    assert!(!rotation::pause(core, &KeyUse::Dek, true).await.expect("answers"));
    rotation::rotate(core, &KeyUse::Dek).await.expect("made");
    let standing = async || {
        let jobs = progress(core).await.expect("answers");
        jobs.into_iter()
            .find(|job| job.key_use == "dek" && job.user_type == user1())
    };
    // One account's key is damaged: the last of its bytes is another.
    let key = Ref::new(&user1(), ids(core).await[0].clone());
    let damaged = async || {
        let changed = sealgate::storage::change(&*core.stores.deks, &key, |record| {
            let first = record.deks.get_mut("1").expect("its first");
            *first.wrapped.last_mut().expect("bytes") ^= 1;
            sealgate::storage::Change::Store(())
        });
        changed.await.expect("answers");
    };
    damaged().await;
    let job = eventually("the work to have begun", async || {
        app.clock.advance(Duration::from_secs(4));
        let job = standing().await?;
        (job.changed >= 2).then_some(job)
    })
    .await;
    assert_eq!(job.total, 3, "{job:?}");
    assert!(rotation::pause(core, &KeyUse::Dek, true).await.expect("answers"));
    // A page that was begun before is done after: it waits once ten looks see the same.
    let mut seen = Vec::new();
    let paused = eventually("the work to wait", async || {
        let job = standing().await?;
        seen.retain(|before| *before == job);
        seen.push(job.clone());
        (seen.len() >= 10 && matches!(job.standing, Standing::Paused { .. })).then_some(job)
    })
    .await;
    app.clock.advance(Duration::from_mins(30));
    tokio::time::timeout(OFTEN * 5, async {
        eventually("a paused job to do something", async || {
            (standing().await? != paused).then_some(())
        })
        .await;
    })
    .await
    .expect_err("it waits");
    assert!(rotation::pause(core, &KeyUse::Dek, false).await.expect("answers"));
    eventually("the damaged one to be told", async || {
        app.clock.advance(Duration::from_secs(10));
        (standing().await?.tally.failed == 1).then_some(())
    })
    .await;
    // However often it is gone through.
    for _ in 0..20 {
        app.clock.advance(Duration::from_mins(6));
        tokio::task::yield_now().await;
    }
    assert_eq!(
        states(core, &KeyUse::Dek).await,
        [KeyState::VerifyOnly, KeyState::Active]
    );
    // Mended, it goes like the others.
    damaged().await;
    until_done(&app, core, &KeyUse::Dek, async || ()).await;
    app.shut_down().await;
}
