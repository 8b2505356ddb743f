//! Looks at every stored record for what somebody, or a disk, changed behind the service's back: MACs that do not verify,
//! data keys that are gone or do not unwrap, sealed fields that do not open. Changes nothing, beside servers that serve.
//!
//! Told of each are record, user type and id, never content. It does not find a whole older record put back: that one carries
//! a MAC of ours.

use std::collections::HashMap;

use tokio::sync::Mutex;

use crate::{
    crypto::{data_key::DataKeys, field::Field, kek::KekError, record_mac::RecordMac, sealed::Sealed},
    domain::{
        account::AccountStatus,
        ids::{AccountId, Id},
        user_type::UserType,
    },
    service::{core::Core, failure::Failure, pages::Pages},
    storage::{
        Documents, Record, Ref, StoreError, accounts::AccountRecord, outbox::Outbox, profile::SealedProfile,
        registrations::RegistrationRecord, sessions::SessionRecord,
    },
};

/// Data keys that are kept while sessions are looked at, which come in the order of their beginning.
const KEPT: usize = 1024;
/// A record that is wrong is read again, in case somebody was changing it.
const LOOKS: usize = 3;

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Its MAC does not verify.
    Mac,
    /// It can't be read at all.
    Damaged,
    /// It is of a newer version of Sealgate than this.
    Newer,
    /// It has no data key.
    NoDataKey,
    /// Its data key does not unwrap.
    DataKey,
    /// That sealed field does not open.
    Field(&'static str),
}

impl Wrong {
    /// A fixed word.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Mac => "mac",
            Self::Damaged => "damaged",
            Self::Newer => "newer",
            Self::NoDataKey => "no_data_key",
            Self::DataKey => "data_key",
            Self::Field(_) => "field",
        }
    }
}

/// One record, and one thing that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Table or collection.
    pub record: &'static str,
    /// The population.
    pub user_type: UserType,
    /// Which.
    pub id: String,
    /// What.
    pub wrong: Wrong,
}

/// Told after every page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Table or collection.
    pub record: &'static str,
    /// The population.
    pub user_type: UserType,
    /// Looked at.
    pub seen: u64,
    /// Whether there is no more.
    pub is_done: bool,
}

/// Who is told.
pub trait Listener: Send {
    /// Of something that is wrong.
    fn found(&mut self, finding: &Finding) -> std::io::Result<()>;
    /// How far it is.
    fn progress(&mut self, progress: &Progress) -> std::io::Result<()>;
}

