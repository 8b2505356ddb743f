//! The mails of an installation, as the directory mailer wrote them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use mail_parser::MessageParser;

use crate::waiting::eventually;

/// How long a mail may take while nothing is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// The folder of mails.
#[derive(Clone, Debug)]
pub(crate) struct Outbox(PathBuf);

/// One mail.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) id: String,
    pub(crate) to: String,
    pub(crate) link: Option<String>,
}

impl Mail {
    fn read(path: &Path) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        let mail = MessageParser::default().parse(&bytes)?;
        let text = mail.body_text(0)?;
        let link = text.split_whitespace().find(|word| word.contains("?token="));
        Some(Self {
            to: mail.to()?.first()?.address()?.to_owned(),
            id: mail.message_id()?.to_owned(),
            link: link.map(str::to_owned),
        })
    }

    /// The token in its link.
    pub(crate) fn token(&self) -> &str {
        let link = self.link.as_deref().expect("a link");
        link.split_once("?token=").expect("a token").1
    }
}

impl Outbox {
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    pub(crate) fn path(&self) -> &PathBuf {
        &self.0
    }

    /// All mails.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        let files = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        files
            .map(|file| file.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
            .map(|path| Mail::read(&path).unwrap_or_else(|| panic!("{} is no whole mail", path.display())))
            .collect()
    }

    /// The mails to an address.
    pub(crate) fn to(&self, address: &str) -> Vec<Mail> {
        self.mails().into_iter().filter(|mail| mail.to == address).collect()
    }

    /// Waits for the mail with a link to `address`.
    pub(crate) async fn link_to(&self, address: &str) -> Mail {
        let what = format!("a link is mailed to {address}");
        eventually(&what, PATIENCE, async || {
            self.to(address).into_iter().find(|mail| mail.link.is_some())
        })
        .await
    }
}
