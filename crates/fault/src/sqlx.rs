//! Converts errors of sqlx into faults, for `?` (feature `sqlx`).

use sqlx::Error;
use sqlx::error::ErrorKind;

use crate::code::ErrorCode;
use crate::fault::{AsFault, Fault};

/// Converts an error of sqlx into a fault. The error itself is the cause for the log, and clients get none of its text.
///
/// | the error | the fault |
/// |---|---|
/// | `RowNotFound` | 404 `not_found` |
/// | a violated unique or foreign key constraint | 409 `conflict` |
/// | a violated check constraint | 422 `invalid_request` |
/// | `PoolTimedOut`, `PoolClosed`, `Io`, `Tls` | 503 `service_unavailable`, without `retry-after`, because the waiting time is unknown |
/// | any other, such as a missing value (`NOT NULL`) | 500 `internal_error` |
///
/// If an error means something else in your program, map it where it occurs. For example, a missing row of a
/// configuration is not a 404.
///
/// ```
/// use tower_error_envelope::{ErrorCode, Fault};
///
/// fn rename(updated: Result<(), sqlx::Error>) -> Result<(), Fault> {
///     Ok(updated?)
/// }
///
/// let fault = rename(Err(sqlx::Error::RowNotFound)).unwrap_err();
/// assert_eq!(fault.code(), &ErrorCode::NOT_FOUND);
/// ```
impl AsFault for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::RowNotFound => ErrorCode::NOT_FOUND,
            Self::Database(error) => code_of_kind(error.kind()),
            Self::PoolTimedOut | Self::PoolClosed | Self::Io(_) | Self::Tls(_) => ErrorCode::SERVICE_UNAVAILABLE,
            _ => ErrorCode::INTERNAL_ERROR,
        }
    }

    fn fault(&self) -> Fault {
        let code = self.code();
        if code == ErrorCode::INVALID_REQUEST { Fault::unprocessable() } else { Fault::new(code) }
    }
}

fn code_of_kind(kind: ErrorKind) -> ErrorCode {
    match kind {
        ErrorKind::UniqueViolation | ErrorKind::ForeignKeyViolation => ErrorCode::CONFLICT,
        ErrorKind::CheckViolation => ErrorCode::INVALID_REQUEST,
        _ => ErrorCode::INTERNAL_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::io;

    use sqlx::error::DatabaseError;

    use super::*;

    /// An error of a database that has this kind.
    #[derive(Debug)]
    struct Refused(fn() -> ErrorKind);

    impl fmt::Display for Refused {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("UNIQUE constraint failed: users.email (s3cr3t@db-1.internal)")
        }
    }

    impl std::error::Error for Refused {}

    impl DatabaseError for Refused {
        fn message(&self) -> &str {
            "refused"
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            (self.0)()
        }
    }

    #[test]
    fn f1_each_kind_of_a_databases_error_has_its_code_and_none_its_text() {
        let refused = |kind: fn() -> ErrorKind| Error::Database(Box::new(Refused(kind)));
        for (error, status, code) in [
            (Error::RowNotFound, 404, "not_found"),
            (refused(|| ErrorKind::UniqueViolation), 409, "conflict"),
            (refused(|| ErrorKind::ForeignKeyViolation), 409, "conflict"),
            (refused(|| ErrorKind::CheckViolation), 422, "invalid_request"),
            (refused(|| ErrorKind::NotNullViolation), 500, "internal_error"),
            (refused(|| ErrorKind::Other), 500, "internal_error"),
            (Error::PoolTimedOut, 503, "service_unavailable"),
            (Error::PoolClosed, 503, "service_unavailable"),
            (Error::Io(io::Error::other("db-1.internal: refused")), 503, "service_unavailable"),
            (Error::Tls("a bad certificate".into()), 503, "service_unavailable"),
            (Error::Protocol("s3cr3t".into()), 500, "internal_error"),
            (Error::ColumnNotFound("s3cr3t".into()), 500, "internal_error"),
        ] {
            let cause = error.to_string();
            let fault = Fault::from(error);
            let text = fault.code().message().to_owned();
            assert_eq!((fault.status().as_u16(), &*fault.message()), (status, &*text), "{cause}");
            assert_eq!(fault.code(), code, "{cause}");
            assert!(fault.headers().is_empty(), "{cause}");
            assert_eq!(std::error::Error::source(&fault).map(ToString::to_string), Some(cause));
        }
    }
}
