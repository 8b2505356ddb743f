//! Texts out: one enum, as for mails. At most once after the first byte: only what certainly did not leave is tried
//! again.

use std::path::PathBuf;

use tracing::Instrument as _;

use crate::{
    domain::{clock::Timestamp, ids::MessageId, phone::Phone},
    jobs::{files::write_whole, twilio::Twilio},
    traces,
};

/// One text.
#[derive(Debug)]
pub struct Text {
    /// The message.
    pub id: MessageId,
    /// To which number.
    pub to: Phone,
    /// What it says.
    pub body: String,
    /// When the message was made.
    pub date: Timestamp,
}

/// What became of a text. Reasons are fixed phrases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmsDelivery {
    /// The provider has it.
    Accepted,
    /// It certainly did not leave; worth another try.
    NotSent(&'static str),
    /// The provider will never take it.
    Refused(&'static str),
    /// It may have left or not: never tried again.
    Unknown(&'static str),
}

/// Where texts go.
#[derive(Debug)]
pub enum Sms {
    /// One `.sms` file per text, beside the mails. Not for production.
    Directory(PathBuf),
    /// Twilio's Messages API.
    Twilio(Box<Twilio>),
    /// Nowhere: none is configured, and a code that was asked for before that is given up.
    Off,
}

impl Sms {
    /// Asks whether texts would be taken now, sending none. Says what is wrong and how to mend it.
    pub async fn probe(&self) -> Result<(), &'static str> {
        match self {
            Self::Directory(_) | Self::Off => Ok(()),
            Self::Twilio(twilio) => twilio.probe().await,
        }
    }

    /// Sends one text.
    pub async fn send(&self, text: &Text) -> SmsDelivery {
        let span = traces::sending("send text");
        let delivery = self.give(text).instrument(span.clone()).await;
        match delivery {
            SmsDelivery::Accepted => {}
            SmsDelivery::NotSent(_) => traces::failed(&span, "later"),
            SmsDelivery::Refused(_) => traces::failed(&span, "never"),
            SmsDelivery::Unknown(_) => traces::failed(&span, "unknown"),
        }
        delivery
    }

    async fn give(&self, text: &Text) -> SmsDelivery {
        match self {
            Self::Twilio(twilio) => twilio.send(text).await,
            Self::Off => SmsDelivery::Refused("no provider is configured"),
            Self::Directory(folder) => {
                let content = format!("To: {}\nDate: {}\n\n{}\n", text.to.expose(), text.date, text.body);
                let (folder, name) = (folder.clone(), format!("{}.sms", text.id));
                match tokio::task::spawn_blocking(move || write_whole(&folder, &name, content.as_bytes())).await {
                    Ok(Ok(())) => SmsDelivery::Accepted,
                    Ok(Err(_)) | Err(_) => SmsDelivery::NotSent("the outbox folder can't be written"),
                }
            }
        }
    }
}
