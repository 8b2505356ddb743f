//! Accounts: locked and unlocked, signed out, and without their second factor.

use sealgate::{
    crypto::{
        record_mac::{Factors, RecordMac},
        sealed::Sealed,
    },
    domain::audit::AuditEvent,
    service::Core,
    storage::{Change, Changed, Ref, accounts::AccountRecord, change},
};
use serde_json::json;

use super::{Administrator, administrator, member, of, send};
use crate::{
    audit_tampering::open,
    support::{Setup, StoreSet, TestApp},
};

cases! {
    a_locked_account_is_answered_like_a_wrong_password
    no_mailed_link_unlocks_an_account
    all_sessions_end_at_a_stroke
    a_second_factor_is_taken_off
}

cases_on_production! {
    what_one_server_locks_is_locked_at_the_other_at_once
}

async fn a_locked_account_is_answered_like_a_wrong_password(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let target = member(app, user_type).await;
    let wrong = app
        .sign_in(user_type, &target.person.email, "not-the-Passw0rd")
        .await
        .expect(401);
    let lock = of(user_type, &target, "/lock");
    for _ in 0..2 {
        let locked = send(app, "POST", &lock, &admin, None).await.expect(200);
        assert_eq!(locked.member("status"), "locked");
    }
    let right = app
        .sign_in(user_type, &target.person.email, &target.person.password)
        .await;
    assert_eq!(right.shape(), wrong.shape(), "never that it is locked");
    app.profile(user_type, &target.pair.access)
        .await
        .expect_problem(401, "invalid_token");
    app.refresh(user_type, &target.pair.refresh).await.expect(401);
    let told = app.next_mail(&target.person.email).await;
    assert!(told.subject.ends_with("was locked"), "{told:?}");

    let unlock = of(user_type, &target, "/unlock");
    for _ in 0..2 {
        let unlocked = send(app, "POST", &unlock, &admin, None).await.expect(200);
        assert_eq!(unlocked.member("status"), "active");
    }
    app.profile(user_type, &target.pair.access)
        .await
        .expect_problem(401, "invalid_token");
    app.login(user_type, &target.person).await;
    let told = app.next_mail(&target.person.email).await;
    assert!(told.subject.ends_with("was unlocked"), "{told:?}");
    let mails = app.all_mails(&target.person.email).await;
    let locked = mails.iter().filter(|mail| mail.subject.contains("locked")).count();
    assert_eq!(locked, 2, "once each");
    let noted = app.audit(user_type).await;
    let events: Vec<_> = noted
        .iter()
        .filter(|entry| matches!(entry.event, AuditEvent::AccountLocked | AuditEvent::AccountUnlocked))
        .collect();
    assert_eq!(events.len(), 2, "once each");
    for entry in events {
        assert_eq!(entry.details.get("by"), Some(admin.id.as_str()));
        assert_eq!(entry.account_id.as_ref().expect("whom").as_str(), target.id);
    }
}

async fn no_mailed_link_unlocks_an_account(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let target = member(app, user_type).await;
    let person = &target.person;
    app.forget(user_type, &person.email).await.expect(202);
    let before = app.next_link(person).await;
    let new = format!("new.{}", person.email);
    app.update(user_type, &target.pair.access, &json!({ "email": new }))
        .await
        .expect(200);
    let change = app.next_mail(&new).await.token();
    send(app, "POST", &of(user_type, &target, "/lock"), &admin, None)
        .await
        .expect(200);
    app.reset(user_type, &before, &person.rival().password)
        .await
        .expect_problem(400, "link_invalid");
    app.confirm(user_type, &change).await.expect(400);
    let mails = app.all_mails(&person.email).await.len();
    app.forget(user_type, &person.email).await.expect(202);
    assert_eq!(app.all_mails(&person.email).await.len(), mails, "none is made");
    app.sign_in(user_type, &person.email, &person.password)
        .await
        .expect(401);
    // Nor after it is unlocked.
    send(app, "POST", &of(user_type, &target, "/unlock"), &admin, None)
        .await
        .expect(200);
    app.reset(user_type, &before, &person.rival().password)
        .await
        .expect(400);
    app.confirm(user_type, &change).await.expect(400);
    app.login(user_type, person).await;
}

