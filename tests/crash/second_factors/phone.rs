//! A phone that reads its texts.

use std::time::Duration;

use sealgate::{
    domain::{code::OtpCode, phone::Phone},
    service::{
        phone_codes::{send_code, verify_code},
        second_factor::{enrol::Enroller, text::send_text},
        sessions::TokenPair,
    },
};

use super::{caller, member};
use crate::world::World;

/// The same member, with a verified phone.
async fn of_verified_phone(world: &World, pair: TokenPair) -> TokenPair {
    let core = &world.sound.core;
    let who = caller(&world.sound, &pair).await;
    let phone = Phone::parse("+4915120000001", None).expect("a number");
    let sent = send_code(core, &who, "198.51.100.7", Some(&phone)).await.expect("sent");
    let code = read_text(world).await;
    // As it is now: with the number, and what was sent to it.
    let who = caller(&world.sound, &pair).await;
    verify_code(core, &who, &sent.challenge, &code).await.expect("verified");
    pair
}

/// A member with a verified phone, to which a code went.
pub(super) async fn texted(world: &World) -> (TokenPair, OtpCode) {
    let pair = of_verified_phone(world, member(world).await).await;
    let who = caller(&world.sound, &pair).await;
    // Of two texts of one moment nobody could say which is the newest.
    world.clock.advance(Duration::from_secs(1));
    send_text(&world.sound.core, &Enroller::SignedIn(&who), "198.51.100.7")
        .await
        .expect("sent");
    let code = read_text(world).await;
    (pair, code)
}

/// Delivers what is under way, and reads the newest text.
pub(super) async fn read_text(world: &World) -> OtpCode {
    let before = world.texts().len();
    for job in world.sound.due().await {
        world.sound.deliver(&job).await;
    }
    let texts = world.texts();
    assert_eq!(texts.len(), before + 1, "one text");
    let body = texts.last().expect("a text");
    let code = body.split_whitespace().next().expect("a code");
    OtpCode::parse(code).expect("six digits")
}

/// Until another text may be asked for, however many there were.
pub(super) fn wait_for_texts(world: &World) {
    world.clock.advance(Duration::from_mins(4));
}
