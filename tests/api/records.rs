//! Records that somebody changed behind the service's back: refused, found by `doctor --records`, and vouched for by an
//! operator who did it on purpose.

use bson::{Bson, doc};
use sealgate::{
    crypto::system_entropy::SystemEntropy,
    domain::{
        audit::AuditEvent,
        clock::Clock as _,
        ids::{AccountId, SessionId},
    },
    service::{
        Core,
        check_records::{Finding, Listener, Progress, Wrong, check_records},
        erase_account::{Actor, erase_for},
        resign_account::{ResignError, examine, resign},
    },
    storage::{Change, Ref, change, sessions::SessionRecord},
};
use serde_json::Value;

use crate::{
    audit_tampering::{Tamperer, open},
    support::{Pair, Setup, StoreSet, TestApp, eventually},
};

cases_per_store! {
    what_was_changed_is_found_and_what_was_not_is_none
    a_changed_record_is_vouched_for_as_it_was_shown
    a_changed_record_can_be_erased_by_an_operator
    a_forged_session_is_neither_shown_nor_good
}

const TYPE: &str = "User1";

#[derive(Default)]
struct Heard {
    findings: Vec<Finding>,
    pages: Vec<Progress>,
}

impl Listener for Heard {
    fn found(&mut self, finding: &Finding) -> std::io::Result<()> {
        self.findings.push(finding.clone());
        Ok(())
    }

    fn progress(&mut self, progress: &Progress) -> std::io::Result<()> {
        self.pages.push(progress.clone());
        Ok(())
    }
}

async fn heard(core: &Core) -> Heard {
    let mut heard = Heard::default();
    check_records(core, &mut heard).await.expect("looked at");
    heard
}

/// What is wrong with what: id and word, in order.
async fn wrong(core: &Core) -> Vec<(String, Wrong)> {
    let findings = heard(core).await.findings;
    let mut wrong: Vec<_> = findings
        .into_iter()
        .map(|finding| (finding.id, finding.wrong))
        .collect();
    wrong.sort_by_key(|(id, wrong)| (id.clone(), format!("{wrong:?}")));
    wrong
}

fn key(id: &str) -> Ref<AccountId> {
    Ref::new(&TYPE.parse().expect("a user type"), id.parse().expect("an id"))
}

async fn what_was_changed_is_found_and_what_was_not_is_none(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let app = setup.spawn().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let (_, pair) = app.member(TYPE).await;
        ids.push(app.profile(TYPE, &pair.access).await.member("id"));
    }
    let waiting = app
        .create(TYPE, &crate::support::Person::new())
        .await
        .expect(201)
        .member("id");
    app.settle().await;
    app.shut_down().await;

    let foundation = open(&setup).await;
    let (core, tamperer) = (&foundation.core, Tamperer::of(stores, setup.folder()).await);
    let sound = heard(core).await;
    assert_eq!(sound.findings, []);
    let seen: Vec<_> = sound
        .pages
        .iter()
        .filter(|page| page.is_done && page.user_type.as_str() == TYPE)
        .collect();
    let seen: Vec<_> = seen.iter().map(|page| (page.record, page.seen)).collect();
    assert_eq!(seen, [("accounts", 5), ("registrations", 1), ("sessions", 5)]);

    // A role; a field of somebody else; a key of somebody else's; a key that is gone; a session's epoch.
    let mut promoted = tamperer.find("accounts", TYPE, &ids[0]).await;
    promoted.insert("role", "admin");
    tamperer.put("accounts", TYPE, &ids[0], &promoted).await;
    let mut swapped = tamperer.find("accounts", TYPE, &ids[1]).await;
    let other = tamperer.find("accounts", TYPE, &ids[2]).await;
    let first_name = other
        .get_document("sealed")
        .expect("sealed")
        .get("first_name")
        .expect("one")
        .clone();
    swapped
        .get_document_mut("sealed")
        .expect("sealed")
        .insert("first_name", first_name);
    tamperer.put("accounts", TYPE, &ids[1], &swapped).await;
    let mut garbled = tamperer.find("deks", TYPE, &ids[3]).await;
    let wrapped = garbled
        .get_document_mut("deks")
        .expect("keys")
        .get_document_mut("1")
        .expect("a key");
    let Bson::Binary(bytes) = wrapped.get_mut("wrapped").expect("wrapped") else {
        panic!("bytes");
    };
    bytes.bytes[5] ^= 1;
    tamperer.put("deks", TYPE, &ids[3], &garbled).await;
    core.vault.destroy(&key(&waiting)).await.expect("gone");
    let sessions = core
        .stores
        .sessions
        .ids_of_account(&key(&ids[4]), 9)
        .await
        .expect("listed");
    let mut revived = tamperer.find("sessions", TYPE, sessions[0].as_str()).await;
    revived.insert("epoch", 7_i64);
    tamperer.put("sessions", TYPE, sessions[0].as_str(), &revived).await;

    let mut expected = vec![
        (ids[0].clone(), Wrong::Mac),
        (ids[1].clone(), Wrong::Field("first_name")),
        (ids[3].clone(), Wrong::DataKey),
        (waiting, Wrong::NoDataKey),
        (sessions[0].to_string(), Wrong::Mac),
    ];
    expected.sort_by_key(|(id, _)| id.clone());
    assert_eq!(wrong(core).await, expected);

    // What does not say what it is.
    tamperer
        .put(
            "accounts",
            TYPE,
            &ids[2],
            &doc! { "_id": &ids[2], "user_type": TYPE, "schema": 1 },
        )
        .await;
    assert!(wrong(core).await.contains(&(ids[2].clone(), Wrong::Damaged)));
    tamperer.close().await;
    foundation.close().await;
}

