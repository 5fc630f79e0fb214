//! The caller of a request, and how the caller was identified.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

#[cfg(feature = "jwt")]
use serde::de::DeserializeOwned;

#[cfg(feature = "jwt")]
use {crate::code::ErrorCode, crate::fault::Fault, error_envelope_text::sentences::without_values};

/// The caller that the credentials of a request identify (G2). Each request whose credentials were accepted has this
/// identity in its extensions.
///
/// Two identities are equal if they have the same scheme and the same id.
///
/// ```
/// use http::Request;
/// use tower_error_envelope::auth::Identity;
///
/// fn caller<B>(request: &Request<B>) -> &str {
///     request.extensions().get::<Identity>().and_then(Identity::id).unwrap_or("nobody")
/// }
/// # assert_eq!(caller(&Request::new(())), "nobody");
/// ```
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    scheme: Arc<str>,
    id: Option<Box<str>>,
    proof: Proof,
}

/// Marks a request that passed a check of credentials without having any (M1). Such a request passes if the credentials
/// are optional or only observed, or if the request is a preflight. Without this mark, a missing [`Identity`] is a
/// mistake of the service.
#[derive(Clone, Copy, Debug)]
pub struct NoCaller;

/// The data about the caller in addition to the id. The kind of data depends on the scheme.
#[derive(Clone, Default)]
pub enum Proof {
    /// No data, because a key or a certificate only has an id.
    #[default]
    IdAlone,
    /// The claims of a token, as a JSON object.
    #[cfg(feature = "jwt")]
    Claims(String),
    /// The value that a verifier attached.
    Data(VerifierData),
}

/// A value of any type that a verifier passes on to handlers.
#[derive(Clone)]
pub struct VerifierData(Arc<dyn Any + Send + Sync>);

impl Identity {
    pub fn new(scheme: Arc<str>, id: Option<&str>) -> Self {
        Self::proved_by(scheme, id, Proof::IdAlone)
    }

    pub fn proved_by(scheme: Arc<str>, id: Option<&str>, proof: Proof) -> Self {
        let id = id.filter(|id| !id.is_empty()).map(Into::into);
        Self(Arc::new(Inner { scheme, id, proof }))
    }

    /// Returns the name that the policy gives to the scheme.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.0.scheme
    }

    /// Returns the id of the key, the subject of the token, or the id from the verifier. Returns `None` for a token
    /// without a subject. An id is unique within its scheme.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.0.id.as_deref()
    }

    /// Returns the value that the verifier attached with [`Verified::with`]. Returns `None` if the verifier attached no
    /// value, or a value of another type.
    ///
    /// ```
    /// use tower_error_envelope::Fault;
    /// use tower_error_envelope::auth::{Identity, Verified};
    /// use tower_error_envelope::ErrorCode;
    ///
    /// struct User {
    ///     is_admin: bool,
    /// }
    ///
    /// /// The last step of a verifier.
    /// fn grant() -> Verified {
    ///     Verified::granted("ada").with(User { is_admin: true })
    /// }
    ///
    /// /// A handler: `Identity` is an extractor (feature `axum`).
    /// async fn delete_all(identity: Identity) -> Result<&'static str, Fault> {
    ///     match identity.data::<User>() {
    ///         Some(user) if user.is_admin => Ok("deleted"),
    ///         _ => Err(Fault::new(ErrorCode::FORBIDDEN)),
    ///     }
    /// }
    /// # let _ = (grant(), axum::Router::<()>::new().route("/", axum::routing::delete(delete_all)));
    /// ```
    ///
    /// [`Verified::with`]: https://docs.rs/tower-error-envelope/latest/tower_error_envelope/auth/enum.Verified.html#method.with
    #[must_use]
    pub fn data<T: Send + Sync + 'static>(&self) -> Option<&T> {
        match &self.0.proof {
            Proof::Data(data) => data.get(),
            _ => None,
        }
    }
}

/// The claims of a JSON Web Token (feature `jwt`).
#[cfg(feature = "jwt")]
impl Identity {
    /// Returns all claims of the caller's token, as a JSON object. Returns `None` if the caller was not identified by a
    /// token.
    #[must_use]
    pub fn claims_json(&self) -> Option<&str> {
        match &self.0.proof {
            Proof::Claims(claims) => Some(claims),
            _ => None,
        }
    }

