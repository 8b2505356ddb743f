//! Where texts may go, and how many: see [`service::text_guard`](crate::service::text_guard).

use std::collections::BTreeSet;

use crate::{
    config::{environment::Environment, sms::SmsConfig, source::Reader},
    domain::country::CountryCode,
};

/// Settings of all user types together.
#[derive(Clone, Debug)]
pub struct TextsConfig {
    /// Countries whose numbers are texted, in upper case; every one where none are listed.
    pub countries: Option<BTreeSet<String>>,
    /// Texts a day, of all user types together.
    pub daily_cap: u32,
    /// Fewer codes than these are no alarm.
    pub volume: u32,
    /// The least share of codes that has to come back, in percent.
    pub percent: u32,
}

impl TextsConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>, environment: Environment, sms: &SmsConfig) -> Self {
        let percent = reader.parse("SMS_CONVERSION_PERCENT", 20, "Write a number from 0 to 100");
        if percent > 100 {
            reader.report(
                "SMS_CONVERSION_PERCENT",
                "is more than 100",
                "Write a number from 0 to 100",
            );
        }
        Self {
            countries: countries(reader, environment, sms),
            daily_cap: reader.parse("SMS_DAILY_CAP_ALL", 2000, "Write a number of texts a day"),
            volume: reader.parse("SMS_CONVERSION_VOLUME", 20, "Write a number of codes"),
            percent,
        }
    }
}

fn countries(reader: &mut Reader<'_>, environment: Environment, sms: &SmsConfig) -> Option<BTreeSet<String>> {
    const MEND: &str = "List countries such as `CH,DE`; `*` alone is every one";
    let list = match reader.text("SMS_COUNTRIES").map(str::trim) {
        Some("*") => return None,
        Some(list) => list,
        None => {
            if environment == Environment::Production && matches!(sms, SmsConfig::Twilio(_)) {
                let says = "is not set, and texts to every country of the world are an invitation";
                reader.report("SMS_COUNTRIES", says, MEND);
            }
            return None;
        }
    };
    let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let countries: BTreeSet<String> = entries.map(str::to_ascii_uppercase).collect();
    let is_country = |text: &String| text.len() == 2 && CountryCode::parse(text).is_ok();
    if countries.is_empty() || !countries.iter().all(is_country) {
        reader.report("SMS_COUNTRIES", "has an entry that is not a country", MEND);
    }
    Some(countries)
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Source};

    fn load(pairs: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let pairs = pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let problems = |problems: Vec<crate::config::ConfigProblem>| problems.into_iter().map(|one| one.name).collect();
        Config::load(&Source::from_pairs(pairs)).map_err(problems)
    }

    const TWILIO: [(&str, &str); 3] = [
        ("TWILIO_SID", "AC1"),
        ("TWILIO_AUTH_TOKEN", "secret"),
        ("TWILIO_NUMBER", "+15005550006"),
    ];

    #[test]
    fn who_sends_texts_in_production_says_where() {
        let production = ("ENVIRONMENT", "production");
        let missing = |more: &[(&str, &str)]| {
            let problems = load(more).expect_err("other things are missing too");
            problems.iter().any(|name| name == "SMS_COUNTRIES")
        };
        assert!(missing(&[&TWILIO[..], &[production]].concat()));
        for served in ["CH,DE", "*"] {
            assert!(!missing(
                &[&TWILIO[..], &[production, ("SMS_COUNTRIES", served)]].concat()
            ));
        }
        assert!(!missing(&[production]), "no texts, no countries");
        assert!(load(&TWILIO).expect("development").texts.countries.is_none());
    }

    #[test]
    fn countries_and_caps_are_read_and_mistakes_told() {
        let config = load(&[
            ("SMS_COUNTRIES", " ch, LI ,XK"),
            ("SMS_DAILY_CAP", "7"),
            ("SMS_DAILY_CAP_User2", "0"),
        ]);
        let config = config.expect("valid");
        let served: Vec<String> = config.texts.countries.into_iter().flatten().collect();
        assert_eq!(served, ["CH", "LI", "XK"]);
        let caps: Vec<_> = config.user_types.settings.values().map(|one| one.daily_texts).collect();
        assert_eq!(caps, [Some(7), Some(0)]);
        for (name, value) in [
            ("SMS_COUNTRIES", "CH;DE"),
            ("SMS_COUNTRIES", "+41"),
            ("SMS_COUNTRIES", "XX"),
            ("SMS_COUNTRIES", ","),
            ("SMS_DAILY_CAP", "-1"),
            ("SMS_DAILY_CAP_User1", "many"),
            ("SMS_DAILY_CAP_ALL", "1e3"),
            ("SMS_CONVERSION_VOLUME", "x"),
            ("SMS_CONVERSION_PERCENT", "101"),
        ] {
            assert_eq!(load(&[(name, value)]).expect_err(value), [name], "{value}");
        }
    }

    #[test]
    fn who_is_not_counted_is_somebody() {
        let exempt = "203.0.113.0/24, 2001:db8::/32, 198.51.100.7";
        let config = load(&[("LIMIT_EXEMPT", exempt)]).expect("valid");
        assert_eq!(
            config.http.limit_exempt,
            ["203.0.113.0/24", "2001:db8::/32", "198.51.100.7/32"]
        );
        for everybody in ["0.0.0.0/0", "::/0", "203.0.113.0/24,::/0", "gateway.example"] {
            assert_eq!(
                load(&[("LIMIT_EXEMPT", everybody)]).expect_err(everybody),
                ["LIMIT_EXEMPT"]
            );
        }
    }
}
