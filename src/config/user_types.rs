//! The populations and what may be set for each: `NAME_<Type>` overrides `NAME`.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use crate::{
    config::source::{Reader, VARIABLES},
    domain::{
        attributes::AttributesSchema,
        email_sign_in::EmailSignIn,
        password::PasswordPolicy,
        role::Roles,
        second_factor::SecondFactorPolicy,
        session::SessionPolicy,
        user_type::{UserType, parse_user_types},
    },
};

/// Variables that may be set for one user type alone: `NAME_<Type>`.
const OF_A_TYPE: [&str; 12] = [
    "PASSWORD_POLICY",
    "SECOND_FACTOR",
    "EMAIL_SIGN_IN",
    "SMS_SECOND_FACTOR",
    "ACCESS_TOKEN_MINUTES",
    "SESSION_IDLE_DAYS",
    "SESSION_DAYS",
    "SESSION_SHORT_HOURS",
    "SESSIONS_PER_ACCOUNT",
    "SMS_DAILY_CAP",
    "ROLES",
    "ATTRIBUTES_SCHEMA",
];
/// Texts a day, where nothing else is said.
const DAILY_TEXTS: u32 = 1000;

/// Settings of one population.
#[derive(Clone, Debug, Default)]
pub struct TypeSettings {
    /// Of new passwords.
    pub password_policy: PasswordPolicy,
    /// Whether accounts need a second factor.
    pub second_factor: SecondFactorPolicy,
    /// Whether one signs in by mail, too.
    pub email_sign_in: EmailSignIn,
    /// Whether codes by text may be one.
    pub allows_text_factor: bool,
    /// Lifetimes.
    pub sessions: SessionPolicy,
    /// Texts a day for its accounts.
    pub daily_texts: Option<u32>,
    /// Of its own fields.
    pub attributes: Option<AttributesSchema>,
    /// Roles beside the built-in ones.
    pub roles: Roles,
}

/// Settings of all, in the order in which they were listed.
#[derive(Clone, Debug)]
pub struct UserTypesConfig {
    /// As listed.
    pub order: Vec<UserType>,
    /// Of each.
    pub settings: BTreeMap<UserType, TypeSettings>,
}

impl UserTypesConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>) -> Self {
        let list = reader.text("USER_TYPES").unwrap_or("User1,User2");
        let order = match parse_user_types(list) {
            Ok(order) => {
                report_strangers(reader, &order);
                order
            }
            Err(error) => {
                reader.report("USER_TYPES", error.to_string(), "List names such as `Customer,Driver`");
                // So that mistakes in what all types share are told too; nothing starts with these.
                parse_user_types("User1,User2").unwrap_or_default()
            }
        };
        let settings = order
            .iter()
            .map(|user_type| (user_type.clone(), read_one(reader, user_type)))
            .collect();
        Self { order, settings }
    }
}

/// `PASSWORD_POLICY_Custmer` would leave customers with the policy of all.
fn report_strangers(reader: &mut Reader<'_>, order: &[UserType]) {
    let strangers: Vec<&str> = reader
        .names()
        .filter(|name| !VARIABLES.contains(name))
        .filter(|name| {
            OF_A_TYPE
                .iter()
                .filter_map(|variable| name.strip_prefix(variable)?.strip_prefix('_'))
                .any(|rest| order.iter().all(|user_type| user_type.as_str() != rest))
        })
        .collect();
    for name in strangers {
        let mend = "End its name as USER_TYPES spells the type, or unset it";
        reader.report(name, "is of a user type that USER_TYPES does not list", mend);
    }
}

fn read_one(reader: &mut Reader<'_>, user_type: &UserType) -> TypeSettings {
    let mut settings = TypeSettings::default();
    let (name, text) = of_type(reader, "PASSWORD_POLICY", user_type);
    match text.map(PasswordPolicy::parse) {
        Some(Ok(policy)) => settings.password_policy = policy,
        Some(Err(error)) => reader.report(&name, "is not a policy", error.to_string().trim_end_matches('.')),
        None => {}
    }
    let (name, text) = of_type(reader, "SECOND_FACTOR", user_type);
    match text.map(SecondFactorPolicy::parse) {
        Some(Some(policy)) => settings.second_factor = policy,
        Some(None) => reader.report(&name, "is not a policy", "Write `optional` or `required`"),
        None => {}
    }
    let (name, text) = of_type(reader, "EMAIL_SIGN_IN", user_type);
    match text.map(EmailSignIn::parse) {
        Some(Some(mailed)) => settings.email_sign_in = mailed,
        Some(None) => reader.report(
            &name,
            "is not what may be mailed",
            "Write `off`, `code`, `link` or `code,link`",
        ),
        None => {}
    }
    let (name, _) = of_type(reader, "SMS_SECOND_FACTOR", user_type);
    settings.allows_text_factor = reader.switch(&name, false);
    let sessions = &mut settings.sessions;
    if let Some(minutes) = number(reader, "ACCESS_TOKEN_MINUTES", user_type, "minutes", 5..=30) {
        sessions.access_lifetime = Duration::from_mins(minutes);
    }
    if let Some(days) = number(reader, "SESSION_IDLE_DAYS", user_type, "days", 1..=90) {
        sessions.idle_lifetime = Duration::from_hours(24 * days);
    }
    if let Some(days) = number(reader, "SESSION_DAYS", user_type, "days", 1..=365) {
        sessions.absolute_lifetime = Duration::from_hours(24 * days);
    }
    if let Some(hours) = number(reader, "SESSION_SHORT_HOURS", user_type, "hours", 1..=168) {
        sessions.short_lifetime = Duration::from_hours(hours);
    }
    if let Some(most) = number(reader, "SESSIONS_PER_ACCOUNT", user_type, "sessions", 1..=1000) {
        sessions.most = u32::try_from(most).unwrap_or(u32::MAX);
    }
    let (name, text) = of_type(reader, "SMS_DAILY_CAP", user_type);
    settings.daily_texts = Some(DAILY_TEXTS);
    match text.map(|text| text.trim().parse()) {
        Some(Ok(cap)) => settings.daily_texts = Some(cap),
        Some(Err(_)) => reader.report(&name, "can't be read", "Write a number of texts a day"),
        None => {}
    }
    let (name, text) = of_type(reader, "ROLES", user_type);
    match text.map(Roles::parse) {
        Some(Ok(roles)) => settings.roles = roles,
        Some(Err(mistakes)) => {
            for mistake in mistakes {
                reader.report(&name, mistake.to_string(), mistake.mend());
            }
        }
        None => {}
    }
    let (name, path) = of_type(reader, "ATTRIBUTES_SCHEMA", user_type);
    match path.map(std::fs::read_to_string) {
        Some(Ok(text)) => match AttributesSchema::parse(&text) {
            Ok(schema) => settings.attributes = Some(schema),
            Err(error) => reader.report(&name, error.to_string(), "Mend the file that it names"),
        },
        Some(Err(error)) => {
            let says = format!("names a file that can't be read ({})", error.kind());
            reader.report(&name, says, "Name a file with a JSON Schema, or unset it");
        }
        None => {}
    }
    settings
}