    /// Returns the claims of the caller's token, as a type of the service. The layer has already checked the signature,
    /// the expiry, the issuer and the audience.
    ///
    /// ```
    /// use serde::Deserialize;
    /// use tower_error_envelope::Fault;
    /// use tower_error_envelope::auth::Identity;
    ///
    /// #[derive(Deserialize)]
    /// struct Claims {
    ///     sub: String,
    ///     #[serde(default)]
    ///     roles: Vec<String>,
    /// }
    ///
    /// /// A handler: `Identity` is an extractor (feature `axum`).
    /// async fn me(identity: Identity) -> Result<String, Fault> {
    ///     let claims: Claims = identity.claims()?;
    ///     Ok(format!("{} is in {} groups", claims.sub, claims.roles.len()))
    /// }
    /// # let _ = axum::Router::<()>::new().route("/me", axum::routing::get(me));
    /// ```
    ///
    /// # Errors
    ///
    /// Returns `internal_error` if the caller was not identified by a token, or if the claims do not fit `T`. In the
    /// second case the issuer and the service disagree, and another token would not help. The log contains the name of
    /// the claim and the reason, but no value.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let mistake = |cause: String| Fault::new(ErrorCode::INTERNAL_ERROR).with_source(cause);
        let Some(claims) = self.claims_json() else {
            let scheme = self.scheme();
            return Err(mistake(format!(
                "the scheme {scheme} has no claims: only tokens of scheme \"jwt\" have claims"
            )));
        };
        serde_json::from_str(claims).map_err(|_| mistake(why_claims_do_not_fit::<T>(claims)))
    }
}

/// Returns the name of the claim that does not fit, and the reason. This text is for the log.
#[cfg(feature = "jwt")]
#[cold]
fn why_claims_do_not_fit<T: DeserializeOwned>(claims: &str) -> String {
    let parsed = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_str(claims));
    let reason = match parsed {
        Err(error) => {
            let text = error.inner().to_string();
            let reason = without_values(&text);
            // The path of a missing claim is empty, and would be written as a single dot.
            if error.path().iter().len() == 0 { reason.into_owned() } else { format!("{}: {reason}", error.path()) }
        }
        Ok(_) => "the claims are not a single JSON value".to_owned(),
    };
    format!("the token's claims do not fit {}: {reason}", std::any::type_name::<T>())
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        (self.scheme(), self.id()) == (other.scheme(), other.id())
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.scheme(), self.id()).hash(state);
    }
}

impl fmt::Debug for Identity {
    /// Leaves out claims and data, which may be confidential (L3).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("scheme", &self.scheme()).field("id", &self.id()).finish()
    }
}

impl VerifierData {
    pub fn new<T: Send + Sync + 'static>(value: T) -> Self {
        Self(Arc::new(DropCaught(Some(value))))
    }

    fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.downcast_ref::<DropCaught<T>>()?.0.as_ref()
    }

    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for VerifierData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifierData")
    }
}

/// Contains a verifier's value, and catches a panic when the value is dropped. Any part of the layer may be the last
/// owner of the value (F2).
struct DropCaught<T>(Option<T>);

