//! A request on its way in: its id, its route, its guards, and what it waits for (rules I1-I4, G0-G4).

use std::cell::LazyCell;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Version;

use super::door::{self, Door};
use super::request::{self, Aside, Guarded, MAX_HEADERS, RequestFacts, Sent};
use super::{
    Admission, Answered, BodyFacts, BoxError, Event, Exchange, Failure, FirstByte, Meter, Notes, Origin, PEEK_TIMEOUT,
    Pending, Unverified, reply,
};
use crate::classify::credentials::Credentials;
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::guard::auth::{self, Verified};
use crate::guard::body_limit::Flags;
use crate::policy::{Mode, Policy};
use crate::request_id::RequestId;

impl Exchange {
    /// Takes a request's head: gives it its id, finds its route, and asks the guards.
    ///
    /// `id` is asked for a fresh id where no other one holds (I1), `clock` where a key or a token has an end (G2), the
    /// dialect tells the time (R2), or an error says until when to wait (P1, R2). The head is changed: `x-request-id`;
    /// `traceparent` and the headers of `forward_id` where the policy says so; the [`RequestId`], and the
    /// [`Identity`](crate::auth::Identity) of who is let in, go into the extensions.
    pub fn begin(
        policy: Arc<Policy>,
        head: &mut http::request::Parts,
        body: BodyFacts,
        id: impl FnOnce() -> RequestId,
        clock: fn() -> SystemTime,
    ) -> Admission {
        let now = LazyCell::new(clock);
        let mut sent = Sent::of(head, policy.key_headers());
        let call = sent.call;
        let rpc = call.map(|call| call.rpc);
        let too_many = head.headers.len() > MAX_HEADERS;
        if too_many {
            head.headers.clear();
            sent = Sent { call, ..Sent::default() };
        }
        let (id, mut id_header, notes) = request::identify(policy.ids(), head, &sent, id);
        // HPACK's tables are for values that come again. h2 indexes every other one, and compares each new id with some
        // fifty old ones that have driven out what is worth keeping. An adapter lets one in now and then, for its name.
        id_header.set_sensitive(head.version == Version::HTTP_2);
        let found = policy.matched(head);
        let no_host = found.is_none();
        let matched = found.unwrap_or_else(|| policy.of_no_host());
        let settings = matched.normal.with_body_limit(request::body_limit(&matched));
        auth::forward::remove(policy.forwarded_ids(), &mut head.headers);
        let mut guarded = request::guard(&policy, &matched, head, body, settings.body_limit, rpc);
        // RFC 9112 §3.2: a request that names two hosts has no route.
        guarded.unmet = match () {
            () if too_many => Some(Fault::new(ErrorCode::HEADERS_TOO_LARGE)),
            // Where nothing refuses, nothing begins to (M1).
            () if no_host && !policy.refuses() => {
                guarded.observed_unmet.get_or_insert(Fault::new(ErrorCode::BAD_REQUEST));
                None
            }
            () if no_host => Some(Fault::new(ErrorCode::BAD_REQUEST)),
            () => guarded.unmet,
        };
        let door = match guarded.unmet.take() {
            None if !policy.has_schemes() => Door::Open(None),
            None => door::ask(&policy, &matched, head, &|| *now),
            Some(fault) => Door::Closed(fault, None),
        };
        let flags = || Flags::new(reply::linger_of(&policy), guarded.watched);
        let exchange = Self {
            settings,
            id,
            id_header,
            credentials: if sent.credentials {
                Credentials::of(&head.headers, policy.key_headers())
            } else {
                Credentials::None
            },
            request: RequestFacts::of(head, &sent, body, &settings, policy.drain().max_bytes),
            flags: (!body.is_empty()).then(flags),
            aside: Aside::of(
                notes,
                policy.rules_ask_path(&settings).then_some(&*head),
                settings.dialect.form().tells_time.then(|| *now),
                call.and_then(|call| call.timeout),
            ),
            policy,
            clock,
        };
        match door {
            // Nearly every request.
            Door::Open(None) if guarded.is_silent() => exchange.forward(),
            door => exchange.at(door, guarded),
        }
    }

