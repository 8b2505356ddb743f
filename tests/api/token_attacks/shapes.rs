//! Not a token by its shape, or not presented as one.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::json;

use super::{Attack, Genuine};

pub(super) fn attacks(genuine: &Genuine) -> Vec<Attack> {
    let mut attacks = cut(genuine);
    attacks.extend(parts(genuine));
    attacks.extend(spelled(genuine));
    attacks.extend(oversized(genuine));
    attacks.extend(presented(genuine));
    attacks
}

/// Cut off at many places, at either end.
fn cut(genuine: &Genuine) -> Vec<Attack> {
    const PLACES: usize = 24;
    let token = &genuine.pair.access;
    let places = (1..PLACES)
        .map(|place| place * token.len() / PLACES)
        .chain([1, token.len() - 1]);
    let mut attacks: Vec<_> = places
        .map(|place| Attack::token(format!("the first {place} characters"), &token[..place]))
        .collect();
    attacks.extend(
        [1, 2, token.len() / 2].map(|place| Attack::token(format!("all but the first {place}"), &token[place..])),
    );
    attacks
}

/// Too few parts, too many, and empty ones.
fn parts(genuine: &Genuine) -> Vec<Attack> {
    let [head, claims, signature] = genuine.parts();
    [
        ("one dot", ".".to_owned()),
        ("two dots", "..".to_owned()),
        ("three dots", "...".to_owned()),
        ("four dots", "....".to_owned()),
        ("a hundred dots", ".".repeat(100)),
        ("no header", format!(".{claims}.{signature}")),
        ("no claims", format!("{head}..{signature}")),
        ("no signature", format!("{head}.{claims}.")),
        ("no third part", format!("{head}.{claims}")),
        ("a header alone", head.to_owned()),
        ("a header and two dots", format!("{head}..")),
        ("a fourth part", format!("{head}.{claims}.{signature}.{signature}")),
        ("a dot before it", format!(".{head}.{claims}.{signature}")),
        ("a dot after it", format!("{head}.{claims}.{signature}.")),
        ("header and claims exchanged", format!("{claims}.{head}.{signature}")),
        ("another's signature", {
            let other = genuine.victim.access.rsplit('.').next().expect("one");
            format!("{head}.{claims}.{other}")
        }),
        (
            "five parts, as a JWE has",
            format!("{head}.{claims}.{signature}.{claims}.{signature}"),
        ),
        ("a JWE's header", {
            let jwe = BASE64URL_NOPAD.encode(br#"{"alg":"dir","enc":"A256GCM","typ":"at+jwt"}"#);
            format!("{jwe}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA")
        }),
        (
            "a token in a token",
            BASE64URL_NOPAD.encode(genuine.pair.access.as_bytes()),
        ),
        ("a signed token of a signed token", {
            let head = json!({ "alg": genuine.head["alg"], "kid": genuine.head["kid"], "typ": "at+jwt", "cty": "JWT" });
            genuine.sign_texts(head.to_string().as_bytes(), genuine.pair.access.as_bytes())
        }),
        ("JSON, as another serialisation has it", {
            json!({ "protected": head, "payload": claims, "signature": signature }).to_string()
        }),
    ]
    .into_iter()
    .map(|(what, token)| Attack::token(what, token))
    .collect()
}

/// The same bytes, written otherwise.
fn spelled(genuine: &Genuine) -> Vec<Attack> {
    let token = &genuine.pair.access;
    let [head, claims, signature] = genuine.parts();
    let bytes = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).expect("base64url");
    // A character that no part has in base64url, and that stands for the same bits elsewhere.
    let standard = [head, claims, signature].map(|part| BASE64.encode(&bytes(part)));
    let mut attacks = vec![
        Attack::token("padding after the header", format!("{head}=.{claims}.{signature}")),
        Attack::token("padding after the claims", format!("{head}.{claims}=.{signature}")),
        Attack::token("padding after the signature", format!("{token}=")),
        Attack::token("more padding after the signature", format!("{token}==")),
        Attack::token("the signature in hexadecimal", {
            format!("{head}.{claims}.{}", data_encoding::HEXLOWER.encode(&bytes(signature)))
        }),
        Attack::token("the signature in base32", {
            format!(
                "{head}.{claims}.{}",
                data_encoding::BASE32_NOPAD.encode(&bytes(signature))
            )
        }),
        Attack::token("all of it in capitals", token.to_ascii_uppercase()),
        Attack::token("all of it in small letters", token.to_ascii_lowercase()),
        Attack::token("all of it backwards", token.chars().rev().collect::<String>()),
        Attack::token("in quotes", format!("\"{token}\"")),
        Attack::token("in angle brackets", format!("<{token}>")),
        Attack::token("in percent signs", token.replace('.', "%2E")),
        Attack::token("a space within", format!("{head}. {claims}.{signature}")),
        Attack::token("a tab within", format!("{head}.\t{claims}.{signature}")),
        Attack::token("a comma after it", format!("{token},")),
        Attack::token("a semicolon after it", format!("{token};")),
        Attack::token("a second one after a space", format!("{token} {token}")),
        Attack::token("a second one after a comma", format!("{token},{token}")),
        Attack::token("the scheme twice", format!("Bearer {token}")),
        Attack::token("full-width dots", token.replace('.', "\u{ff0e}")),
        Attack::token("an accent in it", format!("{token}\u{e9}")),
    ];
    // Unused bits of the last character: the bytes would be the same, the text is not.
    if let Some(loose) = loosened(signature) {
        attacks.push(Attack::token("unused bits set", format!("{head}.{claims}.{loose}")));
    }
    if standard[2].trim_end_matches('=') != signature {
        let text = standard[2].trim_end_matches('=');
        attacks.push(Attack::token(
            "the signature in the other alphabet",
            format!("{head}.{claims}.{text}"),
        ));
    }
    attacks.push(Attack::token("each part in the other base64", standard.join(".") + "="));
    attacks
}

