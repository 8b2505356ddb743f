//! What every use case is handed: stores, keys, time, randomness and policy.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    crypto::{keyring::SharedKeyring, password_hasher::PasswordHasher, token_signer::TokenSigner},
    domain::{
        attributes::AttributesSchema,
        clock::Clock,
        email_sign_in::EmailSignIn,
        entropy::Entropy,
        limits::{Limit, Quota},
        password_rules::PasswordRules,
        permission::Permissions,
        role::{Role, Roles},
        second_factor::SecondFactorPolicy,
        session::SessionPolicy,
        user_type::UserType,
    },
    service::{
        audit::AuditLines, email_filter::LookupTimes, keyring::KeyReader, limit_policy::LimitPolicy,
        text_guard::TextPolicy, vault::Vault,
    },
    storage::{
        Probe, Stores, email_filter::EmailFilter, erasures::Erasures, idempotency::Idempotency, leases::Leases,
        limits::Limits, outbox::HandOver, revocations::Revocations, throttle::Throttle,
    },
};

/// What an operator may set per user type.
#[derive(Clone, Debug, Default)]
pub struct UserTypeSettings {
    /// Of new passwords.
    pub password_rules: PasswordRules,
    /// Lifetimes.
    pub sessions: SessionPolicy,
    /// Whether accounts need a second factor.
    pub second_factor: SecondFactorPolicy,
    /// Whether one signs in by mail, too.
    pub email_sign_in: EmailSignIn,
    /// Whether codes by text may be turned on as one.
    pub allows_text_factor: bool,
    /// Whether nobody is there to send texts.
    pub is_texting_off: bool,
    /// Texts a day for its accounts; none is no cap.
    pub daily_texts: Option<u32>,
    /// Of the user type's own fields; none without one.
    pub attributes: Option<AttributesSchema>,
    /// Roles beside the built-in ones.
    pub roles: Roles,
}

/// The service without its edges. Shared by HTTP and jobs behind an [`Arc`].
pub struct Core {
    /// Ports.
    pub stores: Stores,
    /// Root keys.
    pub keyring: SharedKeyring,
    /// Reads them again.
    pub keys: KeyReader,
    /// Data keys.
    pub vault: Vault,
    /// Passwords.
    pub hasher: PasswordHasher,
    /// Access tokens.
    pub signer: TokenSigner,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Takes messages over once they are stored.
    pub hand_over: Arc<dyn HandOver>,
    /// How often what may be done.
    pub policy: LimitPolicy,
    /// Counters of attempts, if there are any: [`Core::limits`] gives those that count.
    pub limits: Option<Arc<dyn Limits>>,
    /// Tries of secrets, if they are kept: [`Core::throttle`] gives those that count.
    pub throttle: Option<Arc<dyn Throttle>>,
    /// Requests that were sent under a key.
    pub idempotency: Arc<dyn Idempotency>,
    /// Where texts may go, and how many.
    pub texts: TextPolicy,
    /// Who does what is due by the clock.
    pub leases: Arc<dyn Leases>,
    /// Sessions that ended, as servers tell each other; none where there is one server.
    pub revocations: Option<Arc<dyn Revocations>>,
    /// Addresses that surely nobody has.
    pub filter: Arc<dyn EmailFilter>,
    /// How long look-ups of addresses take.
    pub look_ups: LookupTimes,
    /// Whether what servers share beside the database can be used; none where there is one server.
    pub shared: Option<Arc<dyn Probe>>,
    /// Takes what is noted, beside the store; nobody unless that is configured.
    pub audit_lines: Option<Arc<dyn AuditLines>>,
    /// Where erasures are written down, outside of the stores; nowhere where that is switched off.
    pub erasures: Option<Arc<dyn Erasures>>,
    /// The populations and their settings.
    pub user_types: BTreeMap<UserType, UserTypeSettings>,
}

impl Core {
    /// The number of one limit, as it stands now.
    #[must_use]
    pub fn quota(&self, limit: Limit) -> Quota {
        self.policy.of(limit)
    }

    /// Counters of attempts; none while limits are switched off.
    #[must_use]
    pub fn limits(&self) -> Option<&Arc<dyn Limits>> {
        self.limits.as_ref().filter(|_| self.policy.is_counted())
    }

    /// Tries of secrets; none while limits are switched off.
    #[must_use]
    pub fn throttle(&self) -> Option<&Arc<dyn Throttle>> {
        self.throttle.as_ref().filter(|_| self.policy.is_counted())
    }

    /// The settings of a user type; the defaults for one that is not configured, which no route can name.
    #[must_use]
    pub fn settings(&self, user_type: &UserType) -> UserTypeSettings {
        self.user_types.get(user_type).cloned().unwrap_or_default()
    }

    /// What `role` may do in a user type: nothing, where its settings don't know it.
    #[must_use]
    pub fn permissions(&self, user_type: &UserType, role: &Role) -> Permissions {
        let settings = self.user_types.get(user_type);
        settings
            .map(|settings| settings.roles.permissions(role))
            .unwrap_or_default()
    }

    /// Whether a user type knows the role.
    #[must_use]
    pub fn knows_role(&self, user_type: &UserType, role: &Role) -> bool {
        let settings = self.user_types.get(user_type);
        settings.is_some_and(|settings| settings.roles.know(role))
    }

    /// What a token says of an account with `role`: one that its user type doesn't know is nobody's word.
    #[must_use]
    pub fn role_in_tokens(&self, user_type: &UserType, role: &Role) -> Role {
        if self.knows_role(user_type, role) {
            role.clone()
        } else {
            Role::User
        }
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Core")
    }
}
