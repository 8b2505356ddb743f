//! What becomes of tokens when what signs them is configured otherwise.

use sealgate::{
    crypto::public_key::PairAlgorithm,
    service::token_keys::{PENDING, rotate},
};
use serde_json::Value;

use crate::{
    support::{Setup, StoreSet, eventually, part},
    token_keys::{NAME, OFTEN, Operator, kid, published},
};

cases_once! {
    another_algorithm_begins_with_a_rotation
    a_configured_pair_signs_and_goes_with_an_overlap
    a_shared_secret_goes_with_an_overlap
}

async fn another_algorithm_begins_with_a_rotation(stores: &StoreSet) {
    let setup = Setup::new(stores).set("PUBLIC_URL", NAME);
    let app = setup.spawn().await;
    let (person, first) = app.member("User1").await;
    app.shut_down().await;

    let changed = Setup {
        reread: OFTEN,
        ..setup.set("JWT_ALGORITHM", "RS256")
    };
    let app = changed.spawn().await;
    // A server that began with a key of its own would sign what others can't verify.
    let second = app.login("User1", &person).await;
    assert_eq!(kid(&second.access), kid(&first.access));
    let operator = Operator::of(&changed).await;
    rotate(operator.core(), PairAlgorithm::Rs256).await.expect("made");
    app.clock.advance(PENDING);
    let third = eventually("a token of the new key", async || {
        let pair = app.login("User1", &person).await;
        (part(&pair.access, 0)["alg"] == "RS256").then_some(pair)
    })
    .await;
    for pair in [first, second, third] {
        app.profile("User1", &pair.access).await.expect(200);
    }
    app.shut_down().await;
    operator.0.close().await;
}

fn pem(name: &str) -> String {
    let frozen: Value = serde_json::from_str(include_str!("../vectors/frozen.json")).expect("JSON");
    frozen["rsa_pem"][name].as_str().expect("a text").to_owned()
}

async fn a_configured_pair_signs_and_goes_with_an_overlap(stores: &StoreSet) {
    let bare = Setup::new(stores).set("PUBLIC_URL", NAME);
    // As one line, the way a variable of an old installation has it.
    let pair = bare.clone().set("JWT_PRIVATE_KEY", pem("pkcs1").replace('\n', "\\n"));
    let app = pair.spawn().await;
    let (person, first) = app.member("User1").await;
    assert_eq!(part(&first.access, 0)["alg"], "RS256");
    let keys = published(&app).await;
    assert_eq!(keys[0]["kid"], kid(&first.access));
    assert_eq!(keys.len(), 2, "the service's own verifies too");
    app.shut_down().await;

    // The service's own key takes over, and the public half verifies what the other signed.
    let app = bare.clone().set("JWT_PUBLIC_KEY", pem("public")).spawn().await;
    let second = app.login("User1", &person).await;
    assert_eq!(part(&second.access, 0)["alg"], "EdDSA");
    for pair in [&first, &second] {
        app.profile("User1", &pair.access).await.expect(200);
    }
    assert!(published(&app).await.contains(&keys[0]));
    app.shut_down().await;

    let app = bare.spawn().await;
    app.profile("User1", &second.access).await.expect(200);
    app.profile("User1", &first.access)
        .await
        .expect_problem(401, "invalid_token");
    app.shut_down().await;
}

async fn a_shared_secret_goes_with_an_overlap(stores: &StoreSet) {
    let setup = Setup::new(stores)
        .set("PUBLIC_URL", NAME)
        .set("JWT_SECRET", "0123456789abcdef0123456789abcdef");
    let app = setup.clone().set("JWT_ALGORITHM", "HS256").spawn().await;
    let (person, first) = app.member("User1").await;
    assert_eq!(part(&first.access, 0)["alg"], "HS256");
    assert!(
        published(&app).await.iter().all(|key| key["kty"] == "OKP"),
        "no secret is published"
    );
    app.shut_down().await;

    let app = setup.clone().set("JWT_ALSO_VERIFY", "HS256").spawn().await;
    let second = app.login("User1", &person).await;
    assert_eq!(part(&second.access, 0)["alg"], "EdDSA");
    for pair in [&first, &second] {
        app.profile("User1", &pair.access).await.expect(200);
    }
    app.shut_down().await;

    // A secret that stands there lets nobody in by itself.
    let app = setup.spawn().await;
    app.profile("User1", &first.access)
        .await
        .expect_problem(401, "invalid_token");
    app.profile("User1", &second.access).await.expect(200);
    app.shut_down().await;
}
