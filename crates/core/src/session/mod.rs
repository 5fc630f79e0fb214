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
//! 4. In `answer`, `reply` ends the request with an error. `writer` writes this error. `writer` takes the head from the
//!    fault's prepared reply, whose template `head` makes once, or from `head` itself. `body` makes the body.
//! 5. `record` stores what happened.
//!
//! For example, a FastAPI service answers with a 422 and `{"detail":[{"loc":["body","to"],"msg":"Field required"}]}`:
//!
//! | station | what it decides |
//! |---|---|
//! | `response/responding` | A 422 in mode `enforce` is to be rewritten, so its body is read |
//! | `response/reading` | The body is complete, and within the budget |
//! | `response/inner_error`, `classify` | The body is read as JSON, because it is neither empty nor a line of text |
//! | the crate `read`: `dialect`, then `dialect/foreign` | The body is neither an envelope nor in the form of a protocol. Its list has one issue, `to`: *Field required*. Without the feature `foreign`, the issue has no path |
//! | the crate `text` | `loc` is the path of the field, and its first part names the body. `msg` is the text of the issue |
//! | `classify/decide` | A list of issues on a 422 is `invalid_request` |
//! | `classify/rewrite`, `classify/reply_details` | The text is the catalogue's. The issues become `details` |
//! | `answer/reply`, `answer/writer` | The status stays. Head and body are written |
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
pub use crate::fields::lines;
pub use crate::guard::body_limit::{BodyMeter, DrainBudget, MeterAction, client_left};
pub use crate::policy::host::has_clear_host;
