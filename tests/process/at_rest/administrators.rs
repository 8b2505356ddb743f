//! Whoever administers: made on the command line, then every operation of the administration, as it should be and wrongly.

use serde_json::{Value, json};

use super::{driver::Driver, installed::Installed, person::Person};

/// `chief` administers `guest`, from the invitation to the deletion.
pub(crate) async fn administer(
    installed: &mut Installed<'_>,
    driver: &mut Driver,
    user_type: &str,
    chief: &Person,
    guest: &Person,
) {
    let access = arrive(installed, driver, user_type, chief).await;
    let list = format!("/{user_type}/admin/accounts");
    let id = invite(driver, user_type, &access, &list, guest).await;
    let one = format!("{list}/{id}");
    find(driver, &access, &list, guest).await;
    driver.bearer("GET", &one, &access, None).await.expect(200);
    change(driver, user_type, &access, &one, guest).await;

    // By somebody whose role allows nothing, and about nobody.
    let plain = driver
        .login(user_type, &guest.other_email, &guest.passwords[0], &guest.devices[0])
        .await;
    for (method, action, status) in [
        ("POST", "/lock", 200),
        ("POST", "/unlock", 200),
        ("POST", "/sessions/revoke", 200),
        ("POST", "/mfa/reset", 200),
        ("POST", "/resend", 409),
    ] {
        let path = format!("{one}{action}");
        driver.bearer(method, &path, &access, None).await.expect(status);
        let nobodys = format!("{list}/usr_nobody{action}");
        driver.bearer(method, &nobodys, &access, None).await.expect(404);
    }
    driver.bearer("GET", &list, &plain.access, None).await.expect(401);
    let plain = driver
        .login(user_type, &guest.other_email, &guest.passwords[0], &guest.devices[0])
        .await;
    let audit = format!("/{user_type}/admin/audit");
    for (path, token, status) in [
        (format!("{audit}?account_id={id}&limit=100"), &access, 200),
        (with(&audit, &[("event", guest.note.as_str())]), &access, 422),
        (format!("/{user_type}/admin/keys"), &access, 200),
        (format!("/{user_type}/admin/keys"), &plain.access, 403),
        (list.clone(), &plain.access, 403),
    ] {
        driver.bearer("GET", &path, token, None).await.expect(status);
    }
    for (method, status) in [("DELETE", 200), ("DELETE", 404), ("GET", 404)] {
        driver.bearer(method, &one, &access, None).await.expect(status);
    }
}

fn with(path: &str, query: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    format!("{path}?{query}")
}

/// The first of them comes from the command line alone.
async fn arrive(installed: &mut Installed<'_>, driver: &mut Driver, user_type: &str, chief: &Person) -> String {
    let named = ["--first-name", &chief.first_name, "--last-name", &chief.last_name];
    let arguments = [&["admin", "create", user_type, &chief.email, "--super"][..], &named].concat();
    let said = String::from_utf8(installed.run_unsearched(&arguments)).expect("a text");
    let link = said.split_whitespace().find(|word| word.contains("?token="));
    let token = link
        .expect("a link")
        .split_once("?token=")
        .expect("a token")
        .1
        .to_owned();
    driver.mark_token("a super-admin's token", &token);
    let path = format!("/{user_type}/reset_password");
    let body = json!({ "token": token, "password": chief.passwords[0] });
    driver.post(&chief.devices[0], &path, &body).await.expect(200);
    driver
        .login(user_type, &chief.email, &chief.passwords[0], &chief.devices[0])
        .await;
    let elsewhere = driver
        .login(user_type, &chief.email, &chief.passwords[0], &chief.devices[1])
        .await;
    driver.link(&chief.email, "/end-session").await;
    elsewhere.access
}

async fn invite(driver: &mut Driver, user_type: &str, access: &str, list: &str, guest: &Person) -> String {
    let without_password = |mut body: Value| {
        body.as_object_mut().expect("an object").remove("password");
        body
    };
    let wrong = guest.wrong_registration();
    driver.bearer("POST", list, access, Some(&wrong)).await.expect(422);
    let body = without_password(guest.registration());
    let invited = driver.bearer("POST", list, access, Some(&body)).await.expect(201);
    let id = invited.member("id");
    driver.bearer("POST", list, access, Some(&body)).await.expect(409);
    let form = "/reset_password_form";
    driver.link(&guest.email, form).await;
    let resend = format!("{list}/{id}/resend");
    driver.bearer("POST", &resend, access, None).await.expect(202);
    let token = driver.link(&guest.email, form).await;
    let set = json!({ "token": token, "password": guest.passwords[0] });
    let path = format!("/{user_type}/reset_password");
    driver.post(&guest.devices[0], &path, &set).await.expect(200);
    id
}

async fn find(driver: &mut Driver, access: &str, list: &str, guest: &Person) {
    for (query, status) in [
        (vec![("email", guest.email.as_str()), ("status", "active")], 200),
        (vec![("phone", guest.phone.as_str())], 200),
        (vec![("email", guest.note.as_str())], 422),
        (vec![("cursor", guest.username.as_str())], 422),
        (vec![("status", guest.note.as_str())], 400),
    ] {
        let path = with(list, &query);
        driver.bearer("GET", &path, access, None).await.expect(status);
    }
}

async fn change(driver: &mut Driver, user_type: &str, access: &str, one: &str, guest: &Person) {
    let wrong = json!({ "first_name": { "of": guest.note }, "email": guest.note, "role": guest.username });
    driver.bearer("PUT", one, access, Some(&wrong)).await.expect(422);
    let right = json!({
        "first_name": guest.last_name,
        "last_name": guest.first_name,
        "email": guest.other_email,
        "attributes": { "note": guest.note },
    });
    driver.bearer("PUT", one, access, Some(&right)).await.expect(200);
    let token = driver.link(&guest.other_email, "/verify").await;
    let path = format!("/{user_type}/verify");
    let body = json!({ "token": token });
    driver.post(&guest.devices[0], &path, &body).await.expect(200);
}
