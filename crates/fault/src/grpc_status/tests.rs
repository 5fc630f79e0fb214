//! Tests a fault that becomes a status and then a fault again, in one process and over the wire.

use std::error::Error;
use std::time::Duration;

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;

use super::*;
use crate::code::ErrorCode;
use crate::rpc::details::RpcDetails;

const SEAT_TAKEN: ErrorCode = ErrorCode::custom("seat_taken", 409);

fn fault() -> Fault {
    let bearer = HeaderValue::from_static("Bearer");
    Fault::new(ErrorCode::RATE_LIMITED)
        .with_message("Wait, s\u{e9}.")
        .with_details(json!({ "issues": [{ "path": ["to", 2], "message": "No.", "code": "too_small" }], "limit": 7 }))
        .with_header(RETRY_AFTER, HeaderValue::from_static("30"))
        .with_header(WWW_AUTHENTICATE, bearer.clone())
        .with_header(WWW_AUTHENTICATE, bearer)
        .with_source("s3cr3t")
}

/// Returns the status as a client of the service gets it.
fn sent(status: Status) -> Status {
    Status::from_header_map(status.into_http::<()>().headers()).unwrap()
}

fn foreign(code: Code, message: &str, reason: &str, domain: &str) -> Status {
    let error = RpcError {
        status: RpcStatus::new(u8::try_from(i32::from(code)).unwrap()),
        code: reason,
        message,
        details: Some(r#"{"k":"v"}"#),
        request_id: None,
        domain,
        retry_after: None,
    };
    Status::with_details(code, message, error.to_bytes(4096).into())
}

#[test]
fn p1_a_fault_is_a_status() {
    let status = Status::from(fault());
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "Wait, s\u{e9}."));
    let rich = RpcDetails::from_bytes(status.details()).unwrap();
    assert_eq!((&*rich.reason, &*rich.domain, &*rich.message), ("RATE_LIMITED", DOMAIN, "Wait, s\u{e9}."));
    assert_eq!((rich.retry_delay, rich.violations.len()), (Some(Duration::from_secs(30)), 1));
    let headers = status.metadata().as_ref();
    assert_eq!(
        (&headers["x-error-code"], &headers[RETRY_AFTER]),
        (&"rate_limited".parse().unwrap(), &"30".parse().unwrap())
    );
    assert_eq!(headers.get_all(WWW_AUTHENTICATE).iter().count(), 2);
    assert!(!format!("{:?}", sent(status)).contains("s3cr3t"));
}

#[test]
fn p1_a_statuss_headers_are_within_what_clients_take() {
    let issues = vec![json!({ "path": ["some", "field"], "message": "Wrong." }); 1000];
    let fault = Fault::new(ErrorCode::INVALID_REQUEST)
        .with_message("a \"".repeat(400))
        .with_details(json!({ "issues": issues }));
    let response = Status::from(fault).into_http::<()>();
    let lengths = ["grpc-message", "grpc-status-details-bin"].map(|name| response.headers()[name].len());
    assert!(lengths[1] > 2000 && lengths.iter().sum::<usize>() <= 6 * 1024, "{lengths:?}");
}

#[test]
fn f1_a_fault_comes_out_of_its_status_as_it_went_in() {
    let again = Fault::from(Status::from(fault().with_status(http::StatusCode::CONFLICT)));
    assert_eq!((again.code(), &*again.message()), (&ErrorCode::RATE_LIMITED, "Wait, s\u{e9}."));
    assert_eq!((again.details_json(), again.headers().len()), (fault().details_json(), 3));
    assert_eq!(again.status(), 409);
    assert_eq!(again.source().unwrap().to_string(), "s3cr3t");
}

