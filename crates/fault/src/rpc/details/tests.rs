//! Checks that written details can be read again, and that they stay within their limit of bytes.

use proptest::prelude::*;
use prost::Message as _;

use super::bytes::{Any, Delay, ErrorInfo, RequestInfo, RetryInfo, Status as RichStatus};
use super::*;

const ID: &str = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";

fn error() -> RpcError<'static> {
    RpcError {
        status: Status::NOT_FOUND,
        code: "not_found",
        message: "Not found.",
        details: None,
        request_id: Some(ID),
        domain: DOMAIN,
        retry_after: None,
    }
}

fn again(error: RpcError<'_>, max: usize) -> RpcDetails {
    let bytes = error.to_bytes(max);
    assert!(bytes.len() <= max, "{} of {max}", bytes.len());
    RpcDetails::from_bytes(&bytes).expect("it decodes")
}

fn details(details: &str) -> RpcDetails {
    again(RpcError { details: Some(details), ..error() }, 3072)
}

fn metadata(rich: &RpcDetails) -> Vec<(&str, &str)> {
    rich.metadata.iter().map(|(key, value)| (&**key, &**value)).collect()
}

fn violations(rich: &RpcDetails) -> Vec<(&str, &str, &str)> {
    rich.violations.iter().map(|it| (&*it.field, &*it.description, &*it.reason)).collect()
}

#[test]
fn p1_the_reason_is_the_code_in_capitals() {
    let rich = again(RpcError { retry_after: Some(Duration::from_millis(1500)), ..error() }, 3072);
    let expected = RpcDetails {
        reason: "NOT_FOUND".into(),
        domain: DOMAIN.into(),
        request_id: ID.into(),
        retry_delay: Some(Duration::from_millis(1500)),
        ..RpcDetails::new(Status::NOT_FOUND, "Not found.".into())
    };
    assert_eq!(rich, expected);
}

#[test]
fn p1_the_bytes_are_what_googles_protos_say() {
    let error = RpcError { message: "No.", request_id: Some("r"), domain: "d", code: "gone", ..error() };
    let mut expected = b"\x08\x05\x12\x03No.".to_vec();
    expected
        .extend_from_slice(b"\x1a\x35\x0a\x28type.googleapis.com/google.rpc.ErrorInfo\x12\x09\x0a\x04GONE\x12\x01d");
    expected.extend_from_slice(b"\x1a\x31\x0a\x2atype.googleapis.com/google.rpc.RequestInfo\x12\x03\x0a\x01r");
    assert_eq!(error.to_bytes(4096), expected);
}

#[test]
fn e7_an_id_is_found_as_it_was_written() {
    let info = RequestInfo { request_id: ID.into() };
    assert_eq!(request_info(ID), Some(info.encode_to_vec()));
    assert_eq!(request_info(&"x".repeat(128)), None);
}

#[test]
fn e8_an_issue_list_is_a_bad_request() {
    let rich = details(
        r#"{"issues":[{"path":["to",2,"name"],"message":"Too short.","code":"too_small"},{"path":[1],"message":"x","code":"a-b"},{"path":[],"message":"y"}],"n":1}"#,
    );
    let expected = [("to[2].name", "Too short.", "TOO_SMALL"), ("[1]", "x", ""), ("", "y", "")];
    assert_eq!(violations(&rich), expected);
    assert_eq!(metadata(&rich), [("n", "1")]);
}

