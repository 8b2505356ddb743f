//! Refresh tokens: single use, with a minute for tabs that refresh together, and the family's end on reuse.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Pair, TestApp, other};

cases! {
    the_direct_parent_gets_the_same_successor_for_a_minute
    a_parent_presented_after_a_minute_ends_the_family
    a_grandparent_ends_the_family_at_once
    fifty_refreshes_at_once_get_one_successor
    a_forged_token_changes_nothing
    a_token_of_another_user_type_changes_nothing
    a_refresh_token_that_lies_unused_expires
    a_session_ends_for_good_however_often_it_is_refreshed
    a_refresh_token_goes_in_as_json_or_form
}

async fn renewed(app: &TestApp, user_type: &str, token: &str) -> Pair {
    Pair::of(app, &app.refresh(user_type, token).await.expect(200))
}

/// Nothing of the family is good for anything any more.
async fn family_is_ended(app: &TestApp, user_type: &str, family: &[&Pair]) {
    for pair in family {
        app.profile(user_type, &pair.access)
            .await
            .expect_problem(401, "invalid_token");
        app.refresh(user_type, &pair.refresh)
            .await
            .expect_problem(401, "invalid_refresh_token");
    }
}

async fn the_direct_parent_gets_the_same_successor_for_a_minute(app: &TestApp, user_type: &str) {
    let (_, first) = app.member(user_type).await;
    let second = renewed(app, user_type, &first.refresh).await;
    app.clock.advance(Duration::from_secs(59));
    let again = renewed(app, user_type, &first.refresh).await;
    assert_eq!(again.refresh, second.refresh, "the very same token");
    for pair in [&first, &second, &again] {
        app.profile(user_type, &pair.access).await.expect(200);
    }
    let third = renewed(app, user_type, &second.refresh).await;
    assert_ne!(third.refresh, second.refresh);
}

async fn a_parent_presented_after_a_minute_ends_the_family(app: &TestApp, user_type: &str) {
    let (person, first) = app.member(user_type).await;
    let elsewhere = app.login(user_type, &person).await;
    let second = renewed(app, user_type, &first.refresh).await;
    app.clock.advance(Duration::from_mins(1));
    let reused = app.refresh(user_type, &first.refresh).await;
    let reused = reused.expect_problem(401, "refresh_token_reused");
    assert_eq!(reused.json()["error"], "invalid_grant", "in OAuth 2's words, too");
    family_is_ended(app, user_type, &[&first, &second]).await;
    app.profile(user_type, &elsewhere.access).await.expect(200);
}

async fn a_grandparent_ends_the_family_at_once(app: &TestApp, user_type: &str) {
    let (_, first) = app.member(user_type).await;
    let second = renewed(app, user_type, &first.refresh).await;
    let third = renewed(app, user_type, &second.refresh).await;
    app.refresh(user_type, &first.refresh)
        .await
        .expect_problem(401, "refresh_token_reused");
    family_is_ended(app, user_type, &[&first, &second, &third]).await;
}

async fn fifty_refreshes_at_once_get_one_successor(app: &TestApp, user_type: &str) {
    let (_, first) = app.member(user_type).await;
    let answers = join_all((0..50).map(|_| app.refresh(user_type, &first.refresh))).await;
    let successors: BTreeSet<String> = answers
        .into_iter()
        .map(|answer| answer.expect(200).member("refresh_token"))
        .collect();
    assert_eq!(successors.len(), 1, "{successors:?}");
    for successor in &successors {
        renewed(app, user_type, successor).await;
    }
}

async fn a_forged_token_changes_nothing(app: &TestApp, user_type: &str) {
    let (_, first) = app.member(user_type).await;
    let second = renewed(app, user_type, &first.refresh).await;
    let genuine = &second.refresh;
    let altered = |at: usize| {
        let with = if &genuine[at..=at] == "A" { "B" } else { "A" };
        format!("{}{with}{}", &genuine[..at], &genuine[at + 1..])
    };
    let mut forged: Vec<String> = [4, 40, 47, 60, genuine.len() - 3].map(altered).into();
    forged.extend([
        String::new(),
        "rt1.".into(),
        "garbled".into(),
        "\u{0}".into(),
        genuine[4..].into(),
        genuine[..genuine.len() - 1].into(),
        format!("{genuine}A"),
        genuine.replacen("rt1", "rt2", 1),
        second.access.clone(),
        "A".repeat(5 * 1024),
    ]);
    let mut shapes = Vec::new();
    for token in &forged {
        let refused = app.refresh(user_type, token).await;
        shapes.push(refused.expect_problem(401, "invalid_refresh_token").shape());
    }
    for (token, shape) in forged.iter().zip(&shapes) {
        assert_eq!(*shape, shapes[0], "{token:?} is told apart");
    }
    app.profile(user_type, &second.access).await.expect(200);
    renewed(app, user_type, genuine).await;
}

async fn a_token_of_another_user_type_changes_nothing(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    app.refresh(other(user_type), &pair.refresh)
        .await
        .expect_problem(401, "invalid_refresh_token");
    app.profile(user_type, &pair.access).await.expect(200);
    renewed(app, user_type, &pair.refresh).await;
}

async fn a_refresh_token_that_lies_unused_expires(app: &TestApp, user_type: &str) {
    let (person, early) = app.member(user_type).await;
    let answer = app.sign_in(user_type, &person.email, &person.password).await;
    let idle = Duration::from_secs(answer.json()["refresh_expires_in"].as_u64().expect("a number"));
    let late = Pair::of(app, &answer);
    app.clock.advance(idle.saturating_sub(Duration::from_millis(1)));
    renewed(app, user_type, &early.refresh).await;
    app.clock.advance(Duration::from_millis(1));
    app.refresh(user_type, &late.refresh)
        .await
        .expect_problem(401, "invalid_refresh_token");
}

async fn a_session_ends_for_good_however_often_it_is_refreshed(app: &TestApp, user_type: &str) {
    let (_, mut pair) = app.member(user_type).await;
    let [day, step, whole] = [1, 10, 90].map(|days| Duration::from_hours(24 * days));
    for _ in 0..8 {
        app.clock.advance(step);
        pair = renewed(app, user_type, &pair.refresh).await;
    }
    let answer = app.refresh(user_type, &pair.refresh).await.expect(200);
    let left = whole.saturating_sub(8 * step);
    assert_eq!(
        answer.json()["refresh_expires_in"],
        left.as_secs(),
        "never past the session's end"
    );
    pair = Pair::of(app, &answer);
    app.clock.advance(left.saturating_sub(day));
    pair = renewed(app, user_type, &pair.refresh).await;
    app.clock.advance(day);
    app.refresh(user_type, &pair.refresh)
        .await
        .expect_problem(401, "invalid_refresh_token");
}

async fn a_refresh_token_goes_in_as_json_or_form(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    let path = format!("/{user_type}/refresh-token");
    let members = [
        ("grant_type", "refresh_token"),
        ("refresh_token", pair.refresh.as_str()),
    ];
    let answer = app.post(&path).form(&members).send().await.expect(200);
    assert_eq!(answer.json()["token_type"], "bearer");
    let next = answer.member("refresh_token");
    let body = json!({ "refresh_token": next, "grant_type": "password" });
    let refused = app.post(&path).json(&body).send().await;
    let refused = refused.expect_problem(422, "validation_failed");
    assert_eq!(
        refused.errors(),
        [("grant_type".to_owned(), "unsupported_grant_type".to_owned())]
    );
    renewed(app, user_type, &next).await;
}
