//! Examples of the second factor's operations, and of a sign-in by mail, as [`super::examples`] has them of all others.

use serde_json::{Value, json};

use crate::http::{
    document::examples::{LINK_TOKEN, PAGE, Sent, tokens},
    email_sign_in_api::{ASKED, SHOWN},
};

const MFA_TOKEN: &str = "mf1.bm90IGEgdG9rZW4gb2YgYW55Ym9keQ";
/// What the client holds that asked for a mail to sign in with.
pub const EMAIL_CHALLENGE: &str = "ec1.bm90IGEgY2hhbGxlbmdlIG9mIGFueWJvZHk";
const RECOVERY_CODE: &str = "u6t2-pj5h-u6t2-pj5h";

/// Other bodies than the type's own example.
#[must_use]
pub fn others(operation: &str) -> Vec<Sent> {
    let sent = |name, summary, body| vec![Sent { name, summary, body }];
    match operation {
        "mfa_verify" => vec![
            Sent {
                name: "sms_code",
                summary: "By text",
                body: json!({ "mfa_token": MFA_TOKEN, "sms_code": "042042" }),
            },
            Sent {
                name: "recovery_code",
                summary: "Without app and phone",
                body: json!({ "mfa_token": MFA_TOKEN, "recovery_code": RECOVERY_CODE }),
            },
        ],
        "mfa_confirm_sms" => sent(
            "waiting",
            "For a sign-in that waits",
            json!({ "mfa_token": MFA_TOKEN, "sms_code": "042042" }),
        ),
        "mfa_enrol_totp" => sent("waiting", "For a sign-in that waits", json!({ "mfa_token": MFA_TOKEN })),
        "mfa_confirm_totp" => sent(
            "waiting",
            "For a sign-in that waits",
            json!({ "mfa_token": MFA_TOKEN, "code": "042042" }),
        ),
        "email_sign_in_verify" => sent(
            "link",
            "By an app that takes its own links",
            json!({ "challenge": EMAIL_CHALLENGE, "token": LINK_TOKEN, "remember_me": false }),
        ),
        "reauthenticate" => sent(
            "second_factor",
            "Of an account with a second factor",
            json!({ "password": "SecureP@ssw0rd123!", "code": "042042" }),
        ),
        _ => Vec::new(),
    }
}

/// What the operation answers when all goes well.
#[must_use]
pub fn answer(operation: &str) -> Option<(&'static str, Value)> {
    Some(match operation {
        "mfa_enrol_totp" => (
            "What the app is given. It counts for nothing until its first code.",
            json!({
                "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
                "otpauth_uri": "otpauth://totp/Sealgate:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Sealgate",
                "qr": "data:image/svg+xml;base64,PHN2Zy8+",
                "expires_at": "2026-01-01T12:15:00.000Z",
            }),
        ),
        "mfa_confirm_totp" => (
            "It is on; the recovery codes are shown this once. `tokens` where a sign-in waited for it.",
            json!({
                "message": "From now on signing in takes a code of your app, too. Keep the recovery codes safe: each lets \
                            you in once without it.",
                "recovery_codes": [RECOVERY_CODE],
                "tokens": tokens(),
            }),
        ),
        "mfa_send_sms" => (
            "The text is on its way. The answer never holds the code.",
            json!({ "message": "A code is on its way to your phone.", "expires_in": 300 }),
        ),
        "mfa_confirm_sms" => (
            "They are on; the recovery codes are shown this once. `tokens` where a sign-in waited for it.",
            json!({
                "message": "From now on signing in takes a code by text, too. Keep the recovery codes safe: each lets you \
                            in once without your phone.",
                "recovery_codes": [RECOVERY_CODE],
                "tokens": null,
            }),
        ),
        "mfa_disable_sms" => (
            "They are off.",
            json!({ "message": "From now on signing in takes no code by text." }),
        ),
        "mfa_recovery_codes" => (
            "The new ones, shown this once.",
            json!({
                "message": "Keep these codes safe. Those before are worth nothing any more.",
                "recovery_codes": [RECOVERY_CODE],
            }),
        ),
        "mfa_disable_totp" => (
            "It is off.",
            json!({ "message": "From now on signing in takes no code of an app." }),
        ),
        "email_sign_in" => (
            "The same for every address, known or not; the challenge is another each time.",
            json!({
                "message": ASKED,
                "challenge": EMAIL_CHALLENGE,
                "expires_in": 600,
            }),
        ),
        "email_sign_in_page" => ("The page with the button.", PAGE.into()),
        "email_sign_in_link" => (
            "The code (a program), or a page that shows it (a person).",
            json!({ "message": SHOWN, "code": "04204204", "expires_in": 540 }),
        ),
        _ => return None,
    })
}
