//! Notes what Twilio says became of a text. Only of texts that the audit knows to have been asked for.

use crate::{
    domain::{
        audit::{AuditEvent, Details, Outcome},
        ids::{AuditId, MessageId},
        message::MessageKind,
    },
    service::{core::Core, failure::Failure},
};

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextStatus {
    /// It is on the phone.
    Delivered,
    /// The carrier did not deliver it.
    Undelivered,
    /// It did not leave.
    Failed,
}

/// Notes it, with the provider's number of the error.
pub async fn note_status(
    core: &Core,
    message: &MessageId,
    status: TextStatus,
    code: Option<u32>,
) -> Result<(), Failure> {
    let asked = core.stores.audit.entries(&[AuditId::of_message(message)]).await?;
    let Some(asked) = asked.first().and_then(|entry| entry.record().ok()) else {
        return Ok(());
    };
    let (event, outcome, reason) = match status {
        TextStatus::Delivered => (AuditEvent::MessageDelivered, Outcome::Success, None),
        TextStatus::Undelivered => (AuditEvent::MessageUndelivered, Outcome::Refused, Some("undelivered")),
        TextStatus::Failed => (AuditEvent::MessageUndelivered, Outcome::Refused, Some("failed")),
    };
    let kind = if asked.event == AuditEvent::SecondFactorCodeRequested {
        MessageKind::SecondFactorCode
    } else {
        MessageKind::PhoneCode
    };
    let details = Details::of_message(message, kind);
    let details = reason.into_iter().fold(details, Details::and_reason);
    let details = code.into_iter().fold(details, Details::and_code);
    // The callback is the provider's request: its network and request id say nothing of the person.
    if let Some(user_type) = &asked.user_type {
        core.note_with(user_type, asked.account_id.as_ref(), event, outcome, details)
            .await;
    }
    Ok(())
}
