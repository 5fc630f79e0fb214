//! Tests the bytes that a meter counts, and the errors that it finds.

use super::*;

fn flags(limit: Option<u64>) -> BodyFlags {
    let drain = DrainBudget { max_bytes: 1, timeout: Duration::from_secs(1), body_first: false };
    BodyFlags::new(limit, drain, ObservedLimit::default(), (false, false))
}

#[test]
fn g4_exactly_the_limit_passes() {
    let flags = flags(Some(4));
    let mut meter = BodyMeter::new(flags.clone());
    assert_eq!(meter.request_data(b"abcd"), MeterAction::Within);
    assert!(!flags.has(BodyFlags::OVER));
    assert!(matches!(meter.request_data(b"e"), MeterAction::Over(_)));
    assert!(flags.has(BodyFlags::OVER));
}

fn messages(is_text: bool, rest_is_free: bool) -> Option<Messages> {
    Some(Messages { frames: MessageDecoder::new(is_text), rest_is_free })
}

#[test]
fn p1_each_message_is_measured_by_itself() {
    let flags = flags(Some(4));
    let mut meter = BodyMeter::new(flags.clone()).by_message(messages(false, false));
    for _ in 0..3 {
        assert_eq!(meter.request_data(b"\0\0\0\0\x04abcd"), MeterAction::Within);
    }
    assert_eq!(meter.request_data(b"\x01\0\0"), MeterAction::Within);
    assert!(!flags.has(BodyFlags::OVER));
    assert!(matches!(meter.request_data(b"\0\x05"), MeterAction::Over(DrainBudget { max_bytes: 1, .. })));
    assert!(flags.has(BodyFlags::OVER));
}

#[test]
fn p1_over_http2_a_message_too_long_is_read_to_its_end_and_no_further() {
    let drain = |chunk: &[u8]| {
        let drain = DrainBudget { max_bytes: 9, timeout: Duration::from_secs(1), body_first: true };
        let flags = BodyFlags::new(Some(1), drain, ObservedLimit::default(), (false, false));
        match BodyMeter::new(flags).by_message(messages(false, true)).request_data(chunk) {
            MeterAction::Over(drain) => (drain.max_bytes, drain.timeout.as_secs()),
            MeterAction::Within => unreachable!(),
        }
    };
    assert_eq!(drain(b"\0\0\0\0\x05"), (4, 1));
    assert_eq!(drain(b"\0\0\0\0\x05abc"), (1, 1));
    assert_eq!(drain(b"\0\0\0\0\x05abcde"), (0, 0));
    assert_eq!(drain(b"\0\0\0\x01\x05"), (9, 1));
}

#[test]
fn p1_p2_what_is_no_sequence_of_messages_is_told_as_such() {
    for (is_text, body) in [(false, &b"{\"a\":1}"[..]), (true, b"{\"a\":1}")] {
        let flags = flags(Some(4));
        let mut meter = BodyMeter::new(flags.clone()).by_message(messages(is_text, false));
        assert!(matches!(meter.request_data(body), MeterAction::Over(_)));
        assert!(flags.has(BodyFlags::MALFORMED) && !flags.has(BodyFlags::OVER));
    }
}

#[test]
fn m1_a_watched_message_passes_and_is_noted() {
    let drain = DrainBudget { max_bytes: 1, timeout: Duration::from_secs(1), body_first: false };
    let flags = BodyFlags::new(None, drain, ObservedLimit { limit: Some(4), first_byte: true }, (false, false));
    let mut meter = BodyMeter::new(flags.clone()).by_message(messages(false, true));
    assert_eq!((meter.request_data(b"\0\0\0\0\x04abcd"), flags.exceeded_observed_limit()), (MeterAction::Within, None));
    assert_eq!((meter.request_data(b"\0\0\0\0\x05"), flags.exceeded_observed_limit()), (MeterAction::Within, Some(4)));
    assert!(flags.has(BodyFlags::BEGUN) && !flags.has(BodyFlags::OVER));
}

#[test]
fn m1_a_watched_body_that_is_no_sequence_of_messages_is_noted_as_such() {
    for (is_text, body) in [(false, &b"{\"a\":1}"[..]), (true, b"{\"a\":1}")] {
        let drain = DrainBudget { max_bytes: 1, timeout: Duration::from_secs(1), body_first: false };
        let flags = BodyFlags::new(None, drain, ObservedLimit { limit: Some(4), first_byte: false }, (false, false));
        let mut meter = BodyMeter::new(flags.clone()).by_message(messages(is_text, false));
        assert_eq!(meter.request_data(body), MeterAction::Within);
        assert!(flags.has(BodyFlags::NOTED_MALFORMED) && !flags.has(BodyFlags::NOTED | BodyFlags::MALFORMED));
    }
}

#[test]
fn m1_a_watched_body_passes_and_is_noted() {
    let drain = DrainBudget { max_bytes: 1, timeout: Duration::from_secs(1), body_first: false };
    let flags = BodyFlags::new(None, drain, ObservedLimit { limit: Some(4), first_byte: true }, (false, false));
    let mut meter = BodyMeter::new(flags.clone());
    assert_eq!((meter.request_data(b""), flags.has(BodyFlags::BEGUN)), (MeterAction::Within, false));
    assert_eq!((meter.request_data(b"abcd"), flags.exceeded_observed_limit()), (MeterAction::Within, None));
    assert_eq!((meter.request_data(b"e"), flags.exceeded_observed_limit()), (MeterAction::Within, Some(4)));
    assert!(flags.has(BodyFlags::BEGUN) && !flags.has(BodyFlags::OVER));
}

#[test]
fn f1_slow_broken_and_somebody_elses_limit_are_told_apart() {
    let raised = |error: &(dyn Error + 'static)| {
        let flags = flags(None);
        BodyMeter::new(flags.clone()).body_failed(error);
        (flags.has(BodyFlags::SLOW), flags.has(BodyFlags::BROKEN))
    };
    assert_eq!(raised(&io::Error::from(io::ErrorKind::TimedOut)), (true, false));
    assert_eq!(raised(&io::Error::from(io::ErrorKind::UnexpectedEof)), (false, true));
    assert_eq!(raised(&io::Error::other(Fault::new(ErrorCode::GONE))), (false, false));
}

#[test]
fn g4_a_length_is_one_number() {
    let declared = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_LENGTH, value.parse().unwrap());
        }
        declared(&headers)
    };
    assert_eq!(declared(&["12"]), Some(12));
    assert_eq!(declared(&["99999999999999999999999"]), Some(u64::MAX));
    for bad in [&[][..], &["1", "1"], &["+1"], &["-1"], &["1 "], &["x"], &[""]] {
        assert_eq!(declared(bad), None, "{bad:?}");
    }
}
