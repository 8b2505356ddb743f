//! `sealgate admin`: administrators, the first of whom comes from here.

use std::io::{self, Write as _};

use anyhow::Context as _;
use clap::Subcommand;
use sealgate::{
    app::{Foundation, World},
    config::Config,
    domain::{account::NewPerson, email::Email, person_name::PersonName, user_type::UserType},
    service::make_admin::{Reach, make_admin},
};

#[derive(Subcommand)]
pub(crate) enum AdminCommand {
    /// Make an administrator's account and print the link that sets its first password
    Create {
        /// Whose administrator
        user_type: String,
        /// The address; it counts as verified
        email: String,
        /// Given name
        #[arg(long, default_value = "Admin")]
        first_name: String,
        /// Family name
        #[arg(long, default_value = "Sealgate")]
        last_name: String,
        /// Of every user type, and of what belongs to none, such as keys
        #[arg(long = "super")]
        is_super: bool,
    },
}

pub(crate) async fn run(config: &Config, command: &AdminCommand) -> anyhow::Result<()> {
    let AdminCommand::Create {
        user_type,
        email,
        first_name,
        last_name,
        is_super,
    } = command;
    let reach = if *is_super { Reach::Everything } else { Reach::UserType };
    let user_type: UserType = user_type
        .parse()
        .ok()
        .filter(|user_type| config.user_types.order.contains(user_type))
        .with_context(|| format!("{user_type} is none of USER_TYPES"))?;
    let person = NewPerson {
        email: Email::parse(email).context("the address can't be used")?,
        username: None,
        first_name: PersonName::parse(first_name).context("--first-name can't be used")?,
        last_name: PersonName::parse(last_name).context("--last-name can't be used")?,
        phone: None,
        country_code: None,
        attributes: None,
    };
    let foundation = Foundation::open(config, World::default()).await?;
    let made = make_admin(&foundation.core, &user_type, person, reach).await;
    foundation.close().await;
    let invitation = made.with_context(|| format!("no administrator of {user_type} was made"))?;
    let mut out = io::stdout().lock();
    let of_what = match reach {
        Reach::UserType => format!("an administrator of {user_type}"),
        Reach::Everything => format!("a super-admin, who signs in under {user_type}"),
    };
    writeln!(
        out,
        "{} is {of_what}. This link sets its password, once:",
        invitation.id
    )?;
    writeln!(
        out,
        "{}{user_type}/reset_password_form?token={}",
        config.http.public_url,
        invitation.token.expose()
    )?;
    writeln!(
        out,
        "It ends at {}; later, `forgot password` mails another to the address.",
        invitation.expires_at
    )?;
    Ok(())
}
