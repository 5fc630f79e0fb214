//! Follows one request from its head to the last decision about its response, without I/O.
//!
//! An adapter owns the heads, the bodies, the timers, and everything in which user code can panic. A [`Session`]
//! decides, and returns each decision as a step. Three other values follow the bodies. These values are separate from
//! the session because an HTTP server handles bodies in other tasks:
//!
//! | value | lives with | from | until |
//! |---|---|---|---|
//! | [`BodyMeter`] | the request's body (G4) | [`RequestStep::Forward`] | the body's end |
//! | [`Reading`] | an inner error's body (R4) | [`ResponseStep::Read`] | [`Session::decide`] |
//! | [`Follow`] | a body that passes (M1, F4, F6, P) | [`ResponseStep::Pass`], `Strip`, `Resume` | its end or drop |
//!
//! | call | returns |
//! |---|---|
//! | [`Session::begin`]: the head of a request | `Forward`, `Verify`, `Peek`, `Send` |
//! | [`Session::verified`] after `Verify` | `Forward`, `Verify`, `Peek`, `Send` |
//! | [`Session::first_byte`] after `Peek` | `Forward`, `Send` |
//! | [`Session::respond`]: the head of a response | `Pass`, `Strip`, `Write`, `Send`, `Read` |
//! | [`Session::decide`] after `Read` | `Write`, `Send`, `Resume` |
//! | [`Session::end`]: no response of the service (F1–F3, G4, P1, V4) | a reply |
//! | [`Session::proxy_failed`]: the proxy itself answers (V2, V3) | `Write`, `Send` |
//! | [`Session::abandon`]: the client left (F2) | a record |
//!
//! A session that has ended returns `Broken` or `None`. Each request has one [`RequestRecord`] (L5). The record travels
//! in the step, or in the value that follows the body, until the adapter closes it. If the meter of
//! [`guard::body_limit`](crate::guard::body_limit) has cut the request's body off (G4), each call about the response
//! returns the refusal of that body. `reply` chooses the refusal.
//!
//! A request goes through these files in this order:
//!
//! 1. `admission` admits the request, with the help of the folder `request`.
//! 2. In `response`, `responding` decides by the head of the response, and by its body if the body was read. `calls`
//!    decides about responses of RPCs, and `passing` handles responses that pass.
//! 3. In `response`, `reading` limits how much of an error's body is read. `inner_error` passes the bytes that were
//!    read to [`classify`](crate::classify). With the crate `error-envelope-read`, `classify` parses these bytes and
//!    decides the code.
//! 4. In `answer`, `reply` ends the request with an error, and `writer` writes this error. `body` makes the body. For most
//!    errors, `writer` copies a head that it has made for an earlier error with the same code. `head` makes all others.
//! 5. `record` stores what happened.
//!
//! For example, a FastAPI service answers with a 422 and this body:
//!
//! ```json
//! {"detail":[{"loc":["body","qty"],"msg":"Field required","type":"missing"}]}
//! ```
//!
//! This is its way from the head to the new bytes, in a build with the feature `foreign`, which the gateway has. The
//! policy has no rule and no `redact`, and the client's `Accept` prefers no other form. In the paths, `layer` is the
//! folder `src/middleware` of the layer, and `classify` a folder of this crate. `read`, `fault`, `text` and `runtime`
//! are the sources of these crates. The other paths are in this folder:
//!
//! | file: function | what it decides or does |
//! |---|---|
//! | `layer/calling.rs`: `poll_calling` | Takes the head from the service, and asks the session |
//! | `response/responding.rs`: `decide_error` | In mode `enforce`, each 4xx and 5xx is rewritten |
//! | `response/responding.rs`: `rewrite_error` | The head has neither a fault of the service nor a header that keeps the body, its coding and length allow reading, and the request is no HEAD. So the body is read |
//! | `layer/collecting.rs`: `poll_into` | Collects the body. `Reading::data` in `response/reading.rs` checks each frame against the budget |
//! | `layer/collecting.rs`: `ended` | The body is complete, so the session is asked again |
//! | `response/responding.rs`: `decide_by_body` | No guard has cut off the request's body meanwhile |
//! | `response/inner_error.rs`: `decoded_body` | The body has neither a coding nor another charset than UTF-8 |
//! | `response/responding.rs`: `decided` | The body is no error of Connect. Passes the body to `classify`, and the result to `replace` |
//! | `classify/mod.rs`: `response` | An error that is only a status, or one line of text, takes a shorter way. A 400 or 422 with a body takes all steps, because it may list issues |
//! | `read/dialect/mod.rs`: `read_object` | The body is a JSON object. It is neither an envelope nor in the form of a protocol |
//! | `read/dialect/foreign/shapes.rs`: `read_unknown_shape` | No known shape fits, so the general rule reads the body. At the end, `shape_of` names the shape `fastapi` |
//! | `read/dialect/foreign/foreign_text.rs`: `read` | A list of one error is read as this error: its text is `msg`, and its code is `type` |
//! | `read/dialect/foreign/framework_errors/search.rs`: `issues` | `detail` is a list of issues |
//! | `read/dialect/foreign/framework_errors/entry.rs`: `read` | `loc` is the place, without its first part, which names the body. `msg` is the text, and `type` is the code of the issue |
//! | `read/dialect/foreign/framework_errors/found.rs`: `into_list` | Writes the issue: `{"path":["qty"],"message":"Field required","code":"missing"}` |
//! | `text/place.rs`: `json` | The path is `["qty"]` |
//! | `read/dialect/foreign/framework_errors.rs`: `set_found_issues` | `msg` is not the message, because an issue has this text. `detail` is not kept as a detail |
//! | `read/dialect/foreign/shapes.rs`: `add_all` | An issue has the code `missing` already, so it is not the code of the whole error |
//! | `classify/parse.rs`: `new` | The body lists issues, and a 422 tells of a mistake in the input |
//! | `classify/decide.rs`: `code_of_body` | No rule and no code of the body decides, so the issues do: the code is `invalid_request` |
//! | `classify/rewrite.rs`: `text` | No text is left for the message, so it is the catalogue's |
//! | `classify/reply_details.rs`: `details_of` | The issues become `details` |
//! | `answer/reply.rs`: `replace` | No rule sets another status, so it stays 422. Calls the writer. Then stores the status, the code, the shape, and what decided the code, in the record |
//! | `answer/writer.rs`: `prepared_reply` | The policy keeps a head for each code and form. The first such error makes this head, and later ones copy it. `rewritten` makes a new head if the service's head has headers that must stay, such as `vary` or those of CORS |
//! | `answer/head.rs`: `rewrite` | Makes each head: removes what described the old body, and sets `content-type`, `x-error-code` and the other headers of an error |
//! | `answer/body.rs`: `body_of` | The route has the standard dialect, and the client's `Accept` prefers neither RFC 9457 nor a page |
//! | `read/dialect/standard.rs`: `write` | Writes the envelope |
//! | `fault/fault/prepared.rs`: `fill` | Writes the id and the length of the body into the copied head |
//! | `layer/calling.rs`: `written` | Makes the response with this head and body |
//! | `layer/response_body.rs`: `poll_own` | Returns the bytes to the HTTP server as one frame |
//! | `layer/watched.rs`: `close` | Closes the record when the server drops the body |
//! | `runtime/record.rs`: `close` | Counts and logs the closed record, and passes it to an observer |
//! | `runtime/log.rs`: `write_record` | Writes the log line |
//!
//! Without `foreign`, `read` in `read/dialect/without_foreign.rs` replaces the rows from `shapes.rs` to `add_all`. It
//! finds no list, so the only issue has no path.
//!
//! The client gets this body:
//!
//! ```json
//! {"error":{"code":"invalid_request","message":"The request failed validation.","details":{"issues":[{"path":["qty"],"message":"Field required","code":"missing"}]}},"request_id":"req_…"}
//! ```
//!
//! The log line is at level INFO, and contains `code="invalid_request"`, `decided_by="issues"` and `dialect="fastapi"`.
//!
//! `entry` contains the calls without a response of the service. All files share the `RequestState` in `request/state`.
//! The folders are ordered from low to high: `record`, `request`, `answer`, `response`, then `admission` and `entry`.
//! No file imports from a higher folder.