#[test]
fn e8_a_list_that_repeats_the_message_is_left_out() {
    let rich = details(r#"{"issues":[{"path":[],"message":"Not found."}]}"#);
    assert_eq!((rich.violations.len(), rich.metadata.len()), (0, 0));
    assert_eq!(details(r#"{"issues":[{"path":[],"message":"Another."}]}"#).violations.len(), 1);
}

#[test]
fn e9_details_are_metadata() {
    for (json, expected) in [
        (
            r#"{"a":"x\ny","n":1.10,"b":true,"z":null}"#,
            &[("a", "x\ny"), ("n", "1.10"), ("b", "true"), ("z", "null")][..],
        ),
        (r#"{"o":{"k": [1]},"upstream_code":"E_1"}"#, &[("o", r#"{"k": [1]}"#), ("upstream_code", "E_1")]),
        (r#"{"issues":3}"#, &[("issues", "3")]),
        (r#"["a",1]"#, &[("details", r#"["a",1]"#)]),
        (r#""why""#, &[("details", "why")]),
        ("7", &[("details", "7")]),
        (r#"{"lone":"\ud800"}"#, &[("lone", r#""\ud800""#)]),
        ("null", &[]),
        ("{}", &[]),
    ] {
        assert_eq!(metadata(&details(json)), expected, "{json}");
    }
}

#[test]
fn p1_what_does_not_fit_is_left_out_and_what_comes_after_it_is_not() {
    let long = "x".repeat(3000);
    let rich = details(&format!(r#"{{"a":"1","long":"{long}","z":"2"}}"#));
    assert_eq!(metadata(&rich), [("a", "1"), ("z", "2")]);
    assert_eq!(rich.request_id, ID);
}

#[test]
fn p1_metadata_and_violations_share_the_room() {
    let issues = vec![r#"{"path":["a"],"message":"m"}"#; 900].join(",");
    let members: Vec<_> = (0..900).map(|n| format!(r#""k{n:03}":"v""#)).collect();
    let members = members.join(",");
    let both = details(&format!(r#"{{"issues":[{issues}],{members}}}"#));
    assert!(both.violations.len() > 100 && both.metadata.len() > 80, "{both:?}");
    let few = details(&format!(r#"{{"issues":[{{"path":["a"],"message":"m"}}],{members}}}"#));
    assert!(few.violations.len() == 1 && few.metadata.len() > 170, "{few:?}");
}

#[test]
fn p1_code_and_message_are_whole_or_there_is_nothing() {
    let message = "é".repeat(512);
    let longest = RpcError { message: &message, ..error() };
    assert_eq!(again(longest, 1500).message, message);
    assert!(longest.to_bytes(1024).is_empty());
    assert!(error().to_bytes(0).is_empty());
}

#[test]
fn p1_a_delay_is_what_a_duration_can_hold() {
    let rich = again(RpcError { retry_after: Some(Duration::MAX), ..error() }, 3072);
    assert_eq!(rich.retry_delay, Some(Duration::from_secs(MAX_SECONDS)));
}

#[test]
fn p1_a_strange_status_is_read_as_far_as_it_goes() {
    let any = |name: &str, value: Vec<u8>| Any { type_url: name.into(), value };
    let info = |reason: &str| ErrorInfo { reason: reason.into(), ..Default::default() }.encode_to_vec();
    let late = Delay { seconds: -1, nanos: 0 };
    let status = RichStatus {
        code: 4711,
        message: "m".into(),
        details: vec![
            any("type.googleapis.com/google.rpc.Help", vec![1, 2]),
            any("type.googleapis.com/google.rpc.ErrorInfo", vec![0xff]),
            any("google.rpc.ErrorInfo", info("FIRST")),
            any("example.com/google.rpc.ErrorInfo", info("SECOND")),
            any("/google.rpc.RetryInfo", RetryInfo { retry_delay: Some(late) }.encode_to_vec()),
        ],
    };
    let rich = RpcDetails::from_bytes(&status.encode_to_vec()).unwrap();
    assert_eq!((rich.status, &*rich.reason, rich.retry_delay), (Status::UNKNOWN, "FIRST", None));
    assert_eq!(RpcDetails::from_bytes(b""), None);
    assert_eq!(RpcDetails::from_bytes(b"\x12\x02\xff\xff"), None, "a text that is no UTF-8");
}

proptest! {
    #[test]
    fn p1_a_status_is_within_its_bytes_and_decodes(
        message in "[ -~é✓]{1,200}",
        members in prop::collection::vec(("[a-zé]{0,20}", "[ -~é✓]{0,60}"), 0..20),
        issues in prop::collection::vec(("[a-z]{0,20}", "[ -~é✓]{0,60}"), 0..20),
        seconds: u64,
        max in 0_usize..2500,
    ) {
        let issues: Vec<_> = issues.iter().map(|(step, text)| serde_json::json!({"path": [step, 1], "message": text})).collect();
        let mut object: serde_json::Map<_, _> = members.into_iter().map(|(name, text)| (name, text.into())).collect();
        if !issues.is_empty() {
            object.insert("issues".into(), issues.into());
        }
        let json = serde_json::Value::Object(object).to_string();
        let whole = RpcError {
            message: &message,
            details: Some(&json),
            retry_after: Some(Duration::from_secs(seconds)),
            ..error()
        };
        let bytes = whole.to_bytes(max);
        prop_assert!(bytes.len() <= max);
        if !bytes.is_empty() {
            let rich = RpcDetails::from_bytes(&bytes).unwrap();
            prop_assert_eq!((&*rich.message, &*rich.reason, &*rich.request_id), (&*message, "NOT_FOUND", ID));
            prop_assert!(rich.retry_delay.is_some());
        } else {
            prop_assert!(max < message.len() + 400);
        }
    }

    #[test]
    fn p1_details_of_any_text_decode(text in "\\PC{0,80}|[{\\[]\\PC{0,80}", max in 300_usize..400) {
        let bytes = RpcError { details: Some(&text), ..error() }.to_bytes(max);
        prop_assert!(bytes.len() <= max && RpcDetails::from_bytes(&bytes).is_some());
    }

    #[test]
    fn p1_no_bytes_panic(bytes: Vec<u8>) {
        let _ = RpcDetails::from_bytes(&bytes);
    }

    #[test]
    fn p1_no_broken_status_panics(at in 0_usize..250, byte: u8) {
        let mut bytes = RpcError { retry_after: Some(Duration::from_secs(1)), ..error() }.to_bytes(3072);
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = RpcDetails::from_bytes(&bytes);
        let _ = RpcDetails::from_bytes(&bytes[..at]);
    }
}
