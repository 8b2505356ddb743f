//! Mailed links: genuine, once, in time, and only where they lead.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{BROWSER, PASSWORD, Person, TestApp, other};

cases! {
    a_link_that_is_not_genuine_is_refused_in_every_form
    a_link_works_once
    a_link_works_for_a_day
    a_link_leads_to_its_own_user_type_only
    fifty_clicks_at_once_make_one_account
    people_get_pages_with_the_same_status
    a_token_can_not_smuggle_markup_into_a_page
    a_robot_that_fills_the_trap_confirms_nothing
    a_query_of_any_kind_does_no_harm
}

async fn a_link_that_is_not_genuine_is_refused_in_every_form(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    let person = Person::new();
    let genuine = app.register(user_type, &person).await;
    let altered = |at: usize| {
        let with = if &genuine[at..=at] == "A" { "B" } else { "A" };
        format!("{}{with}{}", &genuine[..at], &genuine[at + 1..])
    };
    let length = genuine.len();
    let mut forged = vec![
        String::new(),
        " ".into(),
        "garbled".into(),
        "../../etc/passwd".into(),
        "\u{0}".into(),
        genuine[..length - 1].into(),
        genuine[1..].into(),
        format!("{genuine}A"),
        format!("{genuine}="),
        format!(" {genuine}"),
        genuine.to_lowercase(),
        "A".repeat(5 * 1024),
        pair.access,
        pair.refresh,
    ];
    forged.extend([0, length / 2, length - 4].map(altered));

    let path = format!("/{user_type}/verify");
    let mut shapes = Vec::new();
    for token in &forged {
        for answer in [
            app.post(&path).json(&json!({ "token": token })).send().await,
            app.post(&path).form(&[("token", token)]).send().await,
            app.get(&format!("{path}?token={}", escaped(token)))
                .accept("application/json")
                .send()
                .await,
        ] {
            let answer = answer.expect_problem(400, "link_invalid");
            shapes.push((token.clone(), answer.shape()));
        }
    }
    for (token, shape) in &shapes {
        assert_eq!(*shape, shapes[0].1, "{token:?} is told apart");
    }
    app.confirm(user_type, &genuine).await.expect(200);
}

fn escaped(token: &str) -> String {
    let bytes = token.bytes();
    bytes.fold(String::new(), |text, byte| format!("{text}%{byte:02x}"))
}

async fn a_link_works_once(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let token = app.register(user_type, &person).await;
    app.confirm(user_type, &token).await.expect(200);
    for _ in 0..2 {
        app.confirm(user_type, &token).await.expect_problem(400, "link_invalid");
    }
    app.login(user_type, &person).await;
}

async fn a_link_works_for_a_day(app: &TestApp, user_type: &str) {
    let day = Duration::from_hours(24);
    let [late, in_time] = [(); 2].map(|()| Person::new());
    let late_link = app.register(user_type, &late).await;
    app.clock.advance(Duration::from_secs(1));
    let link = app.register(user_type, &in_time).await;
    app.clock.advance(day.saturating_sub(Duration::from_secs(1)));
    app.confirm(user_type, &late_link)
        .await
        .expect_problem(400, "link_invalid");
    app.confirm(user_type, &link).await.expect(200);

    // The registration is gone with its link: also its own password learns nothing more.
    app.sign_in(user_type, &late.email, &late.password)
        .await
        .expect_problem(401, "invalid_credentials");
    app.join(user_type, &late).await;
}

async fn a_link_leads_to_its_own_user_type_only(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let token = app.register(user_type, &person).await;
    app.confirm(other(user_type), &token)
        .await
        .expect_problem(400, "link_invalid");
    app.confirm(user_type, &token).await.expect(200);
    app.sign_in(other(user_type), &person.email, &person.password)
        .await
        .expect_problem(401, "invalid_credentials");
}

async fn fifty_clicks_at_once_make_one_account(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let token = app.register(user_type, &person).await;
    let clicks = join_all((0..50).map(|_| app.confirm(user_type, &token))).await;
    let mut counts = BTreeMap::new();
    for click in clicks {
        let told = if click.status == 200 {
            click.member("message")
        } else {
            click.expect_problem(400, "link_invalid").member("code")
        };
        *counts.entry(told).or_insert(0) += 1;
    }
    let made = counts.iter().filter(|(told, _)| told.contains("You can sign in now"));
    assert_eq!(
        made.map(|(_, count)| count).sum::<i32>(),
        1,
        "one click makes it: {counts:?}"
    );

    let mails = app.all_mails(&person.email).await;
    assert_eq!(mails.len(), 2, "link, and one welcome: {mails:?}");
    app.login(user_type, &person).await;
}

