//! Of the same persons: an authenticator app, and its end.

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