mod admission;
mod answer;
mod entry;
mod record;
mod request;
mod response;

pub use self::answer::changes::{HeaderMutation, changes};
pub use self::answer::head::exposed_headers;
pub use self::answer::outcome::{Failure, FinalFrame, FirstByte, LocalReply, NotCalled, RewrittenBody};
pub use self::answer::reply::fault_cause;
pub use self::record::body_capture::{BodyCapture, CapturedBody};
pub use self::record::delivery::{Delivery, End, Outcome, SentStatus, ServiceAnswer, ServiceBody};
pub use self::record::notes::{KnownMethod, MapRuleId, Origin, RecordFields, UnreadReason};
pub use self::record::proxy_error::{ProxyError, ProxyErrorRecogniser, ProxyFailure};
pub use self::record::request_record::{
    BoxError, Cause, CauseTexts, Classifier, ClosedRecord, FrameworkRoute, Observer, OriginalUri, ReasonPhrase,
    RequestRecord, SessionConfig,
};
pub use self::request::header_use::{is_read, is_removed, keep_checksums};
pub use self::request::state::{Session, Verification};
pub use self::request::view::BodyFacts;
pub use self::response::follow::{Follow, Needs};
pub use self::response::reading::{Budget, Read, Reading};
pub use self::response::step::{Ending, RequestStep, ResponseStep, Rest};
pub use crate::classify::Explanation;
pub use crate::classify::decide::DecidedBy;
pub use crate::classify::failure::{CauseKind, Recognised, Recogniser};
pub use crate::dialect::Shape;
pub use crate::fields::is_same_to_cgi;
#[doc(hidden)]
pub use crate::fields::{Lengths, lines};
pub use crate::guard::body_limit::{BodyMeter, DrainBudget, MeterAction, client_left};
pub use crate::policy::host::has_clear_host;

#[cfg(test)]
mod tests;
