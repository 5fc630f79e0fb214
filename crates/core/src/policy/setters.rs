//! The settings of a route, which the policy and its scopes can set as well.

use super::builder::PolicyBuilder;
use super::route::Route;
use super::scope::Scope;

/// The same setters for a route and, as defaults, for the policy and its scopes.
macro_rules! setters {
    ($of:ty, $($keys:ident).+) => {
        impl $of {
            /// Sets what the layer does: [`Mode::Enforce`](crate::policy::Mode) by default.
            pub fn mode(mut self, mode: $crate::policy::Mode) -> Self {
                self.$($keys).+.mode = Some(mode);
                self
            }

            /// Sets how errors are written (rule R12): a [`Dialect`](crate::dialect::Dialect), or a shape of the
            /// policy's own by its name (rule R15); [`Dialect::Standard`](crate::dialect::Dialect) by default. RPC
            /// clients get the errors of their protocol with any dialect (section P).
            pub fn dialect(mut self, dialect: impl Into<$crate::dialect::DialectName>) -> Self {
                self.$($keys).+.dialect = Some(dialect.into());
                self
            }

            /// Sets the credentials that let a request in (rule G2), by the names that the policy gives them: any one of
            /// them does. An empty list is open, as is the default.
            pub fn auth<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
                self.$($keys).+.auth = Some(names.into_iter().map(Into::into).collect());
                self
            }

            /// Whether a request without valid credentials passes; they are checked and logged (rule M1). Not by default.
            pub fn auth_observe(mut self, auth_observe: bool) -> Self {
                self.$($keys).+.auth_observe = Some(auth_observe);
                self
            }

            /// Whether a request without credentials passes (rule G2), without an
            /// [`Identity`](crate::guard::auth::Identity): not by default. Credentials that are sent are checked, and bad
            /// ones refused.
            pub fn auth_optional(mut self, auth_optional: bool) -> Self {
                self.$($keys).+.auth_optional = Some(auth_optional);
                self
            }

            /// Sets the longest request body in bytes (rule G4): 1 MiB by default. Of a stream of RPC messages it is the
            /// longest message (section P).
            ///
            /// A framework's own limit stays active inside. axum's extractors read at most 2 MiB: for more, set axum's
            /// `DefaultBodyLimit` on the same routes, too.
            pub fn body_limit(mut self, bytes: u64) -> Self {
                self.$($keys).+.body_limit = Some(Some(bytes));
                self
            }

            /// Lifts the limit of request bodies; a framework's own stays (axum's extractors: 2 MiB).
            pub fn no_body_limit(mut self) -> Self {
                self.$($keys).+.body_limit = Some(None);
                self
            }

            /// Sets what the limit counts of a request whose content type claims a stream of RPC messages (rule P1): by
            /// default each message of a POST to `/pkg.Service/Method`, else the whole body.
            pub fn body_limit_per(mut self, per: $crate::policy::BodyLimitPer) -> Self {
                self.$($keys).+.body_limit_per = Some(per);
                self
            }

            /// Whether request bodies must be `application/json` (rule G3): not by default. `false` requires no type.
            ///
            /// Only `application/json` itself is accepted: `application/vnd.api+json` gets 415, although axum's and this
            /// crate's `Json` would read it. A route for such bodies has `.content_types(["application/json",
            /// "application/vnd.api+json"])` instead.
            pub fn json(mut self, json: bool) -> Self {
                self.$($keys).+.json = Some(json);
                self
            }

            /// Sets the media types that request bodies may have (rule G3), instead of `json`. An empty list requires
            /// none.
            pub fn content_types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
                self.$($keys).+.content_types = Some(types.into_iter().map(Into::into).collect());
                self
            }

            /// Sets the headers that requests must carry (rule G1), by the names that the policy gives them. An empty
            /// list requires none.
            pub fn require_headers<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
                self.$($keys).+.require_headers = Some(names.into_iter().map(Into::into).collect());
                self
            }

            /// Sets how to treat codes that only an inner process defines (rule E2).
            pub fn unknown_codes(mut self, unknown_codes: $crate::policy::UnknownCodes) -> Self {
                self.$($keys).+.unknown_codes = Some(unknown_codes);
                self
            }

            /// Sets what `no-transform` means (rule R9).
            pub fn no_transform(mut self, no_transform: $crate::policy::NoTransform) -> Self {
                self.$($keys).+.no_transform = Some(no_transform);
                self
            }

            /// Sets how to treat errors of GraphQL, tRPC, oRPC, JSON-RPC and OAuth (rule R10).
            pub fn protocols(mut self, protocols: $crate::policy::Protocols) -> Self {
                self.$($keys).+.protocols = Some(protocols);
                self
            }

            /// Sets which fields of a foreign 4xx body pass into the details (rule R14), by their names. Other fields
            /// that no rule reads are dropped, and their names logged. An empty list passes none, as is the default.
            pub fn keep_fields<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
                self.$($keys).+.keep_fields = Some(names.into_iter().map(Into::into).collect());
                self
            }

            /// Whether secrets in the texts of foreign 4xx are replaced by `[redacted]` (rule R17): not by default.
            ///
            /// Keys, tokens, cookies, passwords, connection strings and e-mail addresses are replaced in the message, the
            /// issues and the details of an error that the service wrote in a form of its own. Codes and paths of issues
            /// stay, and so does an error that already is an envelope.
            ///
            /// ```
            /// use tower_error_envelope::{Policy, Route};
            ///
            /// let policy = Policy::builder().route(Route::new("/legacy/{*rest}").redact(true)).build()?;
            /// # Ok::<(), tower_error_envelope::PolicyError>(())
            /// ```
            #[cfg(feature = "redact")]
            #[cfg_attr(docsrs, doc(cfg(feature = "redact")))]
            pub fn redact(mut self, redact: bool) -> Self {
                self.$($keys).+.redact = Some(redact);
                self
            }

            /// Sets whether guards hold for CORS preflights (rule G0).
            pub fn preflight(mut self, preflight: $crate::policy::Preflight) -> Self {
                self.$($keys).+.preflight = Some(preflight);
                self
            }

            /// Sets how to treat a path whose readings meet routes with different guards (rule G0): the guards of all
            /// of them hold by default.
            pub fn paths(mut self, paths: $crate::policy::Paths) -> Self {
                self.$($keys).+.paths = Some(paths);
                self
            }

            /// Sets whether guards ignore the letter case of paths (rule G0): by default they do.
            pub fn case(mut self, case: $crate::policy::LetterCase) -> Self {
                self.$($keys).+.case = Some(case);
                self
            }

            /// Sets how to treat an event stream that breaks off between two events (rule F6): it breaks off by default.
            pub fn event_streams(mut self, event_streams: $crate::policy::EventStreams) -> Self {
                self.$($keys).+.event_streams = Some(event_streams);
                self
            }

            /// Sets the page for clients that prefer `text/html` to JSON (rule R16): `true` is the built-in one. By
            /// default there is none.
            pub fn html(mut self, page: impl Into<$crate::policy::ErrorPage>) -> Self {
                self.$($keys).+.html = Some(page.into());
                self
            }

            /// Whether browsers may read the id and the code (rule E4): by default they may.
            pub fn expose_headers(mut self, expose_headers: bool) -> Self {
                self.$($keys).+.expose_headers = Some(expose_headers);
                self
            }

            /// Whether a client of a standard route may request RFC 9457 with `Accept` (rule R11): by default it may.
            pub fn negotiate(mut self, negotiate: bool) -> Self {
                self.$($keys).+.negotiate = Some(negotiate);
                self
            }
        }
    };
}

setters!(Route, keys);
setters!(PolicyBuilder, part.keys);
setters!(Scope, part.keys);
