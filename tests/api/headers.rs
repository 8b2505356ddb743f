//! Headers around every answer: request ids, what browsers must not do, and who may call from another origin.

use crate::support::{Answer, BROWSER, Person, RawConnection, Setup, StoreSet, TestApp};

cases! {
    wrong_methods_are_405_with_allow_and_unknown_paths_404
    answers_with_tokens_or_people_are_never_stored
}

cases_once! {
    a_sane_request_id_is_kept_and_a_hostile_one_replaced
    localhost_may_call_in_development_and_nobody_else
    listed_origins_may_call_and_localhost_may_not_in_staging
    a_form_without_origin_still_works
    https_is_remembered_where_links_are_https
    pages_allow_their_own_style_and_no_script
}

async fn wrong_methods_are_405_with_allow_and_unknown_paths_404(app: &TestApp, user_type: &str) {
    let routes = [
        ("", "GET"),
        ("/", "GET"),
        ("/create", "POST"),
        ("/login", "POST"),
        ("/verify", "GET, POST"),
        ("/refresh-token", "POST"),
        ("/resend-verification", "POST"),
        ("/logout", "POST, GET"),
        ("/mfa/totp", "POST, DELETE"),
        ("/sessions/ses_a", "DELETE"),
        // Named by a template that longer ones begin with.
        ("/admin/accounts/usr_a", "GET, PUT, DELETE"),
        ("/admin/accounts/usr_a/lock", "POST"),
    ];
    for (path, takes) in routes {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            if takes.contains(method) {
                continue;
            }
            let refused = app.call(method, &format!("/{user_type}{path}")).send().await;
            let refused = refused.expect_problem(405, "method_not_allowed");
            let mut allowed: Vec<&str> = refused.header("allow").split(", ").collect();
            let mut expected: Vec<&str> = takes.split(", ").collect();
            allowed.sort_unstable();
            expected.sort_unstable();
            assert_eq!(allowed, expected, "{}", refused.call);
        }
    }
    let unknown = [
        format!("/{}", user_type.to_lowercase()),
        format!("/{user_type}x"),
        format!("/{user_type}/nonsense"),
        format!("/{user_type}/create/"),
        format!("/{user_type}/create/more"),
        format!("//{user_type}/create"),
        format!("/{user_type}/../{user_type}/create/..%2fcreate"),
        "/User3/create".to_owned(),
        "/users".to_owned(),
        "/.env".to_owned(),
        "/%00".to_owned(),
        "/%ff%fe".to_owned(),
    ];
    for path in unknown {
        for method in ["GET", "POST"] {
            let answer = app.call(method, &path).send().await;
            answer.expect_problem(404, "not_found");
        }
    }
}

async fn answers_with_tokens_or_people_are_never_stored(app: &TestApp, user_type: &str) {
    // `no-store` on every answer is checked with every answer; here that nothing else allows to keep it.
    let (person, pair) = app.member(user_type).await;
    let login = app
        .sign_in(user_type, &person.email, &person.password)
        .await
        .expect(200);
    let profile = app.profile(user_type, &pair.access).await.expect(200);
    for answer in [login, profile] {
        assert_eq!(answer.headers.get_all("cache-control").iter().count(), 1, "{answer:?}");
        for name in ["etag", "last-modified", "expires", "server", "x-powered-by"] {
            assert_eq!(answer.header(name), "", "{name} of {}", answer.call);
        }
        assert!(
            answer.header("content-type").starts_with("application/json"),
            "{answer:?}"
        );
    }
}

async fn a_sane_request_id_is_kept_and_a_hostile_one_replaced(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let longest = "a".repeat(64);
    for sane in ["1", "client-7_f.3", longest.as_str()] {
        for path in ["/livez", "/nowhere", "/User1/"] {
            let answer = app.get(path).header("x-request-id", sane).send().await;
            assert_eq!(answer.header("x-request-id"), sane, "{path}");
        }
    }
    let too_long = "a".repeat(200);
    let hostile: [&[u8]; 9] = [
        b"",
        b"two words",
        b"<script>alert(1)</script>",
        b"id\tid",
        b"id;id",
        b"\"id\"",
        b"\xFF\xFE",
        b"../../etc/passwd",
        too_long.as_bytes(),
    ];
    let mut made = Vec::new();
    for id in hostile {
        let answer = app.get("/nowhere").header_bytes("x-request-id", id).send().await;
        let own = answer.header("x-request-id").to_owned();
        assert!(own.starts_with("req_") && own.len() == 30, "made by the service: {own}");
        assert!(!made.contains(&own), "each has its own");
        made.push(own);
    }
    // A line break never gets as far.
    let mut raw = RawConnection::open(app.address).await;
    raw.send("GET /livez HTTP/1.1\r\nhost: localhost\r\nx-request-id: a\rb\r\n\r\n")
        .await;
    let answer = raw.answer().await;
    assert!(
        answer.is_none_or(|answer| answer.status == 400),
        "a bare CR is no header"
    );
    app.shut_down().await;
}

async fn preflight(app: &TestApp, origin: &str) -> Answer {
    app.call("OPTIONS", "/User1/create")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,authorization")
        .send()
        .await
}

/// Nothing that would let a page of that origin read the answer.
#[track_caller]
fn is_closed(answer: &Answer) {
    let open: Vec<_> = answer
        .headers
        .keys()
        .filter(|name| name.as_str().starts_with("access-control-"))
        .collect();
    assert!(open.is_empty(), "{} opens {open:?}", answer.call);
    assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
}

