//! The mails and texts that the service wrote into its outbox folder.

use std::path::Path;

use mail_parser::{HeaderName, MessageParser};

/// A mail as its reader's program takes it apart.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// Its file's name.
    pub(crate) file: String,
    pub(crate) to: Vec<String>,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
    /// Names of its headers.
    pub(crate) headers: Vec<String>,
    pub(crate) raw: String,
}

impl Mail {
    pub(super) fn parse(file: String, bytes: &[u8]) -> Self {
        let mail = MessageParser::default().parse(bytes).expect("a mail");
        let addresses = mail.to().map(mail_parser::Address::iter).into_iter().flatten();
        Self {
            file,
            to: addresses
                .filter_map(|address| address.address().map(str::to_owned))
                .collect(),
            subject: mail.subject().unwrap_or_default().to_owned(),
            text: mail.body_text(0).unwrap_or_default().into_owned(),
            html: mail.body_html(0).unwrap_or_default().into_owned(),
            headers: mail
                .headers()
                .iter()
                .map(|header| match &header.name {
                    HeaderName::Other(name) => name.to_string(),
                    known => known.as_str().to_owned(),
                })
                .collect(),
            raw: String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    /// The link it carries, if it carries one.
    pub(crate) fn link(&self) -> Option<String> {
        let link = self.text.split_whitespace().find(|word| word.contains("?token="));
        link.map(str::to_owned)
    }

    /// The token of its link.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        let link = self.link();
        let token = link.as_deref().and_then(|link| link.split_once("?token="));
        token.unwrap_or_else(|| panic!("no link in {self:?}")).1.to_owned()
    }
}

/// A text as its phone shows it.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// Its file's name.
    pub(crate) file: String,
    pub(crate) to: String,
    pub(crate) body: String,
}

impl Text {
    /// The six digits it carries.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit());
        let code = self.body.split_whitespace().find(is_code);
        code.unwrap_or_else(|| panic!("no code in {self:?}")).to_owned()
    }
}

/// All texts of the folder that lie there whole.
pub(super) fn texts(folder: &Path) -> Vec<Text> {
    let read = |name: String| {
        let text = std::fs::read_to_string(folder.join(&name)).expect("a text is never taken away");
        let (head, body) = text.split_once("\n\n").expect("head and body");
        let to = head.lines().find_map(|line| line.strip_prefix("To: "));
        Text {
            file: name,
            to: to.expect("a number").to_owned(),
            body: body.to_owned(),
        }
    };
    names(folder, "sms").map(read).collect()
}

fn names(folder: &Path, ending: &str) -> impl Iterator<Item = String> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(move |name| Path::new(name).extension().is_some_and(|e| e == ending) && !name.starts_with('.'))
}

/// All mails of the folder that lie there whole.
pub(super) fn mails(folder: &Path) -> Vec<Mail> {
    names(folder, "eml")
        .map(|name| {
            let bytes = std::fs::read(folder.join(&name)).expect("a mail is never taken away");
            Mail::parse(name, &bytes)
        })
        .collect()
}
