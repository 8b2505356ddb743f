//! Examples of what the administration answers.

use serde_json::{Value, json};

use super::examples::{ACCOUNT_ID, REQUEST_ID, profile};

/// Where a list goes on.
pub const CURSOR: &str = "cu1.AAHTXS-Ha0VHSwFqNeJQZOckFcqxm6wJg65dQCjxORBiXF4BDSk4AQ";

const AT: &str = "2026-01-02T03:04:05.678Z";

/// What the operation answers when all goes well: what that is, and an example.
#[must_use]
pub fn answer(operation: &str) -> Option<(&'static str, Value)> {
    Some(match operation {
        "admin_accounts" => (
            "A page of accounts.",
            json!({ "accounts": [summary("active", "user")], "next": CURSOR }),
        ),
        "admin_invite" => (
            "The account waits for its owner; the invitation is on its way.",
            summary("active", "user"),
        ),
        "admin_account" => (
            "The account, with its personal data.",
            json!({
                "profile": profile(),
                "status": "active",
                "is_invited": false,
                "email_pending": null,
            }),
        ),
        "admin_update" => (
            "The account as it is now, without personal data.",
            summary("active", "user"),
        ),
        "admin_delete" => (
            "The account is erased.",
            json!({
                "message": "The account and everything in it is deleted.",
                "receipt": "eyJ0eXAiOiJlcmFzdXJlK2p3dCIsImFsZyI6IkVkRFNBIiwia2lkIjoiMDEifQ.e30.c2ln",
            }),
        ),
        "admin_lock" => ("The account is locked.", summary("locked", "user")),
        "admin_unlock" => ("The account is not locked.", summary("active", "user")),
        "admin_revoke_sessions" => ("Its sessions are over.", summary("active", "user")),
        "admin_reset_factors" => ("It has no second factor.", summary("active", "user")),
        "admin_resend" => (
            "The mail is on its way.",
            json!({ "message": "A new mail is on its way." }),
        ),
        "admin_audit" => (
            "A page of the audit.",
            json!({
                "events": [{
                    "account_id": ACCOUNT_ID,
                    "entry": {
                        "id": "aud_06gvr51mvlsmn414vkm4i9n4u4",
                        "at": AT,
                        "event": "account_locked",
                        "outcome": "success",
                        "network": "203.0.113.0/24",
                        "request_id": REQUEST_ID,
                        "details": { "by": "usr_06gvr5h2qd4mn414vkm4i9n4u4" },
                    },
                }],
                "next": null,
            }),
        ),
        "admin_keys" => (
            "How the keys stand.",
            json!({
                "keys": [{
                    "use": "kek",
                    "version": 2,
                    "state": "active",
                    "created_at": AT,
                    "since": "2026-01-02T03:06:05.678Z",
                }],
                "jobs": [{
                    "use": "kek",
                    "version": 2,
                    "user_type": "User1",
                    "standing": "runs",
                    "stage": "rewrap",
                    "total": 100_000,
                    "seen": 25_000,
                    "failed": 0,
                    "changed": 25_000,
                    "left": 75_000,
                    "per_second": 1250.0,
                    "seconds_left": 60,
                }],
            }),
        ),
        _ => return None,
    })
}

fn summary(status: &str, role: &str) -> Value {
    json!({
        "id": ACCOUNT_ID,
        "status": status,
        "role": role,
        "is_email_verified": true,
        "is_phone_verified": false,
        "mfa_enabled": false,
        "is_invited": false,
        "created_at": AT,
        "updated_at": AT,
        "version": 1,
    })
}
