//! An administrator is made beside whoever registers and confirms the same address.

use sealgate::{
    domain::{account::NewPerson, email::Email, person_name::PersonName, user_type::UserType},
    service::{
        confirm::{ConfirmError, Confirmed},
        make_admin::{Invitation, MakeAdminError, Reach, make_admin},
    },
};

use crate::world::World;

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "SecureP@ssw0rd123!";

async fn make(world: &World) -> Result<Invitation, MakeAdminError> {
    let person = NewPerson {
        email: Email::parse(EMAIL).expect("valid"),
        username: None,
        first_name: PersonName::parse("Ada").expect("valid"),
        last_name: PersonName::parse("Lovelace").expect("valid"),
        phone: None,
        country_code: None,
        attributes: None,
    };
    let user_type: UserType = "User1".parse().expect("valid");
    make_admin(&world.sound.core, &user_type, person, Reach::UserType).await
}

#[tokio::test]
async fn a_registration_that_waits_for_the_same_address_comes_to_nothing() {
    let world = World::new().await;
    let id = world.sound.register(EMAIL, PASSWORD).await.expect("registered");
    let link = world.sound.make_link(&id).await;
    let invitation = make(&world).await.expect("made");
    assert_ne!(invitation.id, id);
    assert!(matches!(
        world.sound.confirm(&link).await,
        Err(ConfirmError::LinkInvalid) | Ok(Confirmed::Already)
    ));
    assert!(
        world.sound.sign_in(EMAIL, PASSWORD).await.is_err(),
        "a stranger's password opens nothing"
    );
    assert!(matches!(make(&world).await, Err(MakeAdminError::Taken)));
    assert!(world.sound.opens(&invitation.id).await);
    world.close().await;
}
