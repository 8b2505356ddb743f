//! What the persons do: every operation of a user type, as it should be and wrongly, with marks wherever a client may
//! put something.

use serde_json::json;

use super::{
    credentials,
    driver::{Driver, Tokens},
    markers::unique,
    person::Person,
};

const HTML: (&str, &str) = ("accept", "text/html");
pub(super) const JSON: (&str, &str) = ("accept", "application/json");

/// One of a user type, from nobody to nobody, but for the deletion where `is_kept`.
pub(crate) async fn live(driver: &mut Driver, user_type: &str, ada: &Person, other: &Person) {
    register(driver, user_type, ada).await;
    confirm(driver, user_type, ada).await;
    let tokens = sign_in(driver, user_type, ada).await;
    devices(driver, user_type, ada).await;
    let tokens = profile(driver, user_type, ada, other, &tokens).await;
    telephone(driver, user_type, ada, &tokens, false).await;
    credentials::live(driver, user_type, ada).await;
}

/// Another, by the twins of the same operations, who leaves.
pub(crate) async fn leave(driver: &mut Driver, user_type: &str, ben: &Person) {
    let device = &ben.devices[0];
    driver
        .post(device, &format!("/{user_type}/create"), &ben.registration())
        .await
        .expect(201);
    let token = driver.link(&ben.email, "/verify").await;
    let path = format!("/{user_type}/verify?token={token}");
    driver
        .call("GET", &path, |request| request.header(JSON.0, JSON.1))
        .await
        .expect(200);
    let tokens = driver.login(user_type, &ben.email, &ben.passwords[0], device).await;
    telephone(driver, user_type, ben, &tokens, true).await;
    let export = format!("/{user_type}/export");
    driver.bearer("GET", &export, &tokens.access, None).await.expect(200);
    driver.bearer("GET", &export, &ben.note, None).await.expect(401);
    let path = format!("/{user_type}/delete");
    let wrong = json!({ "password": ben.wrong_password });
    let late = json!({ "password": ben.wrong_password, "email": ben.other_email });
    driver
        .bearer("DELETE", &path, &tokens.access, Some(&wrong))
        .await
        .expect(403);
    assert!(driver.bearer("DELETE", &path, &tokens.access, Some(&late)).await.status >= 400);
    let right = json!({ "password": ben.passwords[0] });
    driver
        .bearer("DELETE", &path, &tokens.access, Some(&right))
        .await
        .expect(200);
    driver
        .bearer("GET", &format!("/{user_type}/"), &tokens.access, None)
        .await
        .expect(401);
    driver
        .bearer("DELETE", &path, &tokens.access, Some(&right))
        .await
        .expect(401);
}

async fn register(driver: &mut Driver, user_type: &str, ada: &Person) {
    let (path, device) = (format!("/{user_type}/create"), &ada.devices[0]);
    let key = unique();
    driver.mark("idempotency key", &key);
    for (body, status) in [
        (ada.registration(), 201),
        (ada.registration(), 201),
        (ada.wrong_registration(), 422),
    ] {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            let answer = driver
                .call("POST", &path, |request| {
                    device.speaks(request).header("idempotency-key", &key).json(&body)
                })
                .await;
            // Where Redis was slow to take that the first was done, it still runs for a moment.
            if answer.status == 409 && tokio::time::Instant::now() < deadline {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
            // The same key with another body, which is wrong by itself too.
            answer.expect(status);
            break;
        }
    }
    driver.post(device, &path, &ada.wrong_registration()).await.expect(422);
    let cut = ada.registration().to_string();
    let cut = cut[..cut.len() - 3].to_owned();
    driver
        .call("POST", &path, |request| {
            device
                .speaks(request)
                .header("content-type", "application/json")
                .body(cut)
        })
        .await
        .expect(400);
    let form = [("email", &ada.email), ("password", &ada.passwords[0])];
    driver
        .call("POST", &path, |request| device.speaks(request).form(&form))
        .await
        .expect(415);
    for (name, password, status) in [
        (&ada.email, &ada.passwords[0], 403),
        (&ada.email, &ada.wrong_password, 401),
        (&ada.other_email, &ada.passwords[1], 401),
    ] {
        let body = json!({ "username": name, "password": password });
        driver
            .post(device, &format!("/{user_type}/login"), &body)
            .await
            .expect(status);
    }
}

