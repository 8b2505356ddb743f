//! What happens around every request, from the outside in: [`request_id`] → [`security_headers`] → [`cors`] →
//! [`errors`] → [`body_limit`] → routes.

pub mod body_limit;
pub mod cors;
pub mod errors;
pub mod rate_limit;
pub mod request_id;
pub mod security_headers;
