//! Routes: a pattern, and the settings of the requests that it matches.

use super::keys::RouteTable;

/// Settings for the requests that a pattern matches: `[[route]]` in the policy file (rule G0).
///
/// The pattern is a path, optionally after methods: `"GET|POST /files/{*path}"`. It has literal segments, `{one}` for
/// one segment, and `{*rest}` at the end for all further segments. `GET` covers `HEAD`.
///
/// If a route does not set a key, the next less specific route that also matches decides, and finally the policy.
///
/// ```
/// use tower_error_envelope::{Mode, Policy, Route};
///
/// let policy = Policy::builder()
///     .route(Route::new("POST /api/v1/sessions/{uuid}/commands/{*command}").body_limit(64 * 1024).json(true))
///     .route(Route::new("/oauth/{*rest}").mode(Mode::Off))
///     .build();
/// assert!(policy.is_ok());
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Route {
    pub(crate) pattern: String,
    pub(crate) keys: RouteTable,
}

impl Route {
    /// Creates a route without any settings. A wrong pattern is refused when the policy is built.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self { pattern: pattern.into(), keys: RouteTable::default() }
    }

    /// Requires no credentials on this route, even if wider routes or the policy do: `auth = []`.
    ///
    /// No scheme is checked, so no request has an identity.
    ///
    /// ```
    /// use tower_error_envelope::auth::AuthScheme;
    /// use tower_error_envelope::{Policy, Route};
    ///
    /// let policy = Policy::builder()
    ///     .scheme("session", AuthScheme::custom())
    ///     .auth(["session"])
    ///     .route(Route::new("GET /health").open())
    ///     .build()?;
    /// # let _ = policy;
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    pub fn open(self) -> Self {
        self.auth([""; 0])
    }

    /// Lets requests without credentials pass on this route: [`auth_optional(true)`](Self::auth_optional).
    ///
    /// Credentials that are sent are still checked, and refused if they are bad. Handlers take an `Option<Identity>`.
    ///
    /// ```
    /// use tower_error_envelope::auth::{AuthScheme, Identity};
    /// use tower_error_envelope::{Policy, Route};
    ///
    /// async fn catalogue(caller: Option<Identity>) -> String {
    ///     format!("prices for {}", caller.as_ref().and_then(Identity::id).unwrap_or("everybody"))
    /// }
    ///
    /// let policy = Policy::builder()
    ///     .scheme("session", AuthScheme::custom())
    ///     .auth(["session"])
    ///     .route(Route::new("GET /catalogue").optional_auth())
    ///     .build()?;
    /// # let _ = (policy, axum::Router::<()>::new().route("/catalogue", axum::routing::get(catalogue)));
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    pub fn optional_auth(self) -> Self {
        self.auth_optional(true)
    }
}