/// Why it ended early.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Who is told does not listen any more.
    #[error("what was found can't be written: {0}")]
    Told(#[from] std::io::Error),
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Looks at accounts, registrations and sessions of every user type.
pub async fn check_records(core: &Core, listener: &mut dyn Listener) -> Result<(), CheckError> {
    let stores = &core.stores;
    for user_type in core.user_types.keys() {
        let account = async |record: &AccountRecord| check_account(core, record).await;
        walk(&*stores.accounts, user_type, listener, account).await?;
        let registration = async |record: &RegistrationRecord| check_registration(core, record).await;
        walk(&*stores.registrations, user_type, listener, registration).await?;
        check_sessions(core, user_type, listener).await?;
    }
    Ok(())
}

async fn check_sessions(core: &Core, user_type: &UserType, listener: &mut dyn Listener) -> Result<(), CheckError> {
    let kept: Mutex<HashMap<AccountId, Result<DataKeys, Wrong>>> = Mutex::default();
    let session = async |record: &SessionRecord| check_session(core, record, &mut *kept.lock().await).await;
    walk(&*core.stores.sessions, user_type, listener, session).await
}

/// Page by page, in order of id.
async fn walk<R: Record>(
    port: &(impl Documents<R> + ?Sized),
    user_type: &UserType,
    listener: &mut dyn Listener,
    check: impl AsyncFn(&R) -> Result<Vec<Wrong>, Failure>,
) -> Result<(), CheckError>
where
    R::Id: Id,
{
    let mut progress = Progress {
        record: R::NAME,
        user_type: user_type.clone(),
        seen: 0,
        is_done: false,
    };
    let mut pages = Pages::new(port, user_type);
    while let Some(page) = pages.next().await.map_err(Failure::from)? {
        progress.is_done = page.is_last;
        for (id, _) in page.records {
            progress.seen += 1;
            let key = Ref::new(user_type, id);
            for wrong in look(port, &key, &check).await? {
                listener.found(&Finding {
                    record: R::NAME,
                    user_type: user_type.clone(),
                    id: key.id.to_string(),
                    wrong,
                })?;
            }
        }
        listener.progress(&progress)?;
    }
    Ok(())
}

/// What is wrong with one record, once nobody changed it while it was looked at.
async fn look<R: Record>(
    port: &(impl Documents<R> + ?Sized),
    key: &Ref<R::Id>,
    check: &impl AsyncFn(&R) -> Result<Vec<Wrong>, Failure>,
) -> Result<Vec<Wrong>, Failure> {
    let mut last: Option<(u64, Vec<Wrong>)> = None;
    for _ in 0..LOOKS {
        let record = match port.find(key).await {
            Ok(Some(record)) => record,
            // Gone since the page was read.
            Ok(None) => return Ok(Vec::new()),
            Err(StoreError::Damaged(_)) => return Ok(vec![Wrong::Damaged]),
            Err(StoreError::Newer(_)) => return Ok(vec![Wrong::Newer]),
            Err(error) => return Err(error.into()),
        };
        let wrong = check(&record).await?;
        let is_settled = last.is_some_and(|(rev, _)| rev == record.rev());
        if wrong.is_empty() || is_settled {
            return Ok(wrong);
        }
        last = Some((record.rev(), wrong));
    }
    Ok(last.map(|(_, wrong)| wrong).unwrap_or_default())
}

async fn check_account(core: &Core, account: &AccountRecord) -> Result<Vec<Wrong>, Failure> {
    let keyring = core.keyring.current();
    let mac = RecordMac::new(&keyring).verify(&account.user_type, &account.id, account.security());
    let security = account.security().claimed();
    let mut wrong: Vec<Wrong> = mac.is_err().then_some(Wrong::Mac).into_iter().collect();
    if security.status == AccountStatus::Erased && account.sealed.is_none() {
        return Ok(wrong);
    }
    let key = Ref::new(&account.user_type, account.id.clone());
    match open(core, &key).await? {
        Ok(keys) => {
            match &account.sealed {
                Some(sealed) => wrong.extend(unopenable(sealed, &keys)),
                None => wrong.push(Wrong::Field("profile")),
            }
            wrong.extend(unopened(security.factors.totp.as_ref(), &keys));
            wrong.extend(unopened(security.factors.recovery_key.as_ref(), &keys));
            wrong.extend(unopened_of(&account.outbox, &keys));
        }
        Err(problem) => wrong.push(problem),
    }
    Ok(wrong)
}

async fn check_registration(core: &Core, registration: &RegistrationRecord) -> Result<Vec<Wrong>, Failure> {
    let key = Ref::new(&registration.user_type, registration.id.clone());
    Ok(match open(core, &key).await? {
        Ok(keys) => {
            let fields = unopenable(&registration.sealed, &keys);
            fields
                .into_iter()
                .chain(unopened_of(&registration.outbox, &keys))
                .collect()
        }
        Err(problem) => vec![problem],
    })
}

async fn check_session(
    core: &Core,
    session: &SessionRecord,
    kept: &mut HashMap<AccountId, Result<DataKeys, Wrong>>,
) -> Result<Vec<Wrong>, Failure> {
    let is_signed = session.facts().is_signed_by(&core.keyring.current(), &session.mac);
    if !is_signed {
        // Whose it is, nobody knows.
        return Ok(vec![Wrong::Mac]);
    }
    if session.agent.is_none() && session.network.is_none() {
        return Ok(Vec::new());
    }
    if kept.len() >= KEPT {
        kept.clear();
    }
    let key = Ref::new(&session.user_type, session.account_id.clone());
    if !kept.contains_key(&key.id) {
        kept.insert(key.id.clone(), open(core, &key).await?);
    }
    Ok(match kept.get(&key.id) {
        Some(Ok(keys)) => {
            let fields = [
                unopened(session.agent.as_ref(), keys),
                unopened(session.network.as_ref(), keys),
            ];
            let wrong: Vec<Wrong> = fields.into_iter().flatten().collect();
            if !wrong.is_empty() {
                // A key that was made since is not among those that are kept.
                kept.remove(&key.id);
            }
            wrong
        }
        // Told of with the account; of one that was erased a moment ago nothing is wrong.
        Some(Err(_)) | None => Vec::new(),
    })
}

/// The data keys; else what is wrong with them. A key provider that is away ends the walk.
async fn open(core: &Core, key: &Ref<AccountId>) -> Result<Result<DataKeys, Wrong>, Failure> {
    match core.vault.open(key).await {
        Ok(keys) => Ok(Ok(keys)),
        Err(Failure::NoDataKey(_)) => Ok(Err(Wrong::NoDataKey)),
        Err(Failure::Kek(KekError::Unknown(_) | KekError::Damaged) | Failure::Store(StoreError::Damaged(_))) => {
            Ok(Err(Wrong::DataKey))
        }
        Err(failure) => Err(failure),
    }
}

fn unopened<F: Field>(sealed: Option<&Sealed<F>>, keys: &DataKeys) -> Option<Wrong> {
    let is_wrong = sealed.is_some_and(|sealed| keys.open(sealed).is_err());
    is_wrong.then_some(Wrong::Field(F::NAME))
}

fn unopenable(sealed: &SealedProfile, keys: &DataKeys) -> Vec<Wrong> {
    let SealedProfile {
        email,
        email_pending,
        username,
        first_name,
        last_name,
        phone,
        country_code,
        attributes,
        totp_pending,
    } = sealed;
    let fields = [
        unopened(Some(email), keys),
        unopened(email_pending.as_ref(), keys),
        unopened(username.as_ref(), keys),
        unopened(Some(first_name), keys),
        unopened(Some(last_name), keys),
        unopened(phone.as_ref(), keys),
        unopened(country_code.as_ref(), keys),
        unopened(attributes.as_ref(), keys),
        unopened(totp_pending.as_ref(), keys),
    ];
    fields.into_iter().flatten().collect()
}

fn unopened_of(outbox: &Outbox, keys: &DataKeys) -> Vec<Wrong> {
    let fields = outbox
        .entries()
        .flat_map(|entry| [unopened(entry.to.as_ref(), keys), unopened(entry.link.as_ref(), keys)]);
    fields.flatten().collect()
}
