//! The calls of a session.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use error_envelope_core::session::{
    BodyMeter, End, Ending, FirstByte, Follow, MeterAction, Read, Reading, RequestStep, ResponseStep, Rest, Session,
    UnreadReason,
};
use http::response;
use tower_error_envelope::Mode;
use tower_error_envelope::auth::Verified;

use super::ledger::Ledger;
use super::passing::Passing;
use super::request::Guarded;
use super::response::{self as service, CAUSE};
use crate::choices::Choices;

pub(super) struct Run {
    guarded: Guarded,
    session: Session,
    meter: Option<BodyMeter>,
    /// True if the meter has cut off the request's body.
    is_cut: bool,
    reading: Option<BeingRead>,
    passing: Option<Passing>,
    /// How the delivery ends. It is chosen first, because no choices are left at the end.
    end: End,
    ledger: Ledger,
    now: Instant,
}

struct BeingRead {
    reading: Reading,
    head: response::Parts,
    bytes: Vec<u8>,
}

impl Run {
    pub(super) fn begin(choices: &mut Choices<'_>) -> Self {
        let end = choices.one_of(&[
            End::Complete,
            End::ClientLeft,
            End::ServiceBrokeOff,
            End::Stalled,
            End::Malformed,
            End::Stopped,
            End::Unknown,
        ]);
        let (guarded, session, step) = Guarded::begin(choices);
        let (ledger, now) = (Ledger::default(), Instant::now());
        let mut run =
            Self { guarded, session, meter: None, is_cut: false, reading: None, passing: None, end, ledger, now };
        run.request_step(step);
        run
    }

    /// Makes one call: the one that the session waits for, or any other.
    pub(super) fn call(&mut self, choices: &mut Choices<'_>) {
        match choices.below(24) {
            0 => self.verified(choices),
            1 => self.first_byte(choices),
            2 => self.meter(choices),
            3 => self.respond(choices),
            4 => self.now += Duration::from_secs(choices.byte().into()),
            5 => self.finish_unparsed(choices),
            6 => self.finish(choices),
            _ if self.session.verification().is_some() => self.verified(choices),
            _ if self.ledger.forwards == 0 => self.first_byte(choices),
            7..=12 if self.ledger.has_no_end() && self.reading.is_none() => self.respond(choices),
            7..=18 => self.follow(choices),
            _ => self.meter(choices),
        }
    }

    /// Ends everything that has not ended. Then nothing more is decided.
    pub(super) fn end(mut self, choices: &mut Choices<'_>) {
        if let Some(BeingRead { mut reading, .. }) = self.reading.take() {
            let until = reading.waits(|| self.now);
            assert!(reading.data(Bytes::from_static(b"x"), || until).is_err(), "claim 5, a body that comes too late");
            let frames = (0..2000).take_while(|_| reading.data(Bytes::new(), || self.now).is_ok()).count();
            assert!(frames < 2000, "claim 5, a body of empty frames");
        }
        if let Some(passing) = self.passing.take() {
            passing.drop(self.end, &mut self.ledger, self.now);
        }
        self.finish(choices);
        let Self { mut session, ledger, guarded, .. } = self;
        let is_unlogged =
            ledger.forwards == 1 && guarded.is_let_through() && !ledger.has_an_error() && !ledger.abandoned;
        assert!(!is_unlogged, "claim 2, a refusal that was let through: {guarded:?}, {ledger:?}");
        assert!(session.has_ended() && !ledger.has_no_end(), "claim 5: {ledger:?}");
        assert!(session.abandon().is_none() && session.end(Ending::TimedOut).is_none(), "claim 5, a second end");
        assert!(session.id().is_none() && session.verification().is_none() && session.call_time().is_none());
    }

