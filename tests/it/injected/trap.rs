//! The faults and their places.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::kit::SECRET;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Panic,
    /// The callback is pending, and nothing will wake it.
    Hang,
    Fail,
    /// A body ends early without an error, a service's connection breaks, or a buffer's worker is gone.
    Disappear,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Where {
    Ready,
    Clone,
    Call,
    FuturePoll,
    FutureDrop,
    RequestPoll,
    RequestSize,
    RequestEnd,
    RequestDrop,
    RequestExtension,
    ResponsePoll,
    ResponseSize,
    ResponseEnd,
    ResponseDrop,
    ResponseExtension,
    Classifier,
    ErrorDisplay,
    ErrorSource,
    ErrorDrop,
}

impl Where {
    /// Returns true for places of the service, because its next request must be served, and for an extension, which may
    /// have copies.
    fn strikes_once(self) -> bool {
        matches!(self, Self::Ready | Self::Clone | Self::Call | Self::Classifier)
            || matches!(self, Self::RequestExtension | Self::ResponseExtension)
    }
}

/// A fault. A late one lets the first frame or poll pass.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Fault {
    pub(super) what: What,
    pub(super) at: Where,
    pub(super) late: bool,
}

const fn now(what: What, at: Where) -> Fault {
    Fault { what, at, late: false }
}

const fn late(what: What, at: Where) -> Fault {
    Fault { what, at, late: true }
}

/// Each fault at each place that can have it. A callback without a poll and a result can only panic. For a `Display`,
/// failing is an error of its formatter, and `to_string` panics then.
pub(super) const FAULTS: [Fault; 44] = [
    now(What::Panic, Where::Ready),
    now(What::Hang, Where::Ready),
    now(What::Fail, Where::Ready),
    now(What::Disappear, Where::Ready),
    now(What::Panic, Where::Clone),
    now(What::Panic, Where::Call),
    now(What::Panic, Where::FuturePoll),
    now(What::Hang, Where::FuturePoll),
    now(What::Fail, Where::FuturePoll),
    now(What::Disappear, Where::FuturePoll),
    late(What::Panic, Where::FuturePoll),
    late(What::Hang, Where::FuturePoll),
    late(What::Fail, Where::FuturePoll),
    late(What::Disappear, Where::FuturePoll),
    now(What::Panic, Where::FutureDrop),
    now(What::Panic, Where::RequestPoll),
    now(What::Hang, Where::RequestPoll),
    now(What::Fail, Where::RequestPoll),
    now(What::Disappear, Where::RequestPoll),
    late(What::Panic, Where::RequestPoll),
    late(What::Hang, Where::RequestPoll),
    late(What::Fail, Where::RequestPoll),
    late(What::Disappear, Where::RequestPoll),
    now(What::Panic, Where::RequestSize),
    now(What::Panic, Where::RequestEnd),
    now(What::Panic, Where::RequestDrop),
    now(What::Panic, Where::RequestExtension),
    now(What::Panic, Where::ResponsePoll),
    now(What::Hang, Where::ResponsePoll),
    now(What::Fail, Where::ResponsePoll),
    now(What::Disappear, Where::ResponsePoll),
    late(What::Panic, Where::ResponsePoll),
    late(What::Hang, Where::ResponsePoll),
    late(What::Fail, Where::ResponsePoll),
    late(What::Disappear, Where::ResponsePoll),
    now(What::Panic, Where::ResponseSize),
    now(What::Panic, Where::ResponseEnd),
    now(What::Panic, Where::ResponseDrop),
    now(What::Panic, Where::ResponseExtension),
    now(What::Panic, Where::Classifier),
    now(What::Panic, Where::ErrorDisplay),
    now(What::Fail, Where::ErrorDisplay),
    now(What::Panic, Where::ErrorSource),
    now(What::Panic, Where::ErrorDrop),
];

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {:?}{}", self.what, self.at, if self.late { ", late" } else { "" })
    }
}

/// One fault. All parts of the first request share it.
#[derive(Clone, Debug)]
pub(super) struct Trap(Arc<Set>);

#[derive(Debug)]
struct Set {
    fault: Option<Fault>,
    armed: AtomicBool,
    struck: AtomicUsize,
    doubled: AtomicBool,
    broke: AtomicBool,
}

impl Trap {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        let (armed, struck) = (AtomicBool::new(true), AtomicUsize::new(0));
        Self(Arc::new(Set { fault, armed, struck, doubled: AtomicBool::default(), broke: AtomicBool::default() }))
    }

    pub(super) fn disarm(&self) {
        self.0.armed.store(false, Ordering::SeqCst);
    }

    pub(super) fn disarm_at(&self, at: Where) {
        if self.0.fault.is_some_and(|fault| fault.at == at) {
            self.disarm();
        }
    }

    pub(super) fn struck(&self) -> usize {
        self.0.struck.load(Ordering::SeqCst)
    }

    /// Returns true if a drop met another panic. Two at once would abort the process, so the drop did not panic.
    pub(super) fn doubled(&self) -> bool {
        self.0.doubled.load(Ordering::SeqCst)
    }

    /// Records that the response's body has failed.
    pub(super) fn breaks(&self) {
        self.0.broke.store(true, Ordering::SeqCst);
    }

    pub(super) fn broke(&self) -> bool {
        let polled = |fault: Fault| fault.at == Where::ResponsePoll && matches!(fault.what, What::Panic | What::Fail);
        self.0.broke.load(Ordering::SeqCst) || self.struck() > 0 && self.0.fault.is_some_and(polled)
    }

    /// Returns the number of holders.
    pub(super) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Does the same as [`Self::strike`] for a place that was reached `before` times without a fault.
    pub(super) fn strike_after(&self, at: Where, before: usize) -> Option<What> {
        self.0.fault.filter(|fault| before >= usize::from(fault.late)).and_then(|_| self.strike(at))
    }

    /// Returns what the caller must do, unless this call panics.
    pub(super) fn strike(&self, at: Where) -> Option<What> {
        let fault = self.0.fault.filter(|fault| fault.at == at && self.0.armed.load(Ordering::SeqCst))?;
        if std::thread::panicking() {
            self.0.doubled.store(true, Ordering::SeqCst);
            return None;
        }
        self.0.struck.fetch_add(1, Ordering::SeqCst);
        if at.strikes_once() && fault.what != What::Hang {
            self.disarm();
        }
        assert!(fault.what != What::Panic, "{SECRET}");
        Some(fault.what)
    }
}

/// An error of the user.
#[derive(Debug)]
pub(super) struct Tricky(pub(super) Trap);

impl fmt::Display for Tricky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.strike(Where::ErrorDisplay) {
            Some(_) => Err(fmt::Error),
            None => f.write_str(SECRET),
        }
    }
}

impl Error for Tricky {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.strike(Where::ErrorSource);
        None
    }
}

impl Drop for Tricky {
    fn drop(&mut self) {
        self.0.strike(Where::ErrorDrop);
    }
}

/// An extension of the user.
#[derive(Clone)]
pub(super) struct Extension(pub(super) Trap, pub(super) Where);

impl Drop for Extension {
    fn drop(&mut self) {
        self.0.strike(self.1);
    }
}
