//! Tests own errors of handlers, which `?` converts into faults.

use std::fmt;
use std::io;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::extract::{Json, Path};
use tower_error_envelope::testing::Envelope;
use tower_error_envelope::{AsFault, ErrorCode, ErrorEnvelopeLayer, Fault};

use crate::kit::{SECRET, answer, logged, only};

const SEAT_TAKEN: ErrorCode = ErrorCode::custom("seat_taken", 409);

#[derive(Debug)]
enum BookingError {
    NoSuchShow,
    SeatTaken { seat: u8 },
    Database(io::Error),
}

impl fmt::Display for BookingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("booking failed")
    }
}

impl std::error::Error for BookingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Database(error) => Some(error),
            _ => None,
        }
    }
}

impl AsFault for BookingError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoSuchShow => ErrorCode::NOT_FOUND,
            Self::SeatTaken { .. } => SEAT_TAKEN,
            Self::Database(_) => ErrorCode::INTERNAL_ERROR,
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::SeatTaken { seat } => {
                Fault::new(self.code()).with_message("Take another.").with_details(json!({"seat": seat}))
            }
            _ => Fault::new(self.code()),
        }
    }
}

fn reserve(seat: u8) -> Result<u8, BookingError> {
    match seat {
        0 => Err(BookingError::NoSuchShow),
        7 => Err(BookingError::SeatTaken { seat }),
        13 => Err(BookingError::Database(io::Error::other(SECRET))),
        seat => Ok(seat),
    }
}

async fn book(Path(seat): Path<u8>) -> Result<Json<u8>, Fault> {
    let seat = reserve(seat)?;
    if seat > 100 {
        Err(ErrorCode::GONE)?;
    }
    Ok(Json(seat))
}

fn request(seat: u8) -> Request {
    Request::get(format!("/seats/{seat}")).body(Body::empty()).unwrap()
}

#[test]
fn f1_an_error_of_ones_own_becomes_the_fault_that_it_says() {
    let app = || Router::new().route("/seats/{seat}", get(book)).layer(ErrorEnvelopeLayer::new());
    for (seat, status, code, message, details) in [
        (0, 404, "not_found", "Not found.", None),
        (7, 409, "seat_taken", "Take another.", Some(json!({"seat": 7}))),
        (13, 500, "internal_error", ErrorCode::INTERNAL_ERROR.message(), None),
        (101, 410, "gone", ErrorCode::GONE.message(), None),
    ] {
        let (answer, lines) = logged(async { answer(app().oneshot(request(seat)).await.unwrap()).await });
        assert_eq!(answer.head.status, status);
        let envelope = Envelope::parse(&answer.head.headers, &answer.body);
        envelope.assert_code(code).assert_message(message);
        assert_eq!(envelope.details(), details.as_ref());
        let line = only(&lines);
        assert_eq!(line.text.contains("booking failed"), seat < 100, "the error itself is logged: {line:?}");
        assert_eq!(line.text.contains(SECRET), seat == 13);
    }
}

#[tokio::test]
async fn f1_the_error_of_a_service_is_classified_by_the_same_words() {
    let fails =
        service_fn(|_: Request<_>| async { Err::<http::Response<Body>, _>(BookingError::SeatTaken { seat: 3 }) });
    let layer = ErrorEnvelopeLayer::new().classify(|error| error.downcast_ref::<BookingError>().map(AsFault::fault));
    let answer = answer(layer.layer(fails).oneshot(request(3)).await.unwrap()).await;
    Envelope::parse(&answer.head.headers, &answer.body).assert_code("seat_taken").assert_details(json!({"seat": 3}));
}
