//! Every change of a second factor, cut off at every write: nobody is locked out, and nobody who was told of a protection, or
//! was not told that it is gone, is without it.

use std::{sync::Mutex, time::Duration};

use sealgate::{
    domain::{
        code::OtpCode,
        device::Device,
        private::Private,
        second_factor::{Proof, RecoveryCode, SecondFactor},
        user_type::UserType,
    },
    service::{
        authenticate::{Caller, authenticate},
        second_factor::{
            confirm::confirm,
            confirm_text::confirm_text,
            disable::disable,
            due::{Due, read_token},
            enrol::{Enroller, enrol},
            recovery_codes::replace_recovery_codes,
            text::send_text,
            verify::{VerifyError, verify},
        },
        sessions::TokenPair,
        sign_in::SignInError,
    },
};

use crate::{
    cuts::{every_cut, every_kill},
    process::Process,
    second_factors::phone::{read_text, texted, wait_for_texts},
    world::World,
};

mod phone;

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "SecureP@ssw0rd123!";

fn user_type() -> UserType {
    "User1".parse().expect("valid")
}

/// An authenticator app.
struct App(totp_rs::Totp);

impl App {
    fn of(secret: &Private) -> Self {
        let secret = totp_rs::Secret::try_from_base32(secret.expose()).expect("base32");
        Self(totp_rs::Builder::new().with_secret(secret).build().expect("160 bits"))
    }

    /// Its code of now, in a step of its own.
    fn code(&self, world: &World) -> OtpCode {
        use sealgate::domain::clock::Clock as _;
        world.clock.advance(Duration::from_secs(30));
        let now = u64::try_from(world.clock.now().as_secs()).expect("after 1970");
        OtpCode::parse(&self.0.generate(now).to_string()).expect("six digits")
    }
}

/// A member, signed in.
async fn member(world: &World) -> TokenPair {
    let id = world.sound.register(EMAIL, PASSWORD).await.expect("registered");
    let link = world.sound.make_link(&id).await;
    world.sound.confirm(&link).await.expect("confirmed");
    world.settle().await;
    world.sound.sign_in(EMAIL, PASSWORD).await.expect("signed in")
}

async fn caller(process: &Process, pair: &TokenPair) -> Caller {
    let found = authenticate(&process.core, &user_type(), pair.access.expose()).await;
    found.expect("whoever changes a factor stays signed in")
}

/// The token of a first half, where a second one is due; nothing where the password is enough.
async fn half(process: &Process) -> Option<Private> {
    match process.sign_in(EMAIL, PASSWORD).await {
        Ok(_) => None,
        Err(SignInError::SecondFactorDue(Due::Proof { token, .. })) => Some(token),
        Err(other) => panic!("{other}"),
    }
}

async fn show(process: &Process, token: &Private, proof: Proof) -> Result<TokenPair, VerifyError> {
    let half = read_token(&process.core, &user_type(), token.expose()).expect("ours");
    let begun = verify(&process.core, &user_type(), half, &proof, &Device::default()).await;
    begun.map(|started| started.pair)
}

fn recovery(code: &Private) -> Proof {
    Proof::Recovery(RecoveryCode::parse(code.expose()).expect("a code"))
}

/// Whether a recovery code lets in.
async fn recovers(process: &Process, code: &Private) -> bool {
    let token = half(process).await.expect("a second half is due");
    show(process, &token, recovery(code)).await.is_ok()
}

fn told(world: &World, subject: &str) -> usize {
    let mails = world.mails();
    mails.iter().filter(|mail| mail.subject.contains(subject)).count()
}

/// What an act answered, if it did.
type Answer<T> = Mutex<Option<T>>;

fn answered<T>(answer: Answer<T>) -> Option<T> {
    answer.into_inner().expect("unshared")
}

/// A member whose app waits for its first code.
async fn enrolled(world: &World) -> (TokenPair, App) {
    let pair = member(world).await;
    let who = caller(&world.sound, &pair).await;
    let shown = enrol(&world.sound.core, &Enroller::SignedIn(&who), "Sealgate").await;
    (pair, App::of(&shown.expect("shown").secret))
}

/// A member with an app, and their recovery codes.
async fn protected(world: &World) -> (TokenPair, App, Vec<Private>) {
    let (pair, app) = enrolled(world).await;
    let who = caller(&world.sound, &pair).await;
    let code = app.code(world);
    let confirmed = confirm(&world.sound.core, &Enroller::SignedIn(&who), &code, &Device::default()).await;
    (pair, app, confirmed.expect("on").recovery_codes)
}

