//! A crate of handlers that depends on this crate alone.

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
    let code = conflict.pointer("/content/application~1json/schema/properties/error/oneOf/0/properties/code/enum/0");
    assert_eq!(code, Some(&"conflict".into()), "{conflict:#}");
}
