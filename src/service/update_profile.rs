//! Changes a profile: one's own, or another's for an administrator. Another address takes effect when its link is confirmed;
//! another number is unverified at once; both need a fresh sign-in of whoever changes them.

use crate::{
    crypto::{blind_index::BlindIndexer, data_key::DataKeys, record_mac::Security},
    domain::{
        audit::{AuditEvent, Details, Outcome},
        challenge::Purpose,
        country::CountryCode,
        email::Email,
        ids::{AccountId, ChallengeId},
        message::MessageKind,
        person_name::PersonName,
        phone::Phone,
        private::Private,
        role::Role,
        username::Username,
    },
    service::{
        accounts::{ATTEMPTS, contended, find_verified, hand_over, message, open_keys, sign},
        admin::Denial,
        authenticate::Caller,
        core::Core,
        failure::Failure,
        fresh::is_fresh,
        revoke::{self, standing},
    },
    storage::{Change, Changed, Ref, StoreError, accounts::AccountRecord, change, profile::SealedProfile},
};

/// One optional field of the profile.
#[derive(Debug, Default)]
pub enum Patch<T> {
    /// As it is.
    #[default]
    Keep,
    /// No more.
    Remove,
    /// This from now on.
    Set(T),
}

impl<T> Patch<T> {
    /// The new value, if there is one.
    #[must_use]
    pub fn into_set(self) -> Option<T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Remove => None,
        }
    }
}

/// What to change.
#[derive(Debug, Default)]
pub struct Update {
    /// Another given name.
    pub first_name: Option<PersonName>,
    /// Another family name.
    pub last_name: Option<PersonName>,
    /// Another address.
    pub email: Option<Email>,
    /// Another username, or none.
    pub username: Patch<Username>,
    /// Another number, or none.
    pub phone: Patch<Phone>,
    /// Another country code, or none.
    pub country_code: Patch<CountryCode>,
    /// Other attributes: a JSON object that its schema accepted.
    pub attributes: Patch<Private>,
    /// The profile's version that the client has seen.
    pub version: Option<u64>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The profile was changed since the client read it.
    #[error("the profile has another version")]
    VersionConflict,
    /// Usernames are public by nature: a taken one is told.
    #[error("the username is taken")]
    UsernameTaken,
    /// The number is a second factor: it changes once that is turned off, so that no change of a profile takes it over.
    #[error("the number is a second factor")]
    PhoneIsSecondFactor,
    /// The sign-in is too old for another address or number.
    #[error("the sign-in is too old")]
    StaleSignIn,
    /// The account is gone.
    #[error("the account is gone")]
    Gone,
    /// Beyond what an administrator may.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Whose profile is changed, by whom, and what else.
pub(in crate::service) struct Changing<'c> {
    /// Whose.
    pub key: Ref<AccountId>,
    /// Who, and must have proven it lately where that is asked for.
    pub by: &'c Caller,
    /// Who, for the audit.
    pub details: Details,
    /// Whether they may change that account, as it is when it is written.
    pub allow: &'c (dyn Fn(&Security) -> Result<(), Denial> + Sync),
    /// Another role, which ends every session.
    pub role: Option<&'c Role>,
}

/// Applies `update` to the caller's own profile; answers the account as it is then.
pub async fn update_profile(
    core: &Core,
    caller: &Caller,
    update: &Update,
) -> Result<(AccountRecord, Security), UpdateError> {
    let own = Changing {
        key: caller.key(),
        by: caller,
        details: Details::default(),
        allow: &|_| Ok(()),
        role: None,
    };
    apply_update(core, &own, update).await
}

