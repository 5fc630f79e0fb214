//! Google's `{"error":{"code":404,"message","status":"NOT_FOUND","details":[…]}}` (AIP-193).
//!
//! `code` is the HTTP status, and `status` is the name of the gRPC status. The `ErrorInfo` among the details contains
//! the reason. The details are messages of google.rpc in JSON, which gRPC sends as bytes (P1). All metadata are texts.
//! Only types and fields of older protos are used, because clients in Go drop all details if one type or field is
//! unknown to them.

use std::borrow::Cow;
use std::collections::HashMap;

use http::StatusCode;
use serde_json::value::RawValue;

use crate::code::ErrorCode;
use crate::dialect::error_object;
use crate::dialect::form::DialectSpec;
use crate::dialect::issues::written::{self, NamedIssue};
use crate::dialect::json::{self, Object, Writer, list, quoted, with_fields};
use crate::dialect::outgoing::{Outgoing, PreservedBody, is_name};
use crate::dialect::parsed_error::{Body, DialectCode, ParsedError};
use crate::dialect::rich::{BAD_REQUEST, ERROR_INFO, REQUEST_INFO, RETRY_INFO, TYPE_URL, issue_code, metadata_of};
use crate::dialect::status::Status;
use crate::request_id::is_of_layer;

pub(in crate::dialect) const FORM: DialectSpec = DialectSpec {
    has_wait: true,
    // If the event had a name, clients would treat it as a normal end of the stream.
    error_event: None,
    name_of: |code, _| Cow::Owned(code.as_str().to_ascii_uppercase()),
    meaning,
    ..DialectSpec::new("google", read, write, rewrite_in_place)
};

fn read<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let error = body.error.as_ref()?;
    let status = error.string("status")?;
    // A longer number is not the status, but the service's own code.
    error.number("code").filter(|code| code.len() <= 3)?;
    Some(parse(error, status, &GoogleDetails::parse(error)))
}

/// Reads a google.rpc.Status that is not inside an `error` field, as grpc-gateway and Envoy's transcoder write it. The
/// `code` of such a status is the number of a gRPC status. Other APIs use small numbers as their own codes, so the
/// number is accepted only if it fits the response's status.
pub(in crate::dialect) fn read_status<'a>(body: &Body<'a, '_>, http: StatusCode) -> Option<ParsedError<'a>> {
    let body = &body.object;
    let digits = body.number("code")?;
    let status = Status::ALL.into_iter().find(|status| status.digits() == digits && status.http() == http)?;
    body.string("message")?;
    let details = GoogleDetails::parse(body);
    let is_list = body.json("details").is_none_or(|it| it.starts_with('['));
    let are_typed = details.0.iter().all(|it| it.object.as_ref().is_some_and(|object| object.has("@type")));
    if !is_list || !are_typed {
        return None;
    }
    let mut parsed = parse(body, Cow::Borrowed(status.name()), &details);
    if http.is_server_error() {
        // Any service may write a number. A typed object shows that the text was written for clients.
        if !details.0.is_empty() {
            parsed.meaning = DialectCode::Code(ErrorCode::of_status(http));
        }
        // The details may contain a stack trace of the service.
        parsed.details = None;
    }
    Some(parsed)
}

/// Parses an error object. The dialect does not define the names of gRPC's statuses as its own names. So `NOT_FOUND` is
/// read as a code of the catalogue, and `ABORTED` is an unknown code (E9).
fn parse<'a>(error: &Object<'a>, status: Cow<'a, str>, details: &GoogleDetails<'a>) -> ParsedError<'a> {
    let mut parsed = error_object::parse(error);
    parsed.issues = parsed.issues.or_else(|| details.issues().map(Cow::Owned));
    if details.are_a_layers() {
        parsed.details = details.metadata().map(Cow::Owned);
    } else if details.are_issues() {
        parsed.details = None;
    }
    match details.info().and_then(|info| info.words("reason")) {
        Some(reason) => (parsed.code, parsed.wider) = (Some(reason), Some(status)),
        None => parsed.code = Some(status),
    }
    parsed.meaning = parsed.code.as_deref().map_or(DialectCode::Unknown, meaning);
    parsed
}

