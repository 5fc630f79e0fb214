//! The policy: what holds for which request.
//!
//! A [`Policy`] that exists is right: everything that can be wrong is refused when it is built, from Rust or from a file.
//!
//! 1. The path as sent and the path normalised are both matched (rule G0); most paths are their own normal form.
//! 2. Of all routes that match, the most specific one that sets a key decides it; at last the defaults do.
//! 3. Where the two spellings ask for different guards, both are given: the exchange lets both hold.
//!
//! Looking up allocates nothing for a path in its normal form, and without routes it is a copy.

mod builder;
mod choice;
mod compile;
mod error;
#[cfg(feature = "policy-file")]
mod file;
mod in_force;
mod matcher;
mod route;
mod settings;

use std::time::Duration;

use http::Method;

pub use self::builder::PolicyBuilder;
pub use self::choice::{Mode, NoTransform, Preflight, Protocols, Trust, UnknownCodes};
pub use self::error::PolicyError;
use self::in_force::Origin;
use self::matcher::Matcher;
pub use self::route::Route;
use self::settings::{Index, Said};
pub(crate) use self::settings::{Label, Settings};
use crate::classify::rule::Rule;
use crate::code::CodeSet;
use crate::guard::content_type::MediaTypes;
use crate::guard::header::HeaderGuard;
use crate::guard::pattern::{Pattern, normalised};

/// What the layer does for which request: built in Rust with [`Policy::builder`], or read from a file.
///
/// [`Policy::default`] is the policy of a layer that was told nothing: it enforces everything, guards body size alone
/// (1 MiB), and trusts no sender's id.
///
/// ```
/// use tower_error_envelope::{ErrorCode, Policy, RequiredHeader, Route, Trust};
///
/// let policy = Policy::builder()
///     .trust(Trust::Valid)
///     .body_limit(256 * 1024)
///     .header("tenant", RequiredHeader::new("x-tenant").pattern("[a-z]{1,8}"))
///     .route(Route::new("/t/{*rest}").require_headers(["tenant"]))
///     .route(Route::new("POST /t/upload").no_body_limit())
///     .code(ErrorCode::own("seat_taken", 409))
///     .build()?;
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Debug, Default)]
pub struct Policy {
    origin: Origin,
    ids: IdSettings,
    inspect: Inspect,
    drain: Drain,
    codes: CodeSet,
    rules: Box<[Rule]>,
    defaults: Settings,
    said: Box<[Said]>,
    default_keys: Said,
    matcher: Matcher,
    header_lists: Box<[Box<[HeaderGuard]>]>,
    type_lists: Box<[MediaTypes]>,
}

/// What holds for a request's path in its two spellings (rule G0).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matched {
    /// The path as sent, where its guards are not those of the normalised path.
    pub(crate) sent: Option<Settings>,
    /// The path normalised: everything that is no guard follows it.
    pub(crate) normal: Settings,
}

/// How ids are made (rules I2, I4).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdSettings {
    pub(crate) trust_valid: bool,
    pub(crate) traceparent: bool,
}

/// How much may be read, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) max_bytes: u64,
    pub(crate) timeout: Duration,
}

impl Policy {
    /// A builder that starts from the defaults.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::default()
    }

    pub(crate) fn matched(&self, method: &Method, path: &str) -> Matched {
        if self.matcher.is_empty() {
            return Matched { sent: None, normal: self.defaults };
        }
        let as_sent = self.settings(method, path.as_bytes());
        match normalised(path) {
            None => Matched { sent: None, normal: as_sent },
            Some(normal) => {
                let normal = self.settings(method, &normal);
                Matched { sent: (!as_sent.guards_like(&normal)).then_some(as_sent), normal }
            }
        }
    }

    pub(crate) fn ids(&self) -> IdSettings {
        self.ids
    }

    /// What reading an inner error's body may cost (rule R4).
    pub(crate) fn inspect(&self) -> Budget {
        self.inspect.0
    }

    /// What dropping the rest of a request may cost (rule G5).
    pub(crate) fn drain(&self) -> Budget {
        self.drain.0
    }

    pub(crate) fn codes(&self) -> &CodeSet {
        &self.codes
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether a rule needs to know the request's path.
    pub(crate) fn rules_ask_path(&self) -> bool {
        self.rules.iter().any(Rule::asks_path)
    }

    pub(crate) fn required_headers(&self, settings: &Settings) -> &[HeaderGuard] {
        settings.headers.and_then(|list| self.header_lists.get(list.get())).map_or(&[], |list| list)
    }

    pub(crate) fn content_types(&self, settings: &Settings) -> Option<&MediaTypes> {
        settings.types.and_then(|list| self.type_lists.get(list.get()))
    }

    /// The pattern as written: a label for the log that no path can blow up (rules L1, L2).
    pub(crate) fn route_label(&self, label: Label) -> Option<&str> {
        label.route.and_then(|route| self.matcher.pattern(route.get())).map(Pattern::written)
    }

    fn settings(&self, method: &Method, path: &[u8]) -> Settings {
        let mut said = Said::default();
        let mut most_specific = None;
        self.matcher.each_match(method, path, &mut |route| {
            most_specific = most_specific.or(Some(route));
            said.inherit(&self.said[route]);
        });
        match most_specific {
            None => self.defaults,
            Some(_) => {
                said.inherit(&self.default_keys);
                said.settled(most_specific.and_then(Index::new))
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Inspect(Budget);

impl Default for Inspect {
    fn default() -> Self {
        // An error body of more is no error message, and one that takes longer costs the client more than it tells.
        Self(Budget { max_bytes: 64 * 1024, timeout: Duration::from_secs(1) })
    }
}

#[derive(Clone, Copy, Debug)]
struct Drain(Budget);

impl Default for Drain {
    fn default() -> Self {
        // Blocking clients read their 413 after an upload of this size, and few need longer for it.
        Self(Budget { max_bytes: 16 * 1024 * 1024, timeout: Duration::from_secs(2) })
    }
}

#[cfg(test)]
mod tests;
