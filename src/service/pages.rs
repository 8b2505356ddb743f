//! Every record of a user type, page by page in the order of ids, beside servers that serve.

use crate::{
    domain::user_type::UserType,
    storage::{Documents, Record, StoreError},
};

const PAGE: u32 = 200;

/// A walk over all records of one user type.
pub(in crate::service) struct Pages<'p, R: Record, P: ?Sized> {
    port: &'p P,
    user_type: &'p UserType,
    after: Option<R::Id>,
    is_over: bool,
}

/// Some of them; none where there are none at all.
pub(in crate::service) struct Page<R: Record> {
    /// Id, and the version of its shape, of each.
    pub records: Vec<(R::Id, u16)>,
    /// Whether there are no more.
    pub is_last: bool,
}

impl<'p, R: Record, P: Documents<R> + ?Sized> Pages<'p, R, P> {
    pub(in crate::service) const fn new(port: &'p P, user_type: &'p UserType) -> Self {
        Self {
            port,
            user_type,
            after: None,
            is_over: false,
        }
    }

    /// The next page; `None` after the last.
    pub(in crate::service) async fn next(&mut self) -> Result<Option<Page<R>>, StoreError> {
        if self.is_over {
            return Ok(None);
        }
        let records = self.port.versions(self.user_type, self.after.as_ref(), PAGE).await?;
        self.is_over = records.len() < PAGE as usize;
        self.after = records.last().map(|(id, _)| id.clone());
        let is_last = self.is_over;
        Ok(Some(Page { records, is_last }))
    }
}
