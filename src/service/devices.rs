//! The devices that an account knows, and the mail that tells its owner of another.

use crate::{
    crypto::device_token::{DeviceToken, place_digests},
    domain::{
        audit::{AuditEvent, Outcome},
        clock::Timestamp,
        device::Device,
        ids::{AccountId, SessionId},
        message::MessageKind,
        private::Private,
        token::TokenDigest,
    },
    service::{
        accounts::{hand_over, message},
        core::Core,
        failure::Failure,
    },
    storage::{Change, Ref, accounts::AccountRecord, change, known_devices::KnownDevices},
};

/// By what a device is told.
struct Marks {
    /// The token that it presented, if it is one of ours.
    token: Option<DeviceToken>,
    /// To look for: its token's digest, and its place under every key.
    readable: Vec<TokenDigest>,
    /// Its place as it is kept.
    place: Option<TokenDigest>,
}

impl Marks {
    fn of(core: &Core, account: &Ref<AccountId>, device: &Device) -> Result<Self, Failure> {
        let keyring = core.keyring.current();
        let token = device.token.as_ref();
        let token = token.and_then(|text| DeviceToken::parse(text.expose(), &account.user_type, &keyring));
        let mut readable: Vec<_> = token
            .iter()
            .map(|token| token.digest(&account.user_type, &account.id))
            .collect();
        let places = place_digests(&keyring, &account.user_type, &account.id, device)?;
        readable.extend(places.iter().flat_map(|places| &places.readable));
        Ok(Self {
            token,
            readable,
            place: places.map(|places| places.active),
        })
    }
}

/// What tells the device, if the account was signed in from it before.
pub(in crate::service) fn known(
    core: &Core,
    account: &AccountRecord,
    device: &Device,
) -> Result<Option<TokenDigest>, Failure> {
    let Some(devices) = &account.devices else {
        return Ok(None);
    };
    let marks = Marks::of(core, &Ref::new(&account.user_type, account.id.clone()), device)?;
    let now = core.clock.now();
    Ok(marks.readable.into_iter().find(|mark| devices.knows(&[*mark], now)))
}

/// What a device is kept by: its token, where it presented one of ours, and its place.
pub(in crate::service) fn place(
    core: &Core,
    account: &Ref<AccountId>,
    device: &Device,
) -> Result<Vec<TokenDigest>, Failure> {
    let marks = Marks::of(core, account, device)?;
    let token = marks.token.map(|token| token.digest(&account.user_type, &account.id));
    Ok(token.into_iter().chain(marks.place).collect())
}

/// What became of a sign-in's device.
#[derive(Debug)]
pub(in crate::service) enum Noted {
    /// The account is gone.
    AccountGone,
    /// Known by its place; there is no token to hand out.
    ByPlace,
    /// Known by this token, which the account keeps the digest of.
    ByToken(Private),
}

/// Notes a sign-in's device in the account, and tells the owner of one that it does not know, unless it is the first at
/// all.
///
/// Only a token that is noted is handed out: with any other its client would be a new device elsewhere. From a place that is
/// known already none is, since a client that keeps no token, and signs in each day, would drive every other device out
/// with tokens that nobody has; one that keeps tokens gets its own where it is new.
pub(in crate::service) async fn note(
    core: &Core,
    account: &Ref<AccountId>,
    device: &Device,
    session: &SessionId,
) -> Result<Noted, Failure> {
    let marks = Marks::of(core, account, device)?;
    let (token, is_presented) = match marks.token {
        Some(token) => (token, true),
        None => {
            let keyring = core.keyring.current();
            (DeviceToken::make(&account.user_type, &keyring, &*core.entropy)?, false)
        }
    };
    let digest = token.digest(&account.user_type, &account.id);
    let (message_id, mut notice) = message(core, MessageKind::NewDevice);
    notice.session = Some(session.clone());
    let now = core.clock.now();
    let noted = change(&*core.stores.accounts, account, |record: &mut AccountRecord| {
        if record.sealed.is_none() {
            return Change::Leave(None);
        }
        let is_first = record.devices.is_none();
        let devices = record.devices.get_or_insert_default();
        let is_known = devices.knows(&marks.readable, now);
        let mut digests: Vec<TokenDigest> = marks.place.into_iter().collect();
        let is_kept = is_presented || !is_known;
        if is_kept {
            digests.push(digest);
        }
        let is_changed = devices.note(&digests, now);
        let is_new = !is_known && !is_first;
        if is_new {
            record.outbox.push(&message_id, notice.clone());
        }
        if is_changed {
            Change::Store(Some((is_new, is_kept)))
        } else {
            Change::Leave(Some((is_new, is_kept)))
        }
    })
    .await?;
    let Some((is_new, is_kept)) = noted.into_value().flatten() else {
        return Ok(Noted::AccountGone);
    };
    if is_new {
        hand_over(core, account, message_id);
        core.note(
            &account.user_type,
            &account.id,
            AuditEvent::NewDeviceSeen,
            Outcome::Success,
        )
        .await;
    }
    Ok(if is_kept {
        Noted::ByToken(token.expose())
    } else {
        Noted::ByPlace
    })
}

/// Forgets every device but the one that a mailed link was used from: whoever signed in before may have been a thief.
pub(in crate::service) fn forget_others(account: &mut AccountRecord, place: &[TokenDigest], now: Timestamp) {
    let devices = account.devices.insert(KnownDevices::default());
    devices.note(place, now);
}
