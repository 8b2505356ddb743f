//! Asking for the confirmation again.

use serde_json::json;

use crate::support::{Answer, Person, TestApp, other};

cases! {
    every_address_gets_the_same_answer_and_only_the_waiting_one_a_mail
    a_new_link_replaces_the_one_before
}

async fn resend(app: &TestApp, user_type: &str, email: &str) -> Answer {
    app.keep_secret(email);
    let call = app.post(&format!("/{user_type}/resend-verification"));
    call.json(&json!({ "email": email })).send().await
}

async fn every_address_gets_the_same_answer_and_only_the_waiting_one_a_mail(app: &TestApp, user_type: &str) {
    let [unknown, waiting, confirmed, elsewhere] = [(); 4].map(|()| Person::new());
    app.register(user_type, &waiting).await;
    app.join(user_type, &confirmed).await;
    app.register(other(user_type), &elsewhere).await;

    let mut shapes = Vec::new();
    for person in [&unknown, &waiting, &confirmed, &elsewhere] {
        shapes.push(resend(app, user_type, &person.email).await.expect(202).shape());
    }
    for shape in &shapes {
        assert_eq!(*shape, shapes[0], "nobody learns whose address is known");
    }
    for (person, count, why) in [
        (&unknown, 0, "nobody registered it"),
        (&waiting, 2, "the link, and the link again"),
        (&confirmed, 2, "link and welcome, nothing since"),
        (&elsewhere, 1, "it waits in another user type"),
    ] {
        let mails = app.all_mails(&person.email).await;
        assert_eq!(mails.len(), count, "{why}: {mails:?}");
    }
}

async fn a_new_link_replaces_the_one_before(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let mut old = app.register(user_type, &person).await;
    for _ in 0..2 {
        resend(app, user_type, &person.email.to_uppercase()).await.expect(202);
        let new = app.next_link(&person).await;
        assert_ne!(new, old);
        app.confirm(user_type, &old).await.expect_problem(400, "link_invalid");
        old = new;
    }
    app.confirm(user_type, &old).await.expect(200);
    app.login(user_type, &person).await;
}
