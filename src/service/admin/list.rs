//! Accounts of a user type, page by page, without personal data. An address or a number finds whose it is exactly, by its
//! blind index: what is asked for is neither stored nor noted.

use crate::{
    crypto::{blind_index::BlindIndexer, encoding::join},
    domain::{
        account::AccountStatus,
        audit::{AuditEvent, Outcome},
        email::Email,
        phone::Phone,
    },
    service::{
        admin::{
            authorize::Authorized,
            error::AdminError,
            grants::ListAccounts,
            page::{MOST, Page, Pages},
            summary::AccountSummary,
        },
        core::Core,
    },
    storage::accounts::AccountFilter,
};

/// Which accounts are wanted: those that fulfil all of it.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Of that status.
    pub status: Option<AccountStatus>,
    /// With that address.
    pub email: Option<Email>,
    /// With that number.
    pub phone: Option<Phone>,
}

impl Wanted {
    /// In one spelling, for the cursor.
    fn to_bytes(&self) -> Vec<u8> {
        join(&[
            self.status.map_or("", AccountStatus::as_str).as_bytes(),
            self.email.as_ref().map_or("", Email::index_form).as_bytes(),
            self.phone.as_ref().map_or("", Phone::expose).as_bytes(),
        ])
    }
}

/// Those that are wanted, in order of id, from after the cursor. A page may have fewer than `limit` though more come: what is
/// erased and not yet gone is passed over.
pub async fn list_accounts(
    core: &Core,
    admin: &Authorized<ListAccounts>,
    wanted: &Wanted,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<AccountSummary>, AdminError> {
    let (user_type, limit) = (admin.population(), limit.clamp(1, MOST));
    let bytes = wanted.to_bytes();
    let pages = Pages {
        list: "accounts",
        filter: &bytes,
    };
    let after = pages.after(core, admin, cursor)?;
    let filter = {
        let keyring = core.keyring.current();
        let indexer = BlindIndexer::new(&keyring, user_type);
        AccountFilter {
            status: wanted.status,
            email: wanted
                .email
                .as_ref()
                .map(|email| indexer.find_email(email))
                .transpose()?,
            phone: wanted
                .phone
                .as_ref()
                .map(|phone| indexer.find_phone(phone))
                .transpose()?,
        }
    };
    let accounts = &core.stores.accounts;
    let found = accounts.list(user_type, &filter, after.as_ref(), limit).await?;
    let is_full = found.len() >= limit as usize;
    let last = found.last().map(|(id, _)| id.clone());
    let summaries = found
        .into_iter()
        .map(|(id, record)| AccountSummary::read(core, user_type, id, record.as_ref()));
    // What the store looked by is not what was verified.
    let is_wanted = |summary: &AccountSummary| match &summary.facts {
        Some(facts) => {
            facts.status != AccountStatus::Erased && wanted.status.is_none_or(|status| status == facts.status)
        }
        None => true,
    };
    let entries = summaries.filter(is_wanted).collect();
    let next = match last.filter(|_| is_full) {
        Some(last) => Some(pages.next(core, admin, last.as_str())?),
        None => None,
    };
    let (event, done) = (AuditEvent::AccountsListed, Outcome::Success);
    core.note_with(user_type, None, event, done, admin.details()).await;
    Ok(Page { entries, next })
}
