//! Forged headers of the token.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::{Attack, Genuine};

const ALGORITHMS: [&str; 22] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    "EdDSA", "Ed25519", "Ed448", "ES256K", "eddsa", "es256", "rs256", "hs256", "dir", "A256GCM",
];

pub(super) fn attacks(genuine: &Genuine) -> Vec<Attack> {
    let mut attacks = none(genuine);
    attacks.extend(swapped(genuine));
    attacks.extend(typed(genuine));
    attacks.extend(named(genuine));
    attacks.extend(critical(genuine));
    attacks
}

/// No algorithm, in every spelling, without a signature and with the genuine one.
fn none(genuine: &Genuine) -> Vec<Attack> {
    let [_, claims, signature] = genuine.parts();
    let spellings = [
        json!("none"),
        json!("None"),
        json!("NONE"),
        json!("nOnE"),
        json!("none "),
        json!("none\u{0}"),
        json!("n\u{f6}ne"),
        json!(""),
        json!(null),
        json!(0),
        json!(["none"]),
        json!({ "alg": "none" }),
    ];
    let mut attacks = Vec::new();
    for alg in spellings {
        for head in [json!({ "alg": alg, "typ": "at+jwt" }), headed(genuine, "alg", &alg)] {
            let has_kid = !head["kid"].is_null();
            for (signed, signature) in [("unsigned", ""), ("signed", signature)] {
                if has_kid || signed == "unsigned" {
                    attacks.push(Attack::token(
                        format!("alg {alg}, {signed}, kid {has_kid}"),
                        format!("{}.{claims}.{signature}", encoded(&head)),
                    ));
                }
            }
        }
    }
    let mut without = genuine.head.clone();
    without.as_object_mut().expect("an object").remove("alg");
    attacks.push(Attack::token("no alg", genuine.sign(&without, &genuine.claims)));
    attacks
}

/// Another algorithm's name over a signature that is good under the key's own.
fn swapped(genuine: &Genuine) -> Vec<Attack> {
    let others = ALGORITHMS.iter().filter(|alg| genuine.head["alg"] != **alg);
    others
        .map(|alg| {
            Attack::token(
                format!("alg {alg} for the key's own"),
                genuine.headed(&json!({ "alg": alg })),
            )
        })
        .collect()
}

fn typed(genuine: &Genuine) -> Vec<Attack> {
    let types = [
        json!("JWT"),
        json!("jwt"),
        json!("erasure-receipt+jwt"),
        json!("logout+jwt"),
        json!("dpop+jwt"),
        json!("at+jwt "),
        json!("at +jwt"),
        json!(""),
        json!(null),
        json!(7),
        json!(["at+jwt"]),
    ];
    types
        .iter()
        .map(|typ| Attack::token(format!("typ {typ}"), genuine.headed(&json!({ "typ": typ }))))
        .collect()
}

/// `kid`, over the genuine key's signature.
fn named(genuine: &Genuine) -> Vec<Attack> {
    let kid = genuine.head["kid"].as_str().expect("a text");
    let names = [
        json!(null),
        json!(""),
        json!(0),
        json!(true),
        json!([kid]),
        json!({ "$ne": null }),
        json!({ "kid": kid }),
        json!(kid.to_ascii_lowercase()),
        json!(kid.to_ascii_uppercase()),
        json!(format!("{kid} ")),
        json!(format!(" {kid}")),
        json!(format!("{kid}=")),
        json!(format!("{kid}\u{0}")),
        json!(&kid[..kid.len() - 1]),
        json!(format!("{kid}{kid}")),
        json!(kid.chars().rev().collect::<String>()),
        json!("A".repeat(43)),
        json!("A".repeat(2000)),
        json!("token"),
        json!("token/1"),
        json!("1"),
        json!("../../../../../../dev/null"),
        json!("/proc/self/environ"),
        json!("..\\..\\windows\\win.ini"),
        json!("file:///etc/passwd"),
        json!("http://127.0.0.1:9/keys.json"),
        json!("' OR '1'='1"),
        json!("x' UNION SELECT 'AAAA' --"),
        json!("token/1'; DROP TABLE keyring; --"),
        json!("$(id)"),
        json!("{{7*7}}"),
        json!("%s%s%n"),
        json!("hs256-AAAAAAAAAAAAAAAA"),
    ];
    let mut attacks: Vec<_> = names
        .iter()
        .map(|name| {
            let short: String = name.to_string().chars().take(60).collect();
            let what = format!("kid {short} of {}", name.to_string().len());
            Attack::token(what, genuine.headed(&json!({ "kid": name })))
        })
        .collect();
    let mut without = genuine.head.clone();
    without.as_object_mut().expect("an object").remove("kid");
    attacks.push(Attack::token("no kid", genuine.sign(&without, &genuine.claims)));
    // A parser that takes the first, and one that takes the last, would each see another key.
    let alg = genuine.head["alg"].as_str().expect("a text");
    for (what, head) in [
        (
            "kid twice, the good one first",
            format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"{kid}","kid":"x"}}"#),
        ),
        (
            "kid twice, the good one last",
            format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"x","kid":"{kid}"}}"#),
        ),
        (
            "kid twice, the same",
            format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"{kid}","kid":"{kid}"}}"#),
        ),
        (
            "alg twice",
            format!(r#"{{"typ":"at+jwt","alg":"none","alg":"{alg}","kid":"{kid}"}}"#),
        ),
        (
            "typ twice",
            format!(r#"{{"typ":"JWT","typ":"at+jwt","alg":"{alg}","kid":"{kid}"}}"#),
        ),
        ("a header that is a list", format!(r#"["at+jwt","{alg}","{kid}"]"#)),
        ("a header that is a text", format!(r#""{kid}""#)),
        ("a header that is null", "null".to_owned()),
        ("a header of nothing", String::new()),
        ("a header with something after it", format!("{} x", genuine.head)),
        ("a header with a comment", format!("/**/{}", genuine.head)),
        ("a header with a byte-order mark", format!("\u{feff}{}", genuine.head)),
        ("a header that is nested deeply", "[".repeat(1500)),
        ("names in capitals", genuine.head.to_string().to_ascii_uppercase()),
    ] {
        let claims = genuine.claims.to_string();
        attacks.push(Attack::token(
            what,
            genuine.sign_texts(head.as_bytes(), claims.as_bytes()),
        ));
    }
    attacks
}

/// Extensions that must be understood, and none is.
fn critical(genuine: &Genuine) -> Vec<Attack> {
    [
        json!({ "crit": ["exp"], "exp": 4_000_000_000_i64 }),
        json!({ "crit": ["b64"], "b64": false }),
        json!({ "crit": ["kid"] }),
        json!({ "crit": [] }),
        json!({ "crit": "exp" }),
        json!({ "crit": ["x"] }),
    ]
    .iter()
    .map(|changes| Attack::token(format!("header with {changes}"), genuine.headed(changes)))
    .collect()
}

fn headed(genuine: &Genuine, name: &str, value: &Value) -> Value {
    let mut head = genuine.head.clone();
    head[name] = value.clone();
    head
}

fn encoded(head: &Value) -> String {
    BASE64URL_NOPAD.encode(head.to_string().as_bytes())
}