/// The same bytes with one of the unused bits of the last character set.
fn loosened(part: &str) -> Option<String> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (unused, last) = (part.len() % 4, part.chars().last()?);
    let index = ALPHABET.find(last)?;
    (unused > 1).then(|| format!("{}{}", &part[..part.len() - 1], &ALPHABET[index + 1..=index + 1]))
}

/// More than a token may have, signed as ours are.
fn oversized(genuine: &Genuine) -> Vec<Attack> {
    let padded = |length: usize| genuine.claiming(&json!({ "pad": "a".repeat(length) }));
    let mut attacks: Vec<_> = [3300, 8000, 16_000]
        .map(|length| {
            let token = padded(length);
            assert!(token.len() > 4096, "{}", token.len());
            Attack::token(format!("claims of {length} more"), token)
        })
        .into();
    attacks.push(Attack::token(
        "a header of 4 KiB more",
        genuine.headed(&json!({ "pad": "a".repeat(4096) })),
    ));
    attacks.extend([4096, 4097, 20_000].map(|length| Attack::token(format!("{length} letters"), "A".repeat(length))));
    attacks.push(Attack::token(
        "zeros after the signature",
        format!("{}{}", genuine.pair.access, "A".repeat(4096)),
    ));
    attacks
}

/// A good token that is presented in no way that there is.
fn presented(genuine: &Genuine) -> Vec<Attack> {
    let token = genuine.pair.access.as_str();
    let bearer = format!("Bearer {token}");
    let with = |scheme: &str| format!("{scheme}{token}");
    let mut attacks: Vec<_> = [
        ("no scheme", with("")),
        ("no space", with("Bearer")),
        ("a tab for the space", with("Bearer\t")),
        ("a colon for the space", with("Bearer: ")),
        ("a comma for the space", with("Bearer, ")),
        ("an equals sign for the space", with("Bearer=")),
        ("the scheme JWT", with("JWT ")),
        ("the scheme Token", with("Token ")),
        ("the scheme DPoP", with("DPoP ")),
        ("the scheme Basic", with("Basic ")),
        ("the scheme OAuth", with("OAuth ")),
        ("the scheme alone", "Bearer".to_owned()),
        ("the scheme and a space", "Bearer ".to_owned()),
        ("an empty header", String::new()),
        ("a scheme before the scheme", format!("Basic, {bearer}")),
    ]
    .into_iter()
    .map(|(what, value)| Attack::header(what, value))
    .collect();
    let basic = format!("Basic {}", BASE64.encode(format!("{token}:").as_bytes()));
    attacks.push(Attack::header("Basic's form", &basic));
    attacks.push(Attack::header("bytes that are no text", b"Bearer \xFC\xFF"));
    for (what, values) in [
        ("no header at all", vec![]),
        ("two headers, both good", vec![&bearer, &bearer]),
        ("two headers, Basic first", vec![&basic, &bearer]),
        ("two headers, Basic last", vec![&bearer, &basic]),
    ] {
        let values: Vec<_> = values.iter().map(|value| value.as_bytes()).collect();
        attacks.push(Attack::headers(what, &values));
    }
    for name in ["access_token", "token", "bearer", "Authorization"] {
        let mut attack = Attack::headers(format!("{name} in the query"), &[]);
        attack.query = format!("?{name}={token}");
        attacks.push(attack);
        let mut attack = Attack::headers(format!("{name} in a cookie"), &[]);
        attack.cookie = Some(format!("{name}={token}"));
        attacks.push(attack);
    }
    attacks
}
