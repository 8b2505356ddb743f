//! Which settings differ between two readings: a mark of each value, and none of the values.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use crate::config::source::Source;

/// Files of secrets that are read again by themselves when they are needed.
const FOLLOWED: &[&str] = &["TRANSIT_TOKEN_FILE"];

/// A mark of every setting, and of what stands in the files of secrets.
#[derive(Clone, Default)]
pub struct Marks(BTreeMap<String, u64>);

impl Marks {
    pub(in crate::config) fn of(source: &Source) -> Self {
        let mut marks = Self::default();
        for name in source.names() {
            marks.add(name, source.get(name).unwrap_or_default());
        }
        marks
    }

    /// Also of what stands in the file that `name` names.
    pub(in crate::config) fn add(&mut self, name: &str, text: &str) {
        if self.0.contains_key(name) && FOLLOWED.contains(&name) {
            return;
        }
        let mut hasher = DefaultHasher::new();
        (self.0.get(name), text).hash(&mut hasher);
        self.0.insert(name.to_owned(), hasher.finish());
    }

    /// Has the marks of `other` for the names that `is_taken_up` says.
    pub fn take_up(&mut self, other: &Self, is_taken_up: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| !is_taken_up(name));
        let taken = other.0.iter().filter(|(name, _)| is_taken_up(name));
        self.0.extend(taken.map(|(name, mark)| (name.clone(), *mark)));
    }

    /// The names of what is set otherwise in `other`, or in one of the two alone.
    #[must_use]
    pub fn differing<'m>(&'m self, other: &'m Self) -> BTreeSet<&'m str> {
        let names = self.0.keys().chain(other.0.keys());
        names
            .filter(|name| self.0.get(*name) != other.0.get(*name))
            .map(String::as_str)
            .collect()
    }
}

/// A short secret could be found by its mark.
impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn marks(pairs: &[(&str, &str)]) -> Marks {
        let pairs = pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Config::load(&Source::from_pairs(pairs)).expect("valid").marks
    }

    #[test]
    fn what_differs_is_named_and_no_value_is_kept() {
        let before = marks(&[("LIMIT_LOGIN", "5/min"), ("APP_NAME", "One"), ("DOCS", "off")]);
        let after = marks(&[("LIMIT_LOGIN", "9/min"), ("APP_NAME", "One"), ("LOG_LEVEL", "debug")]);
        let names: Vec<&str> = before.differing(&after).into_iter().collect();
        assert_eq!(names, ["DOCS", "LIMIT_LOGIN", "LOG_LEVEL"]);
        assert!(before.differing(&before.clone()).is_empty());
        assert!(!format!("{before:?}").contains("5/min"));
    }

    #[test]
    fn a_secret_that_changed_in_its_file_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("secret");
        let path = file.to_str().expect("plain");
        let named = [("JWT_ALGORITHM", "HS256"), ("JWT_SECRET_FILE", path)];
        std::fs::write(&file, "0123456789abcdef0123456789abcdef").expect("written");
        let before = marks(&named);
        std::fs::write(&file, "fedcba9876543210fedcba9876543210").expect("written");
        let after = marks(&named);
        assert_eq!(
            before.differing(&after).into_iter().collect::<Vec<_>>(),
            ["JWT_SECRET_FILE"]
        );
    }
}
