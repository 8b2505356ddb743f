//! What is of no user type, and what is told of by messages that nobody takes.

use data_encoding::BASE64;
use serde_json::json;

use super::{driver::Driver, person::Person};

/// What is of no user type. There is no security.txt to be had where nobody configured one.
pub(crate) async fn well_known(driver: &mut Driver, has_contact: bool) {
    let of = |name: &str| format!("/.well-known/{name}");
    for (path, status) in [
        (of("jwks.json"), 200),
        (of("oauth-authorization-server"), 200),
        (of("oauth-authorization-server/User1"), 200),
        (of("oauth-authorization-server/User9"), 404),
        (of("change-password"), 303),
        (of("security.txt"), if has_contact { 200 } else { 404 }),
        ("/health".to_owned(), 200),
        ("/livez".to_owned(), 200),
    ] {
        driver.call("GET", &path, |request| request).await.expect(status);
    }
}

/// While mails are refused, for now and then for good, whoever is there does what is told of by mail. Answers how many
/// messages that makes.
pub(crate) async fn unheard(driver: &mut Driver, user_type: &str, ada: &Person, carl: &Person) -> usize {
    let (device, password) = (&carl.devices[0], &ada.passwords[2]);
    // Carl's link; that Ada has an account.
    driver
        .post(device, &format!("/{user_type}/create"), &carl.registration())
        .await
        .expect(201);
    let mut rival = carl.registration();
    rival["email"] = json!(ada.other_email);
    rival["username"] = json!(null);
    driver
        .post(device, &format!("/{user_type}/create"), &rival)
        .await
        .expect(201);
    // A new device, a reused token, another password; another address, a forgotten password.
    let tokens = driver
        .login(user_type, &ada.other_email, password, &carl.devices[1])
        .await;
    let second = driver.refresh(user_type, &tokens.refresh).await;
    driver.refresh(user_type, &second.refresh).await;
    let body = json!({ "refresh_token": tokens.refresh });
    driver
        .post(device, &format!("/{user_type}/refresh-token"), &body)
        .await
        .expect(401);
    let tokens = driver
        .login(user_type, &ada.other_email, password, &ada.devices[0])
        .await;
    let body = json!({ "current_password": password, "new_password": ada.passwords[3] });
    driver
        .bearer(
            "POST",
            &format!("/{user_type}/change-password"),
            &tokens.access,
            Some(&body),
        )
        .await
        .expect(200);
    // After the password: a change of it makes links that are under way worth nothing.
    let update = json!({ "email": carl.other_email });
    driver
        .bearer("PUT", &format!("/{user_type}/update"), &tokens.access, Some(&update))
        .await
        .expect(200);
    let address = json!({ "email": ada.other_email });
    driver
        .post(device, &format!("/{user_type}/forget_password"), &address)
        .await
        .expect(202);
    let asked = driver
        .post(device, &format!("/{user_type}/login/email"), &address)
        .await
        .expect(202);
    driver.mark_token("challenge of a mail", &asked.member("challenge"));
    8
}

/// Somebody who only has an account.
pub(crate) async fn join(driver: &mut Driver, user_type: &str, dora: &Person) {
    let device = &dora.devices[0];
    driver
        .post(device, &format!("/{user_type}/create"), &dora.registration())
        .await
        .expect(201);
    let token = driver.link(&dora.email, "/verify").await;
    let body = json!({ "token": token });
    driver
        .post(device, &format!("/{user_type}/verify"), &body)
        .await
        .expect(200);
}

/// A code is asked for.
pub(crate) async fn ask_for_text(driver: &mut Driver, user_type: &str, dora: &Person) {
    let tokens = driver
        .login(user_type, &dora.email, &dora.passwords[0], &dora.devices[0])
        .await;
    driver
        .bearer("POST", &format!("/{user_type}/otp_phone"), &tokens.access, None)
        .await
        .expect(202);
}

/// HMAC-SHA-1 as Twilio documents it, of code that is not the service's.
pub(crate) fn sign(token: &str, url: &str, form: &[(&str, &str)]) -> String {
    let mut fields = form.to_vec();
    fields.sort_unstable();
    let message = fields
        .iter()
        .fold(url.to_owned(), |text, (name, value)| text + name + value);
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    BASE64.encode(aws_lc_rs::hmac::sign(&key, message.as_bytes()).as_ref())
}