async fn a_changed_record_is_vouched_for_as_it_was_shown(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let app = setup.spawn().await;
    let (person, pair) = app.member(TYPE).await;
    let id = app.profile(TYPE, &pair.access).await.member("id");
    app.settle().await;
    let foundation = open(&setup).await;
    let (core, tamperer) = (&foundation.core, Tamperer::of(stores, setup.folder()).await);
    let genuine = examine(core, &key(&id)).await;
    assert!(matches!(genuine, Err(ResignError::Genuine)), "{genuine:?}");
    assert!(matches!(examine(core, &key("usr_b")).await, Err(ResignError::Missing)));

    let mut changed = tamperer.find("accounts", TYPE, &id).await;
    changed.insert("role", "admin");
    tamperer.put("accounts", TYPE, &id, &changed).await;
    app.profile(TYPE, &pair.access)
        .await
        .expect_problem(401, "invalid_token");
    app.sign_in(TYPE, &person.email, &person.password).await.expect(401);
    let claims = examine(core, &key(&id)).await.expect("shown");
    assert_eq!((claims.role.as_str(), claims.status.as_str()), ("admin", "active"));
    assert_eq!((claims.are_slots_changed, claims.has_password), (Some(false), true));
    // Changed again since it was shown: that is not what the operator vouches for.
    changed.insert("is_phone_verified", true);
    tamperer.put("accounts", TYPE, &id, &changed).await;
    let refused = resign(core, &key(&id), &claims).await;
    assert!(matches!(refused, Err(ResignError::Changed)), "{refused:?}");
    let claims = examine(core, &key(&id)).await.expect("shown");
    resign(core, &key(&id), &claims).await.expect("signed");
    let profile = app.profile(TYPE, &pair.access).await.expect(200).json();
    assert_eq!(
        (&profile["role"], &profile["is_phone_verified"]),
        (&"admin".into(), &true.into())
    );
    app.login(TYPE, &person).await;
    assert_eq!(wrong(core).await, []);
    let noted = app.audit(TYPE).await;
    let resigned = noted.iter().find(|entry| entry.event == AuditEvent::RecordResigned);
    assert_eq!(resigned.expect("noted").details.get("role"), Some("admin"));
    assert!(noted.iter().any(|entry| entry.event == AuditEvent::RecordTampered));

    // Found by another name than its own.
    let mut moved = tamperer.find("accounts", TYPE, &id).await;
    let phone = moved.get("email_ix_1").expect("a slot").clone();
    moved.insert("phone_ix_1", phone);
    tamperer.put("accounts", TYPE, &id, &moved).await;
    let claims = examine(core, &key(&id)).await.expect("shown");
    assert_eq!(claims.are_slots_changed, Some(true));
    // What says that it is a tombstone is not made one by a signature.
    moved.insert("status", "erased");
    tamperer.put("accounts", TYPE, &id, &moved).await;
    assert!(matches!(examine(core, &key(&id)).await, Err(ResignError::Erased)));
    tamperer.close().await;
    foundation.close().await;
    app.shut_down().await;
}

