//! Claims that are not right, under a signature that is.

use serde_json::{Value, json};

use super::{Attack, Genuine};
use crate::support::{other, part};

pub(super) fn attacks(genuine: &Genuine) -> Vec<Attack> {
    let mut attacks = each_claim(genuine);
    attacks.extend(values(genuine));
    attacks.extend(texts(genuine));
    attacks
}

/// Each claim left out, without a value, and of another type.
fn each_claim(genuine: &Genuine) -> Vec<Attack> {
    let members = genuine.claims.as_object().expect("an object");
    assert_eq!(members.len(), 12, "every claim is there: {members:?}");
    let mut attacks = Vec::new();
    for (name, value) in members {
        let mut fewer = members.clone();
        fewer.remove(name);
        let token = genuine.sign(&genuine.head, &Value::Object(fewer));
        attacks.push(Attack::token(format!("no {name}"), token));
        let others = [
            json!(null),
            json!({ "$ne": null }),
            json!([[value]]),
            json!(true),
            if value.is_string() {
                json!(4_000_000_000_i64)
            } else {
                json!("4000000000")
            },
        ];
        for other in others {
            let what = format!("{name} as {other}");
            attacks.push(Attack::token(what, genuine.claiming(&json!({ name: other }))));
        }
    }
    attacks
}

fn values(genuine: &Genuine) -> Vec<Attack> {
    let claims = &genuine.claims;
    let issuer = claims["iss"].as_str().expect("a text");
    let number = |name: &str| claims[name].as_i64().expect("a number");
    let (issued, foreign) = (number("iat"), part(&genuine.foreign.access, 1));
    let victim = part(&genuine.victim.access, 1);
    let elsewhere = issuer.replace("http://", "https://");
    let other_type = other(&genuine.user_type);
    [
        // For somebody else.
        json!({ "iss": foreign["iss"] }),
        json!({ "aud": foreign["aud"] }),
        json!({ "ut": other_type }),
        json!({ "iss": foreign["iss"], "aud": foreign["aud"] }),
        json!({ "iss": foreign["iss"], "aud": foreign["aud"], "ut": other_type }),
        json!({ "iss": format!("{issuer}/") }),
        json!({ "iss": elsewhere }),
        json!({ "iss": issuer.to_ascii_uppercase() }),
        json!({ "iss": "" }),
        json!({ "iss": [issuer, foreign["iss"]] }),
        json!({ "aud": format!("{issuer}/") }),
        json!({ "aud": elsewhere }),
        json!({ "aud": "*" }),
        json!({ "aud": "" }),
        json!({ "aud": [] }),
        json!({ "aud": [foreign["aud"]] }),
        json!({ "aud": [issuer, foreign["aud"]] }),
        json!({ "ut": genuine.user_type.to_ascii_lowercase() }),
        json!({ "ut": "" }),
        json!({ "ut": "User9" }),
        // Of somebody else.
        json!({ "sub": victim["sub"] }),
        json!({ "sid": victim["sid"] }),
        json!({ "sub": foreign["sub"] }),
        json!({ "sid": foreign["sid"] }),
        json!({ "sub": foreign["sub"], "sid": foreign["sid"] }),
        json!({ "sub": "usr_00000000000000000000000000" }),
        json!({ "sid": "ses_00000000000000000000000000" }),
        json!({ "sub": "" }),
        json!({ "sub": "a".repeat(65) }),
        json!({ "sub": "../admin" }),
        json!({ "sub": "usr_a' OR '1'='1" }),
        json!({ "sid": claims["sub"] }),
        json!({ "sub": claims["sid"], "sid": claims["sub"] }),
        json!({ "jti": "x" }),
        // At another time.
        json!({ "exp": issued - 60 }),
        json!({ "exp": 0 }),
        json!({ "exp": -1 }),
        json!({ "exp": i64::MIN }),
        json!({ "exp": u64::MAX }),
        json!({ "exp": 1e300 }),
        json!({ "exp": 4_000_000_000.5 }),
        json!({ "iat": issued + 60 }),
        json!({ "iat": i64::MAX }),
        json!({ "iat": issued + 86_400, "exp": issued + 90_000 }),
        json!({ "nbf": issued + 3600 }),
        json!({ "nbf": "tomorrow" }),
        // What there is not.
        json!({ "role": "root" }),
        json!({ "role": "ADMIN" }),
        json!({ "role": "" }),
        json!({ "role": ["admin"] }),
        json!({ "scope": ["accounts.read"] }),
        json!({ "scope": 7 }),
        json!({ "amr": ["root"] }),
        json!({ "amr": "pwd" }),
    ]
    .iter()
    .map(|changes| {
        Attack::token(
            format!("claims with {:.200}", changes.to_string()),
            genuine.claiming(changes),
        )
    })
    .collect()
}

/// What is no set of claims, and one that two parsers would read differently.
fn texts(genuine: &Genuine) -> Vec<Attack> {
    let whole = genuine.claims.to_string();
    let open = whole.strip_suffix('}').expect("an object");
    let victim = part(&genuine.victim.access, 1);
    let twice = |name: &str, value: &Value| format!("{open},\"{name}\":{value}}}");
    let [sub, sid] = ["sub", "sid"].map(|name| &victim[name]);
    let mut latin = whole.clone().into_bytes();
    latin.insert(1, 0xff);
    let mut attacks: Vec<_> = [
        ("sub twice, another's last", twice("sub", sub)),
        ("sid twice, another's last", twice("sid", sid)),
        ("sub twice, the same", twice("sub", &genuine.claims["sub"])),
        ("exp twice", twice("exp", &json!(4_000_000_000_i64))),
        ("aud twice", twice("aud", &genuine.claims["aud"])),
        ("ut twice", twice("ut", &json!(other(&genuine.user_type)))),
        ("role twice", twice("role", &json!("admin"))),
        ("claims that are a list", format!("[{whole}]")),
        ("claims that are a text", json!(whole).to_string()),
        ("claims that are a number", "7".to_owned()),
        ("claims that are null", "null".to_owned()),
        ("claims of nothing", String::new()),
        ("claims that are not closed", open.to_owned()),
        ("claims with something after them", format!("{whole}{whole}")),
        ("claims with a byte-order mark", format!("\u{feff}{whole}")),
        ("claims with a comma too many", format!("{open},}}")),
        ("claims in capitals", whole.to_ascii_uppercase()),
        ("claims that are nested deeply", "{\"a\":".repeat(400)),
        ("claims within claims", json!({ "claims": genuine.claims }).to_string()),
        ("a token for claims", genuine.pair.access.clone()),
        ("claims with a number for a name", "{1:2}".to_owned()),
    ]
    .into_iter()
    .map(|(what, text)| signed(genuine, what, text.as_bytes()))
    .collect();
    attacks.push(signed(genuine, "claims that are not UTF-8", &latin));
    attacks
}

fn signed(genuine: &Genuine, what: &str, claims: &[u8]) -> Attack {
    let head = genuine.head.to_string();
    Attack::token(what, genuine.sign_texts(head.as_bytes(), claims))
}
