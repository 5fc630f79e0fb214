//! A scripted service, driven by a `Session` and by the `Exchange` below it: both give the same.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, request, response};

use super::*;
use crate::exchange::{FinalFrame, MeterAction, Origin, UnreadReason};
use crate::policy::{EventStreams, Mode, Policy};

#[derive(Clone)]
enum Piece {
    Data(&'static [u8]),
    Trailers(&'static str, &'static str),
    Fails(&'static str),
    /// Nothing comes any more.
    Silence,
}

#[derive(Clone)]
enum Service {
    Responds(u16, &'static [(&'static str, &'static str)], Vec<Piece>),
    Fails(&'static str),
    Panics,
    NotReady(&'static str),
    ClientLeaves,
}

struct Script {
    name: &'static str,
    policy: Policy,
    request: &'static [(&'static str, &'static str)],
    body: Vec<Piece>,
    service: Service,
}

#[derive(Debug, Default, PartialEq)]
struct Outcome {
    forwarded: bool,
    head: Option<(u16, Vec<(String, String)>)>,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
    broken: bool,
    log: Vec<String>,
}

impl Outcome {
    fn event(&mut self, event: &Event) {
        let Event { .. } = event;
        self.log.push(format!(
            "{} {:?} {:?} {:?} {:?} {:?} {:?}",
            event.request_id(),
            event.code().map(ToString::to_string),
            event.origin(),
            event.status(),
            event.would_be(),
            event.unread(),
            event.cause().map(ToString::to_string),
        ));
    }

    fn note(&mut self, note: &Note) {
        if let Note::Event(event) = note {
            self.event(event);
        }
    }

    fn head(&mut self, head: &response::Parts) {
        let line = |(name, value): (&http::HeaderName, &HeaderValue)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        self.head = Some((head.status.as_u16(), head.headers.iter().map(line).collect()));
    }

    fn send(mut self, reply: LocalReply) -> Self {
        reply.unenforced.iter().for_each(|event| self.event(event));
        self.event(&reply.event);
        let (head, body) = reply.reply.into_parts();
        self.head(&head);
        self.body.extend_from_slice(&body);
        self
    }

    fn written(mut self, head: &response::Parts, body: &[u8]) -> Self {
        self.head(head);
        self.body.extend_from_slice(body);
        self
    }

    fn broken(mut self) -> Self {
        self.broken = true;
        self
    }
}

// --- The driver: everything that an adapter without sockets has. 68 lines. ---

fn drive(config: Arc<ExchangeConfig>, script: &Script) -> Outcome {
    let (mut out, mut head, mut pieces) = (Outcome::default(), head_of(script), script.body.clone().into_iter());
    let (mut session, mut step) = Session::begin(config, &mut head, facts_of(&script.body), id);
    let meter = loop {
        step = match step {
            RequestStep::Forward(meter, unenforced) => {
                unenforced.iter().for_each(|event| out.event(event));
                break meter;
            }
            RequestStep::Send(reply) => return out.send(*reply),
            RequestStep::Verify(_) => session.verified(&mut head, Err("no verifier".into())),
            RequestStep::Peek(_) => {
                let first = match pieces.next() {
                    None | Some(Piece::Trailers(..)) => FirstByte::End,
                    Some(Piece::Data(_)) => FirstByte::Data,
                    Some(Piece::Silence) => FirstByte::TooSlow,
                    Some(Piece::Fails(text)) => {
                        let error = BoxError::from(text);
                        FirstByte::Failed(session.classify(&*error).unwrap(), error)
                    }
                };
                session.first_byte(first)
            }
            RequestStep::Broken => return out.broken(),
        };
    };
    let read = metered(meter, pieces);
    out.forwarded = !matches!(script.service, Service::NotReady(_));
    let (mut head, mut pieces) = match served(script, read) {
        Ok((head, pieces)) => (head, pieces.into_iter()),
        Err(None) => {
            session.abandon().iter().for_each(|event| out.event(event));
            return out;
        }
        Err(Some(failed)) => {
            let why = failed(&session);
            return match session.end(why) {
                Some(reply) => out.send(*reply),
                None => out.broken(),
            };
        }
    };
    let mut step = session.respond(&mut head, || facts_of(pieces.as_slice()));
    loop {
        let (begun, mut follow) = match step {
            ResponseStep::Pass(follow, note) => {
                out.note(&note);
                (Bytes::new(), follow)
            }
            ResponseStep::Resume(begun, rest, event) => {
                out.event(&event);
                match rest {
                    Rest::Body(follow) => (begun, follow),
                    Rest::Trailers(trailers) => {
                        out.trailers = trailers.map(|trailers| *trailers);
                        return out.written(&head, &begun);
                    }
                }
            }
            ResponseStep::Strip(_, note) => {
                out.note(&note);
                return out.written(&head, &[]);
            }
            ResponseStep::Write(written) => {
                written.unenforced.iter().for_each(|event| out.event(event));
                out.event(&written.event);
                return out.written(&head, &written.body);
            }
            ResponseStep::Send(reply) => return out.send(*reply),
            ResponseStep::Read(reading) => {
                step = session.decide(&mut head, read_all(reading, &mut pieces));
                continue;
            }
            ResponseStep::Broken => return out.broken(),
        };
        out = out.written(&head, &begun);
        for piece in pieces {
            match piece {
                Piece::Data(data) => {
                    let mut data = Bytes::from_static(data);
                    follow.data(&mut data, false, Instant::now).iter().for_each(|event| out.event(event));
                    out.body.extend_from_slice(&data);
                }
                Piece::Trailers(name, value) => {
                    let mut trailers = trailers(name, value);
                    follow.trailers(&mut trailers, Instant::now).iter().for_each(|event| out.event(event));
                    out.trailers = Some(trailers);
                }
                Piece::Fails(text) => {
                    let error = BoxError::from(text);
                    let failure = follow.classify(&*error);
                    let (last, events) = follow.failed(Origin::Error, failure, error, Instant::now);
                    events.iter().flatten().for_each(|event| out.event(event));
                    return ended(out, last);
                }
                Piece::Silence => {
                    follow.dropped(false, Instant::now).iter().for_each(|event| out.event(event));
                    return out.broken();
                }
            }
        }
        follow.end(Instant::now).iter().for_each(|event| out.event(event));
        return out;
    }
}

fn read_all(mut reading: Reading, pieces: &mut std::vec::IntoIter<Piece>) -> Read {
    for piece in pieces {
        match piece {
            Piece::Data(data) => {
                if let Err(why) = reading.data(Bytes::from_static(data), Instant::now) {
                    return reading.stop(why);
                }
            }
            Piece::Trailers(name, value) => reading.trailers(trailers(name, value)),
            Piece::Fails(_) => return reading.stop(UnreadReason::BrokeOff),
            Piece::Silence => return reading.stop(UnreadReason::TooLate),
        }
    }
    reading.end()
}

// --- The same by the exchange alone, as `trial`, the case driver and the fuzz targets do it. ---

fn direct(config: Arc<ExchangeConfig>, script: &Script) -> Outcome {
    let (mut out, mut head, mut pieces) = (Outcome::default(), head_of(script), script.body.clone().into_iter());
    let mut admission = Exchange::begin(config, &mut head, facts_of(&script.body), id);
    let (exchange, meter) = loop {
        admission = match admission {
            Admission::Answer(reply) => return out.send(*reply),
            Admission::Verify(pending, _) => pending.verified(&mut head, Err("no verifier".into())),
            Admission::Peek(pending, _) => {
                let first = match pieces.next() {
                    None | Some(Piece::Trailers(..)) => FirstByte::End,
                    Some(Piece::Data(_)) => FirstByte::Data,
                    Some(Piece::Silence) => FirstByte::TooSlow,
                    Some(Piece::Fails(text)) => {
                        let error = BoxError::from(text);
                        FirstByte::Failed(pending.failure_of(&*error), error)
                    }
                };
                pending.first_byte(first)
            }
            Admission::Forward(exchange, meter, unenforced) => {
                unenforced.iter().for_each(|event| out.event(event));
                break (exchange, meter);
            }
        };
    };
    let read = metered(meter, pieces);
    out.forwarded = !matches!(script.service, Service::NotReady(_));
    let (status, headers, pieces) = match (&script.service, read) {
        (Service::NotReady(text), _) => {
            let error = BoxError::from(*text);
            let failure = exchange.unreadiness_of(&*error);
            return out.send(exchange.unready(failure, error));
        }
        (_, Err(error)) => {
            let failure = exchange.failure_of(&*error);
            return out.send(exchange.failed(failure, error));
        }
        (Service::Fails(text), _) => {
            let error = BoxError::from(*text);
            let failure = exchange.failure_of(&*error);
            return out.send(exchange.failed(failure, error));
        }
        (Service::Panics, _) => return out.send(exchange.panicked("boom".into())),
        (Service::ClientLeaves, _) => {
            out.event(&exchange.abandoned());
            return out;
        }
        (Service::Responds(status, headers, pieces), _) => (*status, *headers, pieces.clone()),
    };
    let mut head = response_head(status, headers);
    let facts = facts_of(&pieces);
    let whole = |most: u64| {
        let mut read = Vec::new();
        for piece in &pieces {
            match piece {
                Piece::Data(data) => read.extend_from_slice(data),
                Piece::Fails(_) => return (read, Some(UnreadReason::BrokeOff)),
                Piece::Silence => return (read, Some(UnreadReason::TooLate)),
                Piece::Trailers(..) => {}
            }
            if read.len() as u64 > most {
                return (read, Some(UnreadReason::TooLong));
            }
        }
        (read, None)
    };
    let rest = |mut out: Outcome, head: &response::Parts, tail: crate::exchange::BodyContext| {
        out.head(head);
        for piece in &pieces {
            match piece {
                Piece::Data(data) => out.body.extend_from_slice(data),
                Piece::Trailers(name, value) => out.trailers = Some(trailers(name, value)),
                Piece::Fails(text) => {
                    out.event(&tail.broke_off(Origin::Error, (*text).into()));
                    return out.broken();
                }
                Piece::Silence => return out.broken(),
            }
        }
        out
    };
    match exchange.response_head(&mut head, || facts) {
        ResponsePlan::Pass(tail, _) => rest(out, &head, tail),
        ResponsePlan::Keep(tail, event) => {
            out.event(&event);
            rest(out, &head, tail)
        }
        ResponsePlan::Strip(..) => out.written(&head, &[]),
        ResponsePlan::Rewrite(written) => {
            out.event(&written.event);
            out.written(&head, &written.body)
        }
        ResponsePlan::Replace(reply) => out.send(*reply),
        ResponsePlan::Collect(exchange, most, _) => {
            let (read, unread) = whole(most);
            let collected = if unread.is_none() { Collected::Whole(&read) } else { Collected::Unreadable(&read) };
            let mut action = exchange.response_body(&mut head, collected);
            if let Some(why) = unread {
                action.event_mut().note_unread(why);
            }
            match action {
                CollectedAction::Rewrite(written) => {
                    out.event(&written.event);
                    out.written(&head, &written.body)
                }
                CollectedAction::Replace(reply) => out.send(*reply),
                CollectedAction::Restore(tail, event) => {
                    out.event(&event);
                    rest(out, &head, tail)
                }
            }
        }
        ResponsePlan::Tee(tail, observed, most, _) => {
            let (read, unread) = whole(most);
            let event = match unread {
                None => observed.finish(Collected::Whole(&read)),
                Some(why) => {
                    let mut event = observed.finish(Collected::Unreadable(&read));
                    event.note_unread(if why == UnreadReason::TooLate { UnreadReason::BrokeOff } else { why });
                    event
                }
            };
            out.event(&event);
            rest(out, &head, tail)
        }
        ResponsePlan::Watch(mut call) => {
            out.head(&head);
            for piece in &pieces {
                match piece {
                    Piece::Data(data) => {
                        let mut data = Bytes::from_static(data);
                        call.response_data(&mut data).iter().for_each(|event| out.event(event));
                        out.body.extend_from_slice(&data);
                    }
                    Piece::Trailers(name, value) => {
                        let mut trailers = trailers(name, value);
                        call.response_trailers(&mut trailers).iter().for_each(|event| out.event(event));
                        out.trailers = Some(trailers);
                    }
                    Piece::Fails(text) => {
                        let error = BoxError::from(*text);
                        let failure = call.failure_of(&*error);
                        let failed = call.failed(failure, error);
                        out.event(&failed.event);
                        return ended(out, failed.last);
                    }
                    Piece::Silence => {
                        if !call.has_ended() {
                            out.event(&call.abandoned());
                        }
                        return out.broken();
                    }
                }
            }
            out
        }
        ResponsePlan::Stream(mut events, event) => {
            event.iter().for_each(|event| out.event(event));
            out.head(&head);
            for piece in &pieces {
                match piece {
                    Piece::Data(data) => {
                        let changed = events.response_data(data);
                        out.body.extend_from_slice(changed.as_deref().unwrap_or(data));
                    }
                    Piece::Fails(text) => {
                        let error = BoxError::from(*text);
                        let failure = events.failure_of(&*error);
                        let failed = events.failed(failure, error);
                        out.event(&failed.event);
                        return ended(out, failed.last);
                    }
                    Piece::Trailers(..) => events.response_trailers(),
                    Piece::Silence => return out.broken(),
                }
            }
            out
        }
    }
}

// --- What both need. ---

fn ended(mut out: Outcome, last: FinalFrame) -> Outcome {
    match last {
        FinalFrame::Trailers(trailers) => out.trailers = Some(trailers),
        FinalFrame::Data(data) => out.body.extend_from_slice(&data),
        FinalFrame::BrokenOff => out.broken = true,
    }
    out
}

fn metered(meter: Option<BodyMeter>, pieces: impl Iterator<Item = Piece>) -> Result<(), BoxError> {
    let Some(mut meter) = meter else { return Ok(()) };
    for piece in pieces {
        match piece {
            Piece::Data(data) => {
                if let MeterAction::Over(_) = meter.request_data(data) {
                    return Err("length limit exceeded".into());
                }
            }
            Piece::Fails(text) => {
                let error = BoxError::from(text);
                meter.body_failed(&*error);
                return Err(error);
            }
            Piece::Trailers(..) | Piece::Silence => {}
        }
    }
    meter.body_ended();
    Ok(())
}

type EndingOf = Box<dyn FnOnce(&Session) -> Ending>;

fn served(script: &Script, read: Result<(), BoxError>) -> Result<(response::Parts, Vec<Piece>), Option<EndingOf>> {
    let failed = |error: BoxError| -> Option<EndingOf> {
        Some(Box::new(|session| Ending::Failed(session.classify(&*error).unwrap(), error)))
    };
    match (&script.service, read) {
        (Service::NotReady(text), _) => {
            let error = BoxError::from(*text);
            Err(Some(Box::new(|session| Ending::Unready(session.classify_unready(&*error).unwrap(), error))))
        }
        (_, Err(error)) => Err(failed(error)),
        (Service::Fails(text), _) => Err(failed((*text).into())),
        (Service::Panics, _) => Err(Some(Box::new(|_| Ending::Panicked("boom".into())))),
        (Service::ClientLeaves, _) => Err(None),
        (Service::Responds(status, headers, pieces), _) => Ok((response_head(*status, headers), pieces.clone())),
    }
}

fn head_of(script: &Script) -> request::Parts {
    let method = if script.body.is_empty() { "GET" } else { "POST" };
    let builder = Request::builder().method(method).uri("http://a.example/orders/7");
    let builder = script.request.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    builder.body(()).unwrap().into_parts().0
}

fn response_head(status: u16, headers: &[(&'static str, &'static str)]) -> response::Parts {
    let builder = headers.iter().fold(Response::builder().status(status), |it, (name, value)| it.header(*name, *value));
    builder.body(()).unwrap().into_parts().0
}

fn facts_of(pieces: &[Piece]) -> BodyFacts {
    if pieces.is_empty() { BodyFacts { ended: true, lower: 0, upper: Some(0) } } else { BodyFacts::default() }
}

fn trailers(name: &'static str, value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static(name), HeaderValue::from_static(value))])
}

fn id() -> RequestId {
    RequestId::from_parts(1_700_000_000_000, 7)
}

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const GRPC: &[(&str, &str)] = &[("content-type", "application/grpc"), ("te", "trailers")];

fn scripts() -> Vec<Script> {
    use Piece::{Data, Fails, Silence, Trailers};
    use Service::{ClientLeaves, NotReady, Panics, Responds};
    let get = |name, policy, service| Script { name, policy, request: &[], body: Vec::new(), service };
    let post = |name, policy, request, body, service| Script { name, policy, request, body, service };
    let plain = Policy::default;
    let mode = |mode| Policy::builder().mode(mode).build().unwrap();
    let limit = || Policy::builder().body_limit(4).build().unwrap();
    let missing = || Responds(404, JSON, vec![Data(br#"{"detail":"no "#), Data(br#"order 7"}"#)]);
    let ok = || Responds(200, JSON, vec![Data(b"{}")]);
    vec![
        get("a 200 passes", plain(), ok()),
        get("a 200 breaks off", plain(), Responds(200, JSON, vec![Data(b"{"), Fails("reset")])),
        get("a 404 is read and rewritten", plain(), missing()),
        get("a 404 breaks off", plain(), Responds(404, JSON, vec![Data(b"{"), Fails("reset")])),
        get("a 404 comes too late", plain(), Responds(404, JSON, vec![Data(b"{"), Silence])),
        get("a 404 passes and is copied", mode(Mode::Observe), missing()),
        get("a copied 404 breaks off", mode(Mode::Observe), Responds(404, JSON, vec![Data(b"{"), Fails("reset")])),
        get("an envelope stays in fill", mode(Mode::Fill), missing()),
        get("a 204 has no body", plain(), Responds(204, JSON, vec![Data(b"x")])),
        get("the service fails", plain(), Service::Fails("connection refused")),
        get("the service panics", plain(), Panics),
        get("the service is not ready", plain(), NotReady("overloaded")),
        get("the client leaves", plain(), ClientLeaves),
        post("415 by the head", plain(), &[("content-type", "text/x-unknown")], vec![Data(b"x")], ok()),
        post("415 by the first byte", plain(), &[], vec![Data(b"x")], ok()),
        post("the first byte is too slow", plain(), &[], vec![Silence], ok()),
        post("the first byte fails", plain(), &[], vec![Fails("reset")], ok()),
        post("413 by the head", limit(), &[("content-type", "application/json"), ("content-length", "9")], vec![
            Data(b"123456789"),
        ], ok()),
        post("413 by the meter", limit(), JSON, vec![Data(b"123"), Data(b"456")], ok()),
        post("a call's status", plain(), GRPC, vec![Data(b"\0\0\0\0\0")], Responds(200, GRPC, vec![
            Data(b"\0\0\0\0\0"),
            Trailers("grpc-status", "5"),
        ])),
        post("a call breaks off", plain(), GRPC, vec![Data(b"\0\0\0\0\0")], Responds(200, GRPC, vec![
            Data(b"\0\0\0\0\0"),
            Fails("reset"),
        ])),
        post("a call is cancelled", plain(), GRPC, vec![Data(b"\0\0\0\0\0")], Responds(200, GRPC, vec![Silence])),
        get("an event stream breaks off", Policy::builder().event_streams(EventStreams::AppendError).build().unwrap(),
            Responds(200, &[("content-type", "text/event-stream")], vec![Data(b"data: 1\n\n"), Fails("reset")])),
    ]
}

#[test]
fn the_session_gives_what_the_exchange_gives() {
    for script in scripts() {
        let config = || Arc::new(ExchangeConfig::new(script.policy.clone(), || SystemTime::UNIX_EPOCH));
        let (by_session, by_exchange) = (drive(config(), &script), direct(config(), &script));
        println!("{}: {:?} {:?}", script.name, by_session.head.as_ref().map(|head| head.0), by_session.log);
        assert_eq!(by_session, by_exchange, "{}", script.name);
        assert!(by_session.log.len() <= 2);
    }
}

#[test]
fn an_input_in_a_wrong_state_changes_nothing() {
    let script = &scripts()[0];
    let config = Arc::new(ExchangeConfig::new(Policy::default(), || SystemTime::UNIX_EPOCH));
    let (mut session, _) = Session::begin(config, &mut head_of(script), facts_of(&[]), id);
    assert!(matches!(session.first_byte(FirstByte::Data), RequestStep::Broken));
    assert!(session.end(Ending::Panicked("x".into())).is_some());
    assert!(session.end(Ending::TimedOut).is_none() && session.abandon().is_none());
    let mut head = response_head(200, &[]);
    assert!(matches!(session.respond(&mut head, BodyFacts::default), ResponseStep::Broken));
}

#[test]
fn sizes() {
    macro_rules! size {
        ($($t:ty),*) => { $(println!("{:>5}  {}", size_of::<$t>(), stringify!($t));)* };
    }
    size!(Session, Exchange, PendingPeek, PendingVerification, Admission, ResponsePlan, RequestStep, ResponseStep,
        Note, Event, LocalReply, Follow, crate::exchange::BodyContext, Reading, Read, BodyMeter, Budget,
        Option<BodyMeter>, Ending, Failure, request::Parts,
        response::Parts, CollectedAction);
    let _ = Duration::ZERO;
}

/// Arbitrary inputs in any order: no panic, at most one reply or pass, at most one error event, always an end.
#[test]
fn any_order_of_inputs_ends_once() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |most: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % most
    };
    let all = scripts();
    for _ in 0..20_000 {
        let script = &all[usize::try_from(next(all.len() as u64)).unwrap()];
        let config = Arc::new(ExchangeConfig::new(script.policy.clone(), || SystemTime::UNIX_EPOCH));
        let (mut session, step) = Session::begin(config, &mut head_of(script), facts_of(&script.body), id);
        let (mut replies, mut passes, mut events) = (0, 0, 0);
        let mut reading = None;
        if let RequestStep::Send(_) = step {
            (replies, events) = (1, 1);
        }
        for _ in 0..next(6) {
            let mut head = response_head([200, 404, 204, 500, 999][usize::try_from(next(5)).unwrap()], JSON);
            let step = match next(8) {
                0 => {
                    let end = session.end(Ending::Panicked("x".into()));
                    (replies, events) = (replies + usize::from(end.is_some()), events + usize::from(end.is_some()));
                    continue;
                }
                1 => {
                    let end = session.end(Ending::TimedOut);
                    (replies, events) = (replies + usize::from(end.is_some()), events + usize::from(end.is_some()));
                    continue;
                }
                2 => {
                    let left = session.abandon();
                    (replies, events) = (replies + usize::from(left.is_some()), events + usize::from(left.is_some()));
                    continue;
                }
                3 => {
                    if let RequestStep::Send(_) = session.first_byte(FirstByte::Data) {
                        (replies, events) = (replies + 1, events + 1);
                    }
                    continue;
                }
                4 => {
                    if let RequestStep::Send(_) = session.verified(&mut head_of(script), Err("x".into())) {
                        (replies, events) = (replies + 1, events + 1);
                    }
                    continue;
                }
                5 => match reading.take() {
                    Some(read) => session.decide(&mut head, Reading::end(read)),
                    None => session.decide(&mut head, Reading::new(1, Duration::ZERO, false).end()),
                },
                6 => session.proxy_failed(&mut head, "x".into()),
                _ => session.respond(&mut head, || BodyFacts::default()),
            };
            match step {
                ResponseStep::Pass(_, note) | ResponseStep::Strip(_, note) => {
                    passes += 1;
                    events += usize::from(matches!(note, Note::Event(_)));
                }
                ResponseStep::Write(_) | ResponseStep::Send(_) => (replies, events) = (replies + 1, events + 1),
                ResponseStep::Resume(..) => (passes, events) = (passes + 1, events + 1),
                ResponseStep::Read(it) => reading = Some(it),
                ResponseStep::Broken => {}
            }
        }
        let left = session.abandon().is_some();
        assert!(session.has_ended() && replies + passes + usize::from(left) == 1, "{}: {replies} {passes} {left}", script.name);
        assert!(events + usize::from(left) <= 1);
    }
}
