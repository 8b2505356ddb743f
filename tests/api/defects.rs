//! The defects of the services that Sealgate succeeds, by their numbers in the list: each was a sequence of requests,
//! and here is that sequence. Those of routes that do not exist yet come with them; those that take more than one
//! process, or a look behind HTTP, are in `defects_of_installations.rs`.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, BROWSER, Pair, Person, TestApp, logged, other, part};

cases! {
    defect_04_a_verification_link_is_good_for_nothing_else
    defect_05_a_token_reads_its_own_account_only
    defect_06_no_answer_holds_a_password_hash
    defect_08_no_status_tells_which_addresses_exist
    defect_09_two_accounts_of_one_address
    defect_10_a_token_of_one_user_type_is_good_on_no_other
    defect_12_addresses_stand_in_no_token_and_no_log
    defect_13_names_are_not_rewritten
    defect_17_a_password_that_looks_like_a_hash_is_hashed
    defect_20_the_password_is_one_for_every_spelling_of_the_address
    defect_25_a_duplicate_says_nothing_of_the_database
}

async fn defect_04_a_verification_link_is_good_for_nothing_else(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let token = app.register(user_type, &person).await;
    app.confirm(user_type, &token).await.expect(200);
    for path in ["reset_password_form", "reset_password", "verify", "refresh-token", ""] {
        for answer in [
            app.get(&format!("/{user_type}/{path}?token={token}"))
                .accept("application/json")
                .bearer(&token)
                .send()
                .await,
            app.post(&format!("/{user_type}/{path}"))
                .form(&[("token", &token), ("refresh_token", &token)])
                .send()
                .await,
        ] {
            assert!(answer.status >= 400, "{} took a used verification link", answer.call);
        }
    }
    app.sign_in(user_type, &person.email, &token)
        .await
        .expect_problem(401, "invalid_credentials");
    app.login(user_type, &person).await;
}

async fn defect_05_a_token_reads_its_own_account_only(app: &TestApp, user_type: &str) {
    let (victim, theirs) = app.member(user_type).await;
    let (mallory, own) = app.member(user_type).await;
    let id = app.profile(user_type, &theirs.access).await.expect(200).member("id");
    for query in [
        format!("?id={id}"),
        format!("?email={}", victim.email),
        format!("?phone={}&id={id}", victim.phone),
    ] {
        for path in [format!("/{user_type}/{query}"), format!("/{user_type}{query}")] {
            let answer = app.get(&path).bearer(&own.access).send().await;
            assert!(
                answer.status == 403 || answer.json()["email"] == mallory.email.as_str(),
                "{path} showed {}",
                answer.text()
            );
            assert!(
                !answer.text().contains(&victim.email),
                "{path} showed {}",
                answer.text()
            );
        }
    }
    for path in [format!("/{user_type}/{id}"), format!("/{user_type}/accounts/{id}")] {
        app.get(&path)
            .bearer(&own.access)
            .send()
            .await
            .expect_problem(404, "not_found");
    }
}

async fn defect_06_no_answer_holds_a_password_hash(app: &TestApp, user_type: &str) {
    let person = Person::new().with_username();
    let mut answers = vec![app.create(user_type, &person).await.expect(201)];
    let token = app.next_link(&person).await;
    answers.push(app.confirm(user_type, &token).await.expect(200));
    let signed_in = app
        .sign_in(user_type, &person.email, &person.password)
        .await
        .expect(200);
    let pair = Pair::of(app, &signed_in);
    answers.push(signed_in);
    answers.push(app.profile(user_type, &pair.access).await.expect(200));
    let change = json!({ "last_name": "King" });
    answers.push(app.update(user_type, &pair.access, &change).await.expect(200));
    answers.push(
        app.delete(user_type, &pair.access, &json!({ "password": "wrong" }))
            .await
            .expect(403),
    );
    answers.push(app.refresh(user_type, &pair.refresh).await.expect(200));
    answers.push(app.create(user_type, &person).await.expect(409));
    answers.push(app.sign_in(user_type, &person.email, "wrong").await.expect(401));
    for answer in answers {
        for trace in ["$argon2", "$2b$", "pbkdf2", "hash", &person.password] {
            assert!(
                !answer.text().contains(trace),
                "{} answered {}",
                answer.call,
                answer.text()
            );
        }
    }
}