impl<T> Drop for DropCaught<T> {
    fn drop(&mut self) {
        let value = self.0.take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
            // Dropping the panic's payload may panic as well.
            std::mem::forget(panic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g2_the_data_of_a_verifier_is_found_by_its_type_and_dropped_in_a_catch() {
        struct Bomb(u8);
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }

        let proof = Proof::Data(VerifierData::new(Bomb(7)));
        let identity = Identity::proved_by("session".into(), Some("ada"), proof);
        assert_eq!(identity.data::<Bomb>().map(|bomb| bomb.0), Some(7));
        assert!(identity.data::<u8>().is_none());
        assert_eq!(identity, Identity::new("session".into(), Some("ada")));
        drop(identity);
    }

    #[cfg(feature = "jwt")]
    #[test]
    fn l3_claims_that_do_not_fit_are_named_in_the_log_without_a_value() {
        use std::collections::HashMap;
        use std::error::Error;

        #[derive(Debug, serde::Deserialize)]
        struct Aged {
            #[serde(rename = "age")]
            _age: Age,
        }
        #[derive(Debug, serde::Deserialize)]
        enum Age {
            Young,
        }

        let claims = r#"{"sub":"ada","age":"s3cr3t","org":{"id":"s3cr3t"}}"#;
        let identity = Identity::proved_by("web".into(), Some("ada"), Proof::Claims(claims.to_owned()));
        let cause = |fault: Fault| fault.source().expect("a cause").to_string();
        assert_eq!(identity.claims::<HashMap<String, serde_json::Value>>().unwrap().len(), 3);

        let empty = Identity::proved_by("web".into(), Some("ada"), Proof::Claims("{}".to_owned()));
        let causes = [
            cause(identity.claims::<HashMap<String, String>>().unwrap_err()),
            cause(identity.claims::<HashMap<String, HashMap<String, u8>>>().unwrap_err()),
            cause(Identity::new("key".into(), Some("ada")).claims::<serde_json::Value>().unwrap_err()),
            cause(identity.claims::<Aged>().unwrap_err()),
            cause(empty.claims::<Aged>().unwrap_err()),
        ];
        for (cause, part) in causes.iter().zip([
            "org: invalid type",
            "sub: invalid type",
            "the scheme key has no claims",
            "age: unknown variant",
            "::Aged: missing field `age`",
        ]) {
            assert!(cause.contains(part) && !cause.contains("s3cr3t"), "{cause}");
        }
    }

    /// Reads claims as identity providers write them, with the types that services define for them.
    #[cfg(feature = "jwt")]
    #[test]
    fn g2_claims_of_well_known_issuers_fit_the_types_of_services() {
        use std::collections::HashMap;

        use serde::Deserialize;
        use serde_json::Value;

        #[derive(Debug, Default, Deserialize)]
        #[serde(default)]
        struct Session {
            scope: String,
            permissions: Vec<String>,
            realm_access: HashMap<String, Vec<String>>,
            resource_access: HashMap<String, HashMap<String, Vec<String>>>,
            #[serde(rename = "allowed-origins")]
            origins: Vec<String>,
            #[serde(rename = "cognito:groups")]
            groups: Vec<String>,
            #[serde(rename = "https://hasura.io/jwt/claims")]
            hasura: HashMap<String, Value>,
            #[serde(rename = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name")]
            name: String,
            firebase: Value,
            email_verified: bool,
            iat: u64,
        }

        let read = |claims: &str| {
            let proof = Proof::Claims(claims.to_owned());
            let cause = |fault: Fault| std::error::Error::source(&fault).map(ToString::to_string).unwrap_or_default();
            Identity::proved_by("web".into(), None, proof).claims::<Session>().map_err(cause)
        };
        for claims in [
            r#"{"realm_access":{"roles":["offline_access"]},"resource_access":{"account":{"roles":["view-profile"]}},"typ":"Bearer"}"#,
            r#"{"allowed-origins":["https://a.example"],"acr":"1","preferred_username":"ada","sid":"5f"}"#,
            r#"{"iss":"https://a.auth0.com/","aud":["api","https://a.auth0.com/userinfo"],"scope":"openid","permissions":[]}"#,
            r#"{"cognito:groups":["admin"],"custom:role":"x","token_use":"access","client_id":"7a"}"#,
            r#"{"https://hasura.io/jwt/claims":{"x-hasura-allowed-roles":["user"],"x-hasura-default-role":"user"}}"#,
            r#"{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name":"ada"}"#,
            r#"{"firebase":{"identities":{"email":["a@example.com"]},"sign_in_provider":"password"},"email_verified":true}"#,
            r#"{"oid":"0","tid":"1","ver":"2.0","wids":["b79f"],"iat":1735689600}"#,
        ] {
            assert!(read(claims).is_ok(), "{claims}: {:?}", read(claims));
        }
        for (claims, part) in [
            (r#"{"iat":1735689600.5}"#, "iat: invalid type"),
            (r#"{"iat":"2024-06-05T23:23:17Z"}"#, "iat: invalid type"),
            (r#"{"email_verified":"true"}"#, "email_verified: invalid type"),
            (r#"{"permissions":"read:a write:a"}"#, "permissions: invalid type"),
            (r#"{"realm_access":{"roles":[7]}}"#, "realm_access.roles[0]: invalid type"),
            (r#"{"cognito:groups":null}"#, "cognito:groups: invalid type"),
        ] {
            let cause = read(claims).expect_err(claims);
            assert!(cause.contains("Session: ") && cause.contains(part) && !cause.contains("read:a"), "{cause}");
        }
    }
}