    /// Credentials first, then the guards that are left.
    pub(super) fn at(mut self, door: Door, guarded: Guarded) -> Admission {
        let (refusal, unenforced) = match door {
            Door::Ask(locks) => {
                let timeout = locks.next().map_or(Duration::ZERO, |scheme| scheme.timeout());
                return Admission::Verify(Unverified { exchange: self, locks, guarded }, timeout);
            }
            Door::Closed(fault, unenforced) => (Some(fault), unenforced),
            Door::Open(unenforced) => (guarded.refusal, unenforced),
        };
        // In the order of the guards: what is told is the first that would have refused.
        let observed = guarded.observed_unmet.or(unenforced).or(guarded.observed);
        if self.settings.mode != Mode::Observe {
            self.leave_unenforced(observed);
        } else if observed.is_some() || guarded.observed_peek.is_some() {
            let aside = self.aside.get_or_insert_default();
            (aside.observed, aside.observed_peek) = (observed, guarded.observed_peek);
        }
        match (refusal, guarded.peek) {
            (Some(refusal), _) => Admission::Answer(self.refuse(refusal, None)),
            (None, Some(refusal)) => Admission::Peek(Pending { exchange: self, refusal }, PEEK_TIMEOUT),
            (None, None) => self.forward(),
        }
    }

    #[inline]
    pub(super) fn forward(mut self) -> Admission {
        let meter = self.flags.clone().map(|flags| self.meter(flags));
        let unenforced = self.unenforced();
        Admission::Forward(self, meter, unenforced)
    }

    /// Notes what `auth_observe` has not let refuse the request (M1), for the log. A route in `observe` tells it with what
    /// comes of the request.
    pub(super) fn leave_unenforced(&mut self, fault: Option<Fault>) {
        let Some(fault) = fault else { return };
        let event = Event {
            request_id: self.id,
            code: Some(fault.code().clone()),
            status: None,
            would_be: Some(fault.status_code()),
            grpc: None,
            origin: Origin::Guard,
            dialect: None,
            cause: reply::cause_of(&fault),
            notes: Notes::default(),
            policy: self.policy.clone(),
            label: self.settings.label(),
        };
        self.aside.get_or_insert_default().unenforced = Some(Box::new(event));
    }

    #[inline]
    fn meter(&self, flags: Flags) -> Meter {
        Meter::new(self.settings.body_limit, flags).by_message(self.request.messages())
    }

    pub(super) fn unenforced(&mut self) -> Option<Box<Event>> {
        self.aside.as_mut().and_then(|aside| aside.unenforced.take())
    }
}

impl Pending {
    /// A panic kept the request from waiting (F2).
    pub fn panicked(self, text: Box<str>) -> Answered {
        self.exchange.unready_panicked(text)
    }

    /// The client went away (F2).
    pub fn abandoned(self) -> Event {
        self.exchange.abandoned()
    }

    /// What an error is that came instead of the first byte.
    ///
    /// # Panics
    ///
    /// If the error's `source` does.
    pub fn failure_of(&self, error: &(dyn Error + 'static)) -> Failure {
        if let Some(flags) = &self.exchange.flags {
            Meter::new(None, flags.clone()).request_failed(error);
        }
        self.exchange.failure_of(error, None)
    }

    /// The first byte came, or did not (G3).
    pub fn first_byte(self, first: FirstByte) -> Admission {
        let Self { mut exchange, refusal } = self;
        // Waiting for the byte has asked for the body: a `100 Continue` is out (G5).
        exchange.request.expects = false;
        let (fault, cause) = match first {
            FirstByte::End => {
                if let Some(flags) = &exchange.flags {
                    Meter::new(None, flags.clone()).request_ended();
                }
                return exchange.forward();
            }
            FirstByte::Data => (refusal, None),
            FirstByte::TooSlow => (Fault::new(ErrorCode::REQUEST_TIMEOUT), None),
            FirstByte::Failed(failure, error) => (failure.fault, Some(error)),
        };
        Admission::Answer(exchange.refuse(fault, cause))
    }
}

impl Unverified {
    /// The name of the scheme whose verifier is to be asked.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.locks.next().map_or("", |scheme| scheme.name())
    }

    /// What the verifier said, or why it said nothing: an error, a panic, the time-out.
    pub fn verified(self, head: &mut http::request::Parts, outcome: Result<Verified, BoxError>) -> Admission {
        let Self { exchange, locks, guarded } = self;
        let door = locks.verified(outcome.map_err(Into::into), head);
        exchange.at(door, guarded)
    }

    /// A panic kept the request from waiting (F2).
    pub fn panicked(self, text: Box<str>) -> Answered {
        self.exchange.unready_panicked(text)
    }

    /// The client went away (F2).
    pub fn abandoned(self) -> Event {
        self.exchange.abandoned()
    }

    /// The request's id.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.exchange.id
    }
}