async fn defect_08_no_status_tells_which_addresses_exist(app: &TestApp, user_type: &str) {
    let (known, _) = app.member(user_type).await;
    let waiting = Person::new();
    app.register(user_type, &waiting).await;
    let ask = async |person: &Person| -> Vec<Answer> {
        let body = json!({ "email": person.email });
        let resend = format!("/{user_type}/resend-verification");
        vec![
            app.post(&resend).json(&body).send().await,
            app.forget(user_type, &person.email).await,
            app.get(&format!("/{user_type}/forget_password?email={}", person.email))
                .send()
                .await,
            app.sign_in(user_type, &person.email, "not-Their-passw0rd!").await,
            app.create(user_type, &person.rival()).await,
        ]
    };
    let shapes = |answers: Vec<Answer>| -> Vec<_> {
        let shape = |answer: Answer| {
            let (status, names, mut body) = answer.shape();
            // A create's id is another every time.
            body["id"].take();
            (status, names, body)
        };
        answers.into_iter().map(shape).collect()
    };
    let nobody = shapes(ask(&Person::new()).await);
    for person in [&known, &waiting] {
        assert_eq!(
            shapes(ask(person).await),
            nobody,
            "it tells that {} is known",
            person.email
        );
    }
}

async fn defect_09_two_accounts_of_one_address(app: &TestApp, user_type: &str) {
    let person = Person::new();
    // At once, as a double click sends them, and with different passwords, as two people do.
    let attempts: Vec<Person> = (0..3)
        .map(|number| Person {
            password: format!("SecureP@ssw0rd-{number}"),
            ..person.clone()
        })
        .collect();
    for answer in join_all(attempts.iter().map(|attempt| app.create(user_type, attempt))).await {
        answer.expect(201);
    }
    let mut links = Vec::new();
    for _ in &attempts {
        links.push(app.next_link(&person).await);
    }
    let clicks = join_all(links.iter().map(|link| app.confirm(user_type, link))).await;
    let confirmed = clicks
        .iter()
        .filter(|answer| answer.status == 200 && answer.text().contains("sign in now"));
    assert_eq!(confirmed.count(), 1, "one account: {clicks:?}");
    let attempts = join_all(
        attempts
            .iter()
            .map(|attempt| app.sign_in(user_type, &person.email, &attempt.password)),
    )
    .await;
    let signed_in = attempts.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(signed_in, 1, "one password: {attempts:?}");
}

async fn defect_10_a_token_of_one_user_type_is_good_on_no_other(app: &TestApp, user_type: &str) {
    let (person, pair) = app.member(user_type).await;
    // Not even where the same person has an account there, too.
    app.join(other(user_type), &person).await;
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/logout"),
        ("PUT", "/update"),
        ("POST", "/otp_phone"),
        ("POST", "/verify_otp_phone"),
        ("DELETE", "/delete"),
    ] {
        let answer = app
            .call(method, &format!("/{}{path}", other(user_type)))
            .bearer(&pair.access)
            .send()
            .await;
        answer.expect_problem(401, "invalid_token");
    }
    app.refresh(other(user_type), &pair.refresh)
        .await
        .expect_problem(401, "invalid_refresh_token");
    let link = app.register(user_type, &Person::new()).await;
    app.confirm(other(user_type), &link)
        .await
        .expect_problem(400, "link_invalid");
    app.profile(user_type, &pair.access).await.expect(200);
}

