//! Of the same persons: a sign-in by mail.

use serde_json::json;

use super::{driver::Driver, markers::Mark, person::Person};

/// Asked for, its link used, its code shown to the device that asked.
pub(super) async fn live(driver: &mut Driver, user_type: &str, ada: &Person) {
    let (ask, device) = (format!("/{user_type}/login/email"), &ada.devices[0]);
    driver
        .post(device, &ask, &json!({ "email": ada.note }))
        .await
        .expect(422);
    let asked = driver
        .post(device, &ask, &json!({ "email": ada.other_email }))
        .await
        .expect(202);
    let challenge = asked.member("challenge");
    driver.mark_token("challenge of a mail", &challenge);
    let token = driver.link(&ada.other_email, "/login/email/link").await;
    let link = format!("/{user_type}/login/email/link");
    for (token, status) in [(ada.username.as_str(), 400), (token.as_str(), 200)] {
        driver
            .call("GET", &format!("{link}?token={token}"), |request| request)
            .await
            .expect(status);
    }
    driver
        .post(device, &link, &json!({ "token": ada.note }))
        .await
        .expect(400);
    let shown = driver.post(device, &link, &json!({ "token": token })).await.expect(200);
    let code = shown.member("code");
    driver.marks.push(Mark::code("code of a mail", &code));
    driver.post(device, &link, &json!({ "token": token })).await.expect(400);
    let verify = format!("/{user_type}/login/email/verify");
    let wrong = if code.starts_with('7') { "10000000" } else { "70000000" };
    for (challenge, code, status) in [
        (ada.note.as_str(), code.as_str(), 400),
        (&challenge, wrong, 400),
        (&challenge, &ada.phone, 400),
        (&challenge, &code, 200),
        (&challenge, &code, 400),
    ] {
        let body = json!({ "challenge": challenge, "code": code });
        let answer = driver.post(device, &verify, &body).await.expect(status);
        if status == 200 {
            driver.tokens(&answer);
        }
    }
}
