//! Lists page by page: how much, and where the next page begins.

use std::time::Duration;

use crate::{
    crypto::page_cursor::CursorScope,
    service::{
        admin::{authorize::Authorized, error::AdminError},
        core::Core,
    },
};

/// Entries of a page where nothing else is asked for.
pub const USUAL: u32 = 50;
/// Entries of a page at most.
pub const MOST: u32 = 100;
/// How long a cursor is good.
pub const CURSOR_LIFETIME: Duration = Duration::from_hours(1);

/// Part of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// In order.
    pub entries: Vec<T>,
    /// Where the next part begins; none where there is no more.
    pub next: Option<String>,
}

/// A list of one caller with one filter.
pub(super) struct Pages<'p> {
    /// Which list.
    pub list: &'p str,
    /// What was asked for, in one spelling.
    pub filter: &'p [u8],
}

impl Pages<'_> {
    /// What the cursor goes on after; nothing at the beginning.
    pub(super) fn after<P, T: std::str::FromStr>(
        &self,
        core: &Core,
        admin: &Authorized<P>,
        cursor: Option<&str>,
    ) -> Result<Option<T>, AdminError> {
        let Some(cursor) = cursor else { return Ok(None) };
        let caller = admin.name();
        let opened = self
            .scope(admin, &caller)
            .open(&core.keyring.current(), cursor, core.clock.now());
        let last = opened.and_then(|last| last.parse().ok());
        last.map(Some).ok_or(AdminError::CursorInvalid)
    }

    /// The cursor that goes on after `last`.
    pub(super) fn next<P>(&self, core: &Core, admin: &Authorized<P>, last: &str) -> Result<String, AdminError> {
        let (caller, end) = (admin.name(), core.clock.now().plus(CURSOR_LIFETIME));
        Ok(self.scope(admin, &caller).seal(&core.keyring.current(), last, end)?)
    }

    fn scope<'s, P>(&'s self, admin: &'s Authorized<P>, caller: &'s str) -> CursorScope<'s> {
        CursorScope {
            user_type: admin.population(),
            list: self.list,
            caller,
            filter: self.filter,
        }
    }
}
