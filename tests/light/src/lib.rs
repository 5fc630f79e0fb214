//! A service that depends on the library without its default features, and the functions that it cannot use.
//!
//! A guard that the build does not have does not compile, so that no guard is lost unnoticed. The remaining part of
//! each guard compiles:
//!
//! ```
//! use tower_error_envelope::auth::AuthScheme;
//! use tower_error_envelope::policy::{MapRule, RequiredHeader};
//! use tower_error_envelope::{ErrorCode, Policy, RouteRule};
//!
//! let policy = Policy::builder()
//!     .header("tenant", RequiredHeader::new("x-tenant"))
//!     .scheme("partner", AuthScheme::custom())
//!     .auth(["partner"])
//!     .map(MapRule::to(ErrorCode::GONE).message("It is gone."))
//!     .route(RouteRule::new("/api/{*rest}").require_headers(["tenant"]))
//!     .build();
//! assert!(policy.is_ok());
//! ```
//!
//! Patterns (`pattern`):
//!
//! ```compile_fail,E0277
//! let _ = tower_error_envelope::policy::RequiredHeader::new("x-tenant").pattern("[a-z]{1,8}");
//! ```
//! ```compile_fail,E0277
//! use tower_error_envelope::policy::MapRule;
//! use tower_error_envelope::ErrorCode;
//! let _ = MapRule::to(ErrorCode::GONE).message_pattern("gone$");
//! ```
//! ```compile_fail,E0599
//! let _ = tower_error_envelope::auth::AuthScheme::custom().pattern("[a-z]{1,8}");
//! ```
//!
//! Keys (`auth`), tokens (`jwt`) and files (`policy-file`):
//!
//! ```compile_fail,E0599
//! let _ = tower_error_envelope::auth::AuthScheme::bearer();
//! ```
//! ```compile_fail,E0277
//! let _ = tower_error_envelope::auth::AuthScheme::header("x-api-key");
//! ```
//! ```compile_fail,E0432
//! use tower_error_envelope::auth::Key;
//! ```
//! ```compile_fail,E0432
//! use tower_error_envelope::auth::JwtKeys;
//! ```
//! ```compile_fail,E0277
//! let _ = tower_error_envelope::Policy::from_toml("policy.toml", "version = 1");
//! ```
//! ```compile_fail,E0277
//! let _ = tower_error_envelope::Policy::from_file("policy.toml");
//! ```
//! ```compile_fail,E0277
//! let _ = tower_error_envelope::ErrorEnvelopeLayer::watch("policy.toml");
//! ```
