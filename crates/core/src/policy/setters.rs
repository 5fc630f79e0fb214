//! Setters for the settings of a route, which the policy and its scopes have as well.

use super::builder::PolicyBuilder;
use super::route::Route;
use super::scope::Scope;

/// Adds the same setters to a route, and to the policy and its scopes for their defaults.
macro_rules! setters {
    ($of:ty, $($keys:ident).+) => {
        impl $of {
            /// Sets what the layer does: [`Mode::Enforce`](crate::policy::Mode) by default.
            pub fn mode(mut self, mode: $crate::policy::Mode) -> Self {
                self.$($keys).+.mode = Some(mode);
                self
            }

            /// Sets the form of errors (rule R12): a [`Dialect`](crate::dialect::Dialect), or the name of one of the
            /// policy's shapes (rule R15). The default is [`Dialect::Standard`](crate::dialect::Dialect). RPC clients
            /// get the errors of their protocol with any dialect (section P).
            pub fn dialect(mut self, dialect: impl Into<$crate::dialect::DialectName>) -> Self {
                self.$($keys).+.dialect = Some(dialect.into());
                self
            }

            /// Sets the schemes that let a request in (rule G2), by their names in the policy. One that accepts the
            /// request is enough. An empty list, the default, requires no credentials.
            pub fn auth<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
                self.$($keys).+.auth = Some(names.into_iter().map(Into::into).collect());
                self
            }

            /// Sets whether a failed check of credentials is only logged (rule M1). By default it refuses the request.
            pub fn auth_observe(mut self, auth_observe: bool) -> Self {
                self.$($keys).+.auth_observe = Some(auth_observe);
                self
            }

            /// Sets whether a request without credentials passes (rule G2). It then has no
            /// [`Identity`](crate::guard::auth::Identity). By default it is refused. Credentials that are sent are
            /// always checked, and refused if they are bad.
            pub fn auth_optional(mut self, auth_optional: bool) -> Self {
                self.$($keys).+.auth_optional = Some(auth_optional);
                self
            }

            /// Sets the longest request body in bytes (rule G4): 1 MiB by default. In a stream of RPC messages, it
            /// limits each message (section P).
            ///
            /// The framework inside has a limit of its own, which still applies. axum's extractors read at most 2 MiB.
            /// To read more, set axum's `DefaultBodyLimit` on the same routes as well.
            pub fn body_limit(mut self, bytes: u64) -> Self {
                self.$($keys).+.body_limit = Some(Some(bytes));
                self
            }

            /// Removes the limit of request bodies. The framework's own limit still applies (2 MiB for axum's
            /// extractors).
            pub fn no_body_limit(mut self) -> Self {
                self.$($keys).+.body_limit = Some(None);
                self
            }

            /// Sets what the limit counts if the content type of a request is that of an RPC stream (rule P1). By
            /// default, it counts each message of a POST to `/pkg.Service/Method`, and the whole body of any other
            /// request.
            pub fn body_limit_per(mut self, per: $crate::policy::BodyLimitPer) -> Self {
                self.$($keys).+.body_limit_per = Some(per);
                self
            }

            /// Sets whether request bodies must be `application/json` (rule G3). By default, or with `false`, any type
            /// is accepted.
            ///
            /// The type must be exactly this one: `application/vnd.api+json` gets 415, although the `Json` of axum and
            /// of this crate would read it. For such bodies, use `.content_types(["application/json",
            /// "application/vnd.api+json"])` instead.
            pub fn json(mut self, json: bool) -> Self {
                self.$($keys).+.json = Some(json);
                self
            }

            /// Sets the media types that request bodies may have (rule G3), instead of `json`. If the list is empty,
            /// any type is accepted.
            pub fn content_types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
                self.$($keys).+.content_types = Some(types.into_iter().map(Into::into).collect());
                self
            }

            /// Sets the required headers (rule G1), by their names in the policy. If the list is empty, none is
            /// required.
            pub fn require_headers<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
                self.$($keys).+.require_headers = Some(names.into_iter().map(Into::into).collect());
                self
            }

            /// Sets what to do with codes that only an inner process defines (rule E2).
            pub fn unknown_codes(mut self, unknown_codes: $crate::policy::UnknownCodes) -> Self {
                self.$($keys).+.unknown_codes = Some(unknown_codes);
                self
            }

            /// Sets what to do with errors that have `no-transform` (rule R9).
            pub fn no_transform(mut self, no_transform: $crate::policy::NoTransform) -> Self {
                self.$($keys).+.no_transform = Some(no_transform);
                self
            }

            /// Sets what to do with errors of GraphQL, tRPC, oRPC, JSON-RPC and OAuth (rule R10).
            pub fn protocols(mut self, protocols: $crate::policy::Protocols) -> Self {
                self.$($keys).+.protocols = Some(protocols);
                self
            }

            /// Sets the names of the fields that are copied from the body of a foreign 4xx into the details (rule R14).
            /// Other fields that no rule reads are dropped, and their names are logged. The default is an empty list.
            pub fn keep_fields<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
                self.$($keys).+.keep_fields = Some(names.into_iter().map(Into::into).collect());
                self
            }

            /// Sets whether `[redacted]` replaces secrets in the texts of foreign 4xx errors (rule R17). By default
            /// they stay.
            ///
            /// It replaces keys, tokens, cookies, passwords, connection strings and e-mail addresses in the message,
            /// the issues and the details of errors that the service wrote in its own form. Codes, paths of issues, and
            /// errors that are already envelopes do not change.
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

            /// Sets whether guards apply to CORS preflights (rule G0).
            pub fn preflight(mut self, preflight: $crate::policy::Preflight) -> Self {
                self.$($keys).+.preflight = Some(preflight);
                self
            }

            /// Sets what to do with a path that can be read in ways which match routes with different guards (rule G0).
            /// By default, the guards of all these routes apply.
            pub fn paths(mut self, paths: $crate::policy::Paths) -> Self {
                self.$($keys).+.paths = Some(paths);
                self
            }

            /// Sets whether guards ignore the letter case of paths (rule G0). By default they do.
            pub fn case(mut self, case: $crate::policy::LetterCase) -> Self {
                self.$($keys).+.case = Some(case);
                self
            }

            /// Sets how to end an event stream that is cut off between two events (rule F6). By default, no error event
            /// is added.
            pub fn event_streams(mut self, event_streams: $crate::policy::EventStreams) -> Self {
                self.$($keys).+.event_streams = Some(event_streams);
                self
            }

            /// Sets what the external processor does with an error whose length is not declared (rule R4). By default,
            /// it decides by the head of the error.
            pub fn ext_proc_bodies(mut self, bodies: $crate::policy::ExtProcBodies) -> Self {
                self.$($keys).+.ext_proc_bodies = Some(bodies);
                self
            }

            /// Sets the HTML page for clients that prefer `text/html` to JSON (rule R16); `true` is the built-in page.
            /// By default there is none.
            pub fn html(mut self, page: impl Into<$crate::policy::ErrorPage>) -> Self {
                self.$($keys).+.html = Some(page.into());
                self
            }

            /// Sets whether scripts of other origins may read the request id, the code and `retry-after` (rule E4). By
            /// default they may.
            pub fn expose_headers(mut self, expose_headers: bool) -> Self {
                self.$($keys).+.expose_headers = Some(expose_headers);
                self
            }

            /// Sets whether a client of a route with the standard dialect may choose RFC 9457 with `Accept` (rule R11).
            /// By default it may.
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
