//! Redis goes away, and comes back empty: nothing that was promised is lost with it.

use std::time::Duration;

use crate::support::{Person, RedisServer, Setup, StoreSet, TestApp, eventually};

cases_on_production! {
    sign_in_goes_on_and_a_revoked_token_stays_revoked
    nobody_registers_or_confirms_while_it_is_away
    mails_wait_and_come_when_it_is_back
    addresses_are_looked_up_until_the_filter_is_rebuilt
    a_password_that_is_wrong_for_a_moment_is_right_again
    limits_are_counted_by_the_server_alone
    health_tells_it
}

/// A service on a Redis of its own.
async fn start(stores: &StoreSet, limits: &str) -> (RedisServer, TestApp) {
    let redis = RedisServer::start().await;
    let setup = Setup::new(stores)
        .set("REDIS_URL", redis.url())
        .set("RATE_LIMITS", limits);
    let app = setup.spawn().await;
    (redis, app)
}

async fn sign_in_goes_on_and_a_revoked_token_stays_revoked(stores: &StoreSet) {
    let (mut redis, app) = start(stores, "off").await;
    let (person, ended) = app.member("User1").await;
    app.post("/User1/logout").bearer(&ended.access).send().await.expect(200);
    redis.stop();
    app.profile("User1", &ended.access)
        .await
        .expect_problem(401, "invalid_token");
    let pair = app.login("User1", &person).await;
    app.profile("User1", &pair.access).await.expect(200);
    app.post("/User1/logout").bearer(&pair.access).send().await.expect(200);
    app.profile("User1", &pair.access)
        .await
        .expect_problem(401, "invalid_token");
    redis.start_again().await;
    for token in [&ended.access, &pair.access] {
        app.profile("User1", token).await.expect_problem(401, "invalid_token");
    }
    app.shut_down().await;
}

async fn nobody_registers_or_confirms_while_it_is_away(stores: &StoreSet) {
    let (mut redis, app) = start(stores, "off").await;
    let (early, late) = (Person::new(), Person::new());
    let token = app.register("User1", &early).await;
    redis.stop();
    // What is not in the filter would be denied by every other server.
    let refused = app.create("User1", &late).await.expect_problem(503, "unavailable");
    assert_ne!(refused.header("retry-after"), "");
    app.confirm("User1", &token).await.expect_problem(503, "unavailable");
    redis.start_again().await;
    eventually("registrations again", async || {
        (app.create("User1", &late).await.status == 201).then_some(())
    })
    .await;
    // The link is as good as before.
    app.confirm("User1", &token).await.expect(200);
    app.login("User1", &early).await;
    app.confirm("User1", &app.next_link(&late).await).await.expect(200);
    app.login("User1", &late).await;
    app.shut_down().await;
}

async fn mails_wait_and_come_when_it_is_back(stores: &StoreSet) {
    let (mut redis, app) = start(stores, "off").await;
    let (person, _) = app.member("User1").await;
    redis.stop();
    let call = app.post("/User1/forget_password");
    call.json(&serde_json::json!({ "email": person.email }))
        .send()
        .await
        .expect(202);
    redis.start_again().await;
    // What was handed over and lost with the queue is due again after a minute.
    eventually("the mail with the link", async || {
        app.clock.advance(Duration::from_secs(5));
        let mails = app.mails(&person.email);
        mails.iter().find(|mail| mail.subject.contains("password")).map(drop)
    })
    .await;
    app.shut_down().await;
}

async fn addresses_are_looked_up_until_the_filter_is_rebuilt(stores: &StoreSet) {
    let (mut redis, app) = start(stores, "off").await;
    let (person, _) = app.member("User1").await;
    redis.stop();
    app.login("User1", &person).await;
    redis.start_again().await;
    for _ in 0..20 {
        app.login("User1", &person).await;
        app.sign_in("User1", "nobody@mail.example", "Wr0ng-Passw0rd!")
            .await
            .expect_problem(401, "invalid_credentials");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    app.shut_down().await;
}

/// As when an operator changes it in the wrong order: what was refused once must not be refused for ever.
async fn a_password_that_is_wrong_for_a_moment_is_right_again(stores: &StoreSet) {
    let (redis, app) = start(stores, "off").await;
    let (person, _) = app.member("User1").await;
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut operator = client.get_multiplexed_async_connection().await.expect("Redis answers");
    let mut set = async |password: &str| {
        let mut commands = redis::pipe();
        commands
            .cmd("CONFIG")
            .arg("SET")
            .arg("requirepass")
            .arg(password)
            .ignore();
        for kind in ["normal", "pubsub"] {
            let kill = commands.cmd("CLIENT").arg("KILL").arg("TYPE").arg(kind);
            kill.arg("SKIPME").arg("yes").ignore();
        }
        let () = commands.query_async(&mut operator).await.expect("Redis answers");
    };
    set("another").await;
    let late = Person::new();
    for _ in 0..3 {
        app.create("User1", &late).await.expect_problem(503, "unavailable");
        app.login("User1", &person).await;
    }
    set("test-password").await;
    eventually("registrations again", async || {
        (app.create("User1", &late).await.status == 201).then_some(())
    })
    .await;
    app.confirm("User1", &app.next_link(&late).await).await.expect(200);
    app.login("User1", &late).await;
    app.shut_down().await;
}

async fn limits_are_counted_by_the_server_alone(stores: &StoreSet) {
    let (mut redis, app) = start(stores, "on").await;
    redis.stop();
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(
            app.sign_in("User1", "nobody@mail.example", "Wr0ng-Passw0rd!")
                .await
                .status,
        );
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    app.shut_down().await;
}

async fn health_tells_it(stores: &StoreSet) {
    let (mut redis, app) = start(stores, "off").await;
    for expected in ["healthy", "down", "healthy"] {
        eventually(&format!("Redis to be {expected}"), async || {
            let answer = app.get("/health").send_unchecked().await;
            assert_eq!(answer.status, 200, "the database is there");
            (answer.json()["services"]["redis"] == expected).then_some(())
        })
        .await;
        if expected == "healthy" {
            redis.stop();
        } else {
            redis.start_again().await;
        }
    }
    app.shut_down().await;
}
