//! One's own sessions: listed with their devices, ended one by one, all others at once, by the link in a mail, or by the
//! number that an account may have.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use sealgate::domain::audit::AuditEvent;
use serde_json::{Value, json};

use crate::support::{Answer, BROWSER, Pair, Person, Setup, StoreSet, TestApp, other};

cases! {
    the_list_shows_each_device_to_its_owner_alone
    one_session_is_ended_and_no_other
    somebody_elses_session_is_none
    all_others_end_at_once_and_stay_ended
    a_sign_in_from_a_new_device_is_told_with_a_link_that_ends_it
    a_device_that_was_seen_before_is_not_told_again
    a_token_is_answered_where_the_account_keeps_it
    the_link_is_good_for_nothing_else
    the_owner_is_told_of_a_reused_token_once
}

cases_per_store! {
    past_the_number_of_an_account_the_oldest_ends
}

async fn sign_in_as(app: &TestApp, user_type: &str, person: &Person, agent: &str) -> Answer {
    let members = [
        ("username", person.email.as_str()),
        ("password", person.password.as_str()),
    ];
    let call = app.post(&format!("/{user_type}/login")).header("user-agent", agent);
    call.form(&members).send().await.expect(200)
}

async fn listed(app: &TestApp, user_type: &str, pair: &Pair) -> Vec<Value> {
    let call = app.get(&format!("/{user_type}/sessions")).bearer(&pair.access);
    let answer = call.send().await.expect(200);
    answer.json()["sessions"].as_array().expect("a list").clone()
}

async fn end(app: &TestApp, user_type: &str, pair: &Pair, id: &str) -> Answer {
    let call = app.call("DELETE", &format!("/{user_type}/sessions/{id}"));
    call.bearer(&pair.access).send().await
}

async fn is_over(app: &TestApp, user_type: &str, pair: &Pair) {
    app.profile(user_type, &pair.access)
        .await
        .expect_problem(401, "invalid_token");
    app.refresh(user_type, &pair.refresh)
        .await
        .expect_problem(401, "invalid_refresh_token");
}

