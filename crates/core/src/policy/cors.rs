//! `[cors]`: the origins whose scripts may read the responses that the layer itself makes (rule R6a).

use http::header::ORIGIN;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue};

use crate::fields;
use crate::table::{Kind, Refusals, SettingError, tables};

tables! {
    /// The origins, spelled as in the policy.
    pub(crate) struct CorsTable {
        origins: Origins,
        credentials: bool,
    }
}

type Origins = Vec<String>;

/// The valid origins, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Cors {
    /// The origins; `None` if any origin is allowed.
    origins: Option<Box<[AllowedOrigin]>>,
    pub(crate) credentials: bool,
}

/// An origin, or all origins below a domain.
#[derive(Clone, Debug)]
struct AllowedOrigin {
    origin: Origin,
    /// Whether the hosts below the named one are allowed, at any depth.
    is_below: bool,
}

/// A scheme, a host and a port, each in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    /// The port; `None` for the default port of a scheme that is neither `http` nor `https`.
    port: Option<u16>,
}

impl CorsTable {
    pub(super) fn compile(self, refusals: &mut Refusals) -> Option<Cors> {
        let (origins, credentials) = (self.origins.unwrap_or_default(), self.credentials.unwrap_or_default());
        if origins.is_empty() {
            let right = "name one, such as \"https://app.example.com\", or remove the table";
            refusals.0.push(SettingError::new("origins", "no origin is listed", right));
        }
        let allows_all = origins.iter().any(|origin| origin == "*");
        if allows_all && credentials {
            let wrong = "\"*\" and credentials = true are mutually exclusive: browsers refuse both together";
            refusals.0.push(SettingError::new("origins", wrong, "name the origins").of_kind(Kind::Conflict));
        }
        let named = origins.iter().enumerate().filter(|(_, origin)| *origin != "*");
        let allowed: Vec<_> = named.map(|(at, it)| refusals.keep(AllowedOrigin::parse(at, it))).collect();
        let allowed = allowed.into_iter().collect::<Option<_>>()?;
        Some(Cors { origins: if allows_all { None } else { Some(allowed) }, credentials })
    }
}

impl Cors {
    /// Whether every origin is allowed, so that the header is the same for all requests.
    pub(crate) fn is_for_any(&self) -> bool {
        self.origins.is_none()
    }

    /// The value of `access-control-allow-origin` for a request; `None` if its origin is not allowed.
    pub(crate) fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let sent = fields::single_value(headers, &ORIGIN)?;
        let origin = Origin::parse(sent.to_str().ok()?)?;
        match &self.origins {
            None => Some(HeaderValue::from_static("*")),
            Some(origins) => origins.iter().any(|allowed| allowed.covers(&origin)).then(|| sent.clone()),
        }
    }
}

impl AllowedOrigin {
    fn parse(at: usize, written: &str) -> Result<Self, SettingError> {
        let bare = written.replacen("://*.", "://", 1);
        let is_below = bare != written;
        Origin::parse(&bare).map(|origin| Self { origin, is_below }).ok_or_else(|| {
            let right = "write a scheme and a host, and a port if it is not the scheme's own, as in \
                         \"https://app.example.com\" or \"https://*.example.com\"";
            SettingError::new(format!("origins[{at}]"), format!("{written:?} is not an origin"), right)
        })
    }

    fn covers(&self, origin: &Origin) -> bool {
        if !self.is_below {
            return self.origin == *origin;
        }
        let is_below = |host: &str| host.strip_suffix(&*self.origin.host).is_some_and(|rest| rest.ends_with('.'));
        (&self.origin.scheme, self.origin.port) == (&origin.scheme, origin.port) && is_below(&origin.host)
    }
}

impl Origin {
    /// Parses an origin; `None` for `null`, and for a text with more parts than an origin has, such as a path or a user
    /// name.
    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let is_scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(is_scheme_byte) {
            return None;
        }
        let authority: Authority = authority.parse().ok().filter(|_| !authority.contains(['@', '*']))?;
        let port = authority.as_str().strip_prefix(authority.host())?;
        let port = match port.strip_prefix(':') {
            None => None,
            Some(digits) => Some(digits.parse().ok()?),
        };
        let scheme = scheme.to_ascii_lowercase();
        let default = match &*scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        let host = Some(authority.host().to_ascii_lowercase()).filter(|host| !host.is_empty())?;
        Some(Self { scheme, host, port: port.or(default) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str], credentials: bool) -> Result<Cors, SettingError> {
        let origins = Some(origins.iter().map(|it| (*it).to_owned()).collect());
        crate::table::alone(|it| CorsTable { origins, credentials: Some(credentials) }.compile(it))
    }

    #[test]
    fn r6a_an_origin_is_a_scheme_a_host_and_a_port() {
        let cors = cors(&["https://App.example", "https://*.a.example", "http://[::1]:3000", "app://x"], true).unwrap();
        let allows = |origin: &str| {
            let headers = [(ORIGIN, HeaderValue::from_str(origin).unwrap())].into_iter().collect();
            cors.allowed(&headers).is_some_and(|allowed| allowed == origin)
        };
        for origin in [
            "https://app.example",
            "https://app.example:443",
            "HTTPS://APP.example",
            "https://b.a.example",
            "https://c.b.a.example",
            "http://[::1]:3000",
            "app://x",
        ] {
            assert!(allows(origin), "{origin}");
        }
        for origin in [
            "https://app.example:8443",
            "http://app.example",
            "https://a.example",
            "https://ba.example",
            "https://app.example.evil.example",
            "https://app.example@evil.example",
            "https://evil.example/https://app.example",
            "null",
            "",
            "https://",
            "https://*.a.example",
            "http://[::1]",
            "app://x:1",
        ] {
            assert!(!allows(origin), "{origin}");
        }
        let two = [(ORIGIN, HeaderValue::from_static("app://x")), (ORIGIN, HeaderValue::from_static("app://x"))];
        assert!(cors.allowed(&two.into_iter().collect()).is_none());
    }

    #[test]
    fn r6a_what_is_no_origin_is_refused() {
        for (origins, credentials) in [
            (&[][..], false),
            (&["null"], false),
            (&["https://a.example/path"], false),
            (&["https://a.example/"], false),
            (&["a.example"], false),
            (&["https://*"], false),
            (&["https://a.*.example"], false),
            (&["https://u@a.example"], false),
            (&["https://a.example:x"], false),
            (&["*"], true),
        ] {
            let key = cors(origins, credentials).unwrap_err().key;
            assert!(["origins", "origins[0]"].contains(&&*key), "{origins:?}: {key}");
        }
        assert!(cors(&["*"], false).unwrap().is_for_any());
    }
}
