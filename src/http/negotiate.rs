//! Whether an answer is for a person or for a program (RFC 9110 section 12.5.1).

use poem::{Request, http::header};

/// Whether `Accept` prefers HTML over JSON. Nothing said, or `*/*`, is a program.
#[must_use]
pub fn prefers_html(request: &Request) -> bool {
    let (html, json) = (quality(request, "text/html"), quality(request, "application/json"));
    html > json.max(0.0)
}

/// Whether a GET of a link may consume it: only who asks for JSON by name, and not for HTML. Mail scanners that open
/// links send `*/*` or a browser's list.
#[must_use]
pub fn is_api_client(request: &Request) -> bool {
    quality(request, "application/json") > 0.0 && quality(request, "text/html") <= 0.0
}

/// The q-value of a media type that is named; -1 when it is not.
fn quality(request: &Request, media_type: &str) -> f32 {
    let accept = request.headers().get_all(header::ACCEPT);
    let ranges = accept
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        if !parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media_type)) {
            continue;
        }
        let q = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        return q.and_then(|q| q.parse().ok()).unwrap_or(1.0);
    }
    -1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(accept: &str) -> Request {
        Request::builder().header("accept", accept).finish()
    }

    #[test]
    fn browsers_get_pages_and_programs_get_json() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, html, api) in [
            (browser, true, false),
            ("application/json", false, true),
            ("application/json, text/html;q=0.5", false, false),
            ("*/*", false, false),
            ("", false, false),
            ("text/html;q=0, application/json", false, true),
        ] {
            let request = request(accept);
            assert_eq!(
                (prefers_html(&request), is_api_client(&request)),
                (html, api),
                "{accept}"
            );
        }
    }
}
