//! Look-ups by blind index: any of some values, each in the slot it belongs to, in one query.

use bson::{Document, doc};

use crate::{crypto::blind_index::Candidate, storage::mongo::documents::binary};

/// The fields of both slots of an identifier.
pub(super) const EMAIL: [&str; 2] = ["email_ix_0", "email_ix_1"];
/// The same of the username.
pub(super) const USERNAME: [&str; 2] = ["username_ix_0", "username_ix_1"];

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
