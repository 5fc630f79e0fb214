//! Converts errors of diesel into faults, for `?` (feature `diesel`).

use diesel::result::{DatabaseErrorKind, Error};

use crate::code::ErrorCode;
use crate::fault::{AsFault, Fault};

/// Converts an error of diesel into a fault. The error itself is the cause for the log, and clients get none of its
/// text.
///
/// | the error | the fault |
/// |---|---|
/// | `NotFound` | 404 `not_found` |
/// | a violated unique or foreign key constraint | 409 `conflict` |
/// | a violated check constraint | 422 `invalid_request` |
/// | a closed connection | 503 `service_unavailable`, without `retry-after`, because the waiting time is unknown |
/// | any other, such as a missing value (`NOT NULL`) | 500 `internal_error` |
///
/// If an error means something else in your program, map it where it occurs. For example, a missing row of a
/// configuration is not a 404.
///
/// ```
/// use tower_error_envelope::{ErrorCode, Fault};
///
/// fn rename(updated: Result<(), diesel::result::Error>) -> Result<(), Fault> {
///     Ok(updated?)
/// }
///
/// let fault = rename(Err(diesel::result::Error::NotFound)).unwrap_err();
/// assert_eq!(fault.code(), &ErrorCode::NOT_FOUND);
/// ```
impl AsFault for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NOT_FOUND,
            Self::DatabaseError(kind, _) => code_of_kind(kind),
            _ => ErrorCode::INTERNAL_ERROR,
        }
    }

    fn fault(&self) -> Fault {
        let code = self.code();
        if code == ErrorCode::INVALID_REQUEST { Fault::unprocessable() } else { Fault::new(code) }
    }
}

fn code_of_kind(kind: &DatabaseErrorKind) -> ErrorCode {
    match kind {
        DatabaseErrorKind::UniqueViolation | DatabaseErrorKind::ForeignKeyViolation => ErrorCode::CONFLICT,
        DatabaseErrorKind::CheckViolation => ErrorCode::INVALID_REQUEST,
        DatabaseErrorKind::ClosedConnection => ErrorCode::SERVICE_UNAVAILABLE,
        _ => ErrorCode::INTERNAL_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f1_each_kind_of_diesels_errors_has_its_code_and_none_its_text() {
        const TEXT: &str = "UNIQUE constraint failed: users.email (s3cr3t@db-1.internal)";
        let refused = |kind| Error::DatabaseError(kind, Box::new(TEXT.to_owned()));
        for (error, status, code) in [
            (Error::NotFound, 404, "not_found"),
            (refused(DatabaseErrorKind::UniqueViolation), 409, "conflict"),
            (refused(DatabaseErrorKind::ForeignKeyViolation), 409, "conflict"),
            (refused(DatabaseErrorKind::CheckViolation), 422, "invalid_request"),
            (refused(DatabaseErrorKind::NotNullViolation), 500, "internal_error"),
            (refused(DatabaseErrorKind::ClosedConnection), 503, "service_unavailable"),
            (refused(DatabaseErrorKind::Unknown), 500, "internal_error"),
            (Error::RollbackTransaction, 500, "internal_error"),
        ] {
            let cause = error.to_string();
            let fault = Fault::from(error);
            let text = fault.code().message().to_owned();
            assert_eq!((fault.status().as_u16(), &*fault.message()), (status, &*text), "{cause}");
            assert_eq!(fault.code(), code, "{cause}");
            assert_eq!(std::error::Error::source(&fault).map(ToString::to_string), Some(cause));
        }
    }
}
