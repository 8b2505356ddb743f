//! Every code that a problem may have, once: refusals name one of them, the document shows which operation answers
//! which, and `/errors` and `docs/ERRORS.md` explain them. A code that is not here can't be answered.
//!
//! To add one: a line below, then `cargo run -- openapi --errors > docs/ERRORS.md`. A code that was answered once keeps
//! its meaning for ever.

use std::fmt::Write as _;

use poem::web::Html;
use poem::{Endpoint, EndpointExt as _, handler, http::StatusCode, web::Data};

use crate::http::pages::Pages;

macro_rules! error_codes {
    ($($variant:ident = $code:literal, $status:ident, $title:literal, $means:literal, $mend:literal;)+) => {
        /// The kind of a problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ErrorCode {
            $(#[doc = $means] $variant,)+
        }

        impl ErrorCode {
            /// All of them, by status.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// For programs; stable, `snake_case`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The status it is answered with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// In a few words, the same every time.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// What it means.
            #[must_use]
            pub const fn means(self) -> &'static str {
                match self { $(Self::$variant => $means,)+ }
            }

            /// How to mend it.
            #[must_use]
            pub const fn mend(self) -> &'static str {
                match self { $(Self::$variant => $mend,)+ }
            }
        }
    };
}

error_codes! {
    MalformedRequest = "malformed_request", BAD_REQUEST, "Request not readable",
        "The request can't be read.", "Send it as the document says.";
    MalformedBody = "malformed_body", BAD_REQUEST, "Body not readable",
        "The body can't be read.", "Send one JSON object, or a form where the route takes one, in UTF-8.";
    MalformedParameter = "malformed_parameter", BAD_REQUEST, "Parameter not readable",
        "A parameter can't be read.", "Send it as the document says.";
    IdempotencyKeyInvalid = "idempotency_key_invalid", BAD_REQUEST, "Idempotency-Key not valid",
        "Idempotency-Key is not a key.", "Send 1 to 255 visible ASCII characters.";
    LinkInvalid = "link_invalid", BAD_REQUEST, "Link not valid",
        "The link has been used, has expired, or was replaced by a later mail.", "Sign in, or ask for a new link.";
    CodeInvalid = "code_invalid", BAD_REQUEST, "Code not valid",
        "The code is wrong, too old, or was tried too often.", "Ask for another.";
    MissingToken = "missing_token", UNAUTHORIZED, "No access token",
        "The route needs somebody who is signed in.", "Send the access token as `Authorization: Bearer <token>`.";
    InvalidToken = "invalid_token", UNAUTHORIZED, "Access token not valid",
        "The access token is not valid any more.", "Refresh it, or sign in again.";
    InvalidCredentials = "invalid_credentials", UNAUTHORIZED, "Credentials not valid",
        "The name or the password is not right.", "Try again, or ask for a new password.";
    MfaTokenInvalid = "mfa_token_invalid", UNAUTHORIZED, "First half not valid",
        "The token of the sign-in's first half is not valid any more.", "Begin the sign-in anew.";
    InvalidRefreshToken = "invalid_refresh_token", UNAUTHORIZED, "Refresh token not valid",
        "The refresh token is not valid any more.", "Sign in again.";
    RefreshTokenReused = "refresh_token_reused", UNAUTHORIZED, "Refresh token used twice",
        "The refresh token was used before; its session has been ended.", "Sign in again.";
    InsufficientUserAuthentication = "insufficient_user_authentication", UNAUTHORIZED, "Sign-in too old",
        "This needs a sign-in of the last five minutes.", "Prove who you are at `/reauthenticate`, or sign in again.";
    EmailNotVerified = "email_not_verified", FORBIDDEN, "Address not confirmed",
        "The address is not confirmed yet.", "Use the link in the mail, or ask for a new one.";
    MfaRequired = "mfa_required", FORBIDDEN, "Second factor due",
        "The first half of the sign-in is right, and a second factor is due.",
        "Send `mfa_token` with a code to `/mfa/verify`; `mfa_methods` names what may be sent.";
    MfaEnrolmentRequired = "mfa_enrolment_required", FORBIDDEN, "Second factor to be set up",
        "The first half of the sign-in is right, and the account needs a second factor that it does not have yet.",
        "Set one up with `mfa_token` at `/mfa/totp` and `/mfa/totp/confirm`, or `/mfa/sms` and `/mfa/sms/confirm`.";
    NotOwnAccount = "not_own_account", FORBIDDEN, "Not your account",
        "The request names an account that is not yours.", "Leave `id`, `email` and `phone` out.";
    WrongPassword = "wrong_password", FORBIDDEN, "Password not right",
        "The password is not right.", "Try again, or sign in anew and leave it out.";
    Forbidden = "forbidden", FORBIDDEN, "Role does not allow it",
        "Your role does not allow this.", "Ask somebody whose role does, or for another role.";
    OwnAccount = "own_account", FORBIDDEN, "Your own account",
        "Nobody administers their own account.", "Use the routes for one's own account, or ask another administrator.";
    SignatureInvalid = "signature_invalid", FORBIDDEN, "Signature not valid",
        "The report is not signed by the provider that it is of.", "Check that PUBLIC_URL and TWILIO_AUTH_TOKEN are what Twilio has.";
    SessionNotFound = "session_not_found", NOT_FOUND, "No such session",
        "You have no session of this id that is on.", "List your sessions to see which are.";
    AccountNotFound = "account_not_found", NOT_FOUND, "No such account",
        "There is no such account.", "List the accounts of the user type to see which there are.";
    NotFound = "not_found", NOT_FOUND, "Nothing here",
        "There is nothing at this path.", "Look the path up in the document.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not taken",
        "This path does not take the method.", "Use one that `Allow` names.";
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, "Body too slow",
        "The body did not arrive in time.", "Send it again.";
    MfaNotEnabled = "mfa_not_enabled", CONFLICT, "No such second factor",
        "The account has no second factor, or not that one.", "Set one up first, at `/mfa/totp` or `/mfa/sms`.";
    MfaSmsNotAllowed = "mfa_sms_not_allowed", CONFLICT, "Texts are no second factor here",
        "Codes by text are no second factor of this user type.", "Set an authenticator app up at `/mfa/totp`.";
    PhoneNotVerified = "phone_not_verified", CONFLICT, "Phone not verified",
        "The account has no verified phone.", "Verify it at `/otp_phone` and `/verify_otp_phone`.";
    PhoneIsSecondFactor = "phone_is_second_factor", CONFLICT, "Phone is a second factor",
        "The number is a second factor of the account.", "Turn that off at `/mfa/sms` before you change the number.";
    MfaMandatory = "mfa_mandatory", CONFLICT, "Second factor needed",
        "Accounts of this user type need a second factor.", "Set another one up at `/mfa/totp`: it takes the place of this one.";
    UsernameTaken = "username_taken", CONFLICT, "Username taken",
        "The username is taken.", "Choose another.";
    AddressTaken = "address_taken", CONFLICT, "Address taken",
        "The address has an account already.", "Find it in the list by its address.";
    NothingToResend = "nothing_to_resend", CONFLICT, "No link is waited for",
        "The account waits for no link, or is locked.", "Its owner signs in, or asks for a new password.";
    VersionConflict = "version_conflict", CONFLICT, "Profile changed meanwhile",
        "The profile was changed since you read it.", "Read it again, then send your change.";
    RequestInProgress = "request_in_progress", CONFLICT, "First request still runs",
        "The first request with this Idempotency-Key still runs.", "Ask again in a moment.";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "Body too large",
        "The body has more than 65536 bytes.", "Send less.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Type of body not taken",
        "The route does not take a body of this type.", "Send one that the document names, and say so in Content-Type.";
    ValidationFailed = "validation_failed", UNPROCESSABLE_ENTITY, "Members not valid",
        "Members are missing, unknown, or not as they should be.", "`errors` names each, and says why.";
    CursorInvalid = "cursor_invalid", UNPROCESSABLE_ENTITY, "Cursor not valid",
        "The cursor is not one of this list and these filters, or older than an hour.", "Begin again without one.";
    ReadOnly = "read_only", UNPROCESSABLE_ENTITY, "Members not yours to change",
        "Only the service changes these members.", "Leave them out, or send them back as they are; `errors` names them.";
    PhoneMissing = "phone_missing", UNPROCESSABLE_ENTITY, "No phone number",
        "Your profile has no phone number.", "Send one as `phone`.";
    PhoneNotTextable = "phone_not_textable", UNPROCESSABLE_ENTITY, "Phone can't be texted",
        "Texts can't be sent to this number.", "Use a mobile number, with `+` and its country's code.";
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "Idempotency-Key used before",
        "This Idempotency-Key was used with another body.", "Use a new key for a new request.";
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, "Too many requests",
        "Too many requests.", "Come back after as many seconds as `Retry-After` says.";
    TooManyTries = "too_many_tries", TOO_MANY_REQUESTS, "Too many wrong passwords",
        "Too many wrong passwords lately.",
        "Wait as many seconds as `Retry-After` says, sign in from a device you used before, or ask for a new password.";
    TooManyCodes = "too_many_codes", TOO_MANY_REQUESTS, "Too many wrong codes",
        "Too many wrong codes of the second factor in this hour.", "Wait as many seconds as `Retry-After` says.";
    CodeSentRecently = "code_sent_recently", TOO_MANY_REQUESTS, "Code sent recently",
        "A code was sent a moment ago.", "Wait before you ask for another.";
    Internal = "internal", INTERNAL_SERVER_ERROR, "Our mistake",
        "Something went wrong on our side.", "Quote the request id when you report it.";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Not now",
        "The service can't answer right now.", "Try again in a moment.";
    TextsPaused = "texts_paused", SERVICE_UNAVAILABLE, "Texts are paused",
        "No texts are sent to this number for a while, or none at all.", "Come back after as many seconds as `Retry-After` says.";
}

