//! What the driver's errors mean to a caller. Texts are our own: the driver's may quote the values of a document (a
//! duplicate key's do), or the URL with its password.

use mongodb::error::{Error, ErrorKind, WriteFailure};

use crate::storage::documents::StoreError;

/// "Duplicate key".
const DUPLICATE_KEY: i32 = 11000;
/// "Namespace not found".
const NAMESPACE_NOT_FOUND: i32 = 26;

/// Whether a unique index refused the write.
pub(super) fn is_duplicate(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(error)) => error.code == DUPLICATE_KEY,
        ErrorKind::Command(error) => error.code == DUPLICATE_KEY,
        _ => false,
    }
}

/// Whether the collection is not there.
pub(super) fn is_missing(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Command(error) if error.code == NAMESPACE_NOT_FOUND)
}

/// Whether the server understood and refused.
pub(super) fn is_refusal(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Command(_))
}

/// The error of an operation on `place`, a database or collection.
pub(super) fn translate(place: &str, error: &Error) -> StoreError {
    let reason = match &*error.kind {
        ErrorKind::Bson(_) | ErrorKind::BsonDeserialization(_) => {
            return StoreError::Damaged(format!("a document of {place}"));
        }
        ErrorKind::ServerSelection { .. } => "no server of MONGO_URL can be reached".to_owned(),
        ErrorKind::Authentication { .. } => "the server does not accept the credentials of MONGO_URL".to_owned(),
        ErrorKind::InvalidArgument { .. } => "an option of MONGO_URL is not valid".to_owned(),
        ErrorKind::InvalidTlsConfig { .. } => "the TLS options of MONGO_URL are not valid".to_owned(),
        ErrorKind::DnsResolve { .. } => "the name in MONGO_URL cannot be resolved".to_owned(),
        ErrorKind::IncompatibleServer { .. } => "the server is too old".to_owned(),
        ErrorKind::Io(error) => format!("the connection failed ({})", error.kind()),
        ErrorKind::ConnectionPoolCleared { .. } => "the connection failed".to_owned(),
        ErrorKind::Shutdown => "the store is closed".to_owned(),
        ErrorKind::Command(error) => format!("the server refused: {} (code {})", error.code_name, error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => {
            format!("the server refused a write (code {})", error.code)
        }
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => {
            format!("a write did not reach a majority of the servers (code {})", error.code)
        }
        _ => "the driver failed".to_owned(),
    };
    StoreError::Unavailable(format!("{place}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_driver_are_not_passed_on() {
        let error = Error::custom("ada@example.com".to_owned());
        let text = translate("accounts", &error).to_string();
        assert!(!text.contains("ada"), "{text}");
    }
}
