//! Error pages for browsers (rule R16): the built-in page, or an operator's template.

mod template;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;

#[cfg(feature = "policy-file")]
pub(crate) use self::template::MAX_BYTES;
pub(crate) use self::template::PageTemplate;

/// The page of errors for browsers: `html` in the policy file (rule R16).
///
/// A client whose `Accept` prefers `text/html` to JSON gets it, with `content-security-policy: default-src 'none';
/// style-src 'unsafe-inline'`; all others get JSON. RPC clients get their protocol's own form (section P).
///
/// ```
/// use tower_error_envelope::policy::ErrorPage;
/// use tower_error_envelope::{Policy, Route};
///
/// let page = "<!doctype html><title>{{title}}</title><h1>{{status}}</h1><p>{{message}}<p>{{code}}, {{request_id}}";
/// let policy = Policy::builder()
///     .html(true)
///     .route(Route::new("/shop/{*rest}").html(ErrorPage::template(page)))
///     .route(Route::new("/api/{*rest}").html(false))
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
        /// The file's name in the policy.
        name: Option<Box<str>>,
        text: Arc<str>,
    },
}

impl ErrorPage {
    /// Your own page: HTML of at most 64 KiB with the placeholders `{{title}}` (the status's phrase), `{{message}}`,
    /// `{{code}}`, `{{status}}` and `{{request_id}}`. Their values are escaped. A mistake in it is refused when the
    /// policy is built.
    pub fn template(text: impl Into<Arc<str>>) -> Self {
        Self(PageSource::Template { name: None, text: text.into() })
    }

    /// The text of a file that the policy calls `name`.
    #[cfg(feature = "policy-file")]
    pub(crate) fn from_file(name: &str, text: String) -> Self {
        Self(PageSource::Template { name: Some(name.into()), text: text.into() })
    }

    /// The template; `None` where there is no page.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.0 {
            PageSource::Off => None,
            PageSource::BuiltIn => Some(BUILT_IN),
            PageSource::Template { text, .. } => Some(text),
        }
    }

    /// The value as in the policy file.
    #[cfg(feature = "policy-file")]
    pub(crate) fn written(&self) -> String {
        match &self.0 {
            PageSource::Off => "false".to_owned(),
            PageSource::BuiltIn => "true".to_owned(),
            PageSource::Template { name, .. } => format!("{:?}", name.as_deref().unwrap_or("(a text in Rust)")),
        }
    }
}

/// Whether browsers get the built-in page.
impl From<bool> for ErrorPage {
    fn from(is_on: bool) -> Self {
        Self(if is_on { PageSource::BuiltIn } else { PageSource::Off })
    }
}

const BUILT_IN: &str = include_str!("built_in.html");

pub(crate) const CONTENT_TYPE: &str = "text/html; charset=utf-8";

/// No script, and no style or image from elsewhere.
pub(crate) const CONTENT_SECURITY_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");

/// A page that a layer inside has written, with the outermost id (E7).
pub(crate) fn with_id(page: &[u8], inner: Option<&HeaderValue>, id: &HeaderValue) -> Bytes {
    let mut page = page.to_vec();
    let Some(inner) = inner.map(HeaderValue::as_bytes).filter(|inner| inner.len() == id.len()) else {
        return page.into();
    };
    let mut at = 0;
    while let Some(place) = page.get_mut(at..at + inner.len()) {
        if place == inner {
            place.copy_from_slice(id.as_bytes());
            at += inner.len();
        } else {
            at += 1;
        }
    }
    page.into()
}
