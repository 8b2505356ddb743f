//! Opens the provider of key-encryption keys that the configuration names. None is ever made where one could be missing:
//! only an installation that holds nothing yet, in development, gets a key file by itself.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;

use crate::{
    app::make_private_folder,
    config::{
        Config,
        environment::Environment,
        keks::{KekSource, TransitConfig},
    },
    crypto::{
        dek_cache::DekCache,
        kek::{KekError, KekProvider, Keks},
        kek_file::{self, KekFile, KekFileError},
        kek_succession::Succession,
    },
    domain::clock::{Clock, SystemClock},
    storage::Stores,
};

/// The keys, the newest of which wraps.
pub(super) async fn open(config: &Config, stores: &Stores, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<Keks>> {
    let provider: Arc<dyn KekProvider> = match &config.stores.keks.provider {
        KekSource::File => Arc::new(open_file(config, stores, clock).await?),
        KekSource::Environment(keks) => Arc::clone(keks) as Arc<_>,
        KekSource::Transit(settings) => open_transit(settings)?,
    };
    let provider = match &config.stores.keks.before {
        None => provider,
        Some(before) => Arc::new(Succession::new(open_before(before, config, clock)?, provider)),
    };
    let source = &config.stores.keks.provider;
    let keks = Keks::newest(provider).await.map_err(|error| refusal(source, error))?;
    Ok(Arc::new(keks))
}

/// The provider that the keys are moved from. It has keys: none is made there.
fn open_before(source: &KekSource, config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn KekProvider>> {
    Ok(match source {
        KekSource::File => {
            let file = KekFile::open(&config.stores.kek_file, Arc::clone(clock));
            Arc::new(file.context("KEK_PROVIDER_BEFORE=file: KEK_FILE")?)
        }
        KekSource::Environment(keks) => Arc::clone(keks) as Arc<_>,
        KekSource::Transit(settings) => open_transit(settings)?,
    })
}

/// What remembers unwrapped data keys: only where unwrapping asks somebody else.
pub(super) fn dek_cache(config: &Config) -> Option<Arc<DekCache>> {
    let keks = &config.stores.keks;
    let mut sources = [Some(&keks.provider), keks.before.as_ref()].into_iter().flatten();
    let is_remote = sources.any(|source| matches!(source, KekSource::Transit(_)));
    let settings = keks.dek_cache.filter(|_| is_remote)?;
    Some(Arc::new(DekCache::new(settings.owners, settings.lifetime)))
}

/// What an operator is told, with what to look at.
fn refusal(source: &KekSource, error: KekError) -> anyhow::Error {
    let is_away = error == KekError::Unavailable;
    let error = anyhow::Error::new(error);
    match source {
        KekSource::Transit(_) if is_away => error.context(
            "TRANSIT_URL: the key provider is away, sealed, or no transit engine; the service starts once it answers",
        ),
        KekSource::Transit(_) => error.context("the transit engine"),
        KekSource::File => error.context("KEK_FILE"),
        KekSource::Environment(_) => error.context("KEK"),
    }
}

#[cfg(feature = "transit")]
fn open_transit(settings: &TransitConfig) -> anyhow::Result<Arc<dyn KekProvider>> {
    use crate::{
        domain::private::Private,
        kms::transit::{Transit, TransitOptions},
    };
    let transit = Transit::new(TransitOptions {
        url: settings.url.clone(),
        mount: settings.mount.clone(),
        key: settings.key.clone(),
        token: Private::new(settings.token.expose().to_owned()),
        token_file: settings.token_file.clone(),
        namespace: settings.namespace.clone(),
        authority: settings.authority.clone(),
        patience: settings.patience,
    });
    Ok(Arc::new(
        transit.context("TRANSIT_CA_FILE or TRANSIT_NAMESPACE can't be used")?,
    ))
}

#[cfg(not(feature = "transit"))]
fn open_transit(_: &TransitConfig) -> anyhow::Result<Arc<dyn KekProvider>> {
    anyhow::bail!("KEK_PROVIDER: this build speaks to no transit engine; build it with the feature `transit`")
}

async fn open_file(config: &Config, stores: &Stores, clock: &Arc<dyn Clock>) -> anyhow::Result<KekFile> {
    let path = &config.stores.kek_file;
    let open = || KekFile::open(path, Arc::clone(clock));
    let opened = match open() {
        Err(KekFileError::Missing) => {
            let is_first_run = stores.keyring.list().await?.is_empty() && stores.accounts.is_empty().await?;
            anyhow::ensure!(
                is_first_run,
                "KEK_FILE is missing, and what is stored opens with no other: restore it from its back-up"
            );
            anyhow::ensure!(
                config.environment == Environment::Development,
                "KEK_FILE is missing; make it with `sealgate keys new`, and keep a copy apart from the data"
            );
            make_folder_of(path)?;
            kek_file::make(path, clock.now())?;
            open()
        }
        opened => opened,
    };
    opened.context("KEK_FILE")
}

/// A bare name lies in the folder that is there.
fn make_folder_of(file: &Path) -> anyhow::Result<()> {
    match file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => make_private_folder(folder.to_owned())
            .with_context(|| format!("KEK_FILE: the folder {} can't be made", folder.display())),
        None => Ok(()),
    }
}

/// Makes the key file where none is.
pub fn make_key_file(config: &Config) -> anyhow::Result<()> {
    let source = &config.stores.keks.provider;
    anyhow::ensure!(
        matches!(source, KekSource::File),
        "the key-encryption keys come from {source}, and not from a file: no file is made"
    );
    let path = &config.stores.kek_file;
    make_folder_of(path)?;
    match KekFile::open(path, Arc::new(SystemClock)) {
        Err(KekFileError::Missing) => Ok(kek_file::make(path, SystemClock.now())?),
        Ok(_) => anyhow::bail!("KEK_FILE exists already; it is left as it is"),
        Err(error) => Err(error.into()),
    }
}