    fn verified(&mut self, choices: &mut Choices<'_>) {
        let result = match choices.below(7) {
            0 => Ok(Verified::granted("anna")),
            1 => Ok(Verified::Missing),
            2 => Ok(Verified::Malformed),
            3 => Ok(Verified::Invalid),
            4 => Ok(Verified::Expired),
            5 => Ok(Verified::NoEmail),
            _ => Err(CAUSE.into()),
        };
        self.guarded.is_granted |= self.session.verification().is_some() && matches!(result, Ok(Verified::Granted(_)));
        let step = self.session.verified(&mut self.guarded.head, result);
        self.request_step(step);
    }

    fn first_byte(&mut self, choices: &mut Choices<'_>) {
        let first = match choices.below(4) {
            0 => FirstByte::End,
            1 => FirstByte::Data,
            2 => FirstByte::TooSlow,
            _ => {
                let error = io::Error::new(io::ErrorKind::UnexpectedEof, CAUSE);
                let Some(failure) = self.session.classify(&error) else { return };
                FirstByte::Failed(failure, error.into())
            }
        };
        let ends = matches!(first, FirstByte::End);
        let step = self.session.first_byte(first);
        self.guarded.is_empty |= ends && !matches!(step, RequestStep::Broken);
        self.request_step(step);
    }

    fn request_step(&mut self, step: RequestStep) {
        match step {
            RequestStep::Forward(meter) => {
                self.ledger.forward();
                assert!(self.guarded.is_let_in(), "claim 4: {:?}", self.guarded);
                self.meter = meter;
            }
            RequestStep::Send(reply) => {
                self.ledger.reply(&reply);
                assert!(self.session.has_ended(), "claim 5: {reply:?}");
            }
            RequestStep::Verify(_) | RequestStep::Peek(_) | RequestStep::Broken => {}
        }
    }

    fn meter(&mut self, choices: &mut Choices<'_>) {
        let Some(meter) = &mut self.meter else { return };
        match choices.below(6) {
            0 => meter.body_ended(),
            1 => {
                let kind = choices.one_of(&[io::ErrorKind::TimedOut, io::ErrorKind::BrokenPipe]);
                meter.body_failed(&io::Error::new(kind, CAUSE));
            }
            _ => {
                let is_over = matches!(meter.request_data(&service::piece(choices)), MeterAction::Over(_));
                assert!(!is_over || self.guarded.refuses_long_bodies(), "{:?}", self.guarded);
                self.is_cut |= is_over;
            }
        }
    }

    fn respond(&mut self, choices: &mut Choices<'_>) {
        let mut head = service::head(choices, &self.guarded.head);
        let is_replaced = self.guarded.mode == Mode::Enforce && service::is_opaque_error(&head);
        let facts = service::facts(choices);
        let step = match choices.below(8) {
            7 => self.session.proxy_failed(&mut head, CAUSE.into()),
            _ => self.session.respond(&mut head, || facts),
        };
        assert!(!is_replaced || !matches!(step, ResponseStep::Pass(..)), "claim 3, {head:?} passes");
        self.response_step(step, head, false);
    }

    fn follow(&mut self, choices: &mut Choices<'_>) {
        match (self.reading.take(), &mut self.passing) {
            (Some(being_read), _) => self.read(choices, being_read),
            (None, Some(passing)) => passing.call(choices, self.now),
            // A session cannot know what its adapter has read.
            (None, None) if choices.below(8) == 7 => {
                let mut head = service::head(choices, &self.guarded.head);
                let step = self.session.decide(&mut head, Read::default());
                self.response_step(step, head, false);
            }
            (None, None) => {}
        }
    }

    fn read(&mut self, choices: &mut Choices<'_>, mut being_read: BeingRead) {
        let stopped = match choices.below(8) {
            0 => Some(UnreadReason::BrokeOff),
            1 => Some(UnreadReason::TooLate),
            2 => {
                being_read.reading.trailers(service::trailers(choices));
                return self.decide(being_read, None);
            }
            3 => return self.decide(being_read, None),
            4 => {
                being_read.reading.waits(|| self.now);
                None
            }
            _ => {
                let piece = service::piece(choices);
                being_read.bytes.extend_from_slice(&piece);
                being_read.reading.data(piece, || self.now).err()
            }
        };
        match stopped {
            Some(_) => self.decide(being_read, stopped),
            None => self.reading = Some(being_read),
        }
    }

