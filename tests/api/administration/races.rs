//! What meets at the same moment.

use futures_util::future::{join, join_all};
use serde_json::json;

use super::{administrator, member, of, send};
use crate::{
    audit_tampering::open,
    support::{Pair, Person, TestApp},
};

cases! {
    who_signs_in_while_they_are_locked_has_no_session
    an_update_never_brings_an_erased_account_back
    of_ten_invitations_of_one_address_one_makes_an_account
    two_who_take_each_others_role_leave_no_half_done_one
    an_invitation_accepted_while_it_is_locked_opens_nothing
}

async fn who_signs_in_while_they_are_locked_has_no_session(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let target = member(app, user_type).await;
    let path = of(user_type, &target, "/lock");
    let sign_ins = (0..8).map(|_| app.sign_in(user_type, &target.person.email, &target.person.password));
    let (answers, locked) = join(join_all(sign_ins), send(app, "POST", &path, &admin, None)).await;
    locked.expect(200);
    for answer in answers {
        if answer.status == 200 {
            let pair = Pair::of(app, &answer);
            app.profile(user_type, &pair.access).await.expect(401);
            app.refresh(user_type, &pair.refresh).await.expect(401);
        } else {
            answer.expect_problem(401, "invalid_credentials");
        }
    }
    app.sign_in(user_type, &target.person.email, &target.person.password)
        .await
        .expect(401);
}

async fn an_update_never_brings_an_erased_account_back(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let other = administrator(app, user_type).await;
    let target = member(app, user_type).await;
    let path = of(user_type, &target, "");
    let updates = (0..4).map(|number| {
        let change = json!({ "first_name": format!("Grace {number}") });
        let path = path.clone();
        let other = &other;
        async move { send(app, "PUT", &path, other, Some(&change)).await }
    });
    let locks = of(user_type, &target, "/lock");
    let (answers, (erased, locked)) = join(
        join_all(updates),
        join(
            send(app, "DELETE", &path, &admin, None),
            send(app, "POST", &locks, &other, None),
        ),
    )
    .await;
    erased.expect(200);
    assert!([200, 404].contains(&locked.status), "{}", locked.status);
    for answer in answers {
        assert!([200, 404].contains(&answer.status), "{}", answer.text());
    }
    send(app, "GET", &path, &admin, None)
        .await
        .expect_problem(404, "account_not_found");
    app.settle().await;
    let foundation = open(&app.setup).await;
    let key = sealgate::storage::Ref::new(&user_type.parse().expect("valid"), target.id.parse().expect("an id"));
    let stores = &foundation.core.stores;
    assert!(stores.accounts.find(&key).await.expect("answers").is_none());
    assert!(stores.deks.find(&key).await.expect("answers").is_none());
    foundation.close().await;
}

async fn of_ten_invitations_of_one_address_one_makes_an_account(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let person = Person::new();
    let mut body = person.json();
    body.as_object_mut().expect("an object").remove("password");
    let path = format!("/{user_type}/admin/accounts");
    let invitations = (0..10).map(|_| send(app, "POST", &path, &admin, Some(&body)));
    let mut statuses: Vec<u16> = join_all(invitations).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(app.all_mails(&person.email).await.len(), 1);
}

async fn two_who_take_each_others_role_leave_no_half_done_one(app: &TestApp, user_type: &str) {
    let (one, two) = (administrator(app, user_type).await, administrator(app, user_type).await);
    let body = json!({ "role": "user" });
    let (first, second) = (of(user_type, &two, ""), of(user_type, &one, ""));
    let (first, second) = join(
        send(app, "PUT", &first, &one, Some(&body)),
        send(app, "PUT", &second, &two, Some(&body)),
    )
    .await;
    let mut left = 0;
    for (account, taken) in [(&two, first), (&one, second)] {
        // Who lost the role before they were looked at takes nobody's.
        assert!([200, 401].contains(&taken.status), "{}", taken.text());
        let pair = app.login(user_type, &account.person).await;
        let role = app.profile(user_type, &pair.access).await.expect(200).member("role");
        assert_eq!(role, if taken.status == 200 { "user" } else { "admin" });
        left += usize::from(role == "admin");
    }
    assert!(left <= 1);
    // Whatever came of it, the command line makes another.
    let third = administrator(app, user_type).await;
    send(app, "GET", &format!("/{user_type}/admin/accounts"), &third, None)
        .await
        .expect(200);
}

async fn an_invitation_accepted_while_it_is_locked_opens_nothing(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let person = Person::new();
    let mut body = person.json();
    body.as_object_mut().expect("an object").remove("password");
    let path = format!("/{user_type}/admin/accounts");
    let id = send(app, "POST", &path, &admin, Some(&body))
        .await
        .expect(201)
        .member("id");
    let link = app.next_link(&person).await;
    let lock = format!("{path}/{id}/lock");
    let (set, locked) = join(
        app.reset(user_type, &link, &person.password),
        send(app, "POST", &lock, &admin, None),
    )
    .await;
    locked.expect(200);
    assert!([200, 400].contains(&set.status), "{}", set.text());
    app.sign_in(user_type, &person.email, &person.password)
        .await
        .expect(401);
}