/// A set of codes: what a type says of the operation that refuses with them.
pub type Codes = u128;

const _: () = assert!(ErrorCode::ALL.len() <= Codes::BITS as usize);

/// The set of these.
#[must_use]
pub const fn codes<const N: usize>(list: [ErrorCode; N]) -> Codes {
    let (mut set, mut next) = (0, 0);
    while next < N {
        set |= 1 << list[next] as u32;
        next += 1;
    }
    set
}

/// What is in the set, by status.
pub fn listed(set: Codes) -> impl Iterator<Item = ErrorCode> {
    let is_in = move |code: &ErrorCode| set & codes([*code]) != 0;
    ErrorCode::ALL.iter().copied().filter(is_in)
}

impl ErrorCode {
    /// Its identifier (RFC 9457 section 3.1.1): the path where it is explained.
    #[must_use]
    pub fn uri(self) -> String {
        format!("/errors#{}", self.as_str())
    }

    /// What it means and how to mend it.
    #[must_use]
    pub fn detail(self) -> String {
        format!("{} {}", self.means(), self.mend())
    }
}

/// `docs/ERRORS.md`.
#[must_use]
pub fn markdown() -> String {
    let mut text = "# Errors\n\nGenerated by `sealgate openapi --errors` from `src/http/error_code.rs`; the service serves \
                    the same at `/errors`.\n\nEvery error is `application/problem+json` (RFC 9457). Programs decide by \
                    `code`: it is stable, as is the `type` that leads here.\n`title` and `detail` are for people and may \
                    be reworded. `request_id` names the request in the service's logs.\n"
        .to_owned();
    let mut status = None;
    for code in ErrorCode::ALL {
        if status.replace(code.status()) != Some(code.status()) {
            let _ = write!(text, "\n## {}\n", code.status());
        }
        let (name, title, means, mend) = (code.as_str(), code.title(), code.means(), code.mend());
        let _ = write!(text, "\n### {name}\n\n{title}. {means} {mend}\n");
    }
    text
}

