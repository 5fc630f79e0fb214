//! Converts errors of anyhow into faults, for `?` (feature `anyhow`).

use std::any::TypeId;
use std::sync::{PoisonError, RwLock};

use anyhow::Error;

use crate::cause;
use crate::code::ErrorCode;
use crate::fault::{AsFault, Fault};

/// A function that finds an error of one type inside an anyhow error, and returns its fault.
type Finder = fn(&Error) -> Option<Fault>;

/// The types that were passed to [`recognise`]. The types apply to the whole process, because `?` converts an error
/// without access to a layer.
static RECOGNISED: RwLock<Vec<(TypeId, Finder)>> = RwLock::new(Vec::new());

/// Lets errors of this type keep their code inside an `anyhow::Error`. The type may be the type of a context, of the
/// error itself, or of one of its causes.
pub fn recognise<E: AsFault + Send + Sync + 'static>() {
    let finder: Finder = |error| Some(error.downcast_ref::<E>().or_else(|| cause::find(error.as_ref()))?.fault());
    let mut known = RECOGNISED.write().unwrap_or_else(PoisonError::into_inner);
    if known.iter().all(|(of, _)| *of != TypeId::of::<E>()) {
        known.push((TypeId::of::<E>(), finder));
    }
}

const HINT: &str = "no code is known; if one of your error types has a code, pass it to ErrorEnvelopeLayer::recognise";

/// Converts an `anyhow::Error` into a fault. The error itself, with all contexts, becomes the cause for the log. The
/// first entry of this list that applies decides the fault:
///
/// 1. A [`Fault`], or otherwise an [`ErrorCode`], that was added as context (`.context(ErrorCode::GONE)`) or from which
///    the error was made. If there are several of them, the outermost is used.
/// 2. An error of a crate whose feature is enabled (`diesel`, `reqwest`, `sqlx`, `garde`, `validator`), in any context.
/// 3. A [`Fault`] among the causes of the error.
/// 4. An error of your own in any context or among the causes, if its type was passed to
///    `ErrorEnvelopeLayer::recognise`.
/// 5. Otherwise the code is `internal_error`, as for any error without a mapping. The log states how to give the error
///    a code.
///
/// ```
/// use anyhow::Context;
/// use tower_error_envelope::{ErrorCode, Fault};
///
/// fn read() -> anyhow::Result<String> {
///     std::fs::read_to_string("/no/such/file").context(ErrorCode::GONE).context("reading the notes")
/// }
///
/// fn handler() -> Result<String, Fault> {
///     Ok(read()?)
/// }
///
/// assert_eq!(handler().unwrap_err().code(), &ErrorCode::GONE);
/// ```
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        if error.downcast_ref::<Self>().is_some() || error.downcast_ref::<ErrorCode>().is_some() {
            return Self::from(&error).with_source(error);
        }
        #[cfg(feature = "garde")]
        let error = match error.downcast::<garde::Report>() {
            Ok(report) => return report.into(),
            Err(error) => error,
        };
        #[cfg(feature = "validator")]
        let error = match error.downcast::<validator::ValidationErrors>() {
            Ok(errors) => return errors.into(),
            Err(error) => error,
        };
        match decided(&error) {
            Some(fault) => fault.with_source(error),
            None => Self::new(ErrorCode::INTERNAL_ERROR).with_source(cause::Unrecognised::new(error, HINT)),
        }
    }
}

/// Converts the error into a fault without a cause, for `#[fault(with = Fault::from)]` on a variant that contains the
/// error.
impl From<&Error> for Fault {
    fn from(error: &Error) -> Self {
        decided(error).unwrap_or_else(|| Self::new(ErrorCode::INTERNAL_ERROR))
    }
}

/// Returns the fault that a part of the error decides, by the list above. Returns `None` if no part of the error has a
/// code.
fn decided(error: &Error) -> Option<Fault> {
    let own = error.downcast_ref::<Fault>().cloned();
    let code = || error.downcast_ref::<ErrorCode>().cloned().map(Fault::new);
    let nested = || cause::find::<Fault>(error.as_ref()).cloned();
    let recognised = || {
        // The list is not locked while the user's code runs, because that code may convert another error.
        let finders = RECOGNISED.read().unwrap_or_else(PoisonError::into_inner).clone();
        finders.iter().find_map(|(_, find)| find(error))
    };
    own.or_else(code).or_else(|| fault_of_features(error)).or_else(nested).or_else(recognised)
}

