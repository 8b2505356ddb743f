//! Of the same persons: forgotten and changed passwords, sessions.

use serde_json::json;

use super::{driver::Driver, email_sign_in, person::Person, second_factor, story::JSON};

/// All of it.
pub(super) async fn live(driver: &mut Driver, user_type: &str, ada: &Person) {
    reset(driver, user_type, ada).await;
    credentials(driver, user_type, ada).await;
    email_sign_in::live(driver, user_type, ada).await;
    second_factor::live(driver, user_type, ada).await;
    second_factor::text(driver, user_type, ada).await;
    sessions(driver, user_type, ada).await;
}

async fn reset(driver: &mut Driver, user_type: &str, ada: &Person) {
    let (forget, form) = (
        format!("/{user_type}/forget_password"),
        format!("/{user_type}/reset_password_form"),
    );
    let device = &ada.devices[0];
    driver
        .call("GET", &format!("/{user_type}/forget_password_form"), |request| request)
        .await
        .expect(200);
    driver
        .post(device, &forget, &json!({ "email": ada.other_email }))
        .await
        .expect(202);
    let first = driver.link(&ada.other_email, "/reset_password_form").await;
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("email", &ada.other_email)
        .finish();
    driver
        .call("GET", &format!("{forget}?{query}"), |request| request)
        .await
        .expect(202);
    let token = driver.link(&ada.other_email, "/reset_password_form").await;
    assert_ne!(first, token);
    driver
        .post(device, &forget, &json!({ "email": ada.note }))
        .await
        .expect(422);
    driver
        .call("GET", &format!("{forget}?email={}", ada.username), |request| request)
        .await
        .expect(422);
    driver
        .call("GET", &format!("{form}?token={token}"), |request| request)
        .await
        .expect(200);
    driver
        .call("GET", &format!("{form}?token={}", ada.username), |request| request)
        .await
        .expect(400);
    let path = format!("/{user_type}/reset_password");
    for (token, password, status) in [
        (ada.note.as_str(), ada.passwords[1].as_str(), 400),
        (token.as_str(), ada.other_email.as_str(), 422),
        (token.as_str(), ada.passwords[1].as_str(), 200),
        (token.as_str(), ada.passwords[2].as_str(), 400),
    ] {
        let body = [("token", token), ("password", password)];
        let send = |request: reqwest::RequestBuilder| request.header(JSON.0, JSON.1).form(&body);
        driver.call("POST", &path, send).await.expect(status);
    }
}

async fn credentials(driver: &mut Driver, user_type: &str, ada: &Person) {
    let tokens = driver
        .login(user_type, &ada.other_email, &ada.passwords[1], &ada.devices[0])
        .await;
    let path = format!("/{user_type}/change-password");
    for (current, new, status) in [
        (&ada.wrong_password, &ada.passwords[2], 403),
        (&ada.passwords[1], &ada.other_email, 422),
        (&ada.passwords[1], &ada.passwords[2], 200),
    ] {
        let body = json!({ "current_password": current, "new_password": new });
        driver
            .bearer("POST", &path, &tokens.access, Some(&body))
            .await
            .expect(status);
    }
    let path = format!("/{user_type}/reauthenticate");
    let wrong = json!({ "password": ada.wrong_password });
    driver
        .bearer("POST", &path, &tokens.access, Some(&wrong))
        .await
        .expect(403);
    let right = json!({ "password": ada.passwords[2] });
    let fresh = driver
        .bearer("POST", &path, &tokens.access, Some(&right))
        .await
        .expect(200);
    driver.mark_access(&fresh.member("access_token"));
}

async fn sessions(driver: &mut Driver, user_type: &str, ada: &Person) {
    let path = format!("/{user_type}/sessions");
    let password = &ada.passwords[2];
    let tokens = driver
        .login(user_type, &ada.other_email, password, &ada.devices[0])
        .await;
    driver
        .login(user_type, &ada.other_email, password, &ada.devices[1])
        .await;
    let list = driver
        .bearer("GET", &path, &tokens.access, None)
        .await
        .expect(200)
        .json();
    let list = list["sessions"].as_array().expect("a list").clone();
    assert!(
        list.iter()
            .any(|session| session["user_agent"] == json!(ada.devices[1].agent)),
        "{list:?}"
    );
    let of_others = list
        .iter()
        .find(|session| session["is_current"] == json!(false))
        .expect("another");
    let one = format!("{path}/{}", of_others["id"].as_str().expect("an id"));
    driver.bearer("DELETE", &one, &tokens.access, None).await.expect(200);
    driver
        .bearer(
            "DELETE",
            &format!("{path}/ses_00000000000000000000000000"),
            &tokens.access,
            None,
        )
        .await
        .expect(404);
    driver.bearer("DELETE", &path, &tokens.access, None).await.expect(200);
    for method in ["GET", "DELETE"] {
        driver.bearer(method, &path, &tokens.refresh, None).await.expect(401);
    }

    // A token that was used twice ends its family.
    let second = driver.refresh(user_type, &tokens.refresh).await;
    driver.refresh(user_type, &second.refresh).await;
    let body = json!({ "refresh_token": tokens.refresh });
    let reused = driver
        .post(&ada.devices[0], &format!("/{user_type}/refresh-token"), &body)
        .await;
    assert_eq!(reused.expect(401).member("code"), "refresh_token_reused");
    for method in ["GET", "POST"] {
        let tokens = driver
            .login(user_type, &ada.other_email, password, &ada.devices[0])
            .await;
        let path = format!("/{user_type}/logout");
        driver.bearer(method, &path, &tokens.access, None).await.expect(200);
        driver.bearer(method, &path, &tokens.access, None).await.expect(401);
    }
}
