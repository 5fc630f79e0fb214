//! The builder of a [`Policy`]. The builder stores settings, and [`PolicyBuilder::build`] refuses mistakes in them.

use std::borrow::{Borrow, Cow};
use std::time::Duration;

use super::Policy;
use super::choice::Trust;
use super::process::{BudgetTable, ProcessTables};
use super::scope::{PolicyPart, Scope};
use crate::code::ErrorCode;
use crate::guard::auth::AuthScheme;
use crate::guard::header::RequiredHeader;
use crate::table::{Size, TablePath};

/// Builds a [`Policy`]. [`Policy::builder`] creates a builder. If the builder sets a key of routes, the value is the
/// default for all routes.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct PolicyBuilder {
    pub(crate) process: ProcessTables,
    pub(crate) headers: Vec<(String, RequiredHeader)>,
    pub(crate) schemes: Vec<(String, AuthScheme)>,
    pub(crate) codes: Vec<ErrorCode>,
    /// Codes that are added if `codes` lacks them.
    pub(crate) listed_codes: Vec<ErrorCode>,
    pub(crate) part: PolicyPart,
    pub(crate) scopes: Vec<Scope>,
}

impl Policy {
    /// Returns a builder that has the default settings.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::default()
    }
}

macro_rules! process_setters {
    ($($(#[$about:meta])* $name:ident: $type:ty => $table:ident $key:ident,)*) => {
        impl PolicyBuilder {
            $($(#[$about])*
            pub fn $name(mut self, $key: $type) -> Self {
                self.process.$table.get_or_insert_default().$key = Some($key.into());
                self
            })*
        }
    };
}

process_setters! {
    /// Sets whether the client's request id is kept (rule I2). By default the id is never kept.
    trust: Trust => request_id trust,

    /// Sets whether a request without a valid `traceparent` gets one with the request id as its trace id (rule I4).
    traceparent: bool => request_id traceparent,

    /// Sets whether clients get the `x-request-id` that the inner service sent, as `x-upstream-request-id` (rule I3).
    /// By default clients do not get this id.
    upstream_request_id: bool => request_id upstream,

    /// Sets who defines the codes, for RPC clients and in [`Dialect::Google`](crate::dialect::Dialect): the `domain` of
    /// `google.rpc.ErrorInfo` (rules P1, R2), such as `orders.example.com`. By default the domain is
    /// `tower-error-envelope`, because the codes of the catalogue have the same meaning everywhere.
    ///
    /// The domain has at most 253 letters, digits, dots, hyphens and underscores. Any other text is refused when the
    /// policy is built. RPC clients get the domain only with the feature `protobuf`.
    rpc_domain: impl Into<Cow<'static, str>> => rpc domain,

    /// Sets whether an [`Observer`](crate::session::Observer) gets the bodies that services send and that clients
    /// receive, up to 8 KiB of each. By default an observer gets no bodies, because bodies may contain private data
    /// (rule L3).
    observe_bodies: bool => observe bodies,

    /// Sets whether the log line of an error contains the request's path, without its query. By default the line has no
    /// path, because paths may contain private data. The method of an RPC is always logged (rule L3).
    observe_path: bool => observe path,

    /// Sets whether errors have the field `retry` with the advice of their code: `no`, `backoff` or `refresh` (rule
    /// E10). By default errors do not have this field.
    advise_retry: bool => advice retry,

    /// Sets the address of the pages about codes, for the field `docs` of errors (rule E10). The address is an `https`
    /// URI, in which the code replaces `{{code}}`. By default there is no address. A code may also have its own page
    /// ([`ErrorCode::with_docs`]).
    ///
    /// ```
    /// use tower_error_envelope::Policy;
    ///
    /// let policy = Policy::builder().advise_retry(true).docs("https://docs.example.com/errors#{{code}}").build();
    /// assert!(policy.is_ok());
    /// ```
    docs: impl Into<Cow<'static, str>> => advice docs,

    /// Sets whether scripts of the [allowed origins](Self::cors_origins) may send credentials:
    /// `access-control-allow-credentials` (rule R6a). By default scripts may not send credentials.
    cors_credentials: bool => cors credentials,

    /// Sets the name of this process in `Proxy-Status` (RFC 9209, rule L4): 1 to 64 printable ASCII characters. Errors
    /// that the service did not make then have the header `Proxy-Status`. By default there is no name, and no header.
    proxy_name: impl Into<String> => proxy name,
}

impl PolicyBuilder {
    /// Sets the limits for reading an inner error's body (rule R4): 64 KiB and 1 s by default, at most 1 GiB and 5 min.
    pub fn inspect(mut self, max_bytes: u64, timeout: Duration) -> Self {
        self.process.inspect = Some(BudgetTable { max_bytes: Some(Size(max_bytes)), timeout: Some(timeout) });
        self
    }

    /// Sets the limits for reading and dropping the rest of a refused request (rule G5): 16 MiB and 2 s by default, at
    /// most 5 min.
    pub fn drain(mut self, max_bytes: u64, timeout: Duration) -> Self {
        self.process.drain = Some(BudgetTable { max_bytes: Some(Size(max_bytes)), timeout: Some(timeout) });
        self
    }

    /// Sets the origins whose scripts may read the responses that the layer itself makes (rule R6a), such as
    /// `https://app.example.com` or `https://*.example.com`. The origin `*` allows all origins. By default no scripts
    /// may read these responses. Responses of the service keep their own headers. An error of the service that has no such
    /// header gets the headers when the layer rewrites it.
    pub fn cors_origins(mut self, origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.process.cors.get_or_insert_default().origins = Some(origins.into_iter().map(Into::into).collect());
        self
    }

    /// Defines a header that routes may require by this name (rule G1).
    pub fn header(mut self, name: impl Into<String>, header: RequiredHeader) -> Self {
        self.headers.push((name.into(), header));
        self
    }

    /// Defines an auth scheme that routes may require by this name (rule G2).
    pub fn scheme(mut self, name: impl Into<String>, scheme: AuthScheme) -> Self {
        self.schemes.push((name.into(), scheme));
        self
    }

    /// Adds a custom code, created with [`ErrorCode::custom`], or a code of the catalogue with details, docs or a retry
    /// advice.
    pub fn code(mut self, code: ErrorCode) -> Self {
        self.codes.push(code);
        self
    }

    /// Adds the custom codes of a list, such as all codes of a derived error: `.codes(OrderError::CODES)`.
    ///
    /// The codes of a derived error have only a name and a status. The list adds no schema of their details and no
    /// message: pass [`ErrorCode::with_details`] to [`PolicyBuilder::code`].
    ///
    /// Codes that [`PolicyBuilder::code`] also adds keep its settings. Unchanged codes of the catalogue are ignored,
    /// because every policy has them.
    ///
    /// ```
    /// use tower_error_envelope::{ErrorCode, Policy};
    ///
    /// const SOLD_OUT: ErrorCode = ErrorCode::custom("sold_out", 409);
    ///
    /// let policy = Policy::builder().codes([SOLD_OUT, ErrorCode::NOT_FOUND]).build()?;
    /// assert_eq!(policy.codes().find("sold_out"), Some(SOLD_OUT));
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    pub fn codes(mut self, codes: impl IntoIterator<Item = impl Borrow<ErrorCode>>) -> Self {
        self.listed_codes.extend(codes.into_iter().map(|code| code.borrow().clone()));
        self
    }

    /// Adds a scope, whose settings apply only to some requests. The order of scopes does not matter.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scopes.push(scope);
        self
    }

    /// Returns the policy itself, and then its scopes.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &PolicyPart> {
        std::iter::once(&self.part).chain(self.scopes.iter().map(|scope| &scope.part))
    }

    /// Returns the scope of a part, or `None` for the policy itself.
    pub(crate) fn scope_of(&self, part: usize) -> Option<&Scope> {
        self.scopes.get(part.checked_sub(1)?)
    }

    /// Returns a name for a table, for the errors of [`PolicyBuilder::build`].
    pub(super) fn name_of(&self, place: &TablePath) -> String {
        let scope = |part: usize| self.scope_of(part).map(|scope| format!("scope {:?}", scope.covers()));
        let inside = |part: usize| scope(part).map_or_else(String::new, |scope| scope + ": ");
        let own = |part: usize| self.parts().nth(part);
        match place {
            TablePath::Defaults(part) | TablePath::Scope(part) => scope(*part).unwrap_or_else(|| "defaults".to_owned()),
            TablePath::Process(name) => (*name).to_owned(),
            TablePath::Header(name) => format!("header {name:?}"),
            TablePath::Auth(name) => format!("scheme {name:?}"),
            TablePath::Shape(name) => format!("shape {name:?}"),
            TablePath::Code(at) => format!("code {:?}", self.codes.get(*at).map_or("", ErrorCode::as_str)),
            TablePath::Map(part, at) => {
                let to = own(*part).and_then(|part| part.rules.get(*at)?.to.as_ref());
                format!("{}map[{at}] to {:?}", inside(*part), to.map_or("", ErrorCode::as_str))
            }
            TablePath::Outward(part, at) => format!("{}outward[{at}]", inside(*part)),
            TablePath::Route(part, at) => {
                let pattern = own(*part).and_then(|part| Some(&*part.routes.get(*at)?.pattern));
                format!("{}route {:?}", inside(*part), pattern.unwrap_or_default())
            }
        }
    }
}
