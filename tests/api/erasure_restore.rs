//! Erased people and back-ups: what a dump opens, and what the journal does after a restore.

use std::{fs, path::Path};

use sealgate::{
    app::Foundation,
    crypto::receipt::ReceiptKeys,
    domain::ids::AccountId,
    service::{
        Failure,
        apply_erasures::{Fate, apply, read_line},
        erase_account::{Actor, erase_for},
        token_keys,
    },
    storage::{Ref, erasures::ErasureLine},
};
use serde_json::json;

use crate::{
    audit_tampering::open,
    store_copies::Copies,
    support::{Pair, Person, Setup, StoreSet, TestApp},
};

cases_per_store! {
    a_dump_without_the_keys_opens_nothing
    restoring_both_back_ups_brings_nobody_back
    a_registration_of_a_back_up_goes_too
    while_the_journal_cannot_be_written_nobody_is_erased
    receipts_outlive_a_key_database_that_lacks_what_signed_the_line
}

const TYPE: &str = "User1";

fn key(id: &str) -> Ref<AccountId> {
    Ref::new(&TYPE.parse().expect("a user type"), id.parse().expect("an id"))
}

async fn id_of(app: &TestApp, pair: &Pair) -> String {
    app.profile(TYPE, &pair.access).await.member("id")
}

async fn erase(app: &TestApp, person: &Person, pair: &Pair) -> String {
    let proof = json!({ "password": person.password });
    app.delete(TYPE, &pair.access, &proof)
        .await
        .expect(200)
        .member("receipt")
}

/// The journal's lines, one of each: a worker that comes between an erasure's tombstone and its end writes it too.
fn journal(setup: &Setup) -> Vec<String> {
    lines_of(&setup.folder().join("erasures.jsonl"))
}

