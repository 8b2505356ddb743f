//! Two servers, each with a worker inside, on one MongoDB and one Redis.

use futures_util::future::join_all;
use sealgate::{
    domain::audit::AuditEvent,
    service::erase_account::{Actor, erase_for},
    storage::Ref,
};
use serde_json::json;

use crate::{
    audit_tampering::open,
    support::{Pair, Person, Setup, StoreSet, TestApp, part},
    throttle,
};

cases_on_production! {
    the_first_start_needs_no_folder
    they_share_each_limit
    they_count_tries_as_one
    they_share_the_cap_of_texts
    what_one_does_the_other_knows
    whom_an_operator_erases_is_gone_at_both_at_once
    who_confirms_at_one_signs_in_at_the_other_at_once
    strangers_get_the_same_answer_from_the_filter_and_the_database
    fifty_refreshes_at_both_get_one_successor
    a_request_under_one_key_is_done_once_at_both
    a_mail_is_sent_once_however_many_workers_run
}

async fn two(setup: &Setup) -> [TestApp; 2] {
    [setup.spawn().await, setup.spawn().await]
}

async fn stop(servers: [TestApp; 2]) {
    for server in servers {
        server.shut_down().await;
    }
}

/// Nothing but the key file lies on a server's disk, and in development it is made with its folder.
async fn the_first_start_needs_no_folder(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let folder = setup.folder().join("not/yet");
    let app = setup.set("DATA_DIR", folder.to_string_lossy()).spawn().await;
    let person = Person::new();
    app.create("User1", &person).await.expect(201);
    app.next_link(&person).await;
    app.shut_down().await;
}

async fn they_share_each_limit(stores: &StoreSet) {
    let setup = Setup::new(stores).set("RATE_LIMITS", "on").set("LIMIT_LOGIN", "8/h");
    let servers = two(&setup).await;
    // Each a name of its own: the same one is held up sooner.
    let people: Vec<Person> = (0..30).map(|_| Person::new()).collect();
    let tries = people.iter().enumerate();
    let tries = tries.map(|(n, person)| servers[n % 2].sign_in("User1", &person.email, &person.password));
    let statuses: Vec<u16> = join_all(tries).await.iter().map(|answer| answer.status).collect();
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(401), count(429)), (8, 22), "{statuses:?}");
    stop(servers).await;
}

async fn they_count_tries_as_one(stores: &StoreSet) {
    let servers = two(&throttle::settings(stores)).await;
    let nobody = Person::new();
    let tries = (0..60).map(|n| throttle::guess(&servers[n % 2], &nobody.email, "198.51.100.9", "a-wrong-password"));
    let statuses: Vec<u16> = join_all(tries).await.iter().map(|answer| answer.status).collect();
    let compared = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!(compared, 5, "{statuses:?}");
    stop(servers).await;
}

async fn what_one_does_the_other_knows(stores: &StoreSet) {
    // Issuer and audience are made of it: behind one address they are one service.
    let setup = Setup::new(stores).set("PUBLIC_URL", "http://id.example.com");
    let servers = two(&setup).await;
    let [one, other] = &servers;
    let person = Person::new();
    let token = one.register("User1", &person).await;
    other.confirm("User1", &token).await.expect(200);
    let pair = one.login("User1", &person).await;
    other.profile("User1", &pair.access).await.expect(200);
    other
        .post("/User1/logout")
        .bearer(&pair.access)
        .send()
        .await
        .expect(200);
    one.profile("User1", &pair.access)
        .await
        .expect_problem(401, "invalid_token");
    one.refresh("User1", &pair.refresh)
        .await
        .expect_problem(401, "invalid_refresh_token");
    stop(servers).await;
}

/// By a command, which is a third process: whatever the servers remember of the account counts no more.
async fn whom_an_operator_erases_is_gone_at_both_at_once(stores: &StoreSet) {
    let setup = Setup::new(stores).set("PUBLIC_URL", "http://id.example.com");
    let servers = two(&setup).await;
    let (person, pair) = servers[0].member("User1").await;
    let id = servers[0].profile("User1", &pair.access).await.member("id");
    for server in &servers {
        server.profile("User1", &pair.access).await.expect(200);
        let verified = server.get("/User1/verify-token").bearer(&pair.access).send().await;
        verified.expect(200);
    }
    let foundation = open(&setup).await;
    let key = Ref::new(&"User1".parse().expect("valid"), id.parse().expect("an id"));
    let receipt = erase_for(&foundation.core, &Actor::Operator, &key)
        .await
        .expect("erased");
    assert_eq!(part(&receipt, 1)["sub"], id.as_str());
    foundation.close().await;
    for server in &servers {
        let verified = server.get("/User1/verify-token").bearer(&pair.access).send().await;
        verified.expect_problem(401, "invalid_token");
        let profile = server.profile("User1", &pair.access).await;
        profile.expect_problem(401, "invalid_token");
        server.refresh("User1", &pair.refresh).await.expect(401);
        server
            .sign_in("User1", &person.email, &person.password)
            .await
            .expect(401);
    }
    servers[0].settle().await;
    assert!(
        servers[0]
            .open_stores()
            .await
            .accounts
            .find(&key)
            .await
            .expect("answers")
            .is_none()
    );
    let noted = servers[0].audit("User1").await;
    let erased = noted.iter().find(|entry| entry.event == AuditEvent::AccountErased);
    assert_eq!(erased.expect("noted").details.get("by"), Some("operator"));
    stop(servers).await;
}

