//! Tests a crate of handlers that depends on this crate alone.

use error_envelope_fault::{AsFault, ErrorCode, Fault};

#[derive(Debug, thiserror::Error, AsFault)]
enum OrderError {
    #[error("only {left} left")]
    #[fault(CONFLICT, message = "Only {left} left.", details(left))]
    SoldOut { left: u32 },
    #[error("the stock list failed")]
    Stock(#[from] std::io::Error),
}

#[test]
fn f1_a_derived_error_is_a_fault_a_response_and_a_status() {
    let sold_out = || OrderError::SoldOut { left: 3 };
    let fault = Fault::from(sold_out());
    assert_eq!((fault.to_string(), fault.details_json()), ("conflict: Only 3 left.".to_owned(), Some(r#"{"left":3}"#)));
    assert_eq!(Fault::from(OrderError::from(std::io::Error::other("s3cr3t"))).code(), &ErrorCode::INTERNAL_ERROR);
    assert_eq!(axum_core::response::IntoResponse::into_response(sold_out()).status(), 409);
    assert_eq!(tonic::Status::from(sold_out()).message(), "Only 3 left.");
}

#[test]
fn e8_a_derived_error_lists_its_responses() {
    let responses = <OrderError as utoipa::IntoResponses>::responses();
    assert_eq!(responses.keys().collect::<Vec<_>>(), ["409", "500"]);
    let conflict = serde_json::to_value(&responses["409"]).unwrap();
    let code = conflict.pointer("/content/application~1json/schema/properties/error/oneOf/0/properties/code/const");
    assert_eq!(code, Some(&"conflict".into()), "{conflict:#}");
}

/// An error that wraps errors of other crates, and has details that may be absent.
#[derive(Debug, thiserror::Error, AsFault)]
enum BookingError {
    #[error("the database failed")]
    #[fault(with = code_of, message = "Booked by somebody else.")]
    Database(#[from] sqlx::Error),
    #[error("{what} failed")]
    #[fault(with = |error: &std::io::Error| fault_of(error.kind()), details(what), retry_after = 5)]
    File { what: &'static str, source: std::io::Error },
    #[error(transparent)]
    #[fault(with = Fault::from)]
    Other(#[from] anyhow::Error),
    #[error(transparent)]
    #[fault(transparent)]
    Rows(sqlx::Error),
    #[error("full")]
    #[fault(CONFLICT, status = 423, details(left, until = "free_at"))]
    Full { left: Option<u32>, until: Option<&'static str> },
}

fn code_of(error: &sqlx::Error) -> ErrorCode {
    if matches!(error, sqlx::Error::RowNotFound) { ErrorCode::GONE } else { ErrorCode::INTERNAL_ERROR }
}

fn fault_of(kind: std::io::ErrorKind) -> Fault {
    match kind {
        std::io::ErrorKind::StorageFull => Fault::new(ErrorCode::SERVICE_UNAVAILABLE),
        _ => Fault::new(ErrorCode::INTERNAL_ERROR),
    }
}

#[test]
fn f1_a_wrapped_error_has_the_code_that_a_function_returns() {
    let file = |kind: std::io::ErrorKind| BookingError::File { what: "log", source: kind.into() };
    let gone = anyhow::anyhow!("s3cr3t").context(ErrorCode::GONE);
    for (error, status, code, details) in [
        (sqlx::Error::RowNotFound.into(), 410, "gone", None),
        (sqlx::Error::PoolTimedOut.into(), 500, "internal_error", None),
        (file(std::io::ErrorKind::StorageFull), 503, "service_unavailable", Some(r#"{"what":"log"}"#)),
        (file(std::io::ErrorKind::NotFound), 500, "internal_error", Some(r#"{"what":"log"}"#)),
        (BookingError::Other(gone), 410, "gone", None),
        (BookingError::Rows(sqlx::Error::RowNotFound), 404, "not_found", None),
        (BookingError::Full { left: None, until: None }, 423, "conflict", None),
        (BookingError::Full { left: Some(0), until: None }, 423, "conflict", Some(r#"{"left":0}"#)),
        (BookingError::Full { left: None, until: Some("noon") }, 423, "conflict", Some(r#"{"free_at":"noon"}"#)),
    ] {
        let (name, cause) = (format!("{error:?}"), error.to_string());
        assert_eq!(error.code(), code, "{name}");
        let waits = matches!(error, BookingError::File { .. });
        let fault = Fault::from(error);
        assert_eq!((fault.status().as_u16(), fault.details_json()), (status, details), "{name}");
        assert_eq!((fault.code().as_str(), fault.headers().contains_key("retry-after")), (code, waits), "{name}");
        assert_eq!(std::error::Error::source(&fault).map(ToString::to_string), Some(cause), "{name}");
    }
    let database = Fault::from(BookingError::from(sqlx::Error::RowNotFound));
    assert_eq!(database.message(), "Booked by somebody else.");
    assert_eq!(BookingError::CODES.iter().collect::<Vec<_>>(), [&ErrorCode::CONFLICT]);
    assert!(!BookingError::CODES.is_complete());
}