/// A whole number within bounds, if there is one.
fn number(
    reader: &mut Reader<'_>,
    name: &str,
    user_type: &UserType,
    unit: &str,
    bounds: RangeInclusive<u64>,
) -> Option<u64> {
    let (name, text) = of_type(reader, name, user_type);
    let parsed = text?.trim().parse().ok().filter(|number| bounds.contains(number));
    if parsed.is_none() {
        let (least, most) = (bounds.start(), bounds.end());
        reader.report(
            &name,
            format!("is not between {least} and {most}"),
            format!("Write a number of {unit} from {least} to {most}"),
        );
    }
    parsed
}

fn of_type<'s>(reader: &Reader<'s>, name: &str, user_type: &UserType) -> (String, Option<&'s str>) {
    debug_assert!(OF_A_TYPE.contains(&name), "{name} is not listed");
    let own = format!("{name}_{user_type}");
    match reader.text(&own) {
        Some(text) => (own, Some(text)),
        None => (name.to_owned(), reader.text(name)),
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        config::{Config, ConfigProblem, Source},
        domain::role::Role,
    };

    fn load(pairs: &[(&str, &str)]) -> Result<Config, Vec<ConfigProblem>> {
        Config::load(&Source::from_pairs(
            pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())),
        ))
    }

    #[test]
    fn roles_are_of_all_user_types_or_of_one() {
        let config = load(&[
            ("ROLES", "auditor=audit.read"),
            ("ROLES_User2", "support=accounts.list,accounts.read"),
        ])
        .expect("valid");
        let scope = |user_type: &str, role: &str| {
            let role: Role = role.parse().expect("a role");
            let user_type = user_type.parse().expect("a user type");
            config.user_types.settings[&user_type]
                .roles
                .permissions(&role)
                .to_scope()
        };
        assert_eq!(scope("User1", "auditor"), "audit.read");
        assert_eq!(
            (scope("User2", "auditor"), scope("User1", "support")),
            (String::new(), String::new())
        );
        assert_eq!(scope("User2", "support"), "accounts.list accounts.read");
    }

    #[test]
    fn a_setting_of_a_type_that_is_not_there_is_no_setting() {
        let strange = [("PASSWORD_POLICY_user1", "legacy"), ("ROLES_User3", "a=audit.read")];
        let problems = load(&strange).expect_err("two mistakes");
        let told: Vec<_> = problems.iter().map(|problem| problem.name.as_str()).collect();
        assert_eq!(told, ["PASSWORD_POLICY_user1", "ROLES_User3"]);
        assert!(problems[0].mend.contains("USER_TYPES"), "{problems:?}");
        load(&[("SMS_DAILY_CAP_ALL", "10"), ("SMS_DAILY_CAP_User2", "5")]).expect("of all types together, and of one");
    }

    #[test]
    fn every_mistake_in_a_role_is_told_once_with_its_mend() {
        let problems = load(&[
            ("ROLES", "admin=audit.read;a=audit.write;b"),
            ("ROLES_User2", "c=keys.read"),
        ])
        .expect_err("four mistakes");
        let told: Vec<_> = problems
            .iter()
            .map(|problem| (problem.name.as_str(), problem.says.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("ROLES", "defines `admin`, which is built in"),
                ("ROLES", "gives `a` a permission that does not exist: `audit.write`"),
                ("ROLES", "has an entry that is no role: `b`"),
                (
                    "ROLES_User2",
                    "gives `c` a permission of super_admin alone: `keys.read`"
                ),
            ]
        );
        assert!(problems.iter().all(|problem| problem.mend.len() > 20));
    }
}