async fn localhost_may_call_in_development_and_nobody_else(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    for origin in [
        "http://localhost:3000",
        "https://localhost",
        "http://127.0.0.1:5173",
        "http://[::1]:8080",
    ] {
        let allowed = preflight(&app, origin).await.expect(204);
        assert_eq!(allowed.header("access-control-allow-origin"), origin);
        assert!(allowed.header("access-control-allow-methods").contains("POST"));
        for name in ["Authorization", "Content-Type"] {
            assert!(allowed.header("access-control-allow-headers").contains(name), "{name}");
        }
        assert_eq!(
            allowed.header("access-control-allow-credentials"),
            "",
            "tokens go into a header"
        );

        for path in ["/livez", "/nowhere", "/User1/"] {
            let answer = app.get(path).header("origin", origin).send().await;
            assert_eq!(
                answer.header("access-control-allow-origin"),
                origin,
                "errors can be read, too"
            );
            for name in [
                "X-Request-ID",
                "Retry-After",
                "RateLimit",
                "RateLimit-Policy",
                "WWW-Authenticate",
            ] {
                assert!(answer.header("access-control-expose-headers").contains(name), "{name}");
            }
        }
    }
    for origin in [
        "https://evil.example",
        "http://localhost.evil.example:3000",
        "http://evil.example#localhost",
        "http://localhost@evil.example",
        "http://notlocalhost:3000",
        "http://localhost:3000/",
        "http://localhost:3000, https://evil.example",
        "null",
        "*",
        "file://",
        "",
    ] {
        is_closed(&preflight(&app, origin).await);
        let answer = app.get("/livez").header("origin", origin).send().await.expect(200);
        is_closed(&answer);
        assert!(answer.header("vary").contains("Origin"), "no cache mixes them up");
    }
    app.shut_down().await;
}

async fn listed_origins_may_call_and_localhost_may_not_in_staging(stores: &StoreSet) {
    let app = Setup::new(stores)
        .set("ENVIRONMENT", "staging")
        .set(
            "CORS_ORIGINS",
            "https://app.example.com, https://admin.example.com:8443/",
        )
        .spawn()
        .await;
    for origin in ["https://app.example.com", "https://admin.example.com:8443"] {
        let allowed = preflight(&app, origin).await.expect(204);
        assert_eq!(allowed.header("access-control-allow-origin"), origin);
    }
    for origin in [
        "http://localhost:3000",
        "http://app.example.com",
        "https://app.example.com:444",
        "https://APP.example.com",
        "https://app.example.com.evil.example",
        "null",
    ] {
        is_closed(&preflight(&app, origin).await);
    }
    app.shut_down().await;

    let silent = Setup::new(stores).set("ENVIRONMENT", "staging").spawn().await;
    is_closed(&preflight(&silent, "https://app.example.com").await);
    is_closed(&preflight(&silent, "http://localhost:3000").await);
    silent.shut_down().await;
}

async fn a_form_without_origin_still_works(stores: &StoreSet) {
    // A page with `Referrer-Policy: no-referrer` sends its own form with `Origin: null`.
    let app = Setup::new(stores).spawn().await;
    let person = Person::new();
    let token = app.register("User1", &person).await;
    let confirmed = app
        .post("/User1/verify")
        .accept(BROWSER)
        .header("origin", "null")
        .form(&[("token", &token), ("website", "")])
        .send()
        .await
        .expect(200);
    is_closed(&confirmed);
    assert!(confirmed.text().contains("confirmed"), "{}", confirmed.text());
    app.login("User1", &person).await;
    app.shut_down().await;
}

async fn https_is_remembered_where_links_are_https(stores: &StoreSet) {
    let plain = Setup::new(stores).spawn().await;
    assert_eq!(plain.get("/livez").send().await.header("strict-transport-security"), "");
    plain.shut_down().await;
    let secure = Setup::new(stores)
        .set("PUBLIC_URL", "https://id.example.com")
        .spawn()
        .await;
    for path in ["/livez", "/nowhere", "/User1/verify"] {
        let answer = secure.get(path).send().await;
        assert!(
            answer.header("strict-transport-security").contains("max-age="),
            "{path}"
        );
    }
    secure.shut_down().await;
}

async fn pages_allow_their_own_style_and_no_script(stores: &StoreSet) {
    use sha2::{Digest as _, Sha256};
    let app = Setup::new(stores).spawn().await;
    for path in ["/", "/User1/verify?token=x", "/dev/outbox/"] {
        let page = app.get(path).accept(BROWSER).send().await.expect(200);
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{policy}");
        let style = page
            .text()
            .split_once("<style>")
            .and_then(|(_, rest)| rest.split_once("</style>"));
        let (style, _) = style.unwrap_or_else(|| panic!("{path} has no style"));
        let digest = data_encoding::BASE64.encode(&Sha256::digest(style));
        assert!(
            policy.contains(&format!("'sha256-{digest}'")),
            "{path}: its style is not the one of {policy}"
        );
        for markup in [
            "<script",
            "onclick",
            "style=\"",
            "javascript:",
            "http://cdn",
            "https://",
        ] {
            assert!(!page.text().contains(markup), "{markup} in {path}");
        }
    }
    app.shut_down().await;
}
