//! The caller of a request: the claims of its token, and the value that a verifier attached (rule G2).

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
#[cfg(feature = "jwt")]
use serde::de::DeserializeOwned;

use error_envelope_core::code::ErrorCode;
use error_envelope_core::fault::Fault;
use error_envelope_core::guard::auth::Identity;

/// The claims of the caller's JSON web token, deserialized into a type of the service (feature `jwt`).
///
/// If credentials are optional and the request has none, the rejection is `auth_missing`. If the claims do not fit `T`,
/// the rejection is `internal_error`, and the log names the wrong claim. [`Identity::claims`] describes this case. On a
/// route without a scheme the rejection is also `internal_error`. For a caller without a token, `Option<Claims<T>>` is
/// `None`.
///
/// ```
/// use axum::{Router, routing::get};
/// use serde::Deserialize;
/// use tower_error_envelope::auth::{AuthScheme, JwtKeys};
/// use tower_error_envelope::extract::Claims;
/// use tower_error_envelope::{ErrorEnvelopeLayer, Policy};
///
/// #[derive(Deserialize)]
/// struct Session {
///     sub: String,
///     tenant: String,
/// }
///
/// async fn me(Claims(session): Claims<Session>) -> String {
///     format!("{} of {}", session.sub, session.tenant)
/// }
///
/// let scheme = AuthScheme::jwt(JwtKeys::secret([7; 32])).algorithms(["HS256"]).audience("orders");
/// let policy = Policy::builder().scheme("web", scheme).auth(["web"]).build()?;
/// let app: Router = Router::new().route("/me", get(me)).layer(ErrorEnvelopeLayer::new().policy(policy));
/// # let _ = app;
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[cfg(feature = "jwt")]
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Claims<T>(pub T);

#[cfg(feature = "jwt")]
impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Claims<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        <Identity as FromRequestParts<S>>::from_request_parts(parts, state).await?.claims().map(Self)
    }
}

#[cfg(feature = "jwt")]
impl<T: DeserializeOwned, S: Sync> OptionalFromRequestParts<S> for Claims<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Fault> {
        let caller = parts.extensions.get::<Identity>().filter(|caller| caller.claims_json().is_some());
        caller.map(|caller| caller.claims().map(Self)).transpose()
    }
}

/// A clone of the value that a verifier attached to the caller with [`Verified::with`](crate::auth::Verified::with).
///
/// If credentials are optional and the request has none, the rejection is `auth_missing`. If no `T` was attached for
/// the caller, or the route has no scheme, the rejection is `internal_error`. In all three cases
/// `Option<CallerData<T>>` is `None`.
///
/// ```
/// use std::sync::Arc;
///
/// use axum::{Router, routing::get};
/// use tower_error_envelope::auth::{AuthScheme, CredentialRequest, Verified};
/// use tower_error_envelope::extract::CallerData;
/// use tower_error_envelope::session::BoxError;
/// use tower_error_envelope::{ErrorEnvelopeLayer, Policy};
///
/// struct User {
///     name: String,
/// }
///
/// async fn verify(request: CredentialRequest) -> Result<Verified, BoxError> {
///     Ok(match request.headers().get("x-session") {
///         None => Verified::Missing,
///         Some(token) if token == "s3cret" => Verified::granted("7").with(Arc::new(User { name: "Ada".to_owned() })),
///         Some(_) => Verified::Invalid,
///     })
/// }
///
/// async fn me(CallerData(user): CallerData<Arc<User>>) -> String {
///     user.name.clone()
/// }
///
/// let policy = Policy::builder().scheme("session", AuthScheme::custom()).auth(["session"]).build()?;
/// let layer = ErrorEnvelopeLayer::new().verifier("session", verify).policy(policy);
/// let app: Router = Router::new().route("/me", get(me)).layer(layer);
/// # let _ = app;
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct CallerData<T>(pub T);

impl<T: Clone + Send + Sync + 'static, S: Sync> FromRequestParts<S> for CallerData<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let caller = <Identity as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        let missing = || {
            let (scheme, name) = (caller.scheme(), std::any::type_name::<T>());
            let cause = format!("the scheme {scheme} attached no {name}: call Verified::with in its verifier");
            Fault::new(ErrorCode::INTERNAL_ERROR).with_source(cause)
        };
        caller.data().cloned().map(Self).ok_or_else(missing)
    }
}

impl<T: Clone + Send + Sync + 'static, S: Sync> OptionalFromRequestParts<S> for CallerData<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Fault> {
        Ok(parts.extensions.get::<Identity>().and_then(Identity::data::<T>).cloned().map(Self))
    }
}