/// Applies `update`; answers the account as it is then.
pub(in crate::service) async fn apply_update(
    core: &Core,
    changing: &Changing<'_>,
    update: &Update,
) -> Result<(AccountRecord, Security), UpdateError> {
    let key = &changing.key;
    let keys = open_keys(core, key).await?.ok_or(UpdateError::Gone)?;
    for _ in 0..ATTEMPTS {
        let (account, security) = find_verified(core, key).await?.ok_or(UpdateError::Gone)?;
        (changing.allow)(&security)?;
        if update.version.is_some_and(|seen| seen != account.version) {
            return Err(UpdateError::VersionConflict);
        }
        let sealed = account.sealed.as_ref().ok_or(UpdateError::Gone)?;
        let mut plan = plan(core, &key.user_type, &keys, sealed, &security, update)?;
        let role = changing.role.filter(|role| **role != security.role);
        if let Some(role) = role {
            plan.assign(role);
        }
        if plan.is_other_phone && security.factors.texts {
            return Err(UpdateError::PhoneIsSecondFactor);
        }
        if plan.needs_fresh && !is_fresh(core, changing.by).await? {
            return Err(UpdateError::StaleSignIn);
        }
        let signed = if plan.security == security {
            None
        } else {
            let next = plan.security.clone();
            Some(sign(core, key, &security, |slot| *slot = next)?)
        };
        let (message_id, mut link) = message(core, MessageKind::ChangeAddress);
        link.to = plan.new_email.map(|email| keys.seal(email));
        let challenge_id = ChallengeId::make(core.clock.now(), &*core.entropy);
        let now = core.clock.now();
        let changed = change(&*core.stores.accounts, key, |stored: &mut AccountRecord| {
            if stored.version != account.version || stored.sealed.is_none() {
                return Change::Leave(());
            }
            if let Some(signed) = &signed
                && !stored.replace_security(security.rev_sec, signed.clone())
            {
                return Change::Leave(());
            }
            stored.sealed = Some(plan.sealed.clone());
            if plan.is_other_phone {
                // The code went to the number before.
                stored.void(Purpose::VerifyPhone);
                stored.void(Purpose::SecondFactor);
            }
            if link.to.is_some() {
                stored.challenge(Purpose::ChangeAddress, challenge_id.clone(), now);
                stored.outbox.replace(&message_id, link.clone());
            }
            stored.version += 1;
            stored.updated_at = now;
            Change::Store(())
        })
        .await
        .map_err(Failure::from)?;
        match changed {
            Changed::Stored(()) => {
                if plan.new_email.is_some() {
                    hand_over(core, key, message_id);
                    note(core, changing, AuditEvent::AddressChangeRequested, &changing.details).await;
                }
                if let Some(role) = role {
                    revoke::account_moved_on(core, key, &standing(&plan.security)).await;
                    let details = changing.details.clone().and_roles(&security.role, role);
                    note(core, changing, AuditEvent::RoleChanged, &details).await;
                }
                note(core, changing, AuditEvent::ProfileUpdated, &changing.details).await;
                return find_verified(core, key).await?.ok_or(UpdateError::Gone);
            }
            Changed::Left(()) => {}
            Changed::Taken(_) => return Err(UpdateError::UsernameTaken),
            Changed::Missing => return Err(UpdateError::Gone),
        }
    }
    Err(contended().into())
}

async fn note(core: &Core, changing: &Changing<'_>, event: AuditEvent, details: &Details) {
    let (key, done) = (&changing.key, Outcome::Success);
    core.note_with(&key.user_type, Some(&key.id), event, done, details.clone())
        .await;
}

struct Plan<'u> {
    sealed: SealedProfile,
    security: Security,
    new_email: Option<&'u Email>,
    is_other_phone: bool,
    needs_fresh: bool,
}

impl Plan<'_> {
    /// Gives another role: what was signed for the one before ends with its sessions.
    fn assign(&mut self, role: &Role) {
        self.security.role = role.clone();
        self.security.epoch += 1;
        self.security.kept_session = None;
        self.needs_fresh = true;
    }
}

fn plan<'u>(
    core: &Core,
    user_type: &crate::domain::user_type::UserType,
    keys: &DataKeys,
    current: &SealedProfile,
    security: &Security,
    update: &'u Update,
) -> Result<Plan<'u>, Failure> {
    let mut sealed = current.clone();
    let mut next = security.clone();
    let mut needs_fresh = false;
    if let Some(name) = &update.first_name {
        sealed.first_name = keys.seal(name);
    }
    if let Some(name) = &update.last_name {
        sealed.last_name = keys.seal(name);
    }
    apply(&update.country_code, &mut sealed.country_code, |code| keys.seal(code));
    apply(&update.attributes, &mut sealed.attributes, |text| keys.seal(text));
    apply(&update.username, &mut sealed.username, |name| keys.seal(name));

    let person = current.open(keys)?;
    let is_same_phone = match &update.phone {
        Patch::Keep => true,
        Patch::Remove => person.phone.is_none(),
        Patch::Set(phone) => person.phone.as_ref().is_some_and(|old| old.expose() == phone.expose()),
    };
    if !is_same_phone {
        needs_fresh = true;
        next.is_phone_verified = false;
        apply(&update.phone, &mut sealed.phone, |phone| keys.seal(phone));
    }

    let mut new_email = None;
    if let Some(email) = &update.email {
        if email.index_form() == person.email.index_form() {
            // Another spelling of the confirmed address: nothing is left to confirm, but mail goes where it says.
            if email.expose() != person.email.expose() {
                needs_fresh = true;
                sealed.email = keys.seal(email);
            }
        } else {
            needs_fresh = true;
            sealed.email_pending = Some(keys.seal(email));
            new_email = Some(email);
        }
    }

    let username = chosen(&update.username, person.username.as_ref());
    let phone = chosen(&update.phone, person.phone.as_ref());
    let keyring = core.keyring.current();
    let id: AccountId = keys.owner().parse().map_err(|_| StoreError::Damaged("an id".into()))?;
    next.slots = BlindIndexer::new(&keyring, user_type).slots(&id, &person.email, username, phone)?;
    Ok(Plan {
        sealed,
        security: next,
        new_email,
        is_other_phone: !is_same_phone,
        needs_fresh,
    })
}

fn apply<T, S>(patch: &Patch<T>, field: &mut Option<S>, seal: impl FnOnce(&T) -> S) {
    match patch {
        Patch::Keep => {}
        Patch::Remove => *field = None,
        Patch::Set(value) => *field = Some(seal(value)),
    }
}

fn chosen<'t, T>(patch: &'t Patch<T>, current: Option<&'t T>) -> Option<&'t T> {
    match patch {
        Patch::Keep => current,
        Patch::Remove => None,
        Patch::Set(value) => Some(value),
    }
}
