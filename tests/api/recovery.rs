//! A forgotten password.

use std::time::Duration;

use sealgate::domain::audit::{AuditEvent, Outcome};
use serde_json::json;

use crate::support::{BROWSER, Person, TestApp, other};

cases! {
    defect_14_a_reset_ends_every_session_and_obeys_the_policy
    every_address_gets_the_same_answer_by_every_twin
    the_form_uses_nothing_up_and_refuses_what_would_not_be_taken
    people_get_pages_and_programs_messages
    a_link_works_once_for_half_an_hour_and_until_the_next
    a_verification_link_sets_no_password
    robots_are_told_that_it_worked_and_are_flagged
    with_the_sessions_goes_what_they_asked_for
}

const NEW: &str = "Qu1te-another-0ne!";

/// Asks for a link and answers its token.
async fn ask(app: &TestApp, user_type: &str, person: &Person) -> String {
    app.forget(user_type, &person.email).await.expect(202);
    app.next_link(person).await
}

async fn defect_14_a_reset_ends_every_session_and_obeys_the_policy(app: &TestApp, user_type: &str) {
    let (person, stolen) = app.member(user_type).await;
    let token = ask(app, user_type, &person).await;
    for weak in ["short1!", "nodigitsOrMarks", "alllowercase1!", "Sealgate2024!", ""] {
        let refused = app.reset(user_type, &token, weak).await;
        let errors = refused.expect_problem(422, "validation_failed").errors();
        assert!(errors.iter().all(|(field, _)| field == "password"), "{errors:?}");
    }
    // None of which used the link up, or changed anything.
    let kept = app.login(user_type, &person).await;
    app.reset(user_type, &token, NEW).await.expect(200).member("message");
    for pair in [&stolen, &kept] {
        app.profile(user_type, &pair.access)
            .await
            .expect_problem(401, "invalid_token");
        let refused = app.refresh(user_type, &pair.refresh).await;
        refused.expect_problem(401, "invalid_refresh_token");
    }
    app.sign_in(user_type, &person.email, &person.password)
        .await
        .expect_problem(401, "invalid_credentials");
    app.sign_in(user_type, &person.email, NEW).await.expect(200);
    let notice = app.next_mail(&person.email).await;
    assert!(notice.subject.contains("was changed"), "{notice:?}");
    assert_eq!(notice.link(), None);
}

async fn every_address_gets_the_same_answer_by_every_twin(app: &TestApp, user_type: &str) {
    let (known, _) = app.member(user_type).await;
    let [unknown, waiting, elsewhere] = [(); 3].map(|()| Person::new());
    app.register(user_type, &waiting).await;
    app.join(other(user_type), &elsewhere).await;
    let path = format!("/{user_type}/forget_password");
    let mut shapes = Vec::new();
    for person in [&unknown, &known, &waiting, &elsewhere] {
        app.keep_secret(&person.email);
        let email = person.email.as_str();
        for call in [
            app.post(&path).json(&json!({ "email": email })),
            app.post(&path).form(&[("email", email)]),
            app.get(&format!("{path}?email={email}")),
        ] {
            shapes.push(call.send().await.expect(202).shape());
        }
    }
    for shape in &shapes {
        assert_eq!(*shape, shapes[0]);
    }
    let mut resets = Vec::new();
    for person in [&unknown, &waiting, &elsewhere, &known] {
        let mails = app.all_mails(&person.email).await;
        resets.push(mails.iter().filter(|mail| mail.subject.starts_with("Reset")).count());
    }
    assert_eq!(resets[..3], [0; 3], "no account of this type, no mail");
    // Who asks again before the first mail was made gets one for both.
    assert!((1..=3).contains(&resets[3]), "{resets:?}");

    for call in [
        app.get(&path),
        app.get(&format!("{path}?email=nonsense")),
        app.post(&path),
        app.post(&path).json(&json!({ "email": "nonsense" })),
        app.post(&path).form(&[("email", "a@b@c")]),
    ] {
        let errors = call.send().await.expect_problem(422, "validation_failed").errors();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].0, "email");
    }
}

