//! `{"error":{code,message,details},"meta":{request_id,ts}}`.

use crate::dialect::error_object;
use crate::dialect::form::{DialectSpec, KnownFields};
use crate::dialect::json::{Writer, quoted, string, with_fields};
use crate::dialect::outgoing::{Outgoing, PreservedBody, timestamp};
use crate::dialect::parsed_error::{Body, ParsedError};

pub(in crate::dialect) const FORM: DialectSpec = DialectSpec {
    has_time: true,
    reads: &KnownFields { of_body: Some(&["error", "meta"]), of_error: &["code", "message", "details"] },
    ..DialectSpec::new("error_with_meta", read, write, rewrite_in_place)
};

fn read<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let error = body.error.as_ref()?;
    body.object.object("meta")?;
    // Without a text and a code, the general rule looks for them under other names.
    Some(error_object::parse(error)).filter(|parsed| parsed.message.is_some() || parsed.code.is_some())
}

fn write(out: &Outgoing<'_>) -> Vec<u8> {
    let error = Writer::new(out.size()).text("code", out.code).text("message", out.message);
    let meta = Writer::new(96).text("request_id", out.request_id).text("ts", &timestamp(out.now));
    Writer::new(out.size()).raw("error", out.with_details(error).close()).raw("meta", meta.close()).close()
}

fn rewrite_in_place(kept: &PreservedBody<'_>, out: &Outgoing<'_>) -> Vec<u8> {
    let (Some(error), Some(meta)) = (kept.body.object("error"), kept.body.object("meta")) else { return write(out) };
    let error = kept.rewrite_error(&error, out, &[]);
    let mut set = vec![("request_id", quoted(out.request_id))];
    if !kept.whole || meta.raw("ts").and_then(string).is_none() {
        set.push(("ts", quoted(&timestamp(out.now))));
    }
    let meta = with_fields(&meta, &set, &|_, _| kept.whole);
    with_fields(&kept.body, &[("error", error), ("meta", meta)], &|_, _| kept.whole)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::dialect::outgoing::tests::{ID, out, preserved, text};

    #[test]
    fn r2_error_and_meta() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_767_225_600_042);
        let new = Outgoing { code: "no_op", message: "No.", details: Some("[1.0]"), now, ..out() };
        assert_eq!(
            text(write(&new)),
            format!(
                r#"{{"error":{{"code":"no_op","message":"No.","details":[1.0]}},"meta":{{"request_id":"{ID}","ts":"2026-01-01T00:00:00.042Z"}}}}"#
            )
        );
    }

    #[test]
    fn r2_a_time_that_has_no_form_is_the_nearest_that_has() {
        assert_eq!(timestamp(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
        let late = SystemTime::UNIX_EPOCH + Duration::from_secs(300_000_000_000);
        assert_eq!(timestamp(late), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn r12_a_body_of_its_own_keeps_its_members_but_the_id() {
        let body = r#"{"error":{"code":"x","message":"old","hint":1},"meta":{"ts":"2026-01-01T00:00:00Z","request_id":"theirs","v":2}}"#;
        let new = Outgoing { message: "new", ..out() };
        assert_eq!(
            text(rewrite_in_place(&preserved(body, true), &new)),
            format!(
                r#"{{"error":{{"code":"x","message":"new","hint":1}},"meta":{{"ts":"2026-01-01T00:00:00Z","request_id":"{ID}","v":2}}}}"#
            )
        );
        assert_eq!(
            text(rewrite_in_place(&preserved(body, false), &new)),
            format!(
                r#"{{"error":{{"code":"x","message":"new"}},"meta":{{"ts":"1970-01-01T00:00:00.000Z","request_id":"{ID}"}}}}"#
            )
        );
    }
}
