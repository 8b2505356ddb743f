//! Somebody else's address can't be prepared for its owner: each registration has its own password and its own link,
//! and confirming one ends the others.

use std::time::Duration;

use crate::support::{Person, TestApp};

cases! {
    whoever_registers_first_the_owner_of_the_address_wins
    a_confirmed_registration_ends_its_rivals_for_good
    three_registrations_of_an_address_live_at_a_time
    an_id_of_the_callers_choice_is_not_taken
}

async fn whoever_registers_first_the_owner_of_the_address_wins(app: &TestApp, user_type: &str) {
    for is_attacker_first in [true, false] {
        let victim = Person::new();
        let attacker = victim.rival();
        let order = if is_attacker_first {
            [&attacker, &victim]
        } else {
            [&victim, &attacker]
        };
        // Both mails come to the victim, who knows the own one by the time it names.
        let first = app.register(user_type, order[0]).await;
        app.clock.advance(Duration::from_mins(1));
        let second = app.register(user_type, order[1]).await;
        let (own, planted) = if is_attacker_first {
            (second, first)
        } else {
            (first, second)
        };
        app.confirm(user_type, &own).await.expect(200);

        app.sign_in(user_type, &victim.email, &attacker.password)
            .await
            .expect_problem(401, "invalid_credentials");
        app.confirm(user_type, &planted)
            .await
            .expect_problem(400, "link_invalid");
        app.sign_in(user_type, &victim.email, &attacker.password)
            .await
            .expect_problem(401, "invalid_credentials");
        let pair = app.login(user_type, &victim).await;
        let profile = app.profile(user_type, &pair.access).await.expect(200).json();
        assert_eq!(
            profile["first_name"],
            victim.first_name.as_str(),
            "nothing of the attacker's"
        );
        assert_eq!(
            profile["last_name"],
            victim.last_name.as_str(),
            "nothing of the attacker's"
        );
    }
}

async fn a_confirmed_registration_ends_its_rivals_for_good(app: &TestApp, user_type: &str) {
    let victim = Person::new();
    let attacker = victim.rival();
    let planted = app.register(user_type, &attacker).await;
    app.join(user_type, &victim).await;

    // Neither a new link nor a new create brings it back.
    let body = serde_json::json!({ "email": victim.email });
    let resend = format!("/{user_type}/resend-verification");
    app.post(&resend).json(&body).send().await.expect(202);
    app.create(user_type, &attacker).await.expect(201);
    let mails = app.all_mails(&victim.email).await;
    let links = mails.iter().filter(|mail| mail.link().is_some()).count();
    assert_eq!(links, 2, "the attacker's, the victim's, and none since: {mails:?}");
    app.confirm(user_type, &planted)
        .await
        .expect_problem(400, "link_invalid");
    app.sign_in(user_type, &victim.email, &attacker.password)
        .await
        .expect_problem(401, "invalid_credentials");
}

async fn three_registrations_of_an_address_live_at_a_time(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let mut links = Vec::new();
    for number in 1..=4 {
        let attempt = Person {
            password: format!("SecureP@ssw0rd-{number}"),
            ..person.clone()
        };
        links.push(app.register(user_type, &attempt).await);
        app.clock.advance(Duration::from_secs(1));
    }
    app.confirm(user_type, &links[0])
        .await
        .expect_problem(400, "link_invalid");
    app.confirm(user_type, &links[1]).await.expect(200);
    app.sign_in(user_type, &person.email, "SecureP@ssw0rd-2")
        .await
        .expect(200);
    for link in &links[2..] {
        app.confirm(user_type, link).await.expect_problem(400, "link_invalid");
    }
}

async fn an_id_of_the_callers_choice_is_not_taken(app: &TestApp, user_type: &str) {
    for member in [
        "id",
        "_id",
        "role",
        "status",
        "is_phone_verified",
        "password_hash",
        "epoch",
    ] {
        let mut body = Person::new().json();
        body[member] = "usr_chosen".into();
        let refused = app.post(&format!("/{user_type}/create")).json(&body).send().await;
        let refused = refused.expect_problem(422, "validation_failed");
        assert_eq!(refused.errors(), [(member.to_owned(), "unknown".to_owned())]);
    }
    // Clients of the old service send it; it changes nothing.
    let person = Person::new();
    let mut body = person.json();
    body["is_email_verified"] = true.into();
    let create = format!("/{user_type}/create");
    app.post(&create).json(&body).send().await.expect(201);
    app.sign_in(user_type, &person.email, &person.password)
        .await
        .expect_problem(403, "email_not_verified");
}