async fn all_sessions_end_at_a_stroke(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let target = member(app, user_type).await;
    let more = [
        app.login(user_type, &target.person).await,
        app.login(user_type, &target.person).await,
    ];
    send(app, "POST", &of(user_type, &target, "/sessions/revoke"), &admin, None)
        .await
        .expect(200);
    for pair in more.iter().chain([&target.pair]) {
        app.profile(user_type, &pair.access).await.expect(401);
        app.refresh(user_type, &pair.refresh).await.expect(401);
    }
    app.login(user_type, &target.person).await;
    let noted = app.audit(user_type).await;
    let noted = noted.iter().find(|entry| entry.event == AuditEvent::SessionsRevoked);
    assert_eq!(noted.expect("noted").details.get("by"), Some(admin.id.as_str()));
}

fn key(user_type: &str, account: &Administrator) -> Ref<sealgate::domain::ids::AccountId> {
    Ref::new(&user_type.parse().expect("valid"), account.id.parse().expect("an id"))
}

/// Gives the account a second factor, signed as the service signs.
async fn plant_factors(core: &Core, key: &Ref<sealgate::domain::ids::AccountId>) {
    let keyring = core.keyring.current();
    let planted = change(&*core.stores.accounts, key, |account: &mut AccountRecord| {
        let mac = RecordMac::new(&keyring);
        let mut security = mac
            .verify(&key.user_type, &key.id, account.security())
            .expect("genuine")
            .clone();
        let before = security.rev_sec;
        security.factors = Factors {
            totp: Some(Sealed::from_envelope(vec![1; 64])),
            ..Factors::default()
        };
        security.rev_sec += 1;
        let signed = mac.sign(&key.user_type, &key.id, security).expect("a key");
        assert!(account.replace_security(before, signed));
        Change::Store(())
    })
    .await;
    assert_eq!(planted.expect("answers"), Changed::Stored(()));
}

async fn a_second_factor_is_taken_off(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let target = member(app, user_type).await;
    let path = of(user_type, &target, "/mfa/reset");
    // One that has none stays as it is.
    send(app, "POST", &path, &admin, None).await.expect(200);
    app.profile(user_type, &target.pair.access).await.expect(200);
    let foundation = open(&app.setup).await;
    plant_factors(&foundation.core, &key(user_type, &target)).await;
    let profile = app.profile(user_type, &target.pair.access).await.expect(200).json();
    assert_eq!(profile["mfa_enabled"], true);
    let reset = send(app, "POST", &path, &admin, None).await.expect(200);
    assert_eq!(reset.json()["mfa_enabled"], false);
    app.profile(user_type, &target.pair.access).await.expect(401);
    let record = foundation.core.stores.accounts.find(&key(user_type, &target)).await;
    let record = record.expect("answers").expect("there");
    let keyring = foundation.core.keyring.current();
    let verified = RecordMac::new(&keyring).verify(&record.user_type, &record.id, record.security());
    assert_eq!(verified.expect("genuine").factors, Factors::default());
    foundation.close().await;
    let told = app.next_mail(&target.person.email).await;
    assert!(told.subject.contains("second factor"), "{told:?}");
    let noted = app.audit(user_type).await;
    let noted: Vec<_> = noted
        .iter()
        .filter(|entry| entry.event == AuditEvent::FactorsReset)
        .collect();
    assert_eq!(noted.len(), 1);
    assert_eq!(noted[0].details.get("by"), Some(admin.id.as_str()));
}

async fn what_one_server_locks_is_locked_at_the_other_at_once(stores: &StoreSet) {
    let setup = Setup::new(stores).set("PUBLIC_URL", "http://id.example.com");
    let servers = [setup.spawn().await, setup.spawn().await];
    let [one, other] = &servers;
    let admin = administrator(one, "User1").await;
    let target = member(one, "User1").await;
    let verify = async || {
        let call = other.get("/User1/verify-token").bearer(&target.pair.access);
        call.send().await.status
    };
    assert_eq!(verify().await, 200, "and remembered");
    send(one, "POST", &of("User1", &target, "/lock"), &admin, None)
        .await
        .expect(200);
    assert_eq!(verify().await, 401);
    other.profile("User1", &target.pair.access).await.expect(401);
    send(one, "POST", &of("User1", &target, "/unlock"), &admin, None)
        .await
        .expect(200);
    let pair = other.login("User1", &target.person).await;
    let verified = one.get("/User1/verify-token").bearer(&pair.access).send().await;
    verified.expect(200);
    for server in servers {
        server.shut_down().await;
    }
}