async fn a_changed_record_can_be_erased_by_an_operator(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let app = setup.spawn().await;
    let (person, pair) = app.member(TYPE).await;
    let id = app.profile(TYPE, &pair.access).await.member("id");
    app.settle().await;
    let foundation = open(&setup).await;
    let (core, tamperer) = (&foundation.core, Tamperer::of(stores, setup.folder()).await);
    let mut changed = tamperer.find("accounts", TYPE, &id).await;
    changed.insert("status", "erased");
    tamperer.put("accounts", TYPE, &id, &changed).await;
    erase_for(core, &Actor::Operator, &key(&id)).await.expect("erased");
    app.settle().await;
    assert!(core.stores.accounts.find(&key(&id)).await.expect("answers").is_none());
    assert!(core.stores.deks.find(&key(&id)).await.expect("answers").is_none());
    let again = erase_for(core, &Actor::Operator, &key(&id)).await;
    assert!(again.is_err(), "{again:?}");
    app.sign_in(TYPE, &person.email, &person.password).await.expect(401);
    tamperer.close().await;
    foundation.close().await;
    app.shut_down().await;
}

async fn own_session(app: &TestApp, account: &str) -> SessionRecord {
    let listed = app.open_stores().await.sessions.of_account(&key(account), 10).await;
    let [session]: [SessionRecord; 1] = listed.expect("listed").try_into().expect("one");
    session
}

/// Who can write to the database has a row of their own say that it is somebody else's, and makes another one up.
async fn a_forged_session_is_neither_shown_nor_good(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let account = async |pair: &Pair| app.profile(TYPE, &pair.access).await.expect(200).member("id");
    let ((_, victim), (_, thief)) = (app.member(TYPE).await, app.member(TYPE).await);
    let (theirs, own) = (account(&victim).await, account(&thief).await);
    let (genuine, stolen) = (own_session(&app, &theirs).await, own_session(&app, &own).await);
    let sessions = app.open_stores().await.sessions;
    let made_up = SessionRecord {
        id: SessionId::make(app.clock.now(), &SystemEntropy),
        rev: 0,
        ..genuine.clone()
    };
    sessions.insert(&made_up).await.expect("stored");
    let place = Ref::new(&stolen.user_type, stolen.id.clone());
    let taken = change(&*sessions, &place, |session: &mut SessionRecord| {
        *session = SessionRecord {
            id: session.id.clone(),
            rev: session.rev,
            current: session.current,
            mac: session.mac.clone(),
            ..genuine.clone()
        };
        Change::Store(())
    });
    taken.await.expect("stored");

    let ids = |listed: &Value| -> Vec<String> {
        let listed = listed["sessions"].as_array().expect("a list").iter();
        listed
            .map(|session| session["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    for path in ["sessions", "export"] {
        let shown = app.get(&format!("/{TYPE}/{path}")).bearer(&victim.access).send().await;
        let shown = shown.expect(200);
        assert_eq!(ids(&shown.json()), [genuine.id.as_str()], "{path}");
        for forged in [&made_up.id, &stolen.id] {
            assert!(!shown.text().contains(forged.as_str()), "{path}: {}", shown.text());
        }
    }
    // What a server read a moment ago may count for two seconds more, for the account that the token names.
    eventually("the token to be refused", async || {
        let answer = app.profile(TYPE, &thief.access).await;
        if answer.status == 200 {
            assert_eq!(answer.member("id"), own);
        }
        (answer.status == 401).then_some(())
    })
    .await;
    app.refresh(TYPE, &thief.refresh)
        .await
        .expect_problem(401, "invalid_refresh_token");
    app.profile(TYPE, &victim.access).await.expect(200);
    app.shut_down().await;
}
