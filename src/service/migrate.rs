//! Brings records of older versions to the newest, beside servers that serve.
//!
//! Page by page over the ids, one conditional write a record: one that somebody changed meanwhile is of the newest already
//! and left alone. So it may be stopped anywhere, begun again, and run twice at once. What is only ever added and never
//! changed (audit, heartbeats, root keys) is migrated as it is read.

use crate::{
    domain::{ids::Id, user_type::UserType},
    service::{
        failure::{Failure, pass_over_damaged},
        pages::Pages,
    },
    storage::{Change, Changed, Documents, Record, Ref, StoreError, Stores, change, schema::Age},
};

/// How far it is with one record of one user type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Table or collection.
    pub record: &'static str,
    /// The population.
    pub user_type: UserType,
    /// Looked at.
    pub seen: u64,
    /// Of an older version when looked at.
    pub older: u64,
    /// Brought to the newest by this run.
    pub migrated: u64,
    /// Written by a newer version of Sealgate, and left alone.
    pub newer: u64,
    /// Can't be read.
    pub damaged: u64,
    /// Whether there is no more.
    pub is_done: bool,
}

/// Told after every page.
pub type Tell<'t> = dyn FnMut(&Progress) -> std::io::Result<()> + Send + 't;

/// Why it ended early.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Who is told does not listen any more.
    #[error("progress can't be written: {0}")]
    Told(#[from] std::io::Error),
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Migrates every record of `user_types`, or only counts what there is to be done.
pub async fn migrate(
    stores: &Stores,
    user_types: &[UserType],
    is_dry: bool,
    tell: &mut Tell<'_>,
) -> Result<(), MigrateError> {
    for user_type in user_types {
        over(&*stores.accounts, user_type, is_dry, tell).await?;
        over(&*stores.registrations, user_type, is_dry, tell).await?;
        over(&*stores.deks, user_type, is_dry, tell).await?;
        over(&*stores.sessions, user_type, is_dry, tell).await?;
        over(&*stores.requests, user_type, is_dry, tell).await?;
    }
    Ok(())
}

async fn over<R: Record>(
    port: &(impl Documents<R> + ?Sized),
    user_type: &UserType,
    is_dry: bool,
    tell: &mut Tell<'_>,
) -> Result<(), MigrateError>
where
    R::Id: Id,
{
    let mut progress = Progress {
        record: R::NAME,
        user_type: user_type.clone(),
        seen: 0,
        older: 0,
        migrated: 0,
        newer: 0,
        damaged: 0,
        is_done: false,
    };
    let mut pages = Pages::new(port, user_type);
    while let Some(page) = pages.next().await.map_err(Failure::from)? {
        progress.is_done = page.is_last;
        for (id, version) in page.records {
            progress.seen += 1;
            match port.schema().age(version) {
                Age::Current => {}
                Age::Newer => progress.newer += 1,
                Age::Older => {
                    progress.older += 1;
                    if !is_dry {
                        match bring_forward(port, &Ref::new(user_type, id)).await? {
                            Some(is_ours) => progress.migrated += u64::from(is_ours),
                            None => progress.damaged += 1,
                        }
                    }
                }
            }
        }
        tell(&progress)?;
    }
    Ok(())
}

/// Whether this call migrated it; `None` where it can't be read.
async fn bring_forward<R: Record>(
    port: &(impl Documents<R> + ?Sized),
    key: &Ref<R::Id>,
) -> Result<Option<bool>, Failure> {
    let schema = port.schema();
    let changed = change(port, key, |record: &mut R| match schema.age(record.schema()) {
        // The adapter writes the newest version of what it read.
        Age::Older => Change::Store(()),
        Age::Current | Age::Newer => Change::Leave(()),
    })
    .await;
    match changed {
        // A newer process was quicker.
        Err(StoreError::Newer(_)) => Ok(Some(false)),
        changed => pass_over_damaged(
            changed
                .map(|changed| changed == Changed::Stored(()))
                .map_err(Failure::from),
        ),
    }
}
