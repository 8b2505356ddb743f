//! Of the same persons: an authenticator app and codes by text, and their end.

use sealgate::domain::clock::{Clock as _, SystemClock};
use serde_json::json;
use totp_rs::{Builder, Secret};

use super::{driver::Driver, person::Person};

/// From none to none.
pub(super) async fn live(driver: &mut Driver, user_type: &str, ada: &Person) {
    let (totp, confirm) = (
        format!("/{user_type}/mfa/totp"),
        format!("/{user_type}/mfa/totp/confirm"),
    );
    let (password, device) = (&ada.passwords[2], &ada.devices[0]);
    let access = driver.login(user_type, &ada.other_email, password, device).await.access;
    let waiting = json!({ "mfa_token": ada.note });
    driver.post(device, &totp, &waiting).await.expect(401);
    driver.bearer("DELETE", &totp, &access, None).await.expect(409);
    let recovery_codes = format!("/{user_type}/mfa/recovery-codes");
    driver.bearer("POST", &recovery_codes, &access, None).await.expect(409);
    let shown = driver.bearer("POST", &totp, &access, None).await.expect(200);
    let secret = shown.member("secret");
    driver.mark("secret of an app", &secret);
    let secret = Secret::try_from_base32(&secret).expect("base32");
    driver.mark("secret of an app, in hex", hex(secret.as_bytes()));
    let app = Builder::new().with_secret(secret).build().expect("a secret");
    let now = u64::try_from(SystemClock.now().as_secs()).expect("after 1970");
    let code = app.generate(now).to_string();
    for (code, status) in [(ada.note.as_str(), 422), (wrong(&code), 400), (code.as_str(), 200)] {
        let answer = driver
            .bearer("POST", &confirm, &access, Some(&json!({ "code": code })))
            .await
            .expect(status);
        if status == 200 {
            mark_all(driver, &answer.json());
        }
    }
    let codes = driver
        .bearer("POST", &recovery_codes, &access, None)
        .await
        .expect(200)
        .json();
    mark_all(driver, &codes);

    let form = [("username", &ada.other_email), ("password", password)];
    let login = format!("/{user_type}/login");
    let half = driver
        .call("POST", &login, |request| device.speaks(request).form(&form))
        .await
        .expect(403);
    let token = half.member("mfa_token");
    driver.mark("token of a first half", &token);
    let path = format!("/{user_type}/mfa/verify");
    let right = codes["recovery_codes"][0].as_str().expect("a code");
    for (name, shown, status) in [
        ("recovery_code", ada.note.as_str(), 422),
        ("code", wrong(&code), 400),
        ("recovery_code", right, 200),
        ("recovery_code", right, 400),
    ] {
        let answer = driver
            .post(device, &path, &json!({ "mfa_token": token, name: shown }))
            .await;
        let answer = answer.expect(status);
        if status == 200 {
            driver.mark_access(&answer.member("access_token"));
        }
    }
    let other = json!({ "mfa_token": ada.other_email, "code": code });
    driver.post(device, &path, &other).await.expect(401);
    driver.bearer("DELETE", &totp, &access, None).await.expect(200);
}

/// Codes by text, from none to none, for somebody whose phone is verified.
pub(super) async fn text(driver: &mut Driver, user_type: &str, ada: &Person) {
    let (sms, confirm) = (format!("/{user_type}/mfa/sms"), format!("/{user_type}/mfa/sms/confirm"));
    let (password, device) = (&ada.passwords[2], &ada.devices[0]);
    let access = driver.login(user_type, &ada.other_email, password, device).await.access;
    driver.bearer("DELETE", &sms, &access, None).await.expect(409);
    let waiting = json!({ "mfa_token": ada.note });
    driver.post(device, &sms, &waiting).await.expect(401);
    driver.bearer("POST", &sms, &access, None).await.expect(202);
    let code = driver.code(ada).await;
    for (code, status) in [(ada.phone.as_str(), 422), (wrong(&code), 400), (code.as_str(), 200)] {
        let body = json!({ "sms_code": code });
        let answer = driver
            .bearer("POST", &confirm, &access, Some(&body))
            .await
            .expect(status);
        if status == 200 {
            mark_all(driver, &answer.json());
        }
    }
    let path = format!("/{user_type}/mfa/verify");
    let form = [("username", &ada.other_email), ("password", password)];
    let login = format!("/{user_type}/login");
    let half = driver
        .call("POST", &login, |request| device.speaks(request).form(&form))
        .await
        .expect(403);
    let token = half.member("mfa_token");
    driver.mark("token of a first half", &token);
    let shown = json!({ "mfa_token": token, "sms_code": code });
    driver.post(device, &path, &shown).await.expect(400);
    let moved = json!({ "phone": ada.phone.replace("+49151", "+49152") });
    let update = format!("/{user_type}/update");
    driver.bearer("PUT", &update, &access, Some(&moved)).await.expect(409);
    driver.bearer("DELETE", &sms, &access, None).await.expect(200);
}

fn wrong(code: &str) -> &'static str {
    if code.starts_with('7') { "100000" } else { "700000" }
}

fn mark_all(driver: &mut Driver, answer: &serde_json::Value) {
    for code in answer["recovery_codes"].as_array().expect("codes") {
        driver.mark("recovery code", code.as_str().expect("a text"));
    }
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
