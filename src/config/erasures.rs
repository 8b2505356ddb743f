//! Where erasures are written down, outside of both databases.

use std::path::PathBuf;

use crate::config::{environment::Environment, source::Reader, stores::StoresConfig};

/// Settings of the erasure journal.
#[derive(Clone, Debug)]
pub struct ErasuresConfig {
    /// The file; none where it is off.
    pub journal: Option<PathBuf>,
}

impl ErasuresConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>, stores: &StoresConfig, environment: Environment) -> Self {
        const MEND: &str = "Name a file on a volume of its own, by its whole path, outside of both back-ups; or write \
                            `off`, and a restore of both databases brings deleted people back";
        let is_production = environment == Environment::Production;
        let set = reader.text("ERASURE_JOURNAL").map(|text| text.trim().to_owned());
        let journal = match set {
            Some(off) if off.eq_ignore_ascii_case("off") => None,
            Some(path) => {
                let path = PathBuf::from(path);
                if is_production && !path.is_absolute() {
                    reader.report("ERASURE_JOURNAL", "is no absolute path, which production takes", MEND);
                } else if is_production && path.starts_with(&stores.data_dir) {
                    reader.report("ERASURE_JOURNAL", "must not lie beside the data in production", MEND);
                }
                Some(path)
            }
            None => {
                if is_production {
                    reader.report("ERASURE_JOURNAL", "must be set in production", MEND);
                }
                Some(stores.data_dir.join("erasures.jsonl"))
            }
        };
        Self { journal }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Config, Source};

    fn load(pairs: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let pairs = pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Config::load(&Source::from_pairs(pairs))
            .map_err(|problems| problems.into_iter().map(|problem| problem.name).collect())
    }

    #[test]
    fn erasures_are_written_down_unless_that_is_switched_off() {
        let journal = |pairs: &[(&str, &str)]| load(pairs).expect("valid").erasures.journal;
        let default = journal(&[("DATA_DIR", "/srv/sealgate")]);
        assert_eq!(default.as_deref(), Some(Path::new("/srv/sealgate/erasures.jsonl")));
        assert_eq!(journal(&[("ERASURE_JOURNAL", "Off")]), None);
        let relative = journal(&[("ERASURE_JOURNAL", "journal")]);
        assert_eq!(relative.as_deref(), Some(Path::new("journal")));
    }

    #[test]
    fn production_says_where_by_the_whole_path_and_not_beside_the_data() {
        for (value, is_taken) in [
            (Some("/mnt/journal/erasures.jsonl"), true),
            (Some("off"), true),
            (Some("erasures.jsonl"), false),
            (Some("/srv/sealgate/erasures.jsonl"), false),
            (None, false),
        ] {
            let production = [("ENVIRONMENT", "production"), ("DATA_DIR", "/srv/sealgate")];
            let set = value.map(|value| ("ERASURE_JOURNAL", value));
            let pairs: Vec<_> = production.into_iter().chain(set).collect();
            let problems = load(&pairs).expect_err("no mail server");
            let is_told = problems.iter().any(|name| name == "ERASURE_JOURNAL");
            assert_eq!(is_told, !is_taken, "{value:?}");
        }
    }
}