#[test]
fn e7_a_fault_of_another_process_is_the_same_but_for_its_types() {
    let again = Fault::from(sent(fault().into()));
    assert_eq!((again.code(), &*again.message()), (&ErrorCode::RATE_LIMITED, "Wait, s\u{e9}."));
    assert_eq!(
        again.details_json(),
        Some(r#"{"limit":"7","issues":[{"path":["to",2],"message":"No.","code":"too_small"}]}"#)
    );
    assert_eq!(again.headers()[RETRY_AFTER], "30");
    assert!(again.source().unwrap().is::<Status>());

    let own = Fault::from(sent(Fault::new(SEAT_TAKEN.with_grpc(10)).with_message("Taken.").into()));
    assert_eq!((own.code(), &*own.message(), own.status().as_u16()), (&SEAT_TAKEN, "Taken.", 409));
    let secret = Fault::from(sent(Fault::new(ErrorCode::INTERNAL_ERROR).with_message("{\"a\":1}").into()));
    assert_eq!(secret.message(), "{\"a\":1}");
}

#[test]
fn r3_which_text_and_details_of_a_status_pass() {
    const STOCK: &str = "An unexpected error occurred.";
    for (status, code, http, text, details) in [
        (foreign(Code::NotFound, "No row.", "", ""), "not_found", 404, "No row.", Some(r#"{"k":"v"}"#)),
        (foreign(Code::Internal, "at db:5432", "", ""), "internal_error", 500, STOCK, None),
        (foreign(Code::Internal, "at db", "internal_error", "x"), "internal_error", 500, STOCK, None),
        (
            foreign(Code::Internal, "Full.", "worker_at_capacity", "x"),
            "worker_at_capacity",
            503,
            "Full.",
            Some(r#"{"k":"v"}"#),
        ),
        (
            foreign(Code::Unavailable, "Full.", "stockout", "x"),
            "service_unavailable",
            503,
            "The service is unavailable.",
            None,
        ),
        (
            foreign(Code::AlreadyExists, "Is there.", "stockout", "x"),
            "conflict",
            409,
            "Is there.",
            Some(r#"{"k":"v","upstream_code":"STOCKOUT"}"#),
        ),
        (foreign(Code::NotFound, "<html>", "gone", "x"), "gone", 410, "The resource is gone.", Some(r#"{"k":"v"}"#)),
        (Status::not_found("two\nlines"), "not_found", 404, "two lines", None),
        (Status::cancelled("Left."), "bad_request", 499, "Left.", None),
        (Status::new(Code::Ok, "fine"), "internal_error", 500, STOCK, None),
    ] {
        let fault = Fault::from(status);
        let found = (fault.code().as_str(), fault.status().as_u16(), fault.message().into_owned());
        assert_eq!((found, fault.details_json()), ((code, http, text.to_owned()), details));
    }
}

#[test]
fn r3_a_text_that_tonic_made_of_an_error_stays_in_the_log() {
    let made = |text: &'static str, source: &'static str| {
        let mut status = Status::cancelled(text);
        status.set_source(Arc::new(std::io::Error::other(source)));
        Fault::from(status).message().into_owned()
    };
    assert_eq!(made("h2 protocol error: s3cr3t", "s3cr3t"), "The request could not be processed.");
    assert_eq!(made("The call was ended.", "s3cr3t"), "The call was ended.");
    assert_eq!(made("The call was ended.", ""), "The call was ended.");
}

#[test]
fn e8_violations_without_a_reason_are_an_invalid_request() {
    let details = Some(r#"{"issues":[{"path":["a"],"message":"m"}]}"#);
    let error = RpcError {
        status: RpcStatus::INVALID_ARGUMENT,
        code: "",
        message: "Wrong.",
        details,
        request_id: None,
        domain: "",
        retry_after: None,
    };
    let fault = Fault::from(Status::with_details(Code::InvalidArgument, "Wrong.", error.to_bytes(4096).into()));
    assert_eq!((fault.code(), fault.details_json()), (&ErrorCode::INVALID_REQUEST, details));
}

#[test]
fn r8_a_wait_is_passed_on() {
    let error = RpcError {
        status: RpcStatus::UNAVAILABLE,
        code: "",
        message: "",
        details: None,
        request_id: None,
        domain: "",
        retry_after: Some(Duration::from_millis(1200)),
    };
    let mut status = Status::with_details(Code::Unavailable, "", error.to_bytes(4096).into());
    assert_eq!(Fault::from(status.clone()).headers()[RETRY_AFTER], "2");
    status.metadata_mut().insert("retry-after", "soon".parse().unwrap());
    assert_eq!(Fault::from(status.clone()).headers()[RETRY_AFTER], "2");
    status.metadata_mut().insert("retry-after", "9".parse().unwrap());
    assert_eq!(Fault::from(status).headers()[RETRY_AFTER], "9");
    assert!(Fault::from(Status::unavailable("")).headers().is_empty());
}