fn lines_of(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().map(str::to_owned) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// What `sealgate erasures apply` does with the installation's own journal.
async fn apply_all(foundation: &Foundation, lines: &[String], is_dry: bool) -> Vec<Fate> {
    let mut fates = Vec::new();
    for text in lines {
        let line = read_line(&foundation.core, &ReceiptKeys::default(), text).expect("a line of ours");
        fates.push(apply(&foundation.core, &line, is_dry).await.expect("applied"));
    }
    fates
}

async fn a_dump_without_the_keys_opens_nothing(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let app = setup.spawn().await;
    let (erased, pair) = app.member(TYPE).await;
    let (stays, _) = app.member(TYPE).await;
    let id = id_of(&app, &pair).await;
    app.settle().await;
    app.shut_down().await;
    let dump = Copies::take(&setup).await;
    assert!(!dump.records_hold(&erased.email), "nothing lies there in the clear");

    let app = setup.spawn().await;
    let pair = app.login(TYPE, &erased).await;
    erase(&app, &erased, &pair).await;
    app.settle().await;
    app.shut_down().await;
    // The database of the accounts alone is restored; that of the keys is as it is.
    dump.restore_records(&setup).await;
    let foundation = open(&setup).await;
    let core = &foundation.core;
    let account = core.stores.accounts.find(&key(&id)).await.expect("answers");
    assert!(
        account.is_some_and(|account| account.sealed.is_some()),
        "the dump has them"
    );
    let opened = core.vault.open(&key(&id)).await;
    assert!(matches!(opened, Err(Failure::NoDataKey(_))), "{opened:?}");
    // No other key opens it either.
    let other = core.stores.accounts.find(&key(&id)).await.expect("answers");
    let sealed = other.and_then(|account| account.sealed).expect("sealed");
    for other in dump.data_keys(&setup).await {
        if other != id {
            let keys = core.vault.open(&key(&other)).await.expect("somebody else's");
            assert!(sealed.open(&keys).is_err() && keys.open(&sealed.email).is_err());
        }
    }
    assert_eq!(apply_all(&foundation, &journal(&setup), false).await, [Fate::Erased]);
    foundation.close().await;

    let app = setup.spawn().await;
    app.sign_in(TYPE, &erased.email, &erased.password)
        .await
        .expect_problem(401, "invalid_credentials");
    app.login(TYPE, &stays).await;
    app.settle().await;
    let stores = app.open_stores().await;
    assert!(stores.accounts.find(&key(&id)).await.expect("answers").is_none());
    // The address is free again. Mails of before are put away: this server has not read them.
    fs::remove_dir_all(&app.outbox).expect("removed");
    fs::create_dir(&app.outbox).expect("made");
    app.join(TYPE, &erased).await;
    app.shut_down().await;
}

async fn restoring_both_back_ups_brings_nobody_back(stores: &StoreSet) {
    // Tokens outlive a server where people reach it by the same name.
    let setup = Setup::new(stores).set("PUBLIC_URL", "http://id.example.com");
    let app = setup.spawn().await;
    let mut people = Vec::new();
    for _ in 0..3 {
        let (person, pair) = app.member(TYPE).await;
        let id = id_of(&app, &pair).await;
        people.push((person, pair, id));
    }
    app.settle().await;
    app.shut_down().await;
    let dump = Copies::take(&setup).await;

    let app = setup.spawn().await;
    let mut receipts = Vec::new();
    for (person, pair, _) in &people[..2] {
        receipts.push(erase(&app, person, pair).await);
    }
    app.settle().await;
    app.shut_down().await;
    let lines = journal(&setup);
    let kept: Vec<_> = lines
        .iter()
        .map(|line| ErasureLine::parse(line).expect("a line").receipt)
        .collect();
    assert_eq!(kept, receipts, "each once, with its receipt");
    for (person, _, _) in &people {
        assert!(!lines.concat().contains(&person.email));
    }

    dump.restore_records(&setup).await;
    dump.restore_keys(&setup).await;
    let foundation = open(&setup).await;
    let core = &foundation.core;
    for (_, _, id) in &people {
        assert!(core.vault.open(&key(id)).await.is_ok(), "the restore brought {id} back");
    }
    assert_eq!(apply_all(&foundation, &lines, true).await, [Fate::Erased; 2]);
    assert!(
        core.vault.open(&key(&people[0].2)).await.is_ok(),
        "a dry run does nothing"
    );
    // Stopped after the first line, and begun again.
    assert_eq!(apply_all(&foundation, &lines[..1], false).await, [Fate::Erased]);
    let twice = [&lines[..], &lines[..]].concat();
    let fates = apply_all(&foundation, &twice, false).await;
    assert_eq!(fates, [Fate::Gone, Fate::Erased, Fate::Gone, Fate::Gone]);
    foundation.close().await;

    let app = setup.spawn().await;
    for (person, pair, id) in &people[..2] {
        app.sign_in(TYPE, &person.email, &person.password).await.expect(401);
        app.profile(TYPE, &pair.access)
            .await
            .expect_problem(401, "invalid_token");
        app.refresh(TYPE, &pair.refresh).await.expect(401);
        app.settle().await;
        let stores = app.open_stores().await;
        assert!(stores.accounts.find(&key(id)).await.expect("answers").is_none());
        assert!(stores.deks.find(&key(id)).await.expect("answers").is_none());
        assert_eq!(stores.sessions.ids_of_account(&key(id), 9).await.expect("answers"), []);
    }
    let (person, pair, _) = &people[2];
    app.profile(TYPE, &pair.access).await.expect(200);
    app.login(TYPE, person).await;
    app.shut_down().await;
}

async fn a_registration_of_a_back_up_goes_too(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let app = setup.spawn().await;
    let person = Person::new();
    let link = app.register(TYPE, &person).await;
    app.settle().await;
    app.shut_down().await;
    let dump = Copies::take(&setup).await;

    let app = setup.spawn().await;
    app.confirm(TYPE, &link).await.expect(200);
    let pair = app.login(TYPE, &person).await;
    let id = id_of(&app, &pair).await;
    erase(&app, &person, &pair).await;
    app.settle().await;
    app.shut_down().await;

    dump.restore_records(&setup).await;
    dump.restore_keys(&setup).await;
    let foundation = open(&setup).await;
    let waits = foundation.core.stores.registrations.find(&key(&id)).await;
    assert!(waits.expect("answers").is_some(), "the back-up has it");
    let lines = journal(&setup);
    assert_eq!(apply_all(&foundation, &lines, true).await, [Fate::Removed]);
    assert_eq!(apply_all(&foundation, &lines, false).await, [Fate::Removed]);
    assert_eq!(apply_all(&foundation, &lines, false).await, [Fate::Gone]);
    assert!(
        foundation
            .core
            .stores
            .deks
            .find(&key(&id))
            .await
            .expect("answers")
            .is_none()
    );
    foundation.close().await;

    let app = setup.spawn().await;
    app.confirm(TYPE, &link).await.expect_problem(400, "link_invalid");
    app.sign_in(TYPE, &person.email, &person.password).await.expect(401);
    app.shut_down().await;
}

async fn while_the_journal_cannot_be_written_nobody_is_erased(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let path = setup.folder().join("volume/erasures.jsonl");
    let setup = setup.set("ERASURE_JOURNAL", path.to_string_lossy());
    let app = setup.spawn().await;
    let (person, pair) = app.member(TYPE).await;
    let id = id_of(&app, &pair).await;
    let proof = json!({ "password": person.password });
    let refused = app.delete(TYPE, &pair.access, &proof).await;
    let refused = refused.expect_problem(503, "unavailable");
    assert!(!refused.header("retry-after").is_empty());
    app.profile(TYPE, &pair.access).await.expect(200);
    let foundation = open(&setup).await;
    let by_operator = erase_for(&foundation.core, &Actor::Operator, &key(&id)).await;
    assert!(by_operator.is_err());
    foundation.close().await;
    app.login(TYPE, &person).await;

    fs::create_dir(path.parent().expect("a folder")).expect("made");
    erase(&app, &person, &pair).await;
    let [line] = &lines_of(&path)[..] else {
        panic!("one account");
    };
    assert!(line.contains(&id));
    app.shut_down().await;
}

/// The MAC key and the token key of the line were made after the back-up: the published keys still say whose it is.
async fn receipts_outlive_a_key_database_that_lacks_what_signed_the_line(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let app = setup.spawn().await;
    let (person, pair) = app.member(TYPE).await;
    erase(&app, &person, &pair).await;
    app.settle().await;
    app.shut_down().await;
    let [line] = &journal(&setup)[..] else {
        panic!("one line");
    };
    let foundation = open(&setup).await;
    let listed = token_keys::list(&foundation.core).await.expect("answers");
    let set = json!({ "keys": token_keys::of_receipts(&listed) }).to_string();
    foundation.close().await;
    let published = ReceiptKeys::from_jwk_set(&set).expect("keys");

    // Another installation knows neither key.
    let elsewhere = Setup::new(&stores.another());
    let foundation = open(&elsewhere).await;
    let core = &foundation.core;
    assert!(read_line(core, &ReceiptKeys::default(), line).is_err());
    let read = read_line(core, &published, line).expect("by its receipt");
    assert_eq!(apply(core, &read, false).await.expect("applied"), Fate::Gone);
    // The receipt is of that account alone.
    let of_another = line.replace(read.account_id.as_str(), "usr_b");
    assert!(read_line(core, &published, &of_another).is_err());
    foundation.close().await;
}
