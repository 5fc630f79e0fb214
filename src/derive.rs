//! `#[derive(AsFault)]` (feature `derive`), and the functions that its code uses.

/// Maps each variant of an error type to a fault. A variant without an attribute becomes `internal_error`.
///
/// ```
/// use std::time::Duration;
/// use tower_error_envelope::{AsFault, ErrorCode, Fault};
///
/// const SEAT_TAKEN: ErrorCode = ErrorCode::custom("seat_taken", 409);
///
/// #[derive(Debug, thiserror::Error, AsFault)]
/// enum OrderError {
///     #[error("only {left} left")]
///     #[fault(CONFLICT, message = "Only {left} left.", details(left))]
///     SoldOut { left: u32 },
///     #[error("seat {0} is taken")]
///     #[fault(SEAT_TAKEN, details(0 = "seat"))]
///     Taken(u8),
///     #[error("the card was declined")]
///     #[fault(custom("card_declined", 402))]
///     Declined,
///     #[error("the till is busy")]
///     #[fault(WORKER_AT_CAPACITY, retry_after = wait)]
///     Busy { wait: Duration },
///     #[error(transparent)]
///     #[fault(transparent)]
///     Stock(#[from] StockError),
///     #[error("the receipt cannot be read")]
///     #[fault(with = code_of)]
///     Receipt(#[from] std::num::ParseIntError),
///     #[error("the database failed")]
///     Database(#[from] std::io::Error),
/// }
///
/// fn code_of(error: &std::num::ParseIntError) -> ErrorCode {
///     match error.kind() {
///         std::num::IntErrorKind::Empty => ErrorCode::GONE,
///         _ => ErrorCode::INTERNAL_ERROR,
///     }
/// }
///
/// #[derive(Debug, thiserror::Error, AsFault)]
/// #[error("no such product")]
/// #[fault(NOT_FOUND)]
/// struct StockError;
///
/// let fault = Fault::from(OrderError::SoldOut { left: 3 });
/// assert_eq!(fault.to_string(), "conflict: Only 3 left.");
/// assert_eq!(fault.details_json(), Some(r#"{"left":3}"#));
/// assert_eq!(Fault::from(OrderError::Taken(7)).details_json(), Some(r#"{"seat":7}"#));
/// assert_eq!(Fault::from(OrderError::Busy { wait: Duration::from_secs(30) }).headers()["retry-after"], "30");
/// assert_eq!(Fault::from(OrderError::from(StockError)).code(), "not_found");
/// assert_eq!(Fault::from(OrderError::from("".parse::<u8>().unwrap_err())).code(), "gone");
/// assert_eq!(Fault::from(OrderError::from(std::io::Error::other("s3cr3t"))).code(), "internal_error");
///
/// let codes: Vec<_> = OrderError::CODES.iter().map(ErrorCode::as_str).collect();
/// assert_eq!(codes, ["conflict", "seat_taken", "card_declined", "worker_at_capacity", "internal_error", "not_found"]);
/// ```
///
/// `#[fault(…)]` goes on a variant or a struct. It accepts:
///
/// - the code, in one of three forms: a name of the catalogue, which is a constant of [`ErrorCode`](crate::ErrorCode)
///   (`CONFLICT`); the path of a constant (your own, or one of [`codes`](crate::codes)); or `custom("seat_taken",
///   409)`. If your own constant has the name of an HTTP status, write its path (`self::TOO_MANY_REQUESTS`);
/// - `with = code_of` instead of a code: a function that takes the wrapped error by reference. It returns an
///   [`ErrorCode`](crate::ErrorCode), a [`Fault`](crate::Fault), or an error that is [`AsFault`](trait@AsFault). The
///   wrapped error is the only field, or the field that thiserror uses as the source;
/// - `message = "Only {left} left."`, a format string with the fields (`{0}` in a tuple), or any other expression.
///   Without this attribute the client gets the code's standard message, never the error's `Display`;
/// - `details(left, 0 = "seat")`: the fields of `details`, under their own or other names; a field that is `None` is
///   left out;
/// - `retry_after = 30` in seconds, or a field or any other expression that is a `Duration` or an `Option` of one;
/// - `status = 422`, to replace the code's status;
/// - `transparent`, without other arguments: the fault is that of the only field, which must be
///   [`AsFault`](trait@AsFault) or a [`Fault`](crate::Fault). The log has the cause of the inner error, without the
///   text of the variant. `with = AsFault::fault` logs both, but `CODES` then lacks the codes of the inner error;
/// - `header("x-seat", seat)`: a header. Its value is a text, which is not a format string, or an expression whose type
///   implements `Display`.
///
/// Expressions may use the fields of the variant. Each field is a reference, as in `retry_after =
/// Duration::from_secs(*minutes * 60)`. In a tuple variant, `_0` is the first field, and `_1` is the second.
///
/// With the feature `axum`, the error type implements `IntoResponse`, so handlers can return it. With `tonic`, `?`
/// converts the error into a `Status`. With `utoipa`, the error type implements `IntoResponses`, for
/// `#[utoipa::path(responses(OrderError))]`. The types of the fields in `details` must then be `ToSchema`. With `aide`,
/// the error type implements `OperationOutput`, for handlers of an `ApiRouter`. The types in `details` may then be
/// schemars' `JsonSchema` instead. The constant `CODES` of the error type lists its codes, except those that a function
/// returns. A generic type must have the bounds of its parameters: `enum Failure<E: AsFault> { #[fault(transparent)]
/// Inner(E) }`.
pub use error_envelope_derive::AsFault;
pub use error_envelope_fault::Codes;
pub use error_envelope_fault::fault::AsFault;

/// Used by the derived code; not part of the crate's interface.
pub mod private {
    pub use error_envelope_fault::__private::*;
    #[cfg(any(feature = "aide", feature = "utoipa"))]
    pub use openapi::responses;

    /// Describes the variants of an error type in an OpenAPI document, with examples of what the layer writes.
    #[cfg(any(feature = "aide", feature = "utoipa"))]
    mod openapi {
        use error_envelope_core::openapi::DeclaredError;
        use error_envelope_fault::__private::Declared;
        use serde_json::Value;

        use crate::{Codes, Fault};

        /// Returns the responses of an error's variants.
        #[must_use]
        pub fn responses(codes: &Codes) -> std::collections::BTreeMap<String, Value> {
            let errors = codes.documented().into_iter().map(|(declared, details)| to_error(declared, details));
            crate::openapi::responses(errors, codes.is_complete())
        }

        fn to_error(declared: &Declared, details: Option<(Value, bool)>) -> DeclaredError {
            let fault = declared.status.into_iter().fold(Fault::new(declared.code.clone()), Fault::with_status);
            let fault = declared.message.into_iter().fold(fault, Fault::with_message);
            let error = details.into_iter().fold(DeclaredError::from(fault), DeclaredError::details);
            if declared.waits { error.waits() } else { error }
        }
    }
}
