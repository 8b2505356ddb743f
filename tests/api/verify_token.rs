//! Tokens checked for other services, and how soon what ended is known.

use crate::support::{Person, RedisServer, Setup, StoreSet, TestApp};

cases! {
    a_good_token_is_told_with_its_claims_and_any_other_refused
    what_ended_is_refused_from_the_answer_on
}
cases_on_production! {
    a_token_ended_at_one_server_is_refused_by_the_other_at_once
    defect_21_a_full_filter_neither_refuses_nor_keeps_anybody_signed_in
    with_redis_cut_a_revoked_token_is_refused_and_a_good_one_is_not
}

async fn status(app: &TestApp, user_type: &str, token: &str) -> u16 {
    app.get(&format!("/{user_type}/verify-token"))
        .bearer(token)
        .send()
        .await
        .status
}

async fn a_good_token_is_told_with_its_claims_and_any_other_refused(app: &TestApp, user_type: &str) {
    let (person, pair) = app.member(user_type).await;
    let path = format!("/{user_type}/verify-token");
    let claims = app.get(&path).bearer(&pair.access).send().await.expect(200).json();
    let profile = app.profile(user_type, &pair.access).await.expect(200).json();
    assert_eq!(claims["sub"], profile["id"]);
    assert_eq!(claims["ut"], user_type);
    assert_eq!(claims["role"], "user");
    assert_eq!(claims["amr"], serde_json::json!(["pwd"]));
    assert_eq!(claims["iss"], claims["aud"]);
    assert!(!claims.to_string().contains(&person.email));
    let other = if user_type == "User1" { "User2" } else { "User1" };
    app.get(&format!("/{other}/verify-token"))
        .bearer(&pair.access)
        .send()
        .await
        .expect_problem(401, "invalid_token");
    app.get(&path).send().await.expect_problem(401, "missing_token");
    app.get(&path)
        .bearer(&pair.refresh)
        .send()
        .await
        .expect_problem(401, "invalid_token");
    app.clock.advance(std::time::Duration::from_mins(31));
    app.get(&path)
        .bearer(&pair.access)
        .send()
        .await
        .expect_problem(401, "invalid_token");
}

async fn what_ended_is_refused_from_the_answer_on(app: &TestApp, user_type: &str) {
    let (person, _) = app.member(user_type).await;
    for _ in 0..5 {
        let pair = app.login(user_type, &person).await;
        assert_eq!(status(app, user_type, &pair.access).await, 200);
        assert_eq!(status(app, user_type, &pair.access).await, 200, "as it is known by now");
        app.post(&format!("/{user_type}/logout"))
            .bearer(&pair.access)
            .send()
            .await
            .expect(200);
        assert_eq!(status(app, user_type, &pair.access).await, 401);
    }
    let pair = app.login(user_type, &person).await;
    assert_eq!(status(app, user_type, &pair.access).await, 200);
    app.delete(
        user_type,
        &pair.access,
        &serde_json::json!({ "password": person.password }),
    )
    .await
    .expect(200);
    assert_eq!(status(app, user_type, &pair.access).await, 401);
}

async fn a_token_ended_at_one_server_is_refused_by_the_other_at_once(stores: &StoreSet) {
    let setup = Setup::new(stores).set("PUBLIC_URL", "http://id.example.com");
    let (one, other) = (setup.spawn().await, setup.spawn().await);
    let (person, _) = one.member("User1").await;
    for round in 0..20 {
        let pair = one.login("User1", &person).await;
        assert_eq!(status(&other, "User1", &pair.access).await, 200, "round {round}");
        assert_eq!(status(&one, "User1", &pair.access).await, 200, "round {round}");
        one.post("/User1/logout").bearer(&pair.access).send().await.expect(200);
        assert_eq!(status(&other, "User1", &pair.access).await, 401, "round {round}");
        other
            .profile("User1", &pair.access)
            .await
            .expect_problem(401, "invalid_token");
    }
    one.shut_down().await;
    other.shut_down().await;
}

/// What is known of ended sessions has no size, and the filter of addresses that has one goes on when it is full.
async fn defect_21_a_full_filter_neither_refuses_nor_keeps_anybody_signed_in(stores: &StoreSet) {
    let app = Setup::new(stores)
        .set("FILTER_CAPACITY", "1")
        .set("FILTER_FALSE_POSITIVE_RATE", "0.1")
        .spawn()
        .await;
    for _ in 0..12 {
        let (_, pair) = app.member("User1").await;
        assert_eq!(status(&app, "User1", &pair.access).await, 200);
        app.post("/User1/logout").bearer(&pair.access).send().await.expect(200);
        assert_eq!(status(&app, "User1", &pair.access).await, 401);
    }
    app.shut_down().await;
}

async fn with_redis_cut_a_revoked_token_is_refused_and_a_good_one_is_not(stores: &StoreSet) {
    let mut redis = RedisServer::start().await;
    let setup = Setup::new(stores)
        .set("REDIS_URL", redis.url())
        .set("PUBLIC_URL", "http://id.example.com");
    let (one, other) = (setup.spawn().await, setup.spawn().await);
    let person = Person::new();
    one.join("User1", &person).await;
    let (ended, good) = (one.login("User1", &person).await, one.login("User1", &person).await);
    for token in [&ended.access, &good.access] {
        assert_eq!(status(&other, "User1", token).await, 200);
    }
    redis.stop();
    // It answers once nobody remembers the session any more.
    one.post("/User1/logout").bearer(&ended.access).send().await.expect(200);
    for app in [&one, &other] {
        assert_eq!(status(app, "User1", &ended.access).await, 401);
        assert_eq!(status(app, "User1", &good.access).await, 200);
    }
    redis.start_again().await;
    for app in [&one, &other] {
        assert_eq!(status(app, "User1", &ended.access).await, 401);
        assert_eq!(status(app, "User1", &good.access).await, 200);
    }
    one.shut_down().await;
    other.shut_down().await;
}