async fn defect_12_addresses_stand_in_no_token_and_no_log(app: &TestApp, user_type: &str) {
    let person = Person {
        first_name: "Zebulon".into(),
        last_name: "Quackenbush".into(),
        email: format!("zebulon.{user_type}.{}@quackenbush.example", app.address.port()),
        phone: format!("+4930{:08}", app.address.port()),
        password: format!("Unguess4ble-{}!", app.address.port()),
        ..Person::new()
    };
    let link = app.register(user_type, &person).await;
    let resend = format!("/{user_type}/resend-verification");
    app.post(&resend)
        .json(&json!({ "email": person.email }))
        .send()
        .await
        .expect(202);
    let newer = app.next_link(&person).await;
    let path = format!("/{user_type}/verify?token={newer}");
    app.get(&path).accept(BROWSER).send().await.expect(200);
    app.get(&path).accept("application/json").send().await.expect(200);
    let pair = app.login(user_type, &person).await;
    app.sign_in(user_type, &person.email, "wrong").await.expect(401);
    app.create(user_type, &person).await.expect(201);
    app.get(&format!("/{user_type}/?email={}&phone={}", person.email, person.phone))
        .bearer(&pair.access)
        .send()
        .await;
    let next = Pair::of(app, &app.refresh(user_type, &pair.refresh).await.expect(200));
    app.settle().await;

    let claims = part(&pair.access, 1).to_string();
    let log = logged();
    assert!(log.contains(&format!("path=/{user_type}/login")), "requests are logged");
    for personal in [
        &person.email,
        &person.first_name,
        &person.last_name,
        &person.phone,
        &person.password,
        &link,
        &newer,
        &pair.access,
        &pair.refresh,
        &next.access,
        &next.refresh,
    ] {
        assert!(!claims.contains(personal.as_str()), "{personal} stands in {claims}");
        let told = log.lines().find(|line| line.contains(personal.as_str()));
        assert_eq!(told, None, "{personal} is logged");
    }
}

async fn defect_13_names_are_not_rewritten(app: &TestApp, user_type: &str) {
    let person = Person {
        first_name: "O'Brien".into(),
        last_name: "Tom & Jerry".into(),
        ..Person::new()
    };
    app.join(user_type, &person).await;
    let pair = app.login(user_type, &person).await;
    let profile = app.profile(user_type, &pair.access).await.expect(200).json();
    assert_eq!(
        (&profile["first_name"], &profile["last_name"]),
        (&json!("O'Brien"), &json!("Tom & Jerry"))
    );
}

async fn defect_17_a_password_that_looks_like_a_hash_is_hashed(app: &TestApp, user_type: &str) {
    // The bcrypt hash of `U*U`, from the algorithm's own test vectors.
    let hash = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    let person = Person {
        password: hash.into(),
        ..Person::new()
    };
    app.join(user_type, &person).await;
    app.sign_in(user_type, &person.email, "U*U")
        .await
        .expect_problem(401, "invalid_credentials");
    app.login(user_type, &person).await;
}

async fn defect_20_the_password_is_one_for_every_spelling_of_the_address(app: &TestApp, user_type: &str) {
    let person = Person::new();
    app.join(user_type, &person).await;
    let mut ids = BTreeSet::new();
    for email in [
        person.email.clone(),
        person.email.to_uppercase(),
        person.email.replacen('g', "G", 1),
    ] {
        let pair = Pair::of(app, &app.sign_in(user_type, &email, &person.password).await.expect(200));
        ids.insert(app.profile(user_type, &pair.access).await.expect(200).member("id"));
        // A second account of that spelling, with a password of its own, is not to be had.
        let again = Person {
            email: email.clone(),
            ..person.rival()
        };
        app.create(user_type, &again).await.expect(201);
        app.settle().await;
        app.sign_in(user_type, &email, &again.password)
            .await
            .expect_problem(401, "invalid_credentials");
    }
    assert_eq!(ids.len(), 1, "one account");
    let links = app
        .all_mails(&person.email)
        .await
        .iter()
        .filter(|mail| mail.link().is_some())
        .count();
    assert_eq!(links, 1, "the first link only");
    let mails = app.all_mails(&person.email.to_uppercase()).await;
    assert_eq!(mails.len(), 0, "notices go to the address as its owner wrote it");
}

async fn defect_25_a_duplicate_says_nothing_of_the_database(app: &TestApp, user_type: &str) {
    let person = Person::new().with_username();
    app.join(user_type, &person).await;
    let answers = [
        app.create(user_type, &person).await.expect(409),
        app.create(
            user_type,
            &Person {
                username: None,
                ..person.clone()
            },
        )
        .await
        .expect(201),
    ];
    for answer in answers {
        // An id is random letters: any short word may stand in one.
        let id = answer.json()["id"].as_str().unwrap_or_default().to_owned();
        let text = answer.text().to_lowercase();
        let text = if id.is_empty() { text } else { text.replace(&id, "") };
        for trace in [
            "sql",
            "unique",
            "constraint",
            "insert",
            "e11000",
            "duplicate",
            "mongo",
            "argon2",
            "index",
        ] {
            assert!(!text.contains(trace), "{trace} in {text}");
        }
    }
}
