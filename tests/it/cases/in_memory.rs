//! Runs the decisions alone, without a runtime, a socket or a clock. The driver tells the core each outcome of a body.
//!
//! Other drivers test the work of an adapter: waiting, draining, catching, breaking off a body.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use error_envelope_core::session::{
    BodyFacts, BodyMeter, BoxError, Ending, FirstByte, Follow, LocalReply, MeterAction, Reading, RequestRecord,
    RequestStep, ResponseStep, Rest, SentStatus, Session, SessionConfig, UnreadReason,
};
use http::{HeaderName, HeaderValue, Response as HttpResponse, StatusCode, request};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Limited};
use tower_error_envelope::middleware::recognise;
use tower_error_envelope::{Policy, RequestId};

use super::always::SECRET;
use super::drive::{Driver, Outcome};
use super::failures::{failure, fault};
use super::format::{Case, Fails, InnerFraming};
use super::policy;
use super::reply::Reply;
use super::script::{headers_of, sent};
use super::seen::{Call, End, Exchanged, Facts, Response, Run};

pub(super) struct Core;

impl Driver for Core {
    type Session = ();

    fn name(&self) -> &'static str {
        "core"
    }

    fn run(&self, (): &mut (), case: &Case) -> Outcome {
        if let Some(why) = not_here(case) {
            return Outcome::NotMine(why);
        }
        Outcome::Ran(match policy::from_case(case) {
            Ok(policies) => run(case, policies),
            Err(text) => Run { refused: Some(text), ..Run::default() },
        })
    }
}

fn not_here(case: &Case) -> Option<&'static str> {
    let drains = case.request.reads_late || case.expect.no_reset;
    [
        (drains, "draining is the adapter's"),
        (case.inner.answers_first, "two bodies at once are the adapter's"),
        (case.request.leaves_after_ms.is_some(), "a client that leaves is the adapter's"),
        (case.expect.interim.as_ref().is_some_and(|interim| !interim.is_empty()), "interim responses are the server's"),
        (case.request.raw().is_some() || case.request.pipelined, "bytes of a socket"),
        (case.inner.raw().is_some() || case.inner.upgraded.is_some(), "an inner response of a socket"),
        (case.inner.drops.is_some(), "a connection to the service is a socket"),
        (case.reload.is_some(), "a reload is of the gateway"),
        (case.limits_its_service(), "a time limit of a scope's service is of the gateway"),
        (
            case.expect.refused.is_none() && super::request::from_case(case).is_none(),
            "a request that `http` cannot say",
        ),
    ]
    .into_iter()
    .find_map(|(applies, why)| applies.then_some(why))
}

fn run(case: &Case, policies: impl Fn() -> Policy) -> Run {
    let config: Vec<_> = (0..case.chain)
        .map(|_| Arc::new(SessionConfig { recogniser: Some(recognise), ..SessionConfig::new(policies(), now) }))
        .collect();
    let mut stage = Stage { case, calls: Vec::new(), log: String::new(), took: Duration::ZERO };
    let mut exchanges = Vec::new();
    for _ in 0..case.request.times {
        let (mut head, body) = super::request::from_case(case).expect("looked at before the run").into_parts();
        let size = body.size_hint();
        let facts = BodyFacts { ended: body.is_end_stream(), lower: size.lower(), upper: size.upper() };
        stage.took = Duration::ZERO;
        let response = stage.layer(&config, &mut head, facts).map(|reply| stage.seen(reply));
        exchanges.push(Exchanged { response: response.map_err(|error| error.to_string()), reset: false });
    }
    let facts = Facts { processes: 1, ..Facts::default() };
    Run { exchanges, calls: stage.calls, log: stage.log, facts, ..Run::default() }
}

struct Stage<'a> {
    case: &'a Case,
    calls: Vec<Call>,
    log: String,
    /// The time that an adapter would have waited.
    took: Duration,
}

