//! Redis over TLS, by an authority of the operator's own.

use crate::support::{Authority, Person, RedisServer, Setup, StoreSet, eventually};

cases_on_production! {
    its_own_authority_is_taken_and_a_broken_connection_made_again
    another_authority_is_refused_with_its_mend
}

async fn its_own_authority_is_taken_and_a_broken_connection_made_again(stores: &StoreSet) {
    let mut redis = RedisServer::start_tls(Authority::new()).await;
    let setup = Setup::new(stores)
        .set("REDIS_URL", redis.url())
        .set("REDIS_CA_FILE", redis.authority());
    let app = setup.spawn().await;
    for round in 0..2 {
        if round > 0 {
            redis.stop();
            redis.start_again().await;
        }
        eventually("Redis to be healthy", async || {
            let answer = app.get("/health").send_unchecked().await;
            (answer.json()["services"]["redis"] == "healthy").then_some(())
        })
        .await;
        // Through the queue, which has a connection of its own.
        let person = Person::new();
        app.create("User1", &person).await.expect(201);
        app.next_link(&person).await;
    }
    app.shut_down().await;
}

async fn another_authority_is_refused_with_its_mend(stores: &StoreSet) {
    let redis = RedisServer::start_tls(Authority::new()).await;
    let another = Authority::new();
    let setup = Setup::new(stores).set("REDIS_URL", redis.url());
    // Those of the system did not sign it either.
    for setup in [
        setup.clone(),
        setup.set("REDIS_CA_FILE", another.certificate().to_string_lossy()),
    ] {
        let refused = setup.start().await.expect_err("another authority");
        let says = format!("{refused:#}");
        assert!(
            says.contains("REDIS_CA_FILE") && !says.contains("test-password"),
            "{says}"
        );
    }
    let in_the_clear = redis.url().replace("rediss:", "redis:");
    let refused = Setup::new(stores).set("REDIS_URL", in_the_clear).start().await;
    refused.expect_err("it speaks TLS alone");
}
