//! Error pages. Browsers get the built-in page or an operator's template (R16), and agents get Markdown (R18).

pub(crate) mod markdown;
mod template;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use memchr::memmem;

#[cfg(feature = "policy-file")]
pub(crate) use self::template::MAX_BYTES;
pub(crate) use self::template::PageTemplate;

/// The HTML page that browsers get for errors: `html` in the policy file (R16).
///
/// Clients whose `Accept` prefers `text/html` to JSON get the page, with `content-security-policy: default-src 'none';
/// style-src 'unsafe-inline'`. All other clients get JSON. RPC clients get the form of their own protocol (section P).
///
/// ```
/// use tower_error_envelope::policy::ErrorPage;
/// use tower_error_envelope::{Policy, RouteRule};
///
/// let page = "<!doctype html><title>{{title}}</title><h1>{{status}}</h1><p>{{message}}<p>{{code}}, {{request_id}}";
/// let policy = Policy::builder()
///     .html(true)
///     .route(RouteRule::new("/shop/{*rest}").html(ErrorPage::template(page)))
///     .route(RouteRule::new("/api/{*rest}").html(false))
///     .build()?;
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorPage(PageSource);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum PageSource {
    #[default]
    Off,
    BuiltIn,
    Template {
        /// The name of the file in the policy.
        name: Option<Box<str>>,
        text: Arc<str>,
    },
}

impl ErrorPage {
    /// Uses your own page: HTML of at most 64 KiB with the placeholders `{{title}}` (the phrase of the status),
    /// `{{message}}`, `{{code}}`, `{{status}}` and `{{request_id}}`. Their values are escaped. A mistake in the page is
    /// refused when the policy is built.
    pub fn template(text: impl Into<Arc<str>>) -> Self {
        Self(PageSource::Template { name: None, text: text.into() })
    }

    /// Uses the page in a file, which the policy names `name`.
    #[cfg(feature = "policy-file")]
    pub(crate) fn from_file(name: &str, text: String) -> Self {
        Self(PageSource::Template { name: Some(name.into()), text: text.into() })
    }

    /// Returns the template, or `None` if clients get no page.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.0 {
            PageSource::Off => None,
            PageSource::BuiltIn => Some(BUILT_IN),
            PageSource::Template { text, .. } => Some(text),
        }
    }

    /// Returns the value, spelled as in the policy file.
    #[cfg(feature = "policy-file")]
    pub(crate) fn written(&self) -> String {
        match &self.0 {
            PageSource::Off => "false".to_owned(),
            PageSource::BuiltIn => "true".to_owned(),
            PageSource::Template { name, .. } => format!("{:?}", name.as_deref().unwrap_or("(a text in Rust)")),
        }
    }
}

/// `true` selects the built-in page for browsers, and `false` selects no page.
impl From<bool> for ErrorPage {
    fn from(is_on: bool) -> Self {
        Self(if is_on { PageSource::BuiltIn } else { PageSource::Off })
    }
}

const BUILT_IN: &str = include_str!("built_in.html");

/// The two kinds of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageType {
    /// A page for browsers (R16).
    Html,
    /// A page for agents (R18).
    Markdown,
}

impl PageType {
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
        }
    }

    /// Returns the kind of page with this media type, which has no parameters.
    pub(crate) fn of_media_type(name: &str) -> Option<Self> {
        let is = |kind: &Self| kind.content_type().split(';').next().is_some_and(|it| it.eq_ignore_ascii_case(name));
        [Self::Html, Self::Markdown].into_iter().find(is)
    }
}

/// The `content-security-policy` of the page, which allows only inline styles.
pub(crate) const CONTENT_SECURITY_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");

/// Returns a page that an inner layer wrote, with the id of the outermost layer (E7).
pub(crate) fn with_id(page: &[u8], inner: Option<&HeaderValue>, id: &HeaderValue) -> Bytes {
    let mut page = page.to_vec();
    let Some(inner) = inner.map(HeaderValue::as_bytes).filter(|inner| inner.len() == id.len()) else {
        return page.into();
    };
    let places: Vec<_> = memmem::find_iter(&page, inner).collect();
    for at in places {
        page[at..at + id.len()].copy_from_slice(id.as_bytes());
    }
    page.into()
}

#[cfg(test)]
pub(crate) mod samples {
    use http::StatusCode;

    use crate::code::ErrorCode;
    use crate::dialect::outgoing::{Outgoing, WrittenAdvice};

    pub(crate) const ID: &str = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";

    /// Returns a 404 to write.
    pub(crate) fn out() -> Outgoing<'static> {
        static NOT_FOUND: ErrorCode = ErrorCode::NOT_FOUND;

        Outgoing {
            status: StatusCode::NOT_FOUND,
            canonical: &NOT_FOUND,
            code: "not_found",
            message: "Not found.",
            details: None,
            kept: None,
            request_id: ID,
            now: std::time::SystemTime::UNIX_EPOCH,
            domain: "x.test",
            retry_after: None,
            advice: &WrittenAdvice { retry: None, docs: None },
            call: None,
        }
    }

    pub(crate) fn text(body: Vec<u8>) -> String {
        String::from_utf8(body).unwrap()
    }
}