impl Stage<'_> {
    /// Runs the first of these layers around the others. Without layers, this is the service.
    fn layer(
        &mut self,
        config: &[Arc<SessionConfig>],
        head: &mut request::Parts,
        body: BodyFacts,
    ) -> Result<Reply, BoxError> {
        let Some((config, inside)) = config.split_first() else { return self.service(head) };
        let (mut session, mut step) = Session::begin(config.clone(), head, body, fresh_id);
        loop {
            step = match step {
                RequestStep::Send(reply) => return Ok(self.answered(*reply)),
                RequestStep::Peek(wait) => session.first_byte(self.first_byte(body, wait)),
                // A policy from a file has no verifiers.
                RequestStep::Verify(_) => session.verified(head, Err("this driver has no verifiers".into())),
                RequestStep::Forward(meter) => {
                    let metered = self.metered(meter);
                    let before = self.took;
                    let answer = match self.unready() {
                        Some(unready) => return Ok(self.not_forwarded(&mut session, unready)),
                        None if inside.is_empty() => self.service_reading(head, metered),
                        None => self.layer(inside, head, body),
                    };
                    if let Some(deadline) = session.call_time().filter(|deadline| self.took - before >= *deadline) {
                        self.took = before + deadline;
                        return Ok(self.ended(&mut session, Ending::TimedOut));
                    }
                    return Ok(self.decided(session, answer));
                }
                RequestStep::Broken => panic!("the session expected another call"),
            };
        }
    }

    fn first_byte(&mut self, body: BodyFacts, wait: Duration) -> FirstByte {
        match self.case.request.body().unwrap_or_default() {
            body if !body.is_empty() => FirstByte::Data,
            _ if body.upper.is_none_or(|upper| upper == 0) => FirstByte::End,
            _ => {
                self.took += wait;
                FirstByte::TooSlow
            }
        }
    }

    /// Sends the body through the meter. Returns the whole body, or the error that its reader gets.
    fn metered(&self, meter: Option<BodyMeter>) -> Result<Vec<u8>, (Vec<u8>, BoxError)> {
        let body = self.case.request.body().unwrap_or_default();
        let Some(mut meter) = meter.filter(|_| self.case.inner.reads_body) else { return Ok(body) };
        let mut read = Vec::new();
        for piece in self.case.request.pieces(512) {
            match meter.request_data(&piece) {
                MeterAction::Within => read.extend_from_slice(&piece),
                MeterAction::Over(_) => return Err((read, over_limit())),
            }
        }
        meter.body_ended();
        Ok(read)
    }

    fn unready(&self) -> Option<Fails> {
        self.case.inner.fails.filter(|fails| matches!(fails, Fails::NotReady | Fails::PanicInReady))
    }

    fn not_forwarded(&mut self, session: &mut Session, fails: Fails) -> Reply {
        let why = if fails == Fails::PanicInReady {
            Ending::UnreadyPanicked(SECRET.into())
        } else {
            let cause: BoxError = SECRET.into();
            Ending::Unready(session.classify_unready(&*cause).expect("it goes on"), cause)
        };
        self.ended(session, why)
    }

    fn ended(&mut self, session: &mut Session, why: Ending) -> Reply {
        let reply = session.end(why).expect("it has not ended");
        self.answered(reply)
    }

    fn service_reading(
        &mut self,
        head: &request::Parts,
        metered: Result<Vec<u8>, (Vec<u8>, BoxError)>,
    ) -> Result<Reply, BoxError> {
        let mut call = Call { headers: headers_of(&head.headers), ..Call::default() };
        let failed = match metered {
            Ok(body) => {
                call.body = Some(body);
                None
            }
            Err((body, error)) => {
                (call.body, call.body_error) = (Some(body), Some(error.to_string()));
                Some(error)
            }
        };
        self.calls.push(call);
        match (failed, self.case.inner.on_body_error) {
            (Some(error), None) => Err(error),
            (Some(_), Some(status)) => Ok(self.answer(head, status)),
            (None, _) => self.service(head),
        }
    }

    fn service(&mut self, head: &request::Parts) -> Result<Reply, BoxError> {
        self.took += Duration::from_millis(self.case.inner.delay_ms);
        match failure(&self.case.inner) {
            Some(error) => Err(error),
            None if self.case.inner.fails == Some(Fails::Panic) => Err(Box::new(Panicked)),
            None => Ok(self.answer(head, self.case.inner.status())),
        }
    }

    fn answer(&mut self, head: &request::Parts, status: u16) -> Reply {
        let inner = &self.case.inner;
        let sent = sent(inner, status, &headers_of(&head.headers));
        if let Some(call) = self.calls.last_mut() {
            call.sent = Some(sent.clone());
        }
        let mut response = HttpResponse::new(());
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        for (name, value) in &sent.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            response.headers_mut().append(name, HeaderValue::from_bytes(value).expect("a value"));
        }
        if let Some(inner_fault) = &inner.fault {
            response.extensions_mut().insert(fault(inner_fault));
        }
        let bodiless = head.method == http::Method::HEAD || matches!(status, 100..200 | 204 | 304);
        let (head, known) = (response.into_parts().0, inner.framed() == InnerFraming::Length);
        if bodiless {
            return Reply::new(head, Vec::new());
        }
        let length = Some(sent.body.len() as u64).filter(|length| (known || *length == 0) && !inner.stalls);
        let nothing = sent.body.is_empty() && inner.trailers().is_empty();
        Reply { length: length.filter(|_| known || nothing), ..Reply::of_service(inner, head, sent) }
    }

    fn decided(&mut self, mut session: Session, answer: Result<Reply, BoxError>) -> Reply {
        let mut reply = match answer {
            Ok(reply) => reply,
            Err(error) if error.is::<Panicked>() => return self.ended(&mut session, Ending::Panicked(SECRET.into())),
            Err(error) => {
                let failure = session.classify(&*error).expect("it goes on");
                return self.ended(&mut session, Ending::Failed(failure, error));
            }
        };
        let facts = reply.facts();
        let out_of_time = session.call_time().is_some();
        let mut step = session.respond(&mut reply.head, || facts);
        if let ResponseStep::Read(reading) = step {
            let read = self.read(reading, &reply);
            step = session.decide(&mut reply.head, read);
        }
        match step {
            ResponseStep::Pass(follow) | ResponseStep::Resume(_, Rest::Body, follow) => {
                self.followed(reply, follow, out_of_time)
            }
            ResponseStep::Resume(_, Rest::Trailers(_), follow) => {
                follow.record().into_iter().for_each(|record| self.note(record));
                reply
            }
            ResponseStep::Strip(_) => Reply::new(reply.head, Vec::new()),
            ResponseStep::Write(written) => {
                self.note(&written.record);
                Reply::new(reply.head, written.body.to_vec())
            }
            ResponseStep::Send(answered) => self.answered(*answered),
            ResponseStep::Read(_) | ResponseStep::Broken => panic!("the session expected another call"),
        }
    }

    fn followed(&mut self, reply: Reply, follow: Follow, out_of_time: bool) -> Reply {
        let piece = self.case.inner.trickle.map(|trickle| trickle.bytes);
        let (reply, record) = reply.followed(follow, out_of_time, piece);
        record.iter().for_each(|record| self.note(record));
        reply
    }

    /// Reads an error's body, as far as it arrives within its time.
    fn read(&mut self, mut reading: Reading, reply: &Reply) -> error_envelope_core::session::Read {
        let time = reading.waits(monotonic) - monotonic();
        let pieces = self.case.inner.trickle.map_or(0, |trickle| {
            let waits = reply.body.len().div_ceil(trickle.bytes.max(1)).saturating_sub(1);
            trickle.every_ms * waits as u64
        });
        let late = reply.end == End::Unfinished || Duration::from_millis(pieces) > time;
        self.took += if late { time } else { Duration::from_millis(pieces) };
        match reading.data(Bytes::copy_from_slice(&reply.body), monotonic) {
            Err(why) => return reading.stop(why),
            Ok(()) if late => return reading.stop(UnreadReason::TooLate),
            Ok(()) if reply.fails() => return reading.stop(UnreadReason::BrokeOff),
            Ok(()) => {}
        }
        if !reply.trailers.is_empty() {
            reading.trailers(reply.trailers.clone());
        }
        reading.end()
    }

    fn answered(&mut self, answered: LocalReply) -> Reply {
        self.note(&answered.record);
        let (head, body) = answered.reply.into_parts();
        Reply::new(head, body.to_vec())
    }

    /// Notes what the core tells an adapter to log. The adapter alone decides about writing the cause.
    fn note(&mut self, record: &RequestRecord) {
        let code = |sent: Option<&SentStatus>| sent.and_then(|sent| sent.code.as_ref()).map(ToString::to_string);
        let (sent, would_be) = (code(record.sent()).unwrap_or_default(), code(record.would_be()).unwrap_or_default());
        let origin = record.origin().map_or("none", |origin| origin.as_str());
        let _ =
            write!(self.log, "request_id={} code={sent} would_be_code={would_be} origin={origin}", record.request_id());
        let notes = record.notes();
        let sides = [
            ("client_request_id", notes.client_request_id.as_deref()),
            ("upstream_request_id", notes.upstream_request_id.as_deref()),
            ("removed_headers", notes.removed_headers.as_deref()),
            ("dropped_fields", notes.dropped_fields.as_deref()),
            ("service_code", notes.service_code.as_ref().map(|code| code.as_str())),
            ("unread", record.unread().map(UnreadReason::as_str)),
        ];
        if !notes.also.is_empty() {
            let _ = write!(self.log, " also={:?}", &notes.also);
        }
        for (name, value) in sides.iter().filter_map(|(name, value)| Some((name, (*value)?))) {
            let _ = write!(self.log, " {name}={value}");
        }
        self.log.push('\n');
    }

    fn seen(&self, reply: Reply) -> Response {
        Response {
            status: reply.head.status.as_u16(),
            headers: headers_of(&reply.head.headers),
            body: reply.body,
            trailers: headers_of(&reply.trailers),
            end: reply.end,
            head_at: self.took,
            whole_at: self.took,
            ..Response::default()
        }
    }
}

/// Returns consecutive ids. The core requests an id, and does not make it.
fn fresh_id() -> RequestId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    RequestId::from_parts(1_700_000_000_000, NEXT.fetch_add(1, Ordering::Relaxed).into())
}

/// Returns a time between the keys of the cases that have expired and those that have not.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_796_000_000)
}

/// Returns the time of a clock that stands still. [`Stage::took`] counts the waits.
pub(super) fn monotonic() -> Instant {
    static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);
    *NOW
}

/// Returns this error, which has no constructor. A body over its limit yields one.
fn over_limit() -> BoxError {
    let body = Limited::new(http_body_util::Full::new(Bytes::from_static(b"xx")), 1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(body.collect()).expect_err("two bytes are over one")
}

/// The panic of the service, as its adapter would have caught it.
#[derive(Debug)]
struct Panicked;

impl std::fmt::Display for Panicked {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the service panicked")
    }
}

impl std::error::Error for Panicked {}