/// The page that `type` leads to.
#[must_use]
pub fn page() -> impl Endpoint + 'static {
    poem::get(explain).boxed()
}

#[handler]
fn explain(Data(pages): Data<&Pages>) -> poem::Result<Html<String>> {
    let explained = |code: &ErrorCode| {
        minijinja::context! {
            code => code.as_str(),
            status => code.status().to_string(),
            title => code.title(),
            means => code.means(),
            mend => code.mend(),
        }
    };
    let codes: Vec<_> = ErrorCode::ALL.iter().map(explained).collect();
    Ok(Html(pages.render(
        None,
        "pages/errors.html",
        minijinja::context! { codes },
    )?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_and_texts_of_its_own() {
        let mut names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert!(
            ErrorCode::ALL.is_sorted_by_key(|code| code.status().as_u16()),
            "grouped by status"
        );
        for code in ErrorCode::ALL {
            let name = code.as_str();
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert!(
                code.status().is_client_error() || code.status().is_server_error(),
                "{name}"
            );
            assert!(code.means().ends_with('.') && code.mend().ends_with('.'), "{name}");
            assert!(!code.title().ends_with('.'), "{name}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn a_set_lists_what_was_put_in() {
        let set = codes([ErrorCode::Unavailable, ErrorCode::MalformedRequest]);
        let listed: Vec<_> = listed(set).collect();
        assert_eq!(listed, [ErrorCode::MalformedRequest, ErrorCode::Unavailable]);
    }
}