async fn confirm(driver: &mut Driver, user_type: &str, ada: &Person) {
    let (path, device) = (format!("/{user_type}/verify"), &ada.devices[0]);
    driver.link(&ada.email, "/verify").await;
    let again = format!("/{user_type}/resend-verification");
    driver
        .post(device, &again, &json!({ "email": ada.email }))
        .await
        .expect(202);
    driver
        .post(device, &again, &json!({ "email": ada.other_email }))
        .await
        .expect(202);
    driver
        .post(device, &again, &json!({ "email": ada.note }))
        .await
        .expect(422);
    // The first link is void by then.
    let token = driver.link(&ada.email, "/verify").await;
    let link = format!("{path}?token={token}");
    let page = driver
        .call("GET", &link, |request| request.header(HTML.0, HTML.1))
        .await
        .expect(200);
    assert!(page.text.contains("<form"), "{}", page.text);
    // To a browser it is the page; to a program the refusal.
    let other = format!("{path}?token={}&email={}", ada.username, ada.other_email);
    for (accept, status) in [(HTML, 200), (JSON, 400)] {
        driver
            .call("GET", &other, |request| request.header(accept.0, accept.1))
            .await
            .expect(status);
    }
    let wrong = json!({ "token": ada.note });
    driver.post(device, &path, &wrong).await.expect(400);
    driver
        .call("POST", &path, |request| request.form(&[("token", &token)]))
        .await
        .expect(200);
    driver.post(device, &path, &json!({ "token": token })).await.expect(400);
    // Who has an account is told so, by mail alone.
    let mut rival = ada.registration();
    rival.as_object_mut().expect("an object").remove("username");
    driver
        .post(device, &format!("/{user_type}/create"), &rival)
        .await
        .expect(201);
    driver
        .post(device, &format!("/{user_type}/create"), &ada.registration())
        .await
        .expect(409);
}

async fn sign_in(driver: &mut Driver, user_type: &str, ada: &Person) -> Tokens {
    let (path, device) = (format!("/{user_type}/login"), &ada.devices[0]);
    for name in [&ada.email, &ada.other_email, &ada.username, &ada.phone] {
        let form = [("username", name), ("password", &ada.wrong_password)];
        let answer = driver
            .call("POST", &path, |request| device.speaks(request).form(&form))
            .await;
        assert!([401, 429].contains(&answer.status), "{}", answer.text);
    }
    let tokens = driver.login(user_type, &ada.email, &ada.passwords[0], device).await;
    let path = format!("/{user_type}/refresh-token");
    for wrong in [&ada.wrong_password, &tokens.access] {
        driver
            .post(device, &path, &json!({ "refresh_token": wrong }))
            .await
            .expect(401);
    }
    let tokens = driver.refresh(user_type, &tokens.refresh).await;
    let path = format!("/{user_type}/verify-token");
    driver.bearer("GET", &path, &tokens.access, None).await.expect(200);
    driver.bearer("GET", &path, &tokens.refresh, None).await.expect(401);
    tokens
}

/// A sign-in from elsewhere, the mail about it, and its link.
async fn devices(driver: &mut Driver, user_type: &str, ada: &Person) {
    let path = format!("/{user_type}/end-session");
    driver
        .login(user_type, &ada.username, &ada.passwords[0], &ada.devices[1])
        .await;
    let token = driver.link(&ada.email, "/end-session").await;
    for (token, status) in [(token.as_str(), 200), (ada.other_email.as_str(), 400)] {
        driver
            .call("GET", &format!("{path}?token={token}"), |request| request)
            .await
            .expect(status);
    }
    for (token, status) in [(ada.note.as_str(), 400), (token.as_str(), 200)] {
        driver
            .post(&ada.devices[0], &path, &json!({ "token": token }))
            .await
            .expect(status);
    }
}

