//! Tests `#[derive(AsFault)]`: the result of each part, as a handler's error type and as a status.

use std::error::Error;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::multipart::MultipartError;
use axum::routing::get;
use serde_json::json;
use tonic::Status;
use tower::ServiceExt;
use tower_error_envelope::testing::Envelope;
use tower_error_envelope::{AsFault, Codes, ErrorCode, ErrorEnvelopeLayer, Fault, Policy};

use crate::kit::answer;

mod codes {
    use tower_error_envelope::ErrorCode;

    pub(crate) const SEAT_TAKEN: ErrorCode = ErrorCode::custom("seat_taken", 409);
}

use codes::SEAT_TAKEN;

#[derive(Debug, thiserror::Error, AsFault)]
enum OrderError {
    #[error("only {left} left")]
    #[fault(CONFLICT, message = "Only {left} left.", details(left, wanted = "qty"))]
    SoldOut { left: u32, wanted: u32 },
    #[error("taken")]
    #[fault(SEAT_TAKEN, message = "Seat {0} is taken, {{really}}.", details(0 = "seat"))]
    Taken(u8),
    #[error("taken as well")]
    #[fault(codes::SEAT_TAKEN)]
    #[fault(message = self.to_string())]
    ByPath,
    #[error("declined")]
    #[fault(custom("card_declined", 402), retry_after = 30)]
    Declined,
    #[error("busy")]
    #[fault(WORKER_AT_CAPACITY, retry_after = wait)]
    Busy { wait: Option<Duration> },
    #[error("odd")]
    #[fault(INVALID_REQUEST, status = 422)]
    Odd,
    #[error(transparent)]
    #[fault(transparent)]
    Stock(#[from] StockError),
    #[error(transparent)]
    #[fault(transparent)]
    Upload(#[from] MultipartError),
    #[error(transparent)]
    #[fault(transparent)]
    Partner(#[from] Fault),
    #[error("the database failed")]
    Database(#[from] io::Error),
}

#[derive(Debug, thiserror::Error, AsFault)]
#[error("no such product: {sku}")]
#[fault(NOT_FOUND, details(sku))]
struct StockError {
    sku: &'static str,
}

/// An error type with parameters, and with a variant whose inner error passes unchanged.
#[derive(Debug, thiserror::Error, AsFault)]
enum Failure<E: AsFault> {
    #[error("inside")]
    #[fault(transparent)]
    Inner(E),
    #[error("late")]
    #[fault(GATEWAY_TIMEOUT)]
    Late,
}

#[derive(Debug, thiserror::Error, AsFault)]
enum Never {}

fn written(error: impl Into<Fault>) -> (u16, String, String, Option<String>, Option<String>) {
    let fault = error.into();
    (
        fault.status().as_u16(),
        fault.code().to_string(),
        fault.message().into_owned(),
        fault.details_json().map(str::to_owned),
        fault.headers().get("retry-after").map(|wait| wait.to_str().unwrap().to_owned()),
    )
}

#[test]
fn each_part_of_the_attribute_is_in_the_fault() {
    for (error, status, code, message, details, wait) in [
        (
            OrderError::SoldOut { left: 3, wanted: 4 },
            409,
            "conflict",
            "Only 3 left.",
            Some(r#"{"left":3,"qty":4}"#),
            None,
        ),
        (OrderError::Taken(7), 409, "seat_taken", "Seat 7 is taken, {really}.", Some(r#"{"seat":7}"#), None),
        (OrderError::ByPath, 409, "seat_taken", "taken as well", None, None),
        (OrderError::Declined, 402, "card_declined", ErrorCode::PAYMENT_REQUIRED.message(), None, Some("30")),
        (
            OrderError::Busy { wait: Some(Duration::from_millis(1_001)) },
            503,
            "worker_at_capacity",
            ErrorCode::WORKER_AT_CAPACITY.message(),
            None,
            Some("2"),
        ),
        (
            OrderError::Busy { wait: None },
            503,
            "worker_at_capacity",
            ErrorCode::WORKER_AT_CAPACITY.message(),
            None,
            None,
        ),
        (OrderError::Odd, 422, "invalid_request", ErrorCode::INVALID_REQUEST.message(), None, None),
        (StockError { sku: "a-7" }.into(), 404, "not_found", "Not found.", Some(r#"{"sku":"a-7"}"#), None),
        (
            Fault::new(ErrorCode::GONE).with_message("It left.").with_details(json!({"at": 3})).into(),
            410,
            "gone",
            "It left.",
            Some(r#"{"at":3}"#),
            None,
        ),
        (io::Error::other("s3cr3t").into(), 500, "internal_error", ErrorCode::INTERNAL_ERROR.message(), None, None),
    ] {
        let name = format!("{error:?}");
        let expected =
            (status, code.to_owned(), message.to_owned(), details.map(str::to_owned), wait.map(str::to_owned));
        assert_eq!(written(error), expected, "{name}");
    }
}

#[test]
fn l1_the_error_is_the_cause_and_of_one_that_is_let_through_the_inner_one() {
    let cause = |error: OrderError| Fault::from(error).source().map(ToString::to_string);
    assert_eq!(cause(io::Error::other("why").into()).as_deref(), Some("the database failed"));
    assert_eq!(cause(StockError { sku: "a-7" }.into()).as_deref(), Some("no such product: a-7"));
    let partner = Fault::new(ErrorCode::OTHER).with_source("the partner is down");
    assert_eq!(cause(partner.into()).as_deref(), Some("the partner is down"));
}

#[test]
fn the_codes_are_those_that_it_can_become() {
    let own: Vec<_> = OrderError::CODES.iter().map(ErrorCode::as_str).collect();
    let expected = "conflict seat_taken card_declined worker_at_capacity invalid_request internal_error not_found";
    assert_eq!(own.join(" "), expected);
    // axum's error names no codes.
    assert!(!OrderError::CODES.is_complete());
    assert!(StockError::CODES.is_complete());
    assert_eq!(Never::CODES.iter().count(), 0);
    assert_eq!(written(Failure::<StockError>::Late).1, "gateway_timeout");
    assert_eq!(written(Failure::Inner(StockError { sku: "b" })).1, "not_found");
    assert!(!Failure::<StockError>::CODES.is_complete());
}

#[test]
fn m2_a_policy_takes_the_codes_of_an_error() {
    let declined = ErrorCode::custom("card_declined", 402).with_retry(tower_error_envelope::Retry::Refresh);
    let by_name = |policy: &Policy| {
        let codes = policy.codes().custom_codes();
        codes.map(|code| (code.as_str().to_owned(), code.retry())).collect::<Vec<_>>()
    };
    let first = Policy::builder().code(declined.clone()).codes(OrderError::CODES).build().unwrap();
    let last = Policy::builder().codes(OrderError::CODES).codes([SEAT_TAKEN]).code(declined).build().unwrap();
    let expected = [("card_declined", tower_error_envelope::Retry::Refresh), ("seat_taken", SEAT_TAKEN.retry())];
    assert_eq!(by_name(&first), expected.map(|(name, retry)| (name.to_owned(), retry)));
    assert_eq!(by_name(&first), by_name(&last));
    let described = [ErrorCode::CONFLICT.with_docs("https://x.test/e")];
    assert_eq!(Policy::builder().codes(described).build().unwrap().codes().defined_codes().count(), 1);
}

#[tokio::test]
async fn e1_it_is_a_handlers_error_and_a_methods_status() {
    async fn order() -> Result<(), OrderError> {
        Err(StockError { sku: "a-7" })?;
        Ok(())
    }

    async fn method() -> Result<(), Status> {
        order().await?;
        Ok(())
    }

    let app = Router::new().route("/", get(order)).layer(ErrorEnvelopeLayer::new());
    let answer = answer(app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap()).await;
    let envelope = Envelope::parse(&answer.head.headers, &answer.body);
    assert_eq!(answer.head.status, 404);
    envelope.assert_code("not_found").assert_details(json!({"sku": "a-7"}));
    assert_eq!(method().await.unwrap_err().code(), tonic::Code::NotFound);
}

/// This constant has a name of the catalogue.
const GONE: ErrorCode = ErrorCode::custom("sold_for_good", 410);

#[derive(Debug, thiserror::Error, AsFault)]
enum NamedTwice {
    #[error("the catalogue's")]
    #[fault(GONE)]
    Catalogue,
    #[error("one's own")]
    #[fault(self::GONE)]
    Own,
}

#[test]
fn a_name_is_the_catalogues_first_and_a_path_ones_own() {
    assert_eq!([NamedTwice::Catalogue.code(), NamedTwice::Own.code()], [ErrorCode::GONE, GONE]);
    assert_eq!(NamedTwice::CODES.iter().collect::<Vec<_>>(), [&ErrorCode::GONE, &GONE]);
}

#[test]
fn e1_a_message_of_a_websocket_is_the_body_as_text() {
    use axum::extract::ws::Message;
    use tower_error_envelope::RequestId;
    use tower_error_envelope::policy::Dialect;

    let id: RequestId = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D".parse().unwrap();
    let fault = Fault::new(ErrorCode::GONE).with_message("Weg – für immer.");
    let Message::Text(text) = fault.to_message(id, Dialect::Standard) else { panic!("a text") };
    assert_eq!(text.as_bytes(), fault.to_body(id, Dialect::Standard));
}

#[derive(Debug, thiserror::Error, AsFault)]
enum Headed {
    #[error("not yours")]
    #[fault(AUTH_INVALID, header("www-authenticate", "Session realm=\"seats\""), header("x-seat", seat))]
    NotYours { seat: u32 },
    #[error("no header can have it")]
    #[fault(CONFLICT, header("x-text", _0))]
    Text(String),
}

#[test]
fn g2_an_error_has_the_headers_of_its_attribute() {
    let fault = Fault::from(Headed::NotYours { seat: 7 });
    let lines: Vec<_> = fault.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(lines, [("www-authenticate", "Session realm=\"seats\""), ("x-seat", "7")]);
    assert_eq!(Fault::from(Headed::Text("a".into())).headers()["x-text"], "a");
    assert!(Fault::from(Headed::Text("a\nb".into())).headers().is_empty());
}

#[derive(Debug, thiserror::Error, AsFault)]
#[allow(dead_code, reason = "only what is known without a value matters")]
enum Exported {
    #[error("gone")]
    #[fault(custom("lot_gone", 410), message = "It is \"gone\" for good.", details(lot, seat))]
    Gone { lot: u32, seat: Option<String> },
    #[error("held")]
    #[fault(custom("lot_held", 409), message = "Somebody holds it.")]
    Held,
    #[error("held by you")]
    #[fault(custom("lot_held", 409), message = "You hold it.")]
    HeldByYou,
    #[error("shut")]
    #[fault(custom("lot_shut", 409), message = "Shut since {since}.")]
    Shut { since: u32 },
    #[error("conflict")]
    #[fault(CONFLICT, details(lot))]
    Conflict { lot: u32 },
}

#[test]
fn the_codes_of_errors_are_a_policy_for_exports() {
    const ALL: Codes = Codes::from_errors(&[StockError::CODES, Exported::CODES]);
    let policy = Policy::from_toml("errors.toml", &ALL.to_policy_file()).unwrap();
    let defined = policy.codes().defined_codes();
    let defined: Vec<_> = defined.map(|it| (it.as_str(), it.status().as_u16(), it.message())).collect();
    let conflict = "The request conflicts with the resource's current state.";
    assert_eq!(
        defined,
        [("lot_gone", 410, "It is \"gone\" for good."), ("lot_held", 409, conflict), ("lot_shut", 409, conflict)]
    );
    let gone = policy.codes().find("lot_gone").unwrap();
    let schema: serde_json::Value = serde_json::from_str(gone.details_schema().unwrap()).unwrap();
    assert_eq!(schema["required"], json!(["lot"]));
    let properties = json!({ "lot": { "type": "integer", "minimum": 0 }, "seat": { "type": "string" } });
    assert_eq!(schema["properties"], properties);
}

#[derive(Debug, thiserror::Error, AsFault)]
enum BerthError {
    #[error("the berth is taken")]
    #[fault(CONFLICT, details(ships))]
    Taken { ships: std::collections::HashMap<(u8, u8), u8> },
    #[error("the harbour is closed")]
    #[fault(CONFLICT, header("x-buoy", buoy))]
    Closed { buoy: &'static str },
}

#[test]
fn l1_details_and_headers_that_cannot_be_sent_are_logged_before_the_error() {
    for (error, why, cause) in [
        (
            BerthError::Taken { ships: [((1, 2), 3)].into() },
            "the details cannot be sent: key must be a string",
            "the berth is taken",
        ),
        (
            BerthError::Closed { buoy: "red\nright" },
            "a header cannot be sent: failed to parse header value",
            "the harbour is closed",
        ),
    ] {
        let fault = Fault::from(error);
        assert!(fault.details_json().is_none() && fault.headers().is_empty());
        let source = fault.source().unwrap();
        assert_eq!((&*source.to_string(), &*source.source().unwrap().to_string()), (why, cause));
    }
}