async fn people_get_pages_with_the_same_status(app: &TestApp, user_type: &str) {
    let token = app.register(user_type, &Person::new()).await;
    let path = format!("/{user_type}/verify");
    let post = async |token: &str| app.post(&path).accept(BROWSER).form(&[("token", token)]).send().await;

    let success = post(&token).await.expect(200);
    assert!(success.text().contains("Address confirmed"), "{}", success.text());
    let refused = post(&token).await.expect(400);
    assert!(refused.text().contains("This link does not work"), "{}", refused.text());
    let missing = app.post(&path).accept(BROWSER).form(&[]).send().await.expect(422);
    let wrong_type = app.post(&path).accept(BROWSER).body("text/plain", "token").send().await;
    let wrong_method = app.call("DELETE", &path).accept(BROWSER).send().await;
    for page in [
        success,
        refused,
        missing,
        wrong_type.expect(415),
        wrong_method.expect(405),
    ] {
        assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{policy}");
    }
}

async fn a_token_can_not_smuggle_markup_into_a_page(app: &TestApp, user_type: &str) {
    let path = format!("/{user_type}/verify");
    for token in [
        "\"><script>alert(1)</script>",
        "'><img src=x onerror=alert(1)>",
        "{{ 7*7 }}",
        "</form><form action=https://evil.example>",
    ] {
        let page = app
            .get(&format!("{path}?token={}", escaped(token)))
            .accept(BROWSER)
            .send()
            .await;
        let page = page.expect(200);
        for markup in ["<script", "<img", "evil.example>", "value=\"49\""] {
            assert!(!page.text().contains(markup), "{markup} stands in {}", page.text());
        }
        assert_eq!(page.text().matches("<form").count(), 1, "one form: {}", page.text());
        let refused = app.post(&path).accept(BROWSER).form(&[("token", token)]).send().await;
        let refused = refused.expect(400);
        assert!(!refused.text().contains(token), "{}", refused.text());
    }
}

async fn a_robot_that_fills_the_trap_confirms_nothing(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let token = app.register(user_type, &person).await;
    let path = format!("/{user_type}/verify");
    let members = [("token", token.as_str()), ("website", "https://robot.example")];
    let fooled = app.post(&path).form(&members).send().await.expect(200);
    let waits = app.sign_in(user_type, &person.email, PASSWORD).await;
    waits.expect_problem(403, "email_not_verified");

    // The field is empty where a person sends the form.
    let members = [("token", token.as_str()), ("website", "")];
    let confirmed = app.post(&path).form(&members).send().await.expect(200);
    assert_eq!(fooled.shape(), confirmed.shape(), "the robot is told that it worked");
    app.login(user_type, &person).await;
}

async fn a_query_of_any_kind_does_no_harm(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let token = app.register(user_type, &person).await;
    let long = format!("token={}", "x".repeat(20_000));
    let twice = format!("token=x&token={token}");
    for query in [
        "",
        "token",
        "token=",
        "TOKEN=x",
        "token[]=x",
        "token=%ff%fe",
        "token=%",
        "token=%00",
        "&&&=&token",
        "token=x;y=z",
        twice.as_str(),
        long.as_str(),
    ] {
        for accept in [
            BROWSER,
            "application/json",
            "*/*",
            "text/html;q=abc",
            "application/json;q=NaN",
            ",;,q=",
            "\u{FC}",
        ] {
            let path = format!("/{user_type}/verify?{query}");
            let answer = app.get(&path).header_bytes("accept", accept.as_bytes()).send().await;
            assert!([200, 400].contains(&answer.status), "{accept:?} got {answer:?}");
            assert!(
                answer.status == 400 || answer.header("content-type").starts_with("text/html"),
                "{accept:?} confirmed something: {answer:?}"
            );
        }
    }
    app.confirm(user_type, &token).await.expect(200);
}