/// The other may have been asked for the very address a moment before, and keep its own copy of the e-mail filter.
async fn who_confirms_at_one_signs_in_at_the_other_at_once(stores: &StoreSet) {
    let servers = two(&Setup::new(stores)).await;
    let people: Vec<Person> = (0..12).map(|_| Person::new()).collect();
    let each = people.iter().enumerate().map(async |(n, person)| {
        let (one, other) = (&servers[n % 2], &servers[(n + 1) % 2]);
        let token = one.register("User1", person).await;
        let denied = other.sign_in("User1", &person.email, "Wr0ng-Passw0rd!").await;
        denied.expect_problem(401, "invalid_credentials");
        one.confirm("User1", &token).await.expect(200);
        other.login("User1", person).await;
    });
    join_all(each).await;
    stop(servers).await;
}

async fn strangers_get_the_same_answer_from_the_filter_and_the_database(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let (person, _) = app.member("User1").await;
    let mut answers = std::collections::BTreeSet::new();
    for n in 0..60 {
        let name = if n % 2 == 0 {
            person.email.clone()
        } else {
            format!("nobody{n}@mail.example")
        };
        let answer = app.sign_in("User1", &name, "Wr0ng-Passw0rd!").await;
        let body = answer.text().replace(&answer.member("request_id"), "");
        let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        answers.insert((answer.status, body, names));
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    app.shut_down().await;
}

async fn fifty_refreshes_at_both_get_one_successor(stores: &StoreSet) {
    let servers = two(&Setup::new(stores)).await;
    let (_, pair) = servers[0].member("User1").await;
    let refreshes = (0..50).map(|n| servers[n % 2].refresh("User1", &pair.refresh));
    let mut successors = Vec::new();
    for answer in join_all(refreshes).await {
        successors.push(Pair::of(&servers[0], &answer.expect(200)).refresh);
    }
    successors.dedup();
    assert_eq!(successors.len(), 1);
    servers[1].refresh("User1", &successors[0]).await.expect(200);
    stop(servers).await;
}

async fn a_request_under_one_key_is_done_once_at_both(stores: &StoreSet) {
    let servers = two(&Setup::new(stores)).await;
    let person = Person::new();
    let ask = async |server: &TestApp| {
        let call = server.post("/User1/create").header("idempotency-key", "k-1");
        call.json(&person.json()).send().await
    };
    let first = ask(&servers[0]).await.expect(201);
    let second = ask(&servers[1]).await.expect(201);
    assert_eq!(first.member("id"), second.member("id"));
    assert_eq!(servers[0].all_mails(&person.email).await.len(), 1);
    let other = servers[1].post("/User1/create").header("idempotency-key", "k-1");
    other
        .json(&json!({ "first_name": "Other" }))
        .send()
        .await
        .expect_problem(422, "validation_failed");
    stop(servers).await;
}

async fn a_mail_is_sent_once_however_many_workers_run(stores: &StoreSet) {
    let servers = two(&Setup::new(stores)).await;
    let people: Vec<Person> = (0..20).map(|_| Person::new()).collect();
    let creates = people
        .iter()
        .enumerate()
        .map(|(n, person)| servers[n % 2].create("User1", person));
    for answer in join_all(creates).await {
        answer.expect(201);
    }
    for person in &people {
        assert_eq!(servers[0].all_mails(&person.email).await.len(), 1);
    }
    stop(servers).await;
}

async fn they_share_the_cap_of_texts(stores: &StoreSet) {
    let setup = Setup::new(stores)
        .set("PUBLIC_URL", "http://id.example.com")
        .set("SMS_DAILY_CAP_ALL", "5");
    let servers = [setup.spawn().await, setup.spawn().await];
    let mut pairs = Vec::new();
    for _ in 0..12 {
        let person = Person::new().with_mobile();
        servers[0].join("User1", &person).await;
        pairs.push(servers[0].login("User1", &person).await);
    }
    let own = json!({});
    let asked = pairs.iter().enumerate();
    let asked = asked.map(|(n, pair)| servers[n % 2].ask_code("User1", &pair.access, &own));
    let statuses: Vec<u16> = join_all(asked).await.iter().map(|answer| answer.status).collect();
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(202), count(503)), (5, 7), "{statuses:?}");
    assert_eq!(servers[0].all_texts().await.len(), 5);
    for server in servers {
        server.shut_down().await;
    }
}