/// Returns the meaning of a name. `INVALID_ARGUMENT` only repeats the status 400.
fn meaning(name: &str) -> DialectCode {
    if name == Status::INVALID_ARGUMENT.name() { DialectCode::ByStatus } else { DialectCode::Unknown }
}

fn write(out: &Outgoing<'_>) -> Vec<u8> {
    let status = Status::of_error(out.canonical, out.status).name();
    written_with(out, quoted(status), &quoted(out.code), &quoted(out.domain))
}

fn written_with(out: &Outgoing<'_>, status: Vec<u8>, reason: &[u8], domain: &[u8]) -> Vec<u8> {
    let mut info = detail(out.size(), ERROR_INFO).raw("reason", reason).raw("domain", domain);
    let metadata = out.details.map(metadata_of).unwrap_or_default();
    if !metadata.is_empty() {
        info = info.raw("metadata", object_of_texts(&metadata));
    }
    let wait =
        out.retry_after.map(|wait| detail(96, RETRY_INFO).text("retryDelay", &format!("{}s", wait.as_secs())).close());
    let details = [Some(info.close()), Some(request_info(out)), wait, bad_request(out)];
    let error = Writer::new(2 * out.size()).raw("code", out.status.as_str()).text("message", out.message);
    let error = error.raw("status", status).raw("details", list(details.into_iter().flatten()));
    Writer::new(2 * out.size()).raw("error", error.close()).close()
}

/// Returns a JSON object with these texts. If several texts have the same name, only the last is written, because a
/// protobuf map cannot contain a name twice.
fn object_of_texts(texts: &[(String, String)]) -> Vec<u8> {
    let last: HashMap<_, _> = texts.iter().enumerate().map(|(at, (name, _))| (name, at)).collect();
    let texts = texts.iter().enumerate().filter(|(at, (name, _))| last[name] == *at);
    texts.fold(Writer::new(128), |json, (_, (name, text))| json.text(name, text)).close()
}

fn request_info(out: &Outgoing<'_>) -> Vec<u8> {
    detail(128, REQUEST_INFO).text("requestId", out.request_id).close()
}

/// Returns the issues as a `BadRequest`. The codes of the issues are left out, because many clients do not know the new
/// field for these codes.
fn bad_request(out: &Outgoing<'_>) -> Option<Vec<u8>> {
    let issues = written::by_parameter(out.details?);
    let violation = |issue: &NamedIssue<'_>| {
        Writer::new(96).text("field", &issue.parameter).text("description", &issue.message).close()
    };
    let violations = list(issues.iter().map(violation));
    (!issues.is_empty()).then(|| detail(out.size(), BAD_REQUEST).raw("fieldViolations", violations).close())
}

fn detail(size: usize, name: &str) -> Writer {
    Writer::new(size).text("@type", &[TYPE_URL, name].concat())
}

fn rewrite_in_place(kept: &PreservedBody<'_>, out: &Outgoing<'_>) -> Vec<u8> {
    let Some(error) = kept.body.object("error") else { return write(out) };
    let name = |of: Option<&Object<'_>>, name| {
        let value = of.and_then(|of| of.raw(name)).filter(|value| is_name(value));
        value.map(|value| value.get().as_bytes().to_vec())
    };
    let details = GoogleDetails::parse(&error);
    if !kept.whole {
        // A reason has a meaning only in its domain.
        let info = details.info();
        let reason = name(info, "reason").zip(name(info, "domain"));
        let (reason, domain) = reason.unwrap_or_else(|| (quoted(out.code), quoted(out.domain)));
        let status = name(Some(&error), "status");
        let status = status.unwrap_or_else(|| quoted(Status::of_error(out.canonical, out.status).name()));
        return written_with(out, status, &reason, &domain);
    }
    let mut set = vec![("code", out.status.as_str().into()), ("message", quoted(out.message))];
    // The id can only be written into details that are a list.
    if error.json("details").is_none_or(|details| details.starts_with('[')) {
        set.push(("details", details.list_with_our_id(out)));
    }
    let error = with_fields(&error, &set, &|_, _| true);
    with_fields(&kept.body, &[("error", error)], &|_, _| true)
}

