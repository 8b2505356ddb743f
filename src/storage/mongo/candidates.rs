//! Look-ups by blind index: any of some values, each in the slot it belongs to, in one query.

use bson::{Document, RawDocumentBuf, doc, spec::BinarySubtype};

use crate::{
    crypto::blind_index::{Candidate, Slot},
    domain::user_type::UserType,
    storage::{
        documents::StoreError,
        mongo::{
            collection::Listing,
            documents::{Collections, Stored, binary},
        },
    },
};

/// The fields of both slots of an identifier.
pub(super) const EMAIL: [&str; 2] = ["email_ix_0", "email_ix_1"];
/// The same of the username.
pub(super) const USERNAME: [&str; 2] = ["username_ix_0", "username_ix_1"];
/// The same of the phone number.
pub(super) const PHONE: [&str; 2] = ["phone_ix_0", "phone_ix_1"];

/// Documents in which one of the candidates stands in its slot; `None` when there is no candidate.
pub(super) fn any_of(slots: [&str; 2], candidates: &[Candidate]) -> Option<Document> {
    let any: Vec<Document> = candidates
        .iter()
        .filter_map(|candidate| {
            let field = slots.get(usize::from(candidate.slot))?;
            Some(doc! { *field: binary(candidate.value.as_bytes()) })
        })
        .collect();
    (!any.is_empty()).then(|| doc! { "$or": any })
}

impl<R: Stored> Collections<R> {
    /// Values of one slot in their order, read from its index alone.
    pub(super) async fn slot_values(
        &self,
        slots: [&'static str; 2],
        user_type: &UserType,
        slot: u8,
        after: Option<&Slot>,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError> {
        let Some(field) = slots.get(usize::from(slot)) else {
            return Ok(Vec::new());
        };
        let mut filter = Document::new();
        // Where every user type has a collection, the index does not hold it, and asking for it would fetch each record.
        if !R::IS_PER_USER_TYPE {
            filter.insert("user_type", user_type.as_str());
        }
        filter.insert(*field, doc! { "$gt": binary(after.map_or(&[], Slot::as_bytes)) });
        let listing = Listing {
            filter,
            sort: doc! { *field: 1 },
            limit: Some(limit),
            projection: Some(doc! { *field: 1, "_id": 0 }),
        };
        let found = self.of(user_type)?.list(listing).await?;
        found.iter().map(|document| slot_value::<R>(document, field)).collect()
    }
}

fn slot_value<R: Stored>(document: &RawDocumentBuf, field: &str) -> Result<Slot, StoreError> {
    let found = document.get_binary(field).ok();
    let bytes = found.filter(|found| found.subtype == BinarySubtype::Generic);
    bytes
        .map(|found| Slot::from_bytes(found.bytes.to_vec()))
        .ok_or_else(|| StoreError::Damaged(format!("{} has an invalid index value", R::NAME)))
}
