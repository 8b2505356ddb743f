//! Accounts: listed, found, read.

use std::{collections::BTreeSet, time::Duration};

use sealgate::domain::audit::AuditEvent;
use serde_json::{Value, json};

use super::{Administrator, administrator, member, of, send};
use crate::support::{TestApp, mobile};

cases! {
    accounts_are_listed_page_by_page_without_personal_data
    a_cursor_is_good_for_its_list_its_filters_and_its_owner_for_an_hour
    an_address_or_a_number_finds_whose_it_is
    reading_an_account_is_noted_and_shows_its_owner_alone
}

async fn page(app: &TestApp, user_type: &str, admin: &Administrator, query: &str) -> Value {
    let path = format!("/{user_type}/admin/accounts?{query}");
    send(app, "GET", &path, admin, None).await.expect(200).json()
}

fn ids(page: &Value) -> Vec<String> {
    let accounts = page["accounts"].as_array().expect("a list");
    accounts
        .iter()
        .map(|account| account["id"].as_str().expect("an id").to_owned())
        .collect()
}

async fn accounts_are_listed_page_by_page_without_personal_data(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let mut all = BTreeSet::from([admin.id.clone()]);
    let mut people = vec![admin.person.clone()];
    for _ in 0..4 {
        let account = member(app, user_type).await;
        all.insert(account.id);
        people.push(account.person);
    }
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let part = page(app, user_type, &admin, &format!("limit=2{cursor}")).await;
        for account in part["accounts"].as_array().expect("a list") {
            assert_eq!(account["status"], "active");
            assert_eq!(account.as_object().expect("members").len(), 10, "{account}");
        }
        let text = part.to_string();
        for person in &people {
            for private in [&person.email, &person.last_name, &person.phone] {
                assert!(!text.contains(private.as_str()), "{private}: {text}");
            }
        }
        seen.extend(ids(&part));
        pages += 1;
        match part["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(pages, 3);
    assert!(seen.is_sorted());
    assert_eq!(seen.len(), all.len());
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), all);
    let noted = app.audit(user_type).await;
    let listed: Vec<_> = noted
        .iter()
        .filter(|entry| entry.event == AuditEvent::AccountsListed)
        .collect();
    assert_eq!(listed.len(), 3);
    assert!(
        listed
            .iter()
            .all(|entry| entry.details.get("by") == Some(admin.id.as_str()))
    );
}

async fn a_cursor_is_good_for_its_list_its_filters_and_its_owner_for_an_hour(app: &TestApp, user_type: &str) {
    let (admin, other) = (administrator(app, user_type).await, administrator(app, user_type).await);
    let first = page(app, user_type, &admin, "limit=1&status=active").await;
    let cursor = first["next"].as_str().expect("more").to_owned();
    assert!(!cursor.contains(&ids(&first)[0]), "opaque");
    let refused = async |by: &Administrator, path: &str| {
        send(app, "GET", &format!("/{user_type}/admin/{path}"), by, None)
            .await
            .expect_problem(422, "cursor_invalid");
    };
    let good = format!("accounts?limit=1&status=active&cursor={cursor}");
    refused(&other, &good).await;
    refused(&admin, &format!("accounts?limit=1&cursor={cursor}")).await;
    refused(&admin, &format!("accounts?limit=1&status=locked&cursor={cursor}")).await;
    refused(&admin, &format!("audit?limit=1&cursor={cursor}")).await;
    let mut altered = cursor.clone();
    let last = altered.pop().expect("a letter");
    refused(
        &admin,
        &format!(
            "accounts?limit=1&status=active&cursor={altered}{}",
            if last == 'A' { 'E' } else { 'A' }
        ),
    )
    .await;
    send(app, "GET", &format!("/{user_type}/admin/{good}"), &admin, None)
        .await
        .expect(200);
    app.clock.advance(Duration::from_mins(59));
    let admin = Administrator {
        pair: app.login(user_type, &admin.person).await,
        ..admin
    };
    send(app, "GET", &format!("/{user_type}/admin/{good}"), &admin, None)
        .await
        .expect(200);
    app.clock.advance(Duration::from_mins(1));
    let admin = Administrator {
        pair: app.login(user_type, &admin.person).await,
        ..admin
    };
    refused(&admin, &good).await;
}

async fn an_address_or_a_number_finds_whose_it_is(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let number = mobile();
    let mut with_number = Vec::new();
    for _ in 0..2 {
        let mut person = crate::support::Person::new();
        person.phone.clone_from(&number);
        "DE".clone_into(&mut person.country_code);
        app.join(user_type, &person).await;
        let pair = app.login(user_type, &person).await;
        let id = app.profile(user_type, &pair.access).await.member("id");
        with_number.push((id, person));
    }
    let found = async |query: &str| ids(&page(app, user_type, &admin, query).await);
    let (id, person) = &with_number[0];
    assert_eq!(found(&format!("email={}", person.email)).await, [id.as_str()]);
    // As at sign-in.
    assert_eq!(
        found(&format!("email={}", person.email.to_ascii_uppercase())).await,
        [id.as_str()]
    );
    let number = number.replace('+', "%2B");
    let mut expected: Vec<String> = with_number.iter().map(|(id, _)| id.clone()).collect();
    expected.sort();
    assert_eq!(found(&format!("phone={number}")).await, expected);
    let both = format!("phone={number}&email={}&status=active", person.email);
    assert_eq!(found(&both).await, [id.as_str()]);
    for nobody in [
        "email=nobody@mail.example".to_owned(),
        "phone=%2B4915199999999".to_owned(),
        format!("email={}&status=locked", person.email),
    ] {
        assert_eq!(found(&nobody).await, [] as [String; 0], "{nobody}");
    }
}

async fn reading_an_account_is_noted_and_shows_its_owner_alone(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let target = member(app, user_type).await;
    let profile = app.profile(user_type, &target.pair.access).await.expect(200).json();
    let change = json!({ "email": "another.address@mail.example" });
    app.update(user_type, &target.pair.access, &change).await.expect(200);
    for _ in 0..2 {
        let read = send(app, "GET", &of(user_type, &target, ""), &admin, None)
            .await
            .expect(200);
        let text = read.text().to_owned();
        assert!(!text.contains("argon2") && !text.contains(&target.person.password));
        let read = read.json();
        assert_eq!(read["email_pending"], "another.address@mail.example");
        assert_eq!(
            (&read["status"], &read["is_invited"]),
            (&json!("active"), &json!(false))
        );
        for member in ["id", "email", "first_name", "last_name", "phone", "role"] {
            assert_eq!(read["profile"][member], profile[member], "{member}");
        }
    }
    let noted = app.audit(user_type).await;
    let read: Vec<_> = noted
        .iter()
        .filter(|entry| entry.event == AuditEvent::AccountRead)
        .collect();
    assert_eq!(read.len(), 2, "each of them");
    for entry in read {
        assert_eq!(entry.details.get("by"), Some(admin.id.as_str()));
        assert_eq!(entry.account_id.as_ref().expect("whom").as_str(), target.id);
    }
}
