//! Accounts of made-up persons, put in through the ports: whole, signed and found by their addresses. All have one sealed
//! profile and one password hash, which would take longer to make than to store.

use std::{ops::Range, sync::Arc};

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sealgate::{
    crypto::{
        blind_index::{BlindIndexer, Candidate},
        keyring::Keyring,
        password_hasher::PasswordHash,
        record_mac::{Factors, RecordMac, Security},
    },
    domain::{
        account::{AccountStatus, NewPerson},
        email::Email,
        ids::AccountId,
        password::Password,
        person_name::PersonName,
        role::Role,
        user_type::UserType,
    },
    service::Core,
    storage::{
        Inserted, Ref,
        accounts::{AccountRecord, NewAccount},
        outbox::Outbox,
        profile::SealedProfile,
    },
};

/// The password of all.
pub(crate) const PASSWORD: &str = "SecureP@ssw0rd123!";
/// Inserts that wait for the store at a time.
const AT_ONCE: usize = 32;

/// The population.
pub(crate) fn user_type() -> anyhow::Result<UserType> {
    "User1".parse().ok().context("a user type")
}

/// The address of person `number`.
pub(crate) fn email(number: u64) -> anyhow::Result<Email> {
    Ok(Email::parse(&format!("person.{number}@example.org"))?)
}

/// One that nobody has.
pub(crate) fn stranger(number: u64) -> anyhow::Result<Email> {
    Ok(Email::parse(&format!("stranger.{number}@example.org"))?)
}

/// What a look-up asks for.
pub(crate) fn candidates(keyring: &Keyring, user_type: &UserType, email: &Email) -> anyhow::Result<Vec<Candidate>> {
    Ok(BlindIndexer::new(keyring, user_type).find_email(email)?)
}

/// Numbers without an order, the same in every run.
pub(crate) fn scattered(number: u64) -> u64 {
    // SplitMix64.
    let mut mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn person(number: u64) -> anyhow::Result<NewPerson> {
    let name = |text: &str| PersonName::parse(text).ok().context("a name");
    Ok(NewPerson {
        email: email(number)?,
        username: None,
        first_name: name("Ada")?,
        last_name: name("Lovelace")?,
        phone: None,
        country_code: None,
        attributes: None,
    })
}

/// What all have in common.
struct Mould {
    user_type: UserType,
    profile: SealedProfile,
    password_hash: PasswordHash,
}

impl Mould {
    async fn new(core: &Core) -> anyhow::Result<Self> {
        let user_type = user_type()?;
        let key = Ref::new(&user_type, AccountId::make(core.clock.now(), &*core.entropy));
        let person = person(0)?;
        let password = Arc::new(Password::for_check(PASSWORD.to_owned())?);
        Ok(Self {
            profile: SealedProfile::seal(&person, &core.vault.make(&key).await?),
            password_hash: core.hasher.hash(password).await?,
            user_type,
        })
    }

    fn account(&self, core: &Core, number: u64) -> anyhow::Result<AccountRecord> {
        let (keyring, now) = (core.keyring.current(), core.clock.now());
        let id = AccountId::make(now, &*core.entropy);
        let slots = BlindIndexer::new(&keyring, &self.user_type).slots(&id, &email(number)?, None, None)?;
        let security = Security {
            status: AccountStatus::Active,
            role: Role::User,
            is_email_verified: true,
            is_phone_verified: false,
            password_hash: Some(self.password_hash.clone()),
            factors: Factors::default(),
            epoch: 0,
            kept_session: None,
            slots,
            rev_sec: 0,
        };
        Ok(AccountRecord::new(NewAccount {
            security: RecordMac::new(&keyring).sign(&self.user_type, &id, security)?,
            key: Ref::new(&self.user_type, id),
            created_at: now,
            updated_at: now,
            sealed: self.profile.clone(),
            outbox: Outbox::default(),
        }))
    }
}

/// Puts persons of these numbers in.
pub(crate) async fn insert(core: &Core, numbers: Range<u64>) -> anyhow::Result<()> {
    let mould = Mould::new(core).await?;
    stream::iter(numbers)
        .map(|number| {
            let mould = &mould;
            async move {
                let account = mould.account(core, number)?;
                match core.stores.accounts.insert(&account).await? {
                    Inserted::Stored => Ok(()),
                    Inserted::Taken(_) => anyhow::bail!("person {number} is there already"),
                }
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Puts persons of these numbers in, each with a data key and a profile of its own.
pub(crate) async fn insert_whole(core: &Core, numbers: Range<u64>) -> anyhow::Result<()> {
    let mould = Mould::new(core).await?;
    stream::iter(numbers)
        .map(|number| {
            let mould = &mould;
            async move {
                let person = person(number)?;
                let mut account = mould.account(core, number)?;
                let keys = core.vault.make(&Ref::new(&mould.user_type, account.id.clone())).await?;
                account.sealed = Some(SealedProfile::seal(&person, &keys));
                match core.stores.accounts.insert(&account).await? {
                    Inserted::Stored => Ok(()),
                    Inserted::Taken(_) => anyhow::bail!("person {number} is there already"),
                }
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}
