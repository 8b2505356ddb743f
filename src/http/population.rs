//! The user type that a request is for, and the service that serves it.

use std::sync::Arc;

use poem::{FromRequest, Request, RequestBody};

use crate::{
    domain::{
        audit::{AuditEvent, Outcome},
        user_type::UserType,
    },
    http::{problem::Problem, refusals::internal},
    service::Core,
};

/// Put on every request of a user type's routes.
#[derive(Clone, Debug)]
pub struct Population {
    /// The service.
    pub core: Arc<Core>,
    /// The user type.
    pub user_type: UserType,
}

impl Population {
    /// Of a request to one of the user type's routes.
    pub fn of(request: &Request) -> Result<Self, Problem> {
        let (core, user_type) = (request.data::<Arc<Core>>(), request.data::<UserType>());
        match (core, user_type) {
            (Some(core), Some(user_type)) => Ok(Self {
                core: Arc::clone(core),
                user_type: user_type.clone(),
            }),
            // Only a route that was mounted outside `PerUserType` gets here.
            _ => Err(internal()),
        }
    }
}

impl Population {
    /// Flags a request that filled in what people don't see: told that it worked, and nothing done. Of nobody: the token
    /// that came with it was not looked at.
    pub async fn flag_robot(&self) {
        tracing::info!("a robot filled in the trap of a page");
        self.core
            .note_of_nobody(&self.user_type, AuditEvent::RobotSuspected, Outcome::Refused)
            .await;
    }
}

impl<'a> FromRequest<'a> for Population {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self::of(request)?)
    }
}