    fn decide(&mut self, BeingRead { reading, mut head, bytes }: BeingRead, stopped: Option<UnreadReason>) {
        let is_opaque = stopped.is_some() || service::begins_opaquely(&bytes) && service::is_opaque_error(&head);
        let is_replaced = is_opaque && self.guarded.mode == Mode::Enforce;
        let has_text = !is_opaque && head.status.is_client_error();
        let read = if let Some(why) = stopped { reading.stop(why) } else { reading.end() };
        let step = self.session.decide(&mut head, read);
        if let ResponseStep::Resume(begun, ..) = &step {
            assert_eq!(*begun, bytes, "what was read goes on");
            assert!(!is_replaced, "claim 3, {head:?} passes");
        }
        self.response_step(step, head, has_text);
    }

    /// Handles a step. With `has_text`, the client may get a text that was found in the body (R3).
    fn response_step(&mut self, step: ResponseStep, head: response::Parts, has_text: bool) {
        let was_cut = self.is_cut && !matches!(step, ResponseStep::Send(_) | ResponseStep::Broken);
        assert!(!was_cut, "claim 3, the request was cut off: {step:?}");
        match step {
            ResponseStep::Pass(follow) | ResponseStep::Strip(follow) => self.pass(follow),
            ResponseStep::Write(written) => self.ledger.written(&head.headers, &written, has_text),
            ResponseStep::Send(reply) => self.ledger.reply(&reply),
            ResponseStep::Resume(_, Rest::Body | Rest::Trailers(_), follow) => self.pass(follow),
            ResponseStep::Read(reading) => {
                self.reading = Some(BeingRead { reading, head, bytes: Vec::new() });
                return;
            }
            ResponseStep::Broken => return,
        }
        assert!(self.session.has_ended(), "claim 5: {:?}", self.ledger);
    }

    fn pass(&mut self, follow: Follow) {
        self.ledger.answer();
        assert_eq!(self.ledger.forwards, 1, "claim 4, a response to a request that was not forwarded");
        self.passing = Some(Passing::new(follow));
    }

    fn finish_unparsed(&mut self, choices: &mut Choices<'_>) {
        let head = service::head(choices, &self.guarded.head);
        if !self.session.passes_unparsed(head.status) {
            return;
        }
        assert!(!service::is_error(&head) || self.guarded.mode != Mode::Enforce, "claim 3, {head:?} passes");
        assert!(!self.is_cut, "claim 3, the request was cut off");
        if let Some(follow) = self.session.finish_unparsed(head.status) {
            self.pass(follow);
        }
    }

    /// Ends the session without a response of the service.
    fn finish(&mut self, choices: &mut Choices<'_>) {
        let error = io::Error::new(choices.one_of(&[io::ErrorKind::ConnectionRefused, io::ErrorKind::TimedOut]), CAUSE);
        let classified = (self.session.classify(&error), self.session.classify_unready(&error));
        let had_ended = self.session.has_ended();
        let why = match (choices.below(8), classified) {
            (1, (Some(failure), _)) => Ending::Failed(failure, error.into()),
            (2, (_, Some(failure))) => Ending::Unready(failure, error.into()),
            (3, _) => Ending::Panicked(CAUSE.into()),
            (4, _) => Ending::UnreadyPanicked(CAUSE.into()),
            (5, _) => Ending::TimedOut,
            (6, _) => Ending::Overran,
            (7, _) => Ending::Malformed(CAUSE.into()),
            _ => {
                let record = self.session.abandon();
                assert!(record.is_some() != had_ended, "claim 5, abandoned: {record:?}");
                record.iter().for_each(|record| self.ledger.abandon(record));
                return;
            }
        };
        let reply = self.session.end(why);
        assert!(reply.is_some() != had_ended, "claim 5: {reply:?}");
        reply.iter().for_each(|reply| self.ledger.reply(reply));
    }
}
