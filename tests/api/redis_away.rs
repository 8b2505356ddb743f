//! Redis goes away, and comes back empty: nothing that was promised is lost with it.

use std::time::Duration;

use crate::support::{Person, RedisServer, Setup, StoreSet, TestApp, eventually};

cases_on_production! {
    sign_in_goes_on_and_a_revoked_token_stays_revoked
    mails_wait_and_come_when_it_is_back
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

async fn mails_wait_and_come_when_it_is_back(stores: &StoreSet) {
    let (mut redis, app) = start(stores, "off").await;
    redis.stop();
    let person = Person::new();
    let call = app.post("/User1/create").header("idempotency-key", "k-1");
    call.json(&person.json()).send().await.expect(201);
    redis.start_again().await;
    // What was handed over and lost with the queue is due again after a minute.
    let token = eventually("the mail of a registration", async || {
        app.clock.advance(Duration::from_secs(5));
        app.mails(&person.email).first().map(|mail| mail.token())
    })
    .await;
    app.confirm("User1", &token).await.expect(200);
    app.settle().await;
    app.login("User1", &person).await;
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
