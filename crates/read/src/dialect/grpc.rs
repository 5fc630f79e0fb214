//! The status of gRPC in headers and trailers, and the status of gRPC-Web in a frame of the body (P1, P2).

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, percent_encode};

use super::rich::{self, RpcDetails, RpcError};
use super::status::Status;
use crate::fields;
use crate::grpc_messages::{PREFIX_LEN, TRAILERS};
pub use crate::rpc::ReportedStatus;

pub const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(crate) const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
pub const GRPC_STATUS_DETAILS_BIN: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// The bytes that are escaped in `grpc-message`. All other bytes are written unchanged.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// The base64 of the protocol. Base64 is written without padding, and is read with or without padding.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Sets `grpc-status`, `grpc-message` and `grpc-status-details-bin`.
pub fn write(error: &RpcError<'_>, into: &mut HeaderMap) {
    let message = percent_encode(error.message.as_bytes(), ESCAPED).to_string();
    let details = error.to_bytes(rich::room_beside(message.len()));
    into.insert(GRPC_STATUS, HeaderValue::from_static(error.status.digits()));
    set(into, GRPC_MESSAGE, message);
    if details.is_empty() {
        into.remove(GRPC_STATUS_DETAILS_BIN);
    } else {
        set(into, GRPC_STATUS_DETAILS_BIN, BASE64.encode(details));
    }
}

/// Sets a header to a value, which is always printable ASCII.
fn set(into: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        into.insert(name, value);
    }
}

/// Returns the frame with these trailers. A `HeaderMap` has names in lower case, which the protocol requires.
pub fn trailer_frame(trailers: &HeaderMap) -> Vec<u8> {
    let mut block = Vec::with_capacity(256);
    block.extend_from_slice(&[TRAILERS, 0, 0, 0, 0]);
    for (name, value) in trailers {
        block.extend_from_slice(name.as_str().as_bytes());
        block.extend_from_slice(b": ");
        block.extend_from_slice(value.as_bytes());
        block.extend_from_slice(b"\r\n");
    }
    let length = u32::try_from(block.len() - 5).unwrap_or(u32::MAX);
    block[1..5].copy_from_slice(&length.to_be_bytes());
    block
}

/// Returns the value of `grpc-status-details-bin` with another id in its `RequestInfo`. Returns `None` if the value
/// does not contain the old id.
pub fn with_other_id(details: &[u8], theirs: &str, ours: &str) -> Option<HeaderValue> {
    let details = rich::with_other_id(&BASE64.decode(details).ok()?, theirs, ours)?;
    HeaderValue::try_from(BASE64.encode(details)).ok()
}

/// Returns a gRPC-Web frame of trailers with another id. The length of the frame does not change.
pub fn frame_with_other_id(frame: &[u8], theirs: &str, ours: &str) -> Option<Vec<u8>> {
    let details = lines_of(frame.get(PREFIX_LEN as usize..)?, GRPC_STATUS_DETAILS_BIN).next()?;
    let readdressed = with_other_id(details, theirs, ours)?;
    rich::replaced(frame, details, readdressed.as_bytes())
}

/// Returns true if the first status in a head or in trailers is a success.
pub fn is_success(headers: &HeaderMap) -> bool {
    fields::first(headers, &GRPC_STATUS).is_some_and(|status| status == "0")
}

/// Returns the number of the only status in a head or in trailers. Numbers above 255 become 255.
pub fn number(headers: &HeaderMap) -> Option<u8> {
    number_of(fields::single_value(headers, &GRPC_STATUS)?.as_bytes())
}

/// Returns the number of the only status in the payload of a frame of trailers. Numbers above 255 become 255.
pub fn number_in_trailer_frame(payload: &[u8]) -> Option<u8> {
    number_of(only_status(payload)?)
}

fn number_of(status: &[u8]) -> Option<u8> {
    let digits = str::from_utf8(status.trim_ascii()).ok()?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u8::MAX))
}

/// Returns the status in a head or in trailers. Returns `None` if there is not exactly one well-formed `grpc-status`.
/// If the first `grpc-status` is a success, further ones are not checked.
pub fn read(headers: &HeaderMap) -> Option<ReportedStatus<'_>> {
    if is_success(headers) {
        return Some(ReportedStatus::ok());
    }
    let status = fields::single_value(headers, &GRPC_STATUS)?;
    parse_status(status.as_bytes(), |name| headers.get(name).map(HeaderValue::as_bytes))
}

/// Returns the status in the payload of a frame of trailers, by the rules of [`read`]. Names may be in any letter case,
/// and lines may end in LF alone, because some servers write them in this way.
pub fn read_trailer_frame(payload: &[u8]) -> Option<ReportedStatus<'_>> {
    parse_status(only_status(payload)?, |name| lines_of(payload, name).next())
}

