//! A folder of templates, read at once: what is written there later is not served by halves.

use std::{collections::BTreeMap, fs, io, path::Path};

/// Deeper ones are no templates of ours: `<folder>/<UserType>/mail/base.html`.
const DEEPEST: usize = 4;

/// The files, by their path in the folder. One that can't be read is remembered as such.
#[derive(Debug, Default)]
pub(super) struct Folder(BTreeMap<String, Result<String, io::ErrorKind>>);

impl Folder {
    pub(super) fn read(path: &Path) -> Self {
        let mut folder = Self::default();
        folder.walk(path, "", DEEPEST);
        folder
    }

    /// Names come from code and from `{% include %}` lines: nothing outside of the folder is among them.
    pub(super) fn text(&self, name: &str) -> Option<Result<&str, io::ErrorKind>> {
        let text = self.0.get(name)?;
        Some(text.as_deref().map_err(|kind| *kind))
    }

    fn walk(&mut self, path: &Path, prefix: &str, deeper: usize) {
        let Ok(entries) = fs::read_dir(path) else { return };
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // Hidden ones are an editor's, or what a mounted folder keeps its versions in.
            if name.starts_with('.') {
                continue;
            }
            let (path, name) = (entry.path(), format!("{prefix}{name}"));
            if path.is_dir() {
                if deeper > 1 {
                    self.walk(&path, &format!("{name}/"), deeper - 1);
                }
            } else {
                let text = fs::read_to_string(&path).map_err(|error| error.kind());
                self.0.insert(name, text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_and_nothing_hidden_is_read() {
        let outer = tempfile::tempdir().expect("folder");
        let path = outer.path().join("templates");
        fs::create_dir_all(path.join("User1/mail")).expect("folders");
        for (name, text) in [
            ("../secret.txt", "secret"),
            (".hidden.txt", "hidden"),
            ("registration.txt", "one"),
            ("User1/mail/base.html", "two"),
        ] {
            fs::write(path.join(name), text).expect("written");
        }
        fs::write(path.join("logo.png"), [0xff, 0xfe]).expect("written");
        let folder = Folder::read(&path);
        assert_eq!(folder.text("registration.txt"), Some(Ok("one")));
        assert_eq!(folder.text("User1/mail/base.html"), Some(Ok("two")));
        assert_eq!(folder.text("logo.png"), Some(Err(io::ErrorKind::InvalidData)));
        for name in ["../secret.txt", ".hidden.txt", "registration.html", "", "User1"] {
            assert_eq!(folder.text(name), None, "{name}");
        }
    }
}
