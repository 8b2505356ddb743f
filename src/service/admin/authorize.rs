//! Who may administer what: the one place that decides it.
//!
//! The truth is the account's record, read for this request and verified: its status, its role, and what the settings give
//! that role in its user type. What a token says of role and scope is for other services; here it opens nothing.

use std::marker::PhantomData;

use crate::{
    crypto::{record_mac::Security, token_signer::AccessClaims},
    domain::{
        account::AccountStatus,
        audit::{AuditEvent, Details},
        ids::AccountId,
        permission::{Permission, Permissions},
        role::Role,
        user_type::UserType,
    },
    service::{
        admin::{
            error::{AdminError, Denial},
            grants::Grant,
        },
        authenticate::{AuthenticateError, Caller, read_token},
        core::Core,
        fresh::is_fresh,
    },
    storage::Ref,
};

/// Somebody who may do `P` to accounts of one user type. Exists only after [`Authorized::prove`].
#[derive(Debug)]
pub struct Authorized<P> {
    caller: Caller,
    population: UserType,
    permissions: Permissions,
    granted: PhantomData<fn() -> P>,
}

/// Why somebody who is signed in may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Of another user type, and no super-admin: nobody here.
    Stranger,
    /// Their role lacks it.
    Lacks(Permission),
}

/// What a token says by itself, for the administration of `population`: one of that user type, or one of another that says
/// that it is a super-admin's, which their record has to bear out.
pub async fn read_admin_token(
    core: &Core,
    population: &UserType,
    token: &str,
) -> Result<AccessClaims, AuthenticateError> {
    let own = read_token(core, population, token).await;
    if !matches!(own, Err(AuthenticateError::InvalidToken)) {
        return own;
    }
    for other in core.user_types.keys().filter(|other| *other != population) {
        if let Ok(claims) = core.signer.verify(other, token, core.clock.now())
            && claims.role == Role::SuperAdmin
        {
            return Ok(claims);
        }
    }
    own
}

impl<P: Grant> Authorized<P> {
    /// Whether `caller` may do that to accounts of `population`. A refusal is noted.
    pub async fn prove(core: &Core, caller: Caller, population: &UserType) -> Result<Self, Refusal> {
        let (own, role) = (&caller.account.user_type, &caller.security.role);
        if own != population && *role != Role::SuperAdmin {
            return Err(Refusal::Stranger);
        }
        let permissions = core.permissions(own, role);
        let this = Self {
            caller,
            population: population.clone(),
            permissions,
            granted: PhantomData,
        };
        if permissions.has(P::PERMISSION) {
            return Ok(this);
        }
        let details = Details::of_actor(&this.name()).and_permission(P::PERMISSION);
        core.note_first(Some(population), AuditEvent::AdministrationRefused, details)
            .await;
        Err(Refusal::Lacks(P::PERMISSION))
    }
}

impl<P> Authorized<P> {
    /// Whose accounts it is about.
    #[must_use]
    pub fn population(&self) -> &UserType {
        &self.population
    }

    /// Who.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What names them in the audit of the population: the account's id, with its user type where that is another.
    #[must_use]
    pub fn name(&self) -> String {
        if self.caller.account.user_type == self.population {
            self.caller.account.id.to_string()
        } else {
            self.caller.key().to_string()
        }
    }

    /// The same as details of an event.
    pub(in crate::service) fn details(&self) -> Details {
        Details::of_actor(&self.name())
    }

    /// Names an account of the population.
    pub(in crate::service) fn key(&self, id: &AccountId) -> Ref<AccountId> {
        Ref::new(&self.population, id.clone())
    }

    /// Whether they may change that account: not their own, none that may more than they, and none that is erased.
    pub(in crate::service) fn may_change(
        &self,
        core: &Core,
        key: &Ref<AccountId>,
        security: &Security,
    ) -> Result<(), Denial> {
        if security.status == AccountStatus::Erased {
            return Err(Denial::NotFound);
        }
        if *key == self.caller.key() {
            return Err(Denial::OwnAccount);
        }
        self.may_rank(core, &security.role)
    }

    /// Whether a role may no more than they.
    fn may_rank(&self, core: &Core, role: &Role) -> Result<(), Denial> {
        if core.permissions(&self.population, role).are_within(self.permissions) {
            Ok(())
        } else {
            Err(Denial::Outranked)
        }
    }

    /// Whether they may give that role. A super-admin is made on the command line alone.
    pub(in crate::service) fn may_assign(&self, core: &Core, role: &Role) -> Result<(), Denial> {
        if !core.knows_role(&self.population, role) {
            return Err(Denial::RoleUnknown);
        }
        if !self.permissions.has(Permission::AssignRole) || *role == Role::SuperAdmin {
            return Err(Denial::Outranked);
        }
        self.may_rank(core, role)
    }

    /// Nothing, where they proved lately who they are.
    pub(in crate::service) async fn must_be_fresh(&self, core: &Core) -> Result<(), AdminError> {
        if is_fresh(core, &self.caller).await? {
            Ok(())
        } else {
            Err(AdminError::StaleSignIn)
        }
    }
}