async fn profile(driver: &mut Driver, user_type: &str, ada: &Person, other: &Person, tokens: &Tokens) -> Tokens {
    let (own, access) = (format!("/{user_type}/"), tokens.access.as_str());
    let shown = driver.bearer("GET", &own, access, None).await.expect(200).json();
    assert_eq!(
        (&shown["email"], &shown["attributes"]["note"]),
        (&json!(ada.email), &json!(ada.note))
    );
    let with = |name: &str, value: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair(name, value)
            .finish();
        format!("{own}?{query}")
    };
    for (name, value, status) in [
        ("email", &ada.email, 200),
        ("email", &other.email, 403),
        ("phone", &other.phone, 403),
        ("id", &other.username, 403),
    ] {
        driver
            .bearer("GET", &with(name, value), access, None)
            .await
            .expect(status);
    }
    driver.bearer("GET", &own, &tokens.refresh, None).await.expect(401);
    driver
        .call("GET", &with("email", &ada.email), |request| request)
        .await
        .expect(401);

    let update = format!("/{user_type}/update");
    let wrong = json!({ "email": ada.note, "phone": ada.other_email, "first_name": "", "role": ada.username });
    driver.bearer("PUT", &update, access, Some(&wrong)).await.expect(422);
    driver
        .bearer(
            "PUT",
            &update,
            access,
            Some(&json!({ "first_name": ada.last_name, "version": 99 })),
        )
        .await
        .expect(409);
    let names = json!({ "first_name": ada.last_name, "last_name": ada.first_name, "attributes": { "note": ada.note } });
    driver.bearer("PUT", &update, access, Some(&names)).await.expect(200);
    let form = [("first_name", &ada.first_name), ("last_name", &ada.last_name)];
    driver
        .call("PUT", &update, |request| request.bearer_auth(access).form(&form))
        .await
        .expect(200);
    driver
        .bearer("PUT", &update, access, Some(&json!({ "email": ada.other_email })))
        .await
        .expect(200);
    let token = driver.link(&ada.other_email, "/verify").await;
    driver
        .post(
            &ada.devices[0],
            &format!("/{user_type}/verify"),
            &json!({ "token": token }),
        )
        .await
        .expect(200);
    driver
        .login(user_type, &ada.other_email, &ada.passwords[0], &ada.devices[0])
        .await
}

/// A code, wrong and right; by the GET twin where `by_query`.
async fn telephone(driver: &mut Driver, user_type: &str, ada: &Person, tokens: &Tokens, by_query: bool) {
    let (ask, verify) = (
        format!("/{user_type}/otp_phone"),
        format!("/{user_type}/verify_otp_phone"),
    );
    let access = tokens.access.as_str();
    driver
        .bearer("POST", &ask, access, Some(&json!({ "phone": ada.note })))
        .await
        .expect(422);
    let key = unique();
    driver.mark("idempotency key", &key);
    let sent = driver
        .call("POST", &ask, |request| {
            request.bearer_auth(access).header("idempotency-key", &key)
        })
        .await
        .expect(202);
    let (challenge, code) = (sent.member("otp"), driver.code(ada).await);
    let wrong = if code.starts_with('7') { "100000" } else { "700000" };
    for (code, status) in [(wrong, 400), (&ada.phone, 400), (&code, 200)] {
        let answer = if by_query {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("token", &challenge)
                .append_pair("otp", code)
                .finish();
            driver.bearer("GET", &format!("{verify}?{query}"), access, None).await
        } else {
            let body = json!({ "token": challenge, "otp": code });
            driver.bearer("POST", &verify, access, Some(&body)).await
        };
        answer.expect(status);
    }
}
