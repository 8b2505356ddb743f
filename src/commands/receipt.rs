//! `sealgate receipt`: whether a receipt of erasure is genuine, and what it says.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Subcommand;
use sealgate::{
    app::{Foundation, World},
    config::Config,
    crypto::{
        public_key::PublicKey,
        receipt::{Proven, ReceiptError, ReceiptKeys},
    },
    service::token_keys::{self, KeyInfo},
};

#[derive(Subcommand)]
pub(crate) enum ReceiptCommand {
    /// Say what was erased, and when; asks no server
    Verify {
        /// The receipt's file; `-` is standard input
        file: PathBuf,
        /// Trust these keys instead of this installation's: a JWK set, as `sealgate keys public` prints it
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
    },
}

pub(crate) async fn run(config: &Config, command: &ReceiptCommand) -> anyhow::Result<()> {
    let ReceiptCommand::Verify { file, keys } = command;
    let text = read(file)?;
    let text = text.trim();
    let proven = match keys {
        Some(path) => jwk_set(path)?.verify(text)?,
        None => {
            let foundation = Foundation::open(config, World::default()).await?;
            let verified = verify(&foundation, text).await;
            foundation.close().await;
            verified?
        }
    };
    tell(&proven)
}

/// Against the keys of this installation, retired ones too.
async fn verify(foundation: &Foundation, text: &str) -> anyhow::Result<Proven> {
    let listed = token_keys::list(&foundation.core).await?;
    match trusted(&listed).and_current(&foundation.core.signer).verify(text) {
        Err(ReceiptError::UnknownKey(kid)) if is_removed(&listed, &kid) => {
            anyhow::bail!("the key `{kid}` that signed it was removed: others may have had it, and it proves nothing")
        }
        verified => Ok(verified?),
    }
}

/// The public keys of the key database, but for those that were removed.
pub(crate) fn trusted(listed: &[KeyInfo]) -> ReceiptKeys {
    let trusted = listed.iter().filter(|key| !key.is_removed);
    ReceiptKeys::new(trusted.filter_map(|key| key.public.as_ref()))
}

fn is_removed(listed: &[KeyInfo], kid: &str) -> bool {
    let removed = listed.iter().filter(|key| key.is_removed);
    removed
        .filter_map(|key| key.public.as_ref())
        .any(|key| PublicKey::thumbprint(key) == kid)
}

/// The keys of a file.
pub(crate) fn jwk_set(path: &Path) -> anyhow::Result<ReceiptKeys> {
    let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    ReceiptKeys::from_jwk_set(&text).with_context(|| format!("{}: no JWK set with a usable key", path.display()))
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        io::stdin().lock().read_to_string(&mut text)?;
    } else {
        text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    }
    Ok(text)
}

fn tell(proven: &Proven) -> anyhow::Result<()> {
    let receipt = &proven.receipt;
    let mut out = io::stdout().lock();
    writeln!(out, "The receipt is genuine.")?;
    writeln!(
        out,
        "  erased       the account {} of {}",
        receipt.account_id, receipt.user_type
    )?;
    writeln!(out, "  at           {}", receipt.erased_at)?;
    writeln!(out, "  data keys    {}", listed(receipt.keys.iter()))?;
    writeln!(out, "  wrapped by   {}", listed(receipt.wrapped_by.iter()))?;
    writeln!(out, "  says         {}", proven.issuer)?;
    writeln!(out, "  signed with  {}", proven.kid)?;
    Ok(())
}

fn listed(names: impl Iterator<Item = impl ToString>) -> String {
    let names: Vec<String> = names.map(|name| name.to_string()).collect();
    if names.is_empty() {
        "-".to_owned()
    } else {
        names.join(", ")
    }
}
