//! Mails out: one enum, so that what production may use is decided in one place.

use std::path::PathBuf;

use lettre::{
    Address, Message,
    message::{Mailbox, MultiPart},
};

use crate::{
    domain::{clock::Timestamp, email::Email, ids::MessageId},
    jobs::{files::write_whole, smtp::Smtp},
    templates::MailText,
};

/// One mail, ready to be sent.
#[derive(Debug)]
pub struct Mail {
    /// Also its `Message-ID`, the same at every try.
    pub id: MessageId,
    /// To whom.
    pub to: Email,
    /// When the message was made.
    pub date: Timestamp,
    /// What it says.
    pub text: MailText,
}

/// What the provider said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It has the mail now.
    Accepted,
    /// Not now. The reason is a fixed phrase.
    Later(&'static str),
    /// Not this mail. The reason is a fixed phrase.
    Never(&'static str),
}

/// The sender's address can't be used.
#[derive(Debug, thiserror::Error)]
#[error("MAIL_FROM is not a mail address; write, for example, `Sealgate <no-reply@example.com>`")]
pub struct InvalidSender;

/// Where mails go.
#[derive(Debug)]
pub struct Mailer {
    from: Mailbox,
    transport: Transport,
}

#[derive(Debug)]
enum Transport {
    /// One `.eml` file per mail. Not for production.
    Directory(PathBuf),
    /// A server.
    Smtp(Smtp),
}

impl Mailer {
    /// Gives mails to a server.
    pub fn smtp(from: &str, smtp: Smtp) -> Result<Self, InvalidSender> {
        Ok(Self {
            from: from.parse().map_err(|_| InvalidSender)?,
            transport: Transport::Smtp(smtp),
        })
    }

    /// Asks whether mails would be taken now, sending none. Says what is wrong and how to mend it.
    pub async fn probe(&self) -> Result<(), &'static str> {
        match &self.transport {
            Transport::Directory(_) => Ok(()),
            Transport::Smtp(smtp) => smtp.probe().await,
        }
    }

    /// Writes mails into `folder`.
    pub fn directory(from: &str, folder: PathBuf) -> Result<Self, InvalidSender> {
        Ok(Self {
            from: from.parse().map_err(|_| InvalidSender)?,
            transport: Transport::Directory(folder),
        })
    }

    /// Sends one mail.
    pub async fn send(&self, mail: &Mail) -> Delivery {
        let Some(message) = self.compose(mail) else {
            return Delivery::Never("the mail can't be composed");
        };
        match &self.transport {
            Transport::Smtp(smtp) => smtp.send(message).await,
            Transport::Directory(folder) => {
                let (folder, name, bytes) = (folder.clone(), format!("{}.eml", mail.id), message.formatted());
                let written = tokio::task::spawn_blocking(move || write_whole(&folder, &name, &bytes)).await;
                match written {
                    Ok(Ok(())) => Delivery::Accepted,
                    Ok(Err(_)) | Err(_) => Delivery::Later("the outbox folder can't be written"),
                }
            }
        }
    }

    fn compose(&self, mail: &Mail) -> Option<Message> {
        let (local, domain) = mail.to.mailbox().rsplit_once('@')?;
        let to = Mailbox::new(None, Address::new(local, domain).ok()?);
        let millis = u64::try_from(mail.date.as_millis()).ok()?;
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(mail.text.subject.clone())
            .date(std::time::UNIX_EPOCH + std::time::Duration::from_millis(millis))
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            .multipart(MultiPart::alternative_plain_html(
                mail.text.text.clone(),
                mail.text.html.clone(),
            ))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(to: &str, subject: &str) -> Mail {
        Mail {
            id: "msg_00000000000000000000000001".parse().expect("valid"),
            to: Email::parse(to).expect("valid"),
            date: Timestamp::from_millis(1_764_000_000_000),
            text: MailText {
                subject: subject.into(),
                text: "text".into(),
                html: "<p>html</p>".into(),
            },
        }
    }

    #[tokio::test]
    async fn a_second_try_leaves_one_file_under_the_same_message_id() {
        let folder = tempfile::tempdir().expect("folder");
        let mailer = Mailer::directory("Sealgate <no-reply@example.com>", folder.path().join("outbox")).expect("from");
        for _ in 0..2 {
            assert_eq!(mailer.send(&mail("ada@example.com", "Hello")).await, Delivery::Accepted);
        }
        let files: Vec<_> = std::fs::read_dir(folder.path().join("outbox"))
            .expect("folder")
            .collect();
        assert_eq!(files.len(), 1);
        let text = std::fs::read_to_string(files[0].as_ref().expect("file").path()).expect("readable");
        assert!(
            text.contains("Message-ID: <msg_00000000000000000000000001@example.com>"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_subject_can_not_smuggle_a_header() {
        let folder = tempfile::tempdir().expect("folder");
        let mailer = Mailer::directory("no-reply@example.com", folder.path().to_owned()).expect("from");
        mailer
            .send(&mail("ada@example.com", "Hi\r\nBcc: eve@example.com"))
            .await;
        for file in std::fs::read_dir(folder.path()).expect("folder") {
            let text = std::fs::read_to_string(file.expect("file").path()).expect("readable");
            assert!(!text.lines().any(|line| line.starts_with("Bcc:")), "{text}");
        }
    }

    #[tokio::test]
    async fn a_folder_that_can_not_be_written_is_tried_again_later() {
        let file = tempfile::NamedTempFile::new().expect("file");
        let mailer = Mailer::directory("no-reply@example.com", file.path().join("under-a-file")).expect("from");
        assert!(matches!(
            mailer.send(&mail("ada@example.com", "Hi")).await,
            Delivery::Later(_)
        ));
    }
}
