//! One's own sessions: listed and ended.

use poem::Request;
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Path, Query},
    payload::{Html, Json},
};

use crate::{
    http::{
        body::Body,
        caller::SignedIn,
        dto::{
            Message, Verify,
            session::{Ended, SessionList},
        },
        error_code::{Codes, ErrorCode, codes},
        negotiate::prefers_html,
        pages::Pages,
        population::Population,
        refusals::{BODY, LINK, Refused, SIGNED_IN, internal},
    },
    service::{
        end_sessions::{EndError, check_session_link, end_linked_session, end_other_sessions, end_session},
        list_sessions::list_sessions,
    },
};

/// The routes.
#[derive(Clone, Debug)]
pub struct SessionListApi;

const END: Codes = codes([ErrorCode::SessionNotFound]);

/// A page for a person, a message for a program.
#[derive(ApiResponse)]
enum EndResponse {
    /// The session is over.
    #[oai(status = 200)]
    Message(Json<Message>),
    /// The same as a page.
    #[oai(status = 200)]
    Page(Html<String>),
}

#[expect(clippy::unused_async, reason = "handlers are asynchronous")]
#[OpenApi]
impl SessionListApi {
    /// One's own sessions
    ///
    /// Each with the device that it began on, newest first. What tells of the device is opened for its owner alone.
    #[oai(path = "/sessions", method = "get", operation_id = "sessions")]
    async fn sessions(&self, signed_in: SignedIn) -> Result<Json<SessionList>, Refused<SIGNED_IN>> {
        let listed = list_sessions(&signed_in.population.core, &signed_in.caller).await?;
        Ok(Json(SessionList {
            sessions: listed.into_iter().map(Into::into).collect(),
        }))
    }

    /// End one of one's sessions
    ///
    /// Its tokens are refused from then on. It may be the one that asks.
    #[oai(path = "/sessions/:id", method = "delete", operation_id = "end_session")]
    async fn end_session(
        &self,
        signed_in: SignedIn,
        /// As the list names it.
        id: Path<String>,
    ) -> Result<Json<Message>, Refused<{ SIGNED_IN | END }>> {
        let id = id.0.parse().map_err(|_| EndError::NotFound)?;
        end_session(&signed_in.population.core, &signed_in.caller, &id).await?;
        Ok(Json(Message {
            message: "The session is over.".to_owned(),
        }))
    }

    /// End all other sessions
    ///
    /// All but the one that asks, at once.
    #[oai(path = "/sessions", method = "delete", operation_id = "end_other_sessions")]
    async fn end_other_sessions(&self, signed_in: SignedIn) -> Result<Json<Ended>, Refused<SIGNED_IN>> {
        let ended = end_other_sessions(&signed_in.population.core, &signed_in.caller).await?;
        Ok(Json(Ended {
            message: "All other sessions are over.".to_owned(),
            ended: u32::try_from(ended).unwrap_or(u32::MAX),
        }))
    }

    /// Open the link that ends a session
    ///
    /// The mail about a sign-in from a new device has one. A page with a button; nothing is ended by opening it.
    #[oai(path = "/end-session", method = "get", operation_id = "end_session_form")]
    async fn end_session_form(
        &self,
        request: &Request,
        population: Population,
        /// What the mailed link carries.
        token: Query<Option<String>>,
    ) -> Result<Html<String>, Refused<LINK>> {
        let token = token.0.unwrap_or_default();
        check_session_link(&population.core, &population.user_type, &token)?;
        let pages = request.data::<Pages>().ok_or_else(internal)?;
        // Relative: a proxy may serve the page under a path of its own.
        let values = minijinja::context! { token, action => "end-session" };
        Ok(Html(pages.render(
            Some(&population.user_type),
            "pages/end_session.html",
            values,
        )?))
    }

    /// End the session that a mail told of
    ///
    /// Needs nobody signed in. A session that is over already stays so.
    #[oai(path = "/end-session", method = "post", operation_id = "end_linked_session")]
    async fn end_linked_session(
        &self,
        request: &Request,
        population: Population,
        body: Body<Verify>,
    ) -> Result<EndResponse, Refused<{ BODY | LINK }>> {
        if body.0.is_robot {
            population.flag_robot().await;
        } else {
            end_linked_session(&population.core, &population.user_type, body.0.token.expose()).await?;
        }
        let message = "That session is over. If it was not you who signed in, set a new password now.";
        match request.data::<Pages>() {
            Some(pages) if prefers_html(request) => Ok(EndResponse::Page(Html(pages.success(
                &population.user_type,
                "Session ended",
                message,
            )?))),
            _ => Ok(EndResponse::Message(Json(Message {
                message: message.to_owned(),
            }))),
        }
    }
}
