//! The password: changed, and shown anew.

use poem_openapi::{OpenApi, payload::Json};

use crate::{
    http::{
        body::Body,
        caller::SignedIn,
        dto::{
            Message,
            session::{ChangePassword, Reauthenticate, Reauthenticated},
        },
        error_code::{Codes, ErrorCode, codes},
        refusals::{BODY, Refused, SIGNED_IN},
    },
    service::{change_password::change_password, reauthenticate::reauthenticate},
};

/// The routes.
#[derive(Clone, Debug)]
pub struct CredentialsApi;

const PASSWORD: Codes = codes([ErrorCode::WrongPassword, ErrorCode::TooManyTries]);
const CODE: Codes = codes([ErrorCode::CodeInvalid, ErrorCode::TooManyCodes]);

#[OpenApi]
impl CredentialsApi {
    /// Change one's password
    ///
    /// Takes the one in use and a new one. All other sessions end, and the owner gets a mail.
    #[oai(path = "/change-password", method = "post", operation_id = "change_password")]
    async fn change_password(
        &self,
        signed_in: SignedIn,
        body: Body<ChangePassword>,
    ) -> Result<Json<Message>, Refused<{ SIGNED_IN | BODY | PASSWORD }>> {
        let (population, caller) = (&signed_in.population, &signed_in.caller);
        change_password(&population.core, caller, body.0.current, &body.0.new).await?;
        Ok(Json(Message {
            message: "Your new password is set. All other sessions are over.".to_owned(),
        }))
    }

    /// Prove who one is
    ///
    /// Another address or number, and deleting the account, need a proof of the last five minutes: 401
    /// `insufficient_user_authentication` asks for it (RFC 9470). An account with a second factor shows that, too. The session
    /// goes on; its new access token says when.
    #[oai(path = "/reauthenticate", method = "post", operation_id = "reauthenticate")]
    async fn reauthenticate(
        &self,
        signed_in: SignedIn,
        body: Body<Reauthenticate>,
    ) -> Result<Json<Reauthenticated>, Refused<{ SIGNED_IN | BODY | PASSWORD | CODE }>> {
        let Reauthenticate { password, proof } = body.0;
        let (core, caller) = (&signed_in.population.core, &signed_in.caller);
        let proven = reauthenticate(core, caller, password, proof.as_ref()).await?;
        Ok(Json(proven.into()))
    }
}
