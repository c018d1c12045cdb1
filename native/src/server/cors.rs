//! Which pages of the web may send from a browser: the CORS protocol, <https://fetch.spec.whatwg.org/#http-cors-protocol>.

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request};

use super::settings;

/// Headers that a page may send where the configuration names none.
const HEADERS: [&str; 4] = ["accept", "content-encoding", "content-type", "x-requested-with"];

pub struct Cors {
    origins: Vec<Origin>,
    headers: Vec<String>,
    exposed: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
}

enum Origin {
    Any,
    Exactly(String),
    Between(String, String),
}

impl Origin {
    fn parse(pattern: &str) -> Self {
        match pattern.split_once('*') {
            Some(("", "")) => Self::Any,
            Some((before, after)) => Self::Between(before.to_ascii_lowercase(), after.to_ascii_lowercase()),
            None => Self::Exactly(pattern.to_ascii_lowercase()),
        }
    }

    fn allows(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(allowed) => allowed == origin,
            Self::Between(before, after) => {
                origin.len() >= before.len() + after.len() && origin.starts_with(before) && origin.ends_with(after)
            }
        }
    }
}

impl Cors {
    pub fn new(settings: &settings::Cors) -> Self {
        Self {
            origins: settings.allowed_origins.iter().map(|pattern| Origin::parse(pattern)).collect(),
            headers: settings.allowed_headers.iter().map(|name| name.to_ascii_lowercase()).collect(),
            exposed: HeaderValue::from_str(&settings.exposed_headers.join(", "))
                .ok()
                .filter(|value| !value.is_empty()),
            max_age: (settings.max_age > 0).then(|| HeaderValue::from(settings.max_age)),
        }
    }

    pub fn is_preflight<B>(request: &Request<B>) -> bool {
        request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ORIGIN)
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// The headers that answer a preflight; none but `Vary` for an origin that is not allowed.
    pub fn preflight(&self, asked: &HeaderMap) -> HeaderMap {
        let mut answer = self.headers(asked);
        let vary = "origin, access-control-request-method, access-control-request-headers";
        answer.insert(header::VARY, HeaderValue::from_static(vary));
        if answer.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            answer.remove(header::ACCESS_CONTROL_EXPOSE_HEADERS);
            answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
            if let Some(names) = self.allowed_headers(asked) {
                answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
            }
            if let Some(age) = &self.max_age {
                answer.insert(header::ACCESS_CONTROL_MAX_AGE, age.clone());
            }
        }
        answer
    }

    /// The headers that let the page read an answer.
    pub fn headers(&self, asked: &HeaderMap) -> HeaderMap {
        let mut answer = HeaderMap::new();
        answer.insert(header::VARY, HeaderValue::from_static("origin"));
        let Some(origin) = asked.get(header::ORIGIN) else { return answer };
        let name = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        let Some(rule) = self.origins.iter().find(|rule| rule.allows(&name)) else {
            return answer;
        };
        if matches!(rule, Origin::Any) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        } else {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(exposed) = &self.exposed {
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
        answer
    }

    /// Of the headers that the page wants to send, those that it may.
    fn allowed_headers(&self, asked: &HeaderMap) -> Option<HeaderValue> {
        let wanted = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS)?.to_str().ok()?;
        let allows = |name: &str| {
            HEADERS.iter().any(|allowed| name.eq_ignore_ascii_case(allowed))
                || self
                    .headers
                    .iter()
                    .any(|allowed| allowed == "*" || name.eq_ignore_ascii_case(allowed))
        };
        let names: Vec<_> = wanted.split(',').map(str::trim).filter(|name| allows(name)).collect();
        HeaderValue::from_str(&names.join(", ")).ok().filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_may_have_a_wildcard() {
        let origin = Origin::parse("https://*.Example.com");
        assert!(origin.allows("https://app.example.com"));
        assert!(!origin.allows("https://example.com"));
        assert!(!origin.allows("https://app.example.com.evil.org"));
        assert!(!origin.allows("http://app.example.com"));
        assert!(Origin::parse("*").allows("null"));
        assert!(!Origin::parse("ab*ba").allows("aba"));
    }
}
