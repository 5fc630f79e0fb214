//! The errors of RPC protocols (section P of the contract): gRPC statuses, the details of google.rpc, the codes that
//! follow from them, and the advised waiting times.

pub mod details;
pub mod status;

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

use self::details::{MAX_SECONDS, RpcDetails};
use self::status::Status;
use crate::code::{CodeSet, ErrorCode};

/// A status as reported in the head of an inner response, in its trailers, or in a frame of trailers.
#[derive(Debug, PartialEq)]
pub struct ReportedStatus<'a> {
    pub status: Status,
    pub message: Cow<'a, str>,
    pub rich: Option<RpcDetails>,
}

impl ReportedStatus<'_> {
    /// Creates the status of a successful call.
    pub const fn ok() -> Self {
        Self { status: Status::OK, message: Cow::Borrowed(""), rich: None }
    }
}

/// Returns the code of an inner status. The code is the reason, if the reason is a known code or belongs to `domain`.
/// Otherwise the code is `invalid_request` if there are violations (E8), and the code for the HTTP status if there are
/// none.
pub fn code_of(reported: &ReportedStatus<'_>, codes: &CodeSet, domain: &str) -> ErrorCode {
    recognised(reported, codes, domain).unwrap_or_else(|| code_of_status(reported))
}

fn code_of_status(reported: &ReportedStatus<'_>) -> ErrorCode {
    let status = reported.status.http();
    let lists = reported.rich.as_ref().is_some_and(|rich| !rich.violations.is_empty());
    if lists && status == StatusCode::BAD_REQUEST { ErrorCode::INVALID_REQUEST } else { ErrorCode::of_status(status) }
}

/// Returns the code that the reason names. If only this domain defines the code, the reason must be in capitals.
pub fn recognised(reported: &ReportedStatus<'_>, codes: &CodeSet, domain: &str) -> Option<ErrorCode> {
    let rich = reported.rich.as_ref()?;
    let of_own_domain = || {
        let capitals = !rich.reason.bytes().any(|byte| byte.is_ascii_lowercase());
        (capitals && rich.domain == domain).then(|| ErrorCode::foreign(&rich.reason.to_ascii_lowercase()))?
    };
    codes.find(&rich.reason).or_else(of_own_domain)
}

/// Returns the wait in `retry-after`, in whole seconds, at most as long as a google.protobuf.Duration can be. The
/// header has seconds, or a date. A date is compared with the `date` of the response, or with `now` if the response has
/// none. A date in the past means no wait.
pub fn retry_after(headers: &HeaderMap, now: impl FnOnce() -> SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // The text only has digits, so a number that is too large is a wait that is too long.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let until = httpdate::parse_http_date(value).ok()?;
        let date = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?.trim()).ok());
        let wait = until.duration_since(date.unwrap_or_else(now)).unwrap_or_default();
        Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    };
    Some(wait.min(Duration::from_secs(MAX_SECONDS)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::details::Violation;
    use super::*;

    fn reported(status: Status, reason: &str, domain: &str) -> ReportedStatus<'static> {
        let rich =
            RpcDetails { reason: reason.into(), domain: domain.into(), ..RpcDetails::new(status, String::new()) };
        ReportedStatus { status, message: Cow::Borrowed(""), rich: Some(rich) }
    }

    #[test]
    fn p1_an_inner_status_is_classified() {
        let codes = CodeSet::new(vec![ErrorCode::custom("seat_taken", 409)]);
        for (status, reason, domain, code) in [
            (Status::INTERNAL, "CHANNEL_NOT_FOUND", "ours", "channel_not_found"),
            (Status::INTERNAL, "Rate_Limited", "theirs", "rate_limited"),
            (Status::UNKNOWN, "SEAT_TAKEN", "theirs", "seat_taken"),
            (Status::ABORTED, "ORDER_EXPIRED", "ours", "order_expired"),
            (Status::ABORTED, "order_expired", "ours", "conflict"),
            (Status::ABORTED, "ORDER-EXPIRED", "ours", "conflict"),
            (Status::ABORTED, "ORDER_EXPIRED", "theirs", "conflict"),
            (Status::UNAUTHENTICATED, "", "ours", "auth_invalid"),
            (Status::DEADLINE_EXCEEDED, "", "", "gateway_timeout"),
            (Status::CANCELLED, "", "", "bad_request"),
            (Status::UNIMPLEMENTED, "", "", "not_implemented"),
        ] {
            assert_eq!(
                code_of(&reported(status, reason, domain), &codes, "ours"),
                code,
                "{status:?} {reason} {domain}"
            );
        }
        let violation = Violation { field: "a".into(), description: "m".into(), reason: String::new() };
        for (status, code) in [(Status::INVALID_ARGUMENT, "invalid_request"), (Status::INTERNAL, "internal_error")] {
            let mut reported = reported(status, "", "");
            reported.rich.as_mut().unwrap().violations.push(violation.clone());
            assert_eq!(code_of(&reported, &codes, "ours"), code);
        }
        let bare = ReportedStatus { status: Status::UNAVAILABLE, message: Cow::Borrowed(""), rich: None };
        assert_eq!(code_of(&bare, &codes, "ours"), "service_unavailable");
    }

    #[test]
    fn p1_a_wait_is_seconds_or_a_date_seen_from_the_responses_own() {
        const DAY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        let now = || SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_778_500);
        for (value, date, seconds) in [
            ("120", None, Some(120)),
            (" 0 ", None, Some(0)),
            ("99999999999999999999999", None, Some(MAX_SECONDS)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(DAY), Some(60)),
            ("Sunday, 06-Nov-94 08:49:38 GMT", Some(DAY), Some(1)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(DAY), Some(0)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", None, Some(59)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some("now"), Some(59)),
            ("Sun, 06 Nov 1994 08:49:38 GMT", None, Some(0)),
            ("-1", None, None),
            ("1.5", None, None),
            ("soon", Some(DAY), None),
            ("", None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            if let Some(date) = date {
                headers.insert(DATE, HeaderValue::from_static(date));
            }
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{value} {date:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