async fn the_form_uses_nothing_up_and_refuses_what_would_not_be_taken(app: &TestApp, user_type: &str) {
    let (person, _) = app.member(user_type).await;
    let token = ask(app, user_type, &person).await;
    let path = |user_type: &str, token: &str| format!("/{user_type}/reset_password_form?token={token}");
    for _ in 0..3 {
        let page = app
            .get(&path(user_type, &token))
            .accept(BROWSER)
            .send()
            .await
            .expect(200);
        assert!(page.header("content-type").starts_with("text/html"));
        for part in [
            r#"<form method="post""#.to_owned(),
            r#"action="reset_password""#.to_owned(),
            format!(r#"name="token" value="{token}""#),
            r#"autocomplete="new-password""#.to_owned(),
        ] {
            assert!(page.text().contains(&part), "no {part} in {}", page.text());
        }
        assert!(!page.text().contains("<script"));
        app.call("HEAD", &path(user_type, &token)).send().await.expect(200);
        // Asked for as JSON it is a page still, and nothing is used up.
        app.get(&path(user_type, &token))
            .accept("application/json")
            .send()
            .await
            .expect(200);
    }
    let dead = [
        path(other(user_type), &token),
        path(user_type, &format!("{token}A")),
        path(user_type, "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"),
        path(user_type, ""),
        format!("/{user_type}/reset_password_form"),
    ];
    for path in &dead {
        let page = app.get(path).accept(BROWSER).send().await.expect(400);
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
        assert!(
            !page.text().contains("<form") && !page.text().contains("alert(1)"),
            "{}",
            page.text()
        );
        app.get(path)
            .accept("application/json")
            .send()
            .await
            .expect_problem(400, "link_invalid");
    }
    app.reset(user_type, &token, NEW).await.expect(200);
    let used = app
        .get(&path(user_type, &token))
        .accept("application/json")
        .send()
        .await;
    used.expect_problem(400, "link_invalid");
}

async fn people_get_pages_and_programs_messages(app: &TestApp, user_type: &str) {
    let (person, _) = app.member(user_type).await;
    let path = format!("/{user_type}/reset_password");
    let mut password = person.password.clone();
    for (turn, accept) in [BROWSER, "application/json", "*/*"].into_iter().enumerate() {
        let is_person = turn == 0;
        let token = ask(app, user_type, &person).await;
        let next = format!("{NEW}{turn}");
        app.keep_secret(&next);
        let submit = async |token: &str, password: &str| {
            let form = [("token", token), ("password", password), ("website", "")];
            app.post(&path).form(&form).accept(accept).send().await
        };
        for (answer, status, code) in [
            (submit(&token, "weak").await, 422, "validation_failed"),
            (submit("nonsense", &next).await, 400, "link_invalid"),
            (submit(&token, &next).await, 200, ""),
            (submit(&token, &next).await, 400, "link_invalid"),
        ] {
            let answer = answer.expect(status);
            let is_page = answer.header("content-type").starts_with("text/html");
            assert_eq!(is_page, is_person, "{accept}: {}", answer.text());
            if is_person {
                assert!(!answer.text().contains(&token) && !answer.text().contains(&next));
            } else if status == 200 {
                answer.member("message");
            } else {
                answer.expect_problem(status, code);
            }
        }
        app.sign_in(user_type, &person.email, &password).await.expect(401);
        app.sign_in(user_type, &person.email, &next).await.expect(200);
        app.next_mail(&person.email).await;
        password = next;
    }
    // The token may stand in the query, as the old form sent it.
    let token = ask(app, user_type, &person).await;
    let call = app.post(&format!("{path}?token={token}"));
    call.form(&[("password", NEW)]).send().await.expect(200);
    app.sign_in(user_type, &person.email, NEW).await.expect(200);
    app.get(&path).send().await.expect_problem(405, "method_not_allowed");
}

async fn a_link_works_once_for_half_an_hour_and_until_the_next(app: &TestApp, user_type: &str) {
    let (person, _) = app.member(user_type).await;
    let older = ask(app, user_type, &person).await;
    let newer = ask(app, user_type, &person).await;
    app.reset(user_type, &older, NEW)
        .await
        .expect_problem(400, "link_invalid");
    app.reset(other(user_type), &newer, NEW)
        .await
        .expect_problem(400, "link_invalid");
    app.clock.advance(Duration::from_secs(30 * 60 - 1));
    app.reset(user_type, &newer, NEW).await.expect(200);
    app.reset(user_type, &newer, &person.password)
        .await
        .expect_problem(400, "link_invalid");
    app.next_mail(&person.email).await;
    let late = ask(app, user_type, &person).await;
    app.clock.advance(Duration::from_mins(30));
    app.reset(user_type, &late, &person.password)
        .await
        .expect_problem(400, "link_invalid");
    app.sign_in(user_type, &person.email, NEW).await.expect(200);
}

async fn a_verification_link_sets_no_password(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let token = app.register(user_type, &person).await;
    app.reset(user_type, &token, NEW)
        .await
        .expect_problem(400, "link_invalid");
    app.get(&format!("/{user_type}/reset_password_form?token={token}"))
        .accept("application/json")
        .send()
        .await
        .expect_problem(400, "link_invalid");
    // It still does what it is for, and neither does a reset link do that.
    app.confirm(user_type, &token).await.expect(200);
    app.next_mail(&person.email).await;
    let reset = ask(app, user_type, &person).await;
    app.confirm(user_type, &reset).await.expect_problem(400, "link_invalid");
    app.reset(user_type, &reset, NEW).await.expect(200);
}

async fn robots_are_told_that_it_worked_and_are_flagged(app: &TestApp, user_type: &str) {
    let (person, pair) = app.member(user_type).await;
    let reset = ask(app, user_type, &person).await;
    let waiting = Person::new();
    let link = app.register(user_type, &waiting).await;
    for (accept, flagged) in [(BROWSER, 2), ("application/json", 4)] {
        let set = [
            ("token", reset.as_str()),
            ("password", NEW),
            ("website", "https://spam.example"),
        ];
        let verify = [("token", link.as_str()), ("website", "x")];
        for (path, form) in [("reset_password", &set[..]), ("verify", &verify[..])] {
            let call = app.post(&format!("/{user_type}/{path}")).form(form);
            call.accept(accept).send().await.expect(200);
        }
        let audit = app.audit(user_type).await;
        let robots: Vec<_> = audit
            .iter()
            .filter(|entry| entry.event == AuditEvent::RobotSuspected)
            .collect();
        assert_eq!(robots.len(), flagged);
        for entry in robots {
            assert_eq!((entry.outcome, &entry.account_id), (Outcome::Refused, &None));
            assert!(entry.request_id.is_some());
        }
    }
    // Nothing was done, and the links work still.
    app.profile(user_type, &pair.access).await.expect(200);
    app.sign_in(user_type, &waiting.email, &waiting.password)
        .await
        .expect_problem(403, "email_not_verified");
    app.reset(user_type, &reset, NEW).await.expect(200);
    app.confirm(user_type, &link).await.expect(200);
}

async fn with_the_sessions_goes_what_they_asked_for(app: &TestApp, user_type: &str) {
    let (person, stolen) = app.member(user_type).await;
    let mallory = Person {
        email: Person::new().email,
        ..person.rival()
    };
    let change = json!({ "email": mallory.email });
    app.update(user_type, &stolen.access, &change).await.expect(200);
    let planted = app.next_link(&mallory).await;
    let token = ask(app, user_type, &person).await;
    app.reset(user_type, &token, NEW).await.expect(200);
    app.confirm(user_type, &planted)
        .await
        .expect_problem(400, "link_invalid");
    app.sign_in(user_type, &person.email, NEW).await.expect(200);
}