#[tokio::test]
async fn a_secret_that_was_shown_or_not_locks_nobody_out() {
    every_cut(
        &["accounts.update"],
        member,
        async |process, pair| {
            let who = caller(process, pair).await;
            let _ = enrol(&process.core, &Enroller::SignedIn(&who), "Sealgate").await;
        },
        async |world, process, pair, after| {
            assert!(half(process).await.is_none(), "{after:?}");
            let who = caller(process, &pair).await;
            let shown = enrol(&process.core, &Enroller::SignedIn(&who), "Sealgate").await;
            let app = App::of(&shown.expect("shown").secret);
            let code = app.code(world);
            let on = confirm(&process.core, &Enroller::SignedIn(&who), &code, &Device::default()).await;
            on.expect("on");
        },
    )
    .await;
}

#[tokio::test]
async fn an_app_is_on_with_all_that_goes_with_it_or_not_at_all() {
    every_cut(
        &["accounts.update", "accounts.update", "audit.append"],
        async |world: &World| {
            let (pair, app) = enrolled(world).await;
            let code = app.code(world);
            (pair, app, code, Answer::default())
        },
        async |process, (pair, _, code, answer)| {
            let who = caller(process, pair).await;
            let on = confirm(&process.core, &Enroller::SignedIn(&who), code, &Device::default()).await;
            *answer.lock().expect("unshared") = on.ok();
        },
        async |world, process, (pair, app, _, answer), after| {
            let who = caller(process, &pair).await;
            let token = half(process).await;
            let on = answered(answer);
            assert!(token.is_some() || on.is_none(), "{after:?}: said to be on");
            if let Some(token) = token {
                let code = app.code(world);
                show(process, &token, Proof::Totp(code)).await.expect("lets in");
                if let Some(on) = on {
                    assert!(recovers(process, &on.recovery_codes[0]).await, "{after:?}");
                }
                // Whoever was not shown any has others made.
                let codes = replace_recovery_codes(&process.core, &who).await.expect("made");
                assert!(recovers(process, &codes[0]).await, "{after:?}");
            } else {
                let code = app.code(world);
                let again = confirm(&process.core, &Enroller::SignedIn(&who), &code, &Device::default()).await;
                let codes = again.expect("on").recovery_codes;
                assert!(recovers(process, &codes[0]).await, "{after:?}");
            }
            world.settle().await;
            assert_eq!(told(world, "takes a code from now on"), 1, "{after:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn an_app_is_off_or_lets_in() {
    every_cut(
        &["accounts.update", "audit.append"],
        async |world: &World| (protected(world).await, Answer::default()),
        async |process, ((pair, ..), answer)| {
            let who = caller(process, pair).await;
            *answer.lock().expect("unshared") = disable(&process.core, &who, SecondFactor::Totp).await.ok();
        },
        async |world, process, ((pair, app, codes), answer), after| {
            let token = half(process).await;
            let is_off = answered(answer).is_some();
            assert!(token.is_none() || !is_off, "{after:?}: said to be off");
            assert_eq!(token.is_some(), after.is_before("accounts.update"), "{after:?}");
            if let Some(token) = token {
                let code = app.code(world);
                show(process, &token, Proof::Totp(code)).await.expect("lets in");
                assert!(recovers(process, &codes[0]).await, "{after:?}");
                let who = caller(process, &pair).await;
                disable(&process.core, &who, SecondFactor::Totp).await.expect("off");
                assert!(half(process).await.is_none(), "{after:?}");
            }
            world.settle().await;
            assert_eq!(told(world, "takes no code any more"), 1, "{after:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn the_recovery_codes_before_are_good_until_others_are() {
    every_cut(
        &["accounts.update", "audit.append"],
        async |world: &World| (protected(world).await, Answer::default()),
        async |process, ((pair, ..), answer)| {
            let who = caller(process, pair).await;
            *answer.lock().expect("unshared") = replace_recovery_codes(&process.core, &who).await.ok();
        },
        async |world, process, ((pair, app, old), answer), after| {
            let is_replaced = !after.is_before("accounts.update");
            assert_eq!(recovers(process, &old[0]).await, !is_replaced, "{after:?}");
            if let Some(new) = answered(answer) {
                assert!(is_replaced && recovers(process, &new[0]).await, "{after:?}");
            }
            // Whoever has none, has the app.
            let token = half(process).await.expect("due");
            let code = app.code(world);
            show(process, &token, Proof::Totp(code)).await.expect("lets in");
            let who = caller(process, &pair).await;
            let new = replace_recovery_codes(&process.core, &who).await.expect("made");
            assert!(recovers(process, &new[0]).await, "{after:?}");
        },
    )
    .await;
}

/// A member who has codes by text turned on, and their recovery codes.
async fn protected_by_text(world: &World) -> (TokenPair, Vec<Private>) {
    let (pair, code) = texted(world).await;
    let who = caller(&world.sound, &pair).await;
    let on = confirm_text(&world.sound.core, &Enroller::SignedIn(&who), &code, &Device::default()).await;
    (pair, on.expect("on").recovery_codes)
}

/// Signs in by a text.
async fn in_by_text(world: &World, process: &Process) -> TokenPair {
    wait_for_texts(world);
    let token = half(process).await.expect("due");
    let first = read_token(&process.core, &user_type(), token.expose()).expect("ours");
    let of = user_type();
    send_text(&process.core, &Enroller::SigningIn(&of, first), "198.51.100.7")
        .await
        .expect("sent");
    let code = read_text(world).await;
    show(process, &token, Proof::Text(code)).await.expect("lets in")
}

#[tokio::test]
async fn codes_by_text_are_on_with_all_that_goes_with_it_or_not_at_all() {
    let done = every_kill(
        async |world: &World| (texted(world).await, Answer::default()),
        async |process, ((pair, code), answer)| {
            let who = caller(process, pair).await;
            let on = confirm_text(&process.core, &Enroller::SignedIn(&who), code, &Device::default()).await;
            *answer.lock().expect("unshared") = on.ok();
        },
        async |world, process, (_, answer), after| {
            let on = answered(answer);
            if half(process).await.is_none() {
                assert!(on.is_none(), "{after:?}: said to be on");
                wait_for_texts(world);
                let pair = process.sign_in(EMAIL, PASSWORD).await.expect("signed in");
                let who = caller(process, &pair).await;
                send_text(&process.core, &Enroller::SignedIn(&who), "198.51.100.7")
                    .await
                    .expect("sent");
                let code = read_text(world).await;
                let again = confirm_text(&process.core, &Enroller::SignedIn(&who), &code, &Device::default()).await;
                again.expect("on");
            } else if let Some(on) = on {
                assert!(recovers(process, &on.recovery_codes[0]).await, "{after:?}");
            }
            in_by_text(world, process).await;
            world.settle().await;
            assert_eq!(told(world, "takes a code from now on"), 1, "{after:?}");
        },
    )
    .await;
    let began = ["accounts.update", "accounts.update", "audit.append"];
    assert!(
        done.iter().all(|done| done.starts_with(&began.map(str::to_owned))),
        "{done:?}"
    );
}

#[tokio::test]
async fn a_text_that_was_asked_for_lets_in_now_or_the_next_one_does() {
    let done = every_kill(
        async |world: &World| {
            let own = protected_by_text(world).await;
            wait_for_texts(world);
            own
        },
        async |process, _| {
            let token = half(process).await.expect("due");
            if let Some(first) = read_token(&process.core, &user_type(), token.expose()) {
                let of = user_type();
                let _ = send_text(&process.core, &Enroller::SigningIn(&of, first), "198.51.100.7").await;
            }
        },
        async |world, process, (_, codes), after| {
            assert!(recovers(process, &codes[0]).await, "{after:?}");
            in_by_text(world, process).await;
        },
    )
    .await;
    let asks = |done: &Vec<String>| done.iter().any(|write| write == "accounts.update");
    assert!(done.iter().all(asks), "{done:?}");
}

#[tokio::test]
async fn a_text_that_was_shown_began_a_session_or_the_next_one_does() {
    every_kill(
        async |world: &World| {
            protected_by_text(world).await;
            wait_for_texts(world);
            let token = half(&world.sound).await.expect("due");
            let first = read_token(&world.sound.core, &user_type(), token.expose()).expect("ours");
            let of = user_type();
            send_text(&world.sound.core, &Enroller::SigningIn(&of, first), "198.51.100.7")
                .await
                .expect("sent");
            let code = read_text(world).await;
            (token, code, Answer::default())
        },
        async |process, (token, code, answer)| {
            let code = OtpCode::parse(code.expose()).expect("six digits");
            *answer.lock().expect("unshared") = show(process, token, Proof::Text(code)).await.ok();
        },
        async |world, process, (token, code, answer), after| {
            if let Some(pair) = answered(answer) {
                caller(process, &pair).await;
                let again = show(process, &token, Proof::Text(code)).await;
                assert!(matches!(again, Err(VerifyError::Refused)), "{after:?}: {again:?}");
            }
            in_by_text(world, process).await;
        },
    )
    .await;
}

#[tokio::test]
async fn codes_by_text_are_off_or_let_in() {
    every_cut(
        &["accounts.update", "audit.append"],
        async |world: &World| (protected_by_text(world).await, Answer::default()),
        async |process, ((pair, _), answer)| {
            let who = caller(process, pair).await;
            *answer.lock().expect("unshared") = disable(&process.core, &who, SecondFactor::Text).await.ok();
        },
        async |world, process, ((_, codes), answer), after| {
            let is_on = half(process).await.is_some();
            assert!(!is_on || answered(answer).is_none(), "{after:?}: said to be off");
            assert_eq!(is_on, after.is_before("accounts.update"), "{after:?}");
            if is_on {
                assert!(recovers(process, &codes[0]).await, "{after:?}");
                let pair = in_by_text(world, process).await;
                let who = caller(process, &pair).await;
                disable(&process.core, &who, SecondFactor::Text).await.expect("off");
                assert!(half(process).await.is_none(), "{after:?}");
            }
            world.settle().await;
            assert_eq!(told(world, "takes no code any more"), 1, "{after:?}");
        },
    )
    .await;
}
