//! Administration: who may what, what is shown and changed, and what meets at the same moment.

mod access;
mod accounts;
mod changes;
mod invitations;
mod races;
mod roles;
mod standing;
mod trail;

use sealgate::{
    domain::{account::NewPerson, email::Email, person_name::PersonName},
    service::make_admin::{Reach, make_admin},
};
use serde_json::{Value, json};

use crate::{
    audit_tampering::open,
    support::{Answer, Pair, Person, TestApp},
};

/// Somebody who administers, signed in.
pub(crate) struct Administrator {
    pub(crate) id: String,
    pub(crate) person: Person,
    pub(crate) pair: Pair,
}

/// One from the command line, the only place that the first can come from.
pub(super) async fn made(app: &TestApp, user_type: &str, reach: Reach) -> Administrator {
    let person = Person::new();
    let foundation = open(&app.setup).await;
    let new = NewPerson {
        email: Email::parse(&person.email).expect("valid"),
        username: None,
        first_name: PersonName::parse(&person.first_name).expect("valid"),
        last_name: PersonName::parse(&person.last_name).expect("valid"),
        phone: None,
        country_code: None,
        attributes: None,
    };
    let invitation = make_admin(&foundation.core, &user_type.parse().expect("valid"), new, reach)
        .await
        .expect("made");
    foundation.close().await;
    app.reset(user_type, invitation.token.expose(), &person.password)
        .await
        .expect(200);
    let pair = app.login(user_type, &person).await;
    Administrator {
        id: invitation.id.to_string(),
        person,
        pair,
    }
}

/// An administrator of that user type.
pub(crate) async fn administrator(app: &TestApp, user_type: &str) -> Administrator {
    made(app, user_type, Reach::UserType).await
}

/// An account, signed in, and its id.
pub(crate) async fn member(app: &TestApp, user_type: &str) -> Administrator {
    let (person, pair) = app.member(user_type).await;
    let id = app.profile(user_type, &pair.access).await.expect(200).member("id");
    Administrator { id, person, pair }
}

/// An account with `role`, which `by` gives it, signed in.
pub(super) async fn with_role(app: &TestApp, user_type: &str, by: &Administrator, role: &str) -> Administrator {
    let account = member(app, user_type).await;
    let path = format!("/{user_type}/admin/accounts/{}", account.id);
    send(app, "PUT", &path, by, Some(&json!({ "role": role })))
        .await
        .expect(200);
    // Another role ends what was begun with the one before.
    app.profile(user_type, &account.pair.access).await.expect(401);
    let pair = app.login(user_type, &account.person).await;
    Administrator { pair, ..account }
}

pub(crate) async fn send(app: &TestApp, method: &str, path: &str, by: &Administrator, body: Option<&Value>) -> Answer {
    let call = app.call(method, path).bearer(&by.pair.access);
    match body {
        Some(body) => call.json(body).send().await,
        None => call.send().await,
    }
}

/// The path of what is done to one account.
pub(crate) fn of(user_type: &str, account: &Administrator, action: &str) -> String {
    format!("/{user_type}/admin/accounts/{}{action}", account.id)
}