/// Returns the fault of the first error that one of the enabled features recognises.
fn fault_of_features(error: &Error) -> Option<Fault> {
    macro_rules! fault_of {
        ($($feature:literal $of:ty)*) => {$(
            #[cfg(feature = $feature)]
            if let Some(found) = error.downcast_ref::<$of>() {
                return Some(AsFault::fault(found));
            }
        )*};
    }

    let _ = error;
    fault_of! {
        "diesel" diesel::result::Error "reqwest" reqwest::Error "sqlx" sqlx::Error "garde" garde::Report
        "validator" validator::ValidationErrors
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn f1_a_fault_or_a_code_in_an_anyhow_error_decides() {
        let conflict = || Fault::new(ErrorCode::CONFLICT).with_message("Taken.");
        let buried = io::Error::other(io::Error::other(conflict()));
        let missing = || anyhow::Error::new(sqlx::Error::RowNotFound);
        let mut report = garde::Report::new();
        report.append(garde::Path::new("name"), garde::Error::new("not set"));
        for (error, code) in [
            (anyhow!("s3cr3t"), "internal_error"),
            (io::Error::other("s3cr3t").into(), "internal_error"),
            (conflict().into(), "conflict"),
            (anyhow::Error::new(conflict()).context("booking").context("handling"), "conflict"),
            (anyhow!("s3cr3t").context(conflict()).context("handling"), "conflict"),
            (anyhow!("s3cr3t").context(ErrorCode::GONE).context("handling"), "gone"),
            (anyhow!("s3cr3t").context(ErrorCode::GONE).context(ErrorCode::NO_OP), "no_op"),
            (anyhow::Error::new(buried).context("reading"), "conflict"),
            (missing(), "not_found"),
            (missing().context("loading the order").context("handling"), "not_found"),
            (missing().context(ErrorCode::GONE), "gone"),
            (anyhow::Error::new(diesel::result::Error::NotFound).context("loading the order"), "not_found"),
            (anyhow::Error::new(io::Error::other(sqlx::Error::RowNotFound)), "internal_error"),
            (anyhow::Error::new(report.clone()).context(ErrorCode::CONFLICT), "conflict"),
            (anyhow::Error::new(report).context("booking"), "invalid_request"),
            (Err::<(), _>(Fault::new(ErrorCode::NO_OP)).context("pairing").unwrap_err(), "no_op"),
        ] {
            let name = format!("{error:#}");
            assert_eq!(Fault::from(&error).code(), code, "{name}");
            assert_eq!(Fault::from(error).code(), code, "{name}");
        }
    }

    #[test]
    fn f1_a_type_that_was_registered_keeps_its_code_and_another_gets_a_hint() {
        #[derive(Debug)]
        struct SoldOut;
        #[derive(Debug)]
        struct Forgotten;
        macro_rules! conflict {
            ($($error:ident)*) => {$(
                impl std::error::Error for $error {}
                impl std::fmt::Display for $error {
                    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("sold out")
                    }
                }
                impl AsFault for $error {
                    fn code(&self) -> ErrorCode {
                        ErrorCode::CONFLICT
                    }
                }
            )*};
        }
        conflict! { SoldOut Forgotten }

        recognise::<SoldOut>();
        let named = |error: Error| {
            let fault = Fault::from(error);
            (fault.code().to_string(), cause::find::<cause::Unrecognised>(&fault).is_some())
        };
        for error in [
            Error::new(SoldOut),
            Error::new(SoldOut).context("placing").context("handling"),
            anyhow!("no row").context(SoldOut).context("placing"),
            Error::new(io::Error::other(SoldOut)).context("placing"),
        ] {
            assert_eq!(named(error), ("conflict".to_owned(), false));
        }
        assert_eq!(named(Error::new(SoldOut).context(ErrorCode::GONE)), ("gone".to_owned(), false));
        assert_eq!(named(Error::new(Forgotten).context("placing")), ("internal_error".to_owned(), true));
    }

    #[test]
    fn l1_the_contexts_are_the_cause_and_l3_a_report_is_none() {
        let cause = |error: Error| {
            let fault = Fault::from(error);
            cause::chain(&fault).skip(1).map(ToString::to_string).collect::<Vec<_>>().join(": ")
        };
        assert_eq!(cause(anyhow!("no disk").context("writing").context("saving")), "saving: writing: no disk");
        let gone = anyhow::Error::new(Fault::new(ErrorCode::GONE).with_message("Left.")).context("loading");
        assert_eq!(Fault::from(&gone).message(), "Left.");
        assert_eq!(cause(gone), "loading: gone: Left.");
        assert_eq!(cause(anyhow::Error::new(validator::ValidationErrors::new()).context("saving")), "");
    }
}
