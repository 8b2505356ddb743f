//! One record that can't be read any more keeps nobody else waiting.

use sealgate::service::register::LIFETIME;

use crate::world::World;

const PASSWORD: &str = "SecureP@ssw0rd123!";

#[tokio::test]
async fn a_damaged_registration_keeps_no_other_mail_waiting() {
    let world = World::new().await;
    let damaged = world
        .sound
        .register("ada@example.com", PASSWORD)
        .await
        .expect("registered");
    world.damage("registrations", &damaged).await;
    world
        .sound
        .register("bob@example.com", PASSWORD)
        .await
        .expect("registered");
    for job in world.sound.due().await {
        world.sound.deliver(&job).await;
    }
    assert_eq!(world.links().len(), 1);
}

#[tokio::test]
async fn a_damaged_registration_keeps_nothing_else_from_being_swept() {
    let world = World::new().await;
    let damaged = world
        .sound
        .register("ada@example.com", PASSWORD)
        .await
        .expect("registered");
    world
        .sound
        .register("bob@example.com", PASSWORD)
        .await
        .expect("registered");
    world.settle().await;
    world.damage("registrations", &damaged).await;
    world.clock.advance(LIFETIME);
    world.sound.sweep().await.expect("swept");
    let census = world.check().await;
    assert_eq!(census.registrations, [damaged.to_string()].into());
    assert_eq!(census.deks, census.registrations);
}
