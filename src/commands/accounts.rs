//! `sealgate accounts`: one account, erased for its owner, or vouched for.

use std::io::{self, Write as _};

use clap::{Args, Subcommand};
use sealgate::{
    app::{Foundation, World},
    config::Config,
    domain::{ids::AccountId, user_type::UserType},
    service::{
        erase_account::{Actor, erase_for},
        resign_account::{Claims, examine, resign},
    },
    storage::Ref,
};

#[derive(Subcommand)]
pub(crate) enum AccountsCommand {
    /// Erase an account for its owner, as they could themselves; prints the signed receipt
    Erase(Which),
    /// Show what a record says that somebody changed behind the service's back, and vouch for it
    Resign {
        #[command(flatten)]
        which: Which,
        /// Sign it; without this it is only shown
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(crate) struct Which {
    /// The user type
    #[arg(long = "type", value_name = "TYPE")]
    user_type: UserType,
    /// The account's id
    #[arg(long)]
    id: AccountId,
}

pub(crate) async fn run(config: &Config, command: &AccountsCommand) -> anyhow::Result<()> {
    let (AccountsCommand::Erase(which) | AccountsCommand::Resign { which, .. }) = command;
    anyhow::ensure!(
        config.user_types.order.contains(&which.user_type),
        "there is no user type {}; USER_TYPES lists them",
        which.user_type
    );
    let key = Ref::new(&which.user_type, which.id.clone());
    let foundation = Foundation::open(config, World::default()).await?;
    let done = act(&foundation, command, &key).await;
    foundation.close().await;
    done
}

async fn act(foundation: &Foundation, command: &AccountsCommand, key: &Ref<AccountId>) -> anyhow::Result<()> {
    let core = &foundation.core;
    match command {
        AccountsCommand::Erase(_) => {
            // The receipt alone, so that it can be kept as it is.
            let receipt = erase_for(core, &Actor::Operator, key).await?;
            writeln!(io::stdout(), "{receipt}")?;
            writeln!(
                io::stderr(),
                "{key} is erased: its keys are destroyed. A worker removes what is left of it."
            )?;
        }
        AccountsCommand::Resign { yes, .. } => {
            let claims = examine(core, key).await?;
            write!(io::stdout(), "{}", shown(key, &claims))?;
            if *yes {
                resign(core, key, &claims).await?;
                writeln!(io::stdout(), "It is signed as it stands.")?;
            } else {
                anyhow::bail!("nothing was signed; if all of this is as you want it, say `--yes`");
            }
        }
    }
    Ok(())
}

fn shown(key: &Ref<AccountId>, claims: &Claims) -> String {
    let yes = |is: bool| if is { "yes" } else { "no" };
    let slots = match claims.are_slots_changed {
        Some(false) => "no: found by the address, username and number that are sealed in it",
        Some(true) => "YES: found by another address, username or number than those sealed in it",
        None => "unknown: what is sealed in it does not open",
    };
    format!(
        "The record of {key} does not carry its MAC. To sign it is to vouch for this:\n  \
         status          {}\n  role            {}\n  e-mail verified {}\n  phone verified  {}\n  password        {}\n  \
         second factor   {}, by text {}, {} recovery codes\n  epoch           {}\n  revision        {}\n  slots changed   {slots}\n",
        claims.status.as_str(),
        claims.role.as_str(),
        yes(claims.is_email_verified),
        yes(claims.is_phone_verified),
        yes(claims.has_password),
        yes(claims.has_totp),
        yes(claims.has_texts),
        claims.recovery_codes,
        claims.epoch,
        claims.rev_sec,
    )
}