async fn the_list_shows_each_device_to_its_owner_alone(app: &TestApp, user_type: &str) {
    let (person, first) = app.member(user_type).await;
    app.clock.advance(Duration::from_mins(10));
    let answer = sign_in_as(app, user_type, &person, "Phone/1.0 (Zoë)").await;
    let second = Pair::of(app, &answer);
    app.clock.advance(Duration::from_mins(10));
    let second = Pair::of(app, &app.refresh(user_type, &second.refresh).await.expect(200));
    let list = listed(app, user_type, &second).await;
    let [newest, oldest] = list.as_slice() else {
        panic!("two sessions: {list:?}")
    };
    assert_eq!(newest["user_agent"], "Phone/1.0 (Zoë)");
    assert_eq!(newest["network"], "127.0.0.0/24");
    assert_eq!(
        (&newest["is_current"], &oldest["is_current"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(oldest["user_agent"], Value::Null, "it called itself nothing");
    assert_eq!(newest["first_seen_at"], newest["authenticated_at"]);
    assert_ne!(
        newest["first_seen_at"], newest["last_seen_at"],
        "its tokens were renewed"
    );
    assert_eq!(oldest["first_seen_at"], oldest["last_seen_at"]);
    // Each sees the same, and only the mark is elsewhere.
    let same = listed(app, user_type, &first).await;
    assert_eq!(same[0]["id"], newest["id"]);
    assert_eq!(same[1]["is_current"], true);
    let (_, stranger) = app.member(user_type).await;
    assert_eq!(listed(app, user_type, &stranger).await.len(), 1);
    // Over by the clock is over.
    app.clock.advance(Duration::from_hours(24 * 14));
    let again = app.login(user_type, &person).await;
    assert_eq!(listed(app, user_type, &again).await.len(), 1);
}

async fn one_session_is_ended_and_no_other(app: &TestApp, user_type: &str) {
    let (person, first) = app.member(user_type).await;
    let later = async || {
        app.clock.advance(Duration::from_secs(1));
        app.login(user_type, &person).await
    };
    let [second, third] = [later().await, later().await];
    let list = listed(app, user_type, &third).await;
    let id_of = |list: &[Value], n: usize| list[n]["id"].as_str().expect("an id").to_owned();
    end(app, user_type, &third, &id_of(&list, 1)).await.expect(200);
    is_over(app, user_type, &second).await;
    for pair in [&first, &third] {
        app.profile(user_type, &pair.access).await.expect(200);
    }
    end(app, user_type, &third, &id_of(&list, 1))
        .await
        .expect_problem(404, "session_not_found");
    // One's own current one, too.
    end(app, user_type, &third, &id_of(&list, 0)).await.expect(200);
    is_over(app, user_type, &third).await;
    app.profile(user_type, &first.access).await.expect(200);
    let events = app.audit(user_type).await;
    let ended = events.iter().filter(|entry| entry.event == AuditEvent::SessionEnded);
    assert_eq!(ended.count(), 2);
}

async fn somebody_elses_session_is_none(app: &TestApp, user_type: &str) {
    let (_, own) = app.member(user_type).await;
    let (_, others) = app.member(user_type).await;
    let (_, elsewhere) = app.member(other(user_type)).await;
    let foreign = listed(app, user_type, &others).await[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let abroad = listed(app, other(user_type), &elsewhere).await[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let unknown = format!("ses_{}", "0".repeat(26));
    let mut shapes = BTreeSet::new();
    for id in [
        foreign.as_str(),
        &abroad,
        &unknown,
        "ses_x",
        "%00",
        "..%2F..%2Fadmin",
        &"9".repeat(300),
    ] {
        let refused = end(app, user_type, &own, id).await;
        shapes.insert(format!(
            "{:?}",
            refused.expect_problem(404, "session_not_found").json()["detail"]
        ));
    }
    assert_eq!(shapes.len(), 1, "{shapes:?}");
    app.profile(user_type, &others.access).await.expect(200);
    app.profile(other(user_type), &elsewhere.access).await.expect(200);
}

async fn all_others_end_at_once_and_stay_ended(app: &TestApp, user_type: &str) {
    let (person, first) = app.member(user_type).await;
    let others = [app.login(user_type, &person).await, app.login(user_type, &person).await];
    let call = app
        .call("DELETE", &format!("/{user_type}/sessions"))
        .bearer(&first.access);
    let answer = call.send().await.expect(200);
    assert_eq!(answer.json()["ended"], 2);
    for pair in &others {
        is_over(app, user_type, pair).await;
    }
    assert_eq!(listed(app, user_type, &first).await.len(), 1);
    let first = Pair::of(app, &app.refresh(user_type, &first.refresh).await.expect(200));
    // A new one is on beside the one that was kept, until the next time.
    let late = app.login(user_type, &person).await;
    assert_eq!(listed(app, user_type, &late).await.len(), 2);
    let call = app
        .call("DELETE", &format!("/{user_type}/sessions"))
        .bearer(&late.access);
    call.send().await.expect(200);
    is_over(app, user_type, &first).await;
    app.profile(user_type, &late.access).await.expect(200);
    // Of two that end each other at once, one is left at most, and nobody is locked out.
    let rival = app.login(user_type, &person).await;
    let path = format!("/{user_type}/sessions");
    let both = [&late, &rival].map(|pair| app.call("DELETE", &path).bearer(&pair.access).send());
    let statuses: Vec<u16> = join_all(both).await.iter().map(|answer| answer.status).collect();
    assert!(
        statuses.contains(&200) && statuses.iter().all(|status| [200, 401].contains(status)),
        "{statuses:?}"
    );
    let mut on = 0;
    for pair in [&late, &rival] {
        on += usize::from(app.profile(user_type, &pair.access).await.status == 200);
    }
    assert!(on <= 1, "both are on");
    app.login(user_type, &person).await;
}

/// The token of the mail's link.
async fn new_device_link(app: &TestApp, person: &Person) -> String {
    let mail = app.next_mail(&person.email).await;
    assert!(mail.subject.starts_with("A new device signed in"), "{mail:?}");
    assert!(
        mail.text.contains("Burglar/2.0") && mail.text.contains("127.0.0.0/24"),
        "{mail:?}"
    );
    let link = mail.link().expect("a link");
    assert!(link.contains("/end-session?token=es1."), "{link}");
    let token = mail.token();
    app.keep_secret(&token);
    token
}

async fn a_sign_in_from_a_new_device_is_told_with_a_link_that_ends_it(app: &TestApp, user_type: &str) {
    let (person, own) = app.member(user_type).await;
    let stolen = Pair::of(app, &sign_in_as(app, user_type, &person, "Burglar/2.0").await);
    let token = new_device_link(app, &person).await;
    // Opening it ends nothing.
    let page = app
        .get(&format!("/{user_type}/end-session?token={token}"))
        .accept(BROWSER);
    let page = page.send().await.expect(200);
    let page = page.text();
    assert!(page.contains("<button") && page.contains(&token), "{page}");
    app.profile(user_type, &stolen.access).await.expect(200);
    let post = async |token: &str| {
        let call = app.post(&format!("/{user_type}/end-session"));
        call.form(&[("token", token), ("website", "")]).send().await
    };
    post(&token).await.expect(200);
    is_over(app, user_type, &stolen).await;
    app.profile(user_type, &own.access).await.expect(200);
    post(&token).await.expect(200);
    let robot = app.post(&format!("/{user_type}/end-session"));
    let robot = robot.form(&[("token", "garbled"), ("website", "http://buy.example")]);
    robot.send().await.expect(200);
}

async fn a_device_that_was_seen_before_is_not_told_again(app: &TestApp, user_type: &str) {
    let (person, _) = app.member(user_type).await;
    let told = async || {
        let mails = app.all_mails(&person.email).await;
        mails
            .iter()
            .filter(|mail| mail.subject.starts_with("A new device"))
            .count()
    };
    assert_eq!(told().await, 0, "the first sign-in of all is nobody else's");
    let first = sign_in_as(app, user_type, &person, "Phone/1.0").await;
    assert_eq!(told().await, 1);
    sign_in_as(app, user_type, &person, "Phone/1.0").await;
    assert_eq!(told().await, 1, "the same program from the same network");
    // An update of the program, that shows the token it got.
    let token = first.header("x-device-token").to_owned();
    let members = [
        ("username", person.email.as_str()),
        ("password", person.password.as_str()),
    ];
    for agent in ["Phone/1.1", "Phone/1.2"] {
        let call = app.post(&format!("/{user_type}/login")).header("user-agent", agent);
        let again = call
            .header("x-device-token", &token)
            .form(&members)
            .send()
            .await
            .expect(200);
        assert_eq!(again.header("x-device-token"), token, "it keeps its token");
    }
    assert_eq!(told().await, 1);
    // A token that is not one of ours, or of another user type, or that this account never saw, is none.
    let (stranger, _) = app.member(user_type).await;
    let foreign = sign_in_as(app, user_type, &stranger, "Phone/1.0").await;
    let foreign = foreign.header("x-device-token").to_owned();
    for (number, token) in [token.replacen("dv1", "dv2", 1), foreign, "x".repeat(5000)]
        .into_iter()
        .enumerate()
    {
        let call = app.post(&format!("/{user_type}/login"));
        let call = call.header("user-agent", &format!("Tablet/{number}"));
        call.header("x-device-token", &token)
            .form(&members)
            .send()
            .await
            .expect(200);
        assert_eq!(told().await, 2 + number);
    }
}

async fn a_token_is_answered_where_the_account_keeps_it(app: &TestApp, user_type: &str) {
    let (person, _) = app.member(user_type).await;
    let token = sign_in_as(app, user_type, &person, "Phone/1.0").await;
    let token = token.header("x-device-token").to_owned();
    assert!(token.starts_with("dv1."), "{token}");
    // Its place is known: a client that keeps no token gets none that nobody would know, and fills no list with them.
    for _ in 0..30 {
        let again = sign_in_as(app, user_type, &person, "Phone/1.0").await;
        assert_eq!(again.header("x-device-token"), "");
        app.clock.advance(Duration::from_hours(25));
    }
    let told = app.all_mails(&person.email).await.len();
    let members = [
        ("username", person.email.as_str()),
        ("password", person.password.as_str()),
    ];
    for agent in ["Elsewhere/1.0", "Elsewhere/2.0"] {
        let call = app.post(&format!("/{user_type}/login")).header("user-agent", agent);
        let call = call.header("x-device-token", &token).form(&members);
        let known = call.send().await.expect(200);
        assert_eq!(known.header("x-device-token"), token);
    }
    assert_eq!(app.all_mails(&person.email).await.len(), told, "it is no new device");
}

async fn the_link_is_good_for_nothing_else(app: &TestApp, user_type: &str) {
    let (person, own) = app.member(user_type).await;
    sign_in_as(app, user_type, &person, "Burglar/2.0").await;
    let token = new_device_link(app, &person).await;
    app.confirm(user_type, &token).await.expect_problem(400, "link_invalid");
    app.reset(user_type, &token, "Qu1te-another-0ne!")
        .await
        .expect_problem(400, "link_invalid");
    app.profile(user_type, &token)
        .await
        .expect_problem(401, "invalid_token");
    app.refresh(user_type, &token)
        .await
        .expect_problem(401, "invalid_refresh_token");
    let post = async |user_type: &str, token: &str| {
        let call = app.post(&format!("/{user_type}/end-session"));
        call.json(&json!({ "token": token })).send().await
    };
    post(other(user_type), &token).await.expect_problem(400, "link_invalid");
    for garbled in ["", "es1.", &token[4..], &format!("{token}A"), &own.access, &own.refresh] {
        post(user_type, garbled).await.expect_problem(400, "link_invalid");
    }
}

async fn the_owner_is_told_of_a_reused_token_once(app: &TestApp, user_type: &str) {
    let (person, first) = app.member(user_type).await;
    let second = Pair::of(app, &app.refresh(user_type, &first.refresh).await.expect(200));
    Pair::of(app, &app.refresh(user_type, &second.refresh).await.expect(200));
    app.refresh(user_type, &first.refresh)
        .await
        .expect_problem(401, "refresh_token_reused");
    for _ in 0..5 {
        app.refresh(user_type, &first.refresh).await.expect(401);
    }
    let mails = app.all_mails(&person.email).await;
    let told: Vec<_> = mails
        .iter()
        .filter(|mail| mail.subject.starts_with("We ended a session"))
        .collect();
    assert_eq!(told.len(), 1, "{mails:?}");
    assert!(told[0].text.contains("had been used before"));
}

async fn past_the_number_of_an_account_the_oldest_ends(stores: &StoreSet) {
    let app = Setup::new(stores).set("SESSIONS_PER_ACCOUNT", "3").spawn().await;
    let (person, first) = app.member("User1").await;
    let mut pairs = vec![first];
    for _ in 0..3 {
        app.clock.advance(Duration::from_secs(1));
        pairs.push(app.login("User1", &person).await);
    }
    is_over(&app, "User1", &pairs[0]).await;
    for pair in &pairs[1..] {
        app.profile("User1", &pair.access).await.expect(200);
    }
    // However many at once.
    join_all((0..20).map(|_| app.sign_in("User1", &person.email, &person.password))).await;
    app.clock.advance(Duration::from_secs(1));
    let last = app.login("User1", &person).await;
    assert_eq!(listed(&app, "User1", &last).await.len(), 3);
    app.shut_down().await;
}