/// The details of an error, each with the name of its type.
struct GoogleDetails<'a>(Vec<GoogleDetail<'a>>);

struct GoogleDetail<'a> {
    raw: &'a RawValue,
    /// The name of the message's type. The name is empty if the detail is not a message.
    name: String,
    object: Option<Object<'a>>,
}

impl<'a> GoogleDetails<'a> {
    fn parse(error: &Object<'a>) -> Self {
        let detail = |raw: &'a RawValue| {
            let object = Object::parse(raw.get());
            let url = object.as_ref().and_then(|object| object.string("@type")).unwrap_or_default();
            GoogleDetail { raw, name: url.rsplit('/').next().unwrap_or_default().to_owned(), object }
        };
        let list = error.raw("details").and_then(|details| json::array(details.get())).unwrap_or_default();
        Self(list.into_iter().map(detail).collect())
    }

    fn by_type(&self, name: &'static str) -> impl Iterator<Item = &Object<'a>> {
        self.0.iter().filter(move |detail| detail.name == name).filter_map(|detail| detail.object.as_ref())
    }

    /// Returns the first `ErrorInfo`. A service that passes on the error of another service puts its own `ErrorInfo`
    /// first.
    fn info(&self) -> Option<&Object<'a>> {
        self.by_type(ERROR_INFO).next()
    }

    /// Returns true if a layer wrote the details. A layer writes only details that this module reads completely.
    fn are_a_layers(&self) -> bool {
        let ours = |info: &Object<'_>| info.string("requestId").is_some_and(|id| is_of_layer(&id));
        let known = |name: &str| [ERROR_INFO, REQUEST_INFO, RETRY_INFO, BAD_REQUEST].contains(&name);
        self.0.iter().all(|detail| known(&detail.name))
            && self.by_type(ERROR_INFO).count() == 1
            && self.by_type(REQUEST_INFO).any(ours)
    }

    fn are_issues(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|detail| detail.name == BAD_REQUEST) && self.issues().is_some()
    }

    fn metadata(&self) -> Option<String> {
        let metadata = self.info()?.raw("metadata")?.get();
        Object::parse(metadata)?.members().next()?;
        Some(metadata.to_owned())
    }

    /// Returns the violations of the request as an issue list (E8).
    fn issues(&self) -> Option<String> {
        let lists = self.by_type(BAD_REQUEST).filter_map(|it| json::array(it.raw("fieldViolations")?.get()));
        written::list_of_issues(lists.flatten().filter_map(|violation| {
            let violation = Object::parse(violation.get())?;
            let parameter = violation.string("field").unwrap_or_default().into_owned();
            let code = violation.string("reason").and_then(|reason| issue_code(&reason)).map(Cow::Owned);
            Some(NamedIssue { parameter, message: violation.string("description")?, code })
        }))
    }

    /// Returns the list of details with this request's id. The id replaces the old id, or is added at the end.
    fn list_with_our_id(&self, out: &Outgoing<'_>) -> Vec<u8> {
        let set = [("requestId", quoted(out.request_id))];
        let ours = |detail: &GoogleDetail<'_>| match &detail.object {
            Some(object) if detail.name == REQUEST_INFO => with_fields(object, &set, &|_, _| true),
            _ => detail.raw.get().as_bytes().to_vec(),
        };
        let missing = self.by_type(REQUEST_INFO).next().is_none().then(|| request_info(out));
        list(self.0.iter().map(ours).chain(missing))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;

    use super::*;
    use crate::code::ErrorCode;
    use crate::dialect::outgoing::tests::{ID, out, preserved, text};

    fn reading(body: &str) -> Option<ParsedError<'_>> {
        read(&Body::new(None, Object::parse(body).unwrap()))
    }

    fn info(members: &str) -> String {
        format!(r#"{{"@type":"type.googleapis.com/google.rpc.ErrorInfo",{members}}}"#)
    }

    fn id(id: &str) -> String {
        format!(r#"{{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"{id}"}}"#)
    }

    fn body(status: &str, details: &[String]) -> String {
        let details = details.join(",");
        format!(r#"{{"error":{{"code":404,"message":"m","status":"{status}","details":[{details}]}}}}"#)
    }

    #[test]
    fn r2_the_status_is_grpcs_and_the_reason_the_code() {
        let own = ErrorCode::custom("seat_taken", 409).with_grpc(6);
        let foreign = ErrorCode::foreign("order_expired").unwrap();
        for (canonical, status, name) in [
            (&ErrorCode::NOT_FOUND, 404, "NOT_FOUND"),
            (&ErrorCode::AUTH_NO_EMAIL, 403, "PERMISSION_DENIED"),
            (&ErrorCode::OTHER, 502, "UNAVAILABLE"),
            (&ErrorCode::OTHER, 503, "UNAVAILABLE"),
            (&own, 409, "ALREADY_EXISTS"),
            (&foreign, 404, "NOT_FOUND"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let code = (FORM.name_of)(canonical, status);
            let reason = canonical.as_str().to_ascii_uppercase();
            assert_eq!(
                text(write(&Outgoing { status, canonical, code: &code, message: "No.", ..out() })),
                format!(
                    r#"{{"error":{{"code":{},"message":"No.","status":"{name}","details":[{},{}]}}}}"#,
                    status.as_str(),
                    info(&format!(r#""reason":"{reason}","domain":"x.test""#)),
                    id(ID)
                )
            );
        }
    }

    #[test]
    fn r2_details_are_texts_issues_are_violations_and_a_wait_is_told() {
        let details =
            r#"{"issues":[{"path":["a",0],"message":"\"m","code":"c"}],"s":"t\"","n":1.10,"l":[1],"z":null,"n":2}"#;
        let retry_after = Some(Duration::from_secs(7));
        let body = text(write(&Outgoing { details: Some(details), retry_after, ..out() }));
        for has in [
            r#""metadata":{"s":"t\"","l":"[1]","z":"null","n":"2"}}"#,
            r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7s"}"#,
            r#"{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"a[0]","description":"\"m"}]}"#,
        ] {
            assert!(body.contains(has), "{has}: {body}");
        }
        let body = text(write(&Outgoing { details: Some(r#"["a"]"#), ..out() }));
        assert!(body.contains(r#""metadata":{"details":"[\"a\"]"}"#), "{body}");
    }

    #[test]
    fn r2_the_first_reason_says_most_then_the_status() {
        let two = [info(r#""reason":"A""#), info(r#""reason":"B""#)];
        for (details, code, wider) in [
            (&[][..], "ABORTED", None),
            (&two[..], "A", Some("ABORTED")),
            (&[info(r#""reason":" ""#)], "ABORTED", None),
            (&[info(r#""reason":1"#)], "ABORTED", None),
            (&[r#"{"@type":"google.rpc.ErrorInfo","reason":"A"}"#.to_owned()], "A", Some("ABORTED")),
            (&["1".to_owned(), info(r#""reason":"A""#)], "A", Some("ABORTED")),
        ] {
            let body = body("ABORTED", details);
            let parsed = reading(&body).unwrap();
            assert_eq!((parsed.code.as_deref(), parsed.wider.as_deref()), (Some(code), wider), "{body}");
            assert!(parsed.details.is_some_and(|parsed| parsed == format!("[{}]", details.join(","))), "{body}");
        }
        for other in [
            r#"{"error":{"code":"404","message":"m","status":"NOT_FOUND"}}"#,
            r#"{"error":{"code":404,"message":"m","status":404}}"#,
            r#"{"error":{"code":404,"message":"m"}}"#,
            r#"{"code":404,"status":"NOT_FOUND"}"#,
        ] {
            assert!(reading(other).is_none(), "{other}");
        }
    }

    #[test]
    fn r2_a_list_that_a_layer_wrote_is_read_as_what_it_was_made_of() {
        let with = r#""reason":"A","domain":"d","metadata":{"k":"v"}"#;
        let theirs = "8e0a51ae-4b2e-4d3c-9a75-0c4e1c6a3d5f";
        let help = r#"{"@type":"type.googleapis.com/google.rpc.Help","links":[]}"#.to_owned();
        for (details, read) in [
            (vec![info(with), id(ID)], Some(r#"{"k":"v"}"#)),
            (vec![info(r#""reason":"A","domain":"d","metadata":{}"#), id(ID)], None),
            (vec![info(r#""reason":"A","domain":"d""#), id(ID)], None),
            (vec![info(with), id(theirs)], Some("[")),
            (vec![info(with)], Some("[")),
            (vec![id(ID)], Some("[")),
            (vec![info(with), info(with), id(ID)], Some("[")),
            (vec![info(with), id(ID), help], Some("[")),
        ] {
            let body = body("ABORTED", &details);
            let parsed = reading(&body).unwrap();
            let same = match read {
                Some("[") => parsed.details.as_deref() == Some(&*format!("[{}]", details.join(","))),
                read => parsed.details.as_deref() == read,
            };
            assert!(same, "{body}: {:?}", parsed.details);
        }
    }

    #[test]
    fn e8_violations_are_issues() {
        let violations = |list: &str| format!(r#"{{"@type":"x/google.rpc.BadRequest","fieldViolations":{list}}}"#);
        let two = body(
            "INVALID_ARGUMENT",
            &[
                violations(r#"[{"field":"a.b[1]","description":"m","reason":"TOO_LONG"}]"#),
                violations(r#"[{"description":"n"},{"field":"c"},1]"#),
            ],
        );
        let parsed = reading(&two).unwrap();
        assert_eq!(
            parsed.issues.as_deref(),
            Some(r#"[{"path":["a","b",1],"message":"m","code":"too_long"},{"path":[],"message":"n"}]"#)
        );
        assert!(parsed.details.is_none());
        for none in ["[]", "{}", "[1]"] {
            let body = body("INVALID_ARGUMENT", &[violations(none)]);
            let parsed = reading(&body).unwrap();
            assert!(parsed.issues.is_none() && parsed.details.is_some(), "{body}");
        }
    }

    #[test]
    fn r12_a_body_of_its_own_keeps_its_members_but_the_id() {
        let help = r#"{"@type":"x/google.rpc.Help","links":[1.0]}"#.to_owned();
        let theirs = |request: &str| {
            let reason = info(r#""reason":"ROOM_GONE","domain":"d.test","metadata":{"k":"v"}"#);
            let body = body("NOT_FOUND", &[reason, id(request), help.clone()]);
            body.replace("}]}}", r#"}],"hint":1.0},"n":1}"#)
        };
        let new = Outgoing { message: "new", code: "OURS", ..out() };
        let all = text(rewrite_in_place(&preserved(&theirs("theirs"), true), &new));
        assert_eq!(all, theirs(ID).replace(r#""m""#, r#""new""#));
        let masked = text(rewrite_in_place(&preserved(&theirs("theirs"), false), &new));
        let named = [info(r#""reason":"ROOM_GONE","domain":"d.test""#), id(ID)];
        assert_eq!(masked, body("NOT_FOUND", &named).replace(r#""m""#, r#""new""#));
        let unnamed = body("a secret", &[info(r#""reason":"ROOM_GONE","domain":"a secret""#)]);
        let ours = [info(r#""reason":"OURS","domain":"x.test""#), id(ID)];
        assert_eq!(
            text(rewrite_in_place(&preserved(&unnamed, false), &new)),
            body("NOT_FOUND", &ours).replace(r#""m""#, r#""new""#)
        );
        let odd = body("NOT_FOUND", &["1".to_owned(), "{}".to_owned()]);
        let kept_odd = body("NOT_FOUND", &["1".to_owned(), "{}".to_owned(), id(ID)]);
        assert_eq!(text(rewrite_in_place(&preserved(&odd, true), &new)), kept_odd.replace(r#""m""#, r#""new""#));
        let no_list = r#"{"error":{"code":404,"message":"new","status":"NOT_FOUND","details":"d"}}"#;
        assert_eq!(text(rewrite_in_place(&preserved(no_list, true), &new)), no_list);
        let bare = r#"{"error":{"code":200,"message":"m","status":"NOT_FOUND"}}"#;
        assert_eq!(
            text(rewrite_in_place(&preserved(bare, true), &new)),
            body("NOT_FOUND", &[id(ID)]).replace(r#""m""#, r#""new""#)
        );
    }
}
