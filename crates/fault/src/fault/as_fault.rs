//! Converts the errors of a service into faults, for `?`.

use std::error::Error;

use super::Fault;
use crate::code::ErrorCode;

/// Defines which error clients get for a service's own error. `?` then converts it into a [`Fault`].
///
/// The error itself becomes the source of the fault. The text and the causes of the error are logged, but never sent to
/// clients. By default, clients get `internal_error` with the catalogue's message, so that an error without a mapping
/// reveals nothing.
///
/// Most errors only need [`AsFault::code`]. If clients are to get more than a code, implement [`AsFault::fault`].
///
/// ```
/// use tower_error_envelope::{AsFault, ErrorCode, Fault};
///
/// const SEAT_TAKEN: ErrorCode = ErrorCode::custom("seat_taken", 409);
///
/// #[derive(Debug)]
/// enum BookingError {
///     NoSuchShow,
///     SeatTaken { seat: u8 },
///     Database(std::io::Error),
/// }
/// # impl std::error::Error for BookingError {}
/// # impl std::fmt::Display for BookingError {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "{self:?}") }
/// # }
///
/// impl AsFault for BookingError {
///     fn code(&self) -> ErrorCode {
///         match self {
///             Self::NoSuchShow => ErrorCode::NOT_FOUND,
///             Self::SeatTaken { .. } => SEAT_TAKEN,
///             Self::Database(_) => ErrorCode::INTERNAL_ERROR,
///         }
///     }
///
///     fn fault(&self) -> Fault {
///         match self {
///             Self::SeatTaken { seat } => Fault::new(self.code()).with_details(serde_json::json!({ "seat": seat })),
///             _ => Fault::new(self.code()),
///         }
///     }
/// }
///
/// fn reserve(seat: u8) -> Result<(), BookingError> {
///     Err(BookingError::SeatTaken { seat })
/// }
///
/// fn handler() -> Result<(), Fault> {
///     reserve(7)?;
///     Ok(())
/// }
///
/// let fault = handler().unwrap_err();
/// assert_eq!((fault.code(), fault.details_json()), (&SEAT_TAKEN, Some(r#"{"seat":7}"#)));
/// ```
///
/// Wrap an error of another crate in a variant of your own error, or map it with `.map_err(|error|
/// Fault::new(code).with_source(error))`. If no handler converts the `Error` of a service, convert it in the layer:
/// `.classify(|error| error.downcast_ref::<BookingError>().map(AsFault::fault))`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no code for clients: it does not implement `AsFault`",
    label = "give it a code: `#[derive(AsFault)]`, `impl AsFault`, or `.map_err(|it| Fault::new(code).with_source(it))`; \
             the features `anyhow`, `axum`, `diesel`, `garde`, `reqwest`, `sqlx`, `tonic`, `validator` and `ws` cover the \
             errors of those crates",
    note = "for an error of your own: `impl AsFault for {Self} {{ … }}`, or `#[derive(AsFault)]` with the feature `derive`",
    note = "for an error of another crate: `.map_err(|error| Fault::new(ErrorCode::…).with_source(error))`",
    note = "for a variant of your own that wraps it: `#[fault(with = code_of)]`, with `fn code_of(error: &{Self}) -> ErrorCode`; \
            for an `anyhow::Error`: `#[fault(with = Fault::from)]`",
    note = "features of `tower-error-envelope` cover errors of other crates: `anyhow`, `axum`, `diesel`, `garde`, `reqwest`, \
            `sqlx`, `tonic`, `validator`, `ws` (axum's WebSockets)",
    note = "if the feature is on, the build has two versions of the crate, such as `reqwest` 0.12 and 0.13 or `sqlx` 0.8 and 0.9: \
            `cargo tree -d` lists them, and `cargo update -p reqwest@0.13.5 --precise 0.12.28` leaves one"
)]
pub trait AsFault: Error + Send + Sync + 'static {
    /// Returns the code, which is `internal_error` by default.
    fn code(&self) -> ErrorCode {
        ErrorCode::INTERNAL_ERROR
    }

    /// Returns the fault that clients get. Besides the code, it may have a message, details and headers. By default, it
    /// has only the code.
    ///
    /// `Display` is not used as the message, because it was written for the log, and may name tables and hosts.
    fn fault(&self) -> Fault {
        Fault::new(self.code())
    }

    /// Returns the fault into which `?` converts the error: its [fault](AsFault::fault), with the error itself as the
    /// cause for the log.
    ///
    /// If the text of an error may quote data that the client sent, leave out the cause, as axum's rejections do (L3).
    fn into_fault(self) -> Fault
    where
        Self: Sized,
    {
        self.fault().with_source(self)
    }
}

/// `Fault` and `ErrorCode` do not implement `AsFault`, so this does not conflict with the conversions that they have.
impl<E: AsFault> From<E> for Fault {
    fn from(error: E) -> Self {
        error.into_fault()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct DefaultMessage;

    impl std::fmt::Display for DefaultMessage {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("s3cr3t")
        }
    }

    impl Error for DefaultMessage {}
    impl AsFault for DefaultMessage {}

    #[test]
    fn f1_what_nobody_said_stays_in_the_log() {
        let fault = Fault::from(DefaultMessage);
        assert_eq!(fault.to_string(), "internal_error: An unexpected error occurred.");
        assert_eq!(fault.source().map(ToString::to_string).as_deref(), Some("s3cr3t"));
    }

    #[test]
    fn a_question_mark_takes_faults_codes_and_errors_of_ones_own() {
        fn fails<E: Into<Fault>>(error: E) -> Result<(), Fault> {
            Err(error.into())
        }

        assert_eq!(fails(ErrorCode::GONE).unwrap_err().code(), &ErrorCode::GONE);
        assert_eq!(fails(Fault::new(ErrorCode::NO_OP)).unwrap_err().code(), &ErrorCode::NO_OP);
        assert_eq!(fails(DefaultMessage).unwrap_err().code(), &ErrorCode::INTERNAL_ERROR);
    }
}