fn only_status(payload: &[u8]) -> Option<&[u8]> {
    let mut statuses = lines_of(payload, GRPC_STATUS);
    let first = statuses.next()?;
    statuses.next().is_none().then_some(first)
}

fn lines_of(payload: &[u8], name: HeaderName) -> impl Iterator<Item = &[u8]> {
    payload.split(|byte| *byte == b'\n').filter_map(move |line| {
        let at = line.iter().position(|byte| *byte == b':')?;
        let is_it = line[..at].trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes());
        is_it.then(|| line[at + 1..].trim_ascii())
    })
}

/// Parses a status. Most calls succeed. For a success, only the status itself is read.
fn parse_status<'a>(status: &[u8], value: impl Fn(HeaderName) -> Option<&'a [u8]>) -> Option<ReportedStatus<'a>> {
    let status = Status::new(number_of(status)?);
    if status == Status::OK {
        return Some(ReportedStatus::ok());
    }
    let message = value(GRPC_MESSAGE).map_or(Cow::Borrowed(""), |text| percent_decode(text).decode_utf8_lossy());
    let rich = value(GRPC_STATUS_DETAILS_BIN).and_then(details_of);
    Some(ReportedStatus { status, message, rich })
}

/// Parses the details. A proxy may have joined repeated values into one value, of which the first part is read.
fn details_of(value: &[u8]) -> Option<RpcDetails> {
    let first = value.split(|byte| *byte == b',').next()?.trim_ascii();
    RpcDetails::from_bytes(&BASE64.decode(first).ok()?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dialect::rich::DOMAIN;

    fn error(message: &str) -> RpcError<'_> {
        RpcError {
            status: Status::INVALID_ARGUMENT,
            code: "invalid_request",
            message,
            details: None,
            request_id: Some("req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"),
            domain: DOMAIN,
            retry_after: Some(Duration::from_secs(3)),
        }
    }

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn p2_a_frame_has_the_number_that_was_sent() {
        for (payload, number) in [
            ("grpc-status:99\r\n", Some(99)),
            ("x-sum: 1\r\nGrpc-Status: 300\r\n", Some(255)),
            ("grpc-status:5\ngrpc-status:6\n", None),
            ("grpc-status:-1\r\n", None),
        ] {
            assert_eq!(number_in_trailer_frame(payload.as_bytes()), number, "{payload:?}");
        }
    }

    fn parsed(reported: Option<ReportedStatus<'_>>) -> Option<(u8, String)> {
        reported.map(|reported| (reported.status.number(), reported.message.into_owned()))
    }

    #[test]
    fn p1_a_message_is_percent_encoded() {
        for (message, encoded) in [
            ("Not found.", "Not found."),
            ("100 % \"sure\" ~", "100 %25 \"sure\" ~"),
            ("é\u{7f}\u{1f600}", "%C3%A9%7F%F0%9F%98%80"),
            ("a\tb", "a%09b"),
        ] {
            let mut map = HeaderMap::new();
            write(&error(message), &mut map);
            assert_eq!(map[GRPC_MESSAGE], encoded);
            assert_eq!(map[GRPC_STATUS], "3");
            assert_eq!(parsed(read(&map)), Some((3, message.into())));
        }
    }

    #[test]
    fn p1_a_status_takes_the_place_of_another() {
        let mut map = headers(&[("grpc-status", "0"), ("grpc-status", "1"), ("x-own", "1")]);
        write(&error("No."), &mut map);
        assert_eq!((map.len(), &map["x-own"]), (4, &HeaderValue::from_static("1")));
        let rich = read(&map).unwrap().rich.unwrap();
        assert_eq!((&*rich.reason, &*rich.message), ("INVALID_REQUEST", "No."));
        assert_eq!(rich.retry_delay, Some(Duration::from_secs(3)));
    }

    #[test]
    fn p1_headers_are_within_what_clients_take() {
        let issues = vec![r#"{"path":["some","field"],"message":"Wrong."}"#; 1000].join(",");
        let details = format!(r#"{{"issues":[{issues}]}}"#);
        for message in ["m".repeat(1024), "é".repeat(512)] {
            let mut map = HeaderMap::new();
            write(&RpcError { details: Some(&details), ..error(&message) }, &mut map);
            let (text, bin) = (map[GRPC_MESSAGE].len(), map[GRPC_STATUS_DETAILS_BIN].len());
            assert!(bin <= rich::MAX_DETAILS && text + bin <= rich::MAX_TOGETHER, "{text} + {bin}");
            assert!(!map[GRPC_STATUS_DETAILS_BIN].as_bytes().contains(&b'='));
            let rich = read(&map).unwrap().rich.unwrap();
            assert!(rich.message == message && rich.violations.len() > 10);
        }
    }

    #[test]
    fn p1_a_status_is_well_formed_and_alone() {
        for (lines, expected) in [
            (&[][..], None),
            (&[("grpc-message", "m")], None),
            (&[("grpc-status", "")], None),
            (&[("grpc-status", "five")], None),
            (&[("grpc-status", "5"), ("grpc-status", "5")], None),
            (&[("grpc-status", "-1")], None),
            (&[("grpc-status", "5,5")], None),
            (&[("grpc-status", " 5 ")], Some((5, ""))),
            (&[("grpc-status", "99"), ("grpc-message", "m")], Some((2, "m"))),
            (&[("grpc-status", "99999999999999999999")], Some((2, ""))),
            (&[("grpc-status", "0"), ("grpc-message", "fine")], Some((0, ""))),
        ] {
            let expected = expected.map(|(number, text): (u8, &str)| (number, text.to_owned()));
            let numbered = number(&headers(lines)).map(|number| Status::new(number).number());
            assert_eq!(numbered, expected.as_ref().map(|(number, _)| *number), "{lines:?}");
            assert_eq!(parsed(read(&headers(lines))), expected, "{lines:?}");
        }
    }

    #[test]
    fn p1_a_broken_message_is_read_as_far_as_it_goes() {
        for (value, message) in [
            (&b"100%"[..], "100%"),
            (b"%zz %4", "%zz %4"),
            (b"a%20b", "a b"),
            (b"%ff!", "\u{fffd}!"),
            (b"\xc3\xa9", "é"),
            (b"\xff", "\u{fffd}"),
        ] {
            let mut map = headers(&[("grpc-status", "2")]);
            map.insert(GRPC_MESSAGE, HeaderValue::from_bytes(value).unwrap());
            assert_eq!(parsed(read(&map)), Some((2, message.into())), "{value:?}");
        }
    }

    #[test]
    fn p1_details_are_read_with_padding_and_without() {
        // google.rpc.Status { code: 5, message: "é" } and { code: 5, message: "m" }
        for (value, found) in [
            (&b"CAUSAsOp"[..], true),
            (b"CAUSAW0", true),
            (b"CAUSAW0=", true),
            (b"CAUSAW0=,CAUSAW0", true),
            (b"CAUSAW0==", false),
            (b"not base64", false),
            (b"", false),
        ] {
            let mut map = headers(&[("grpc-status", "5")]);
            map.insert(GRPC_STATUS_DETAILS_BIN, HeaderValue::from_bytes(value).unwrap());
            assert_eq!(read(&map).unwrap().rich.is_some(), found, "{:?}", String::from_utf8_lossy(value));
        }
    }

    #[test]
    fn p2_a_trailer_frame_has_its_length_and_lower_case_names() {
        let mut trailers = HeaderMap::new();
        write(&error("No \"é\"."), &mut trailers);
        let frame = trailer_frame(&trailers);
        assert_eq!(frame[0], 0x80);
        assert_eq!(u32::from_be_bytes(frame[1..5].try_into().unwrap()) as usize, frame.len() - 5);
        let block = str::from_utf8(&frame[5..]).unwrap();
        assert!(block.starts_with("grpc-status: 3\r\ngrpc-message: No \"%C3%A9\".\r\ngrpc-status-details-bin: "));
        assert!(block.ends_with("\r\n") && block.lines().count() == 3);
        let reported = read_trailer_frame(&frame[5..]).unwrap();
        assert_eq!((reported.status, &*reported.message), (Status::INVALID_ARGUMENT, "No \"é\"."));
        assert_eq!(reported.rich.unwrap().reason, "INVALID_REQUEST");
    }

    #[test]
    fn p2_a_frame_of_another_servers_is_read() {
        for (payload, expected) in [
            ("grpc-status:5\r\ngrpc-message:no such%20thing\r\n", Some((5, "no such thing"))),
            ("Grpc-Status: 5\nGrpc-Message: m", Some((5, "m"))),
            ("x-own: grpc-status: 3\r\ngrpc-status: 0\r\n", Some((0, ""))),
            ("grpc-status: 0\r\ngrpc-status: 13\r\n", None),
            ("grpc-message: m\r\n", None),
            ("no colon", None),
            ("", None),
        ] {
            let expected = expected.map(|(number, text): (u8, &str)| (number, text.to_owned()));
            assert_eq!(parsed(read_trailer_frame(payload.as_bytes())), expected, "{payload:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn p2_no_frame_panics(payload: Vec<u8>, status in "grpc-status: ?[0-9]{0,3}\r?\n(grpc-message:\\PC{0,20})?") {
            let _ = read_trailer_frame(&payload);
            let _ = read_trailer_frame(status.as_bytes());
        }

        #[test]
        fn p1_any_message_is_read_as_it_was_written(message in "\\PC{0,300}") {
            let mut map = HeaderMap::new();
            write(&error(message.trim()), &mut map);
            proptest::prop_assert_eq!(parsed(read(&map)), Some((3, message.trim().to_owned())));
        }
    }
}
