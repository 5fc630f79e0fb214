//! The record of a request, which logs its event and ends its span.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, Request};

use super::entry::AccessEntry;
use super::event::log_request;
use super::trace::{Trace, Tracer};

/// Whether any request of the process has had a record: without an access log, requests are not searched for records.
static RECORDS: AtomicBool = AtomicBool::new(false);

/// What needs the records of requests.
#[derive(Clone, Default)]
pub(crate) struct Recording {
    pub(crate) log: bool,
    pub(crate) is_tls: bool,
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
}

/// A request, logged once the last clone of the record is dropped.
pub(crate) type AccessRecord = Arc<Record>;

pub(crate) struct Record {
    entry: AccessEntry,
    is_logged: bool,
    trace: Option<Trace>,
}

impl Recording {
    /// Begins the record of a request, and stores it in the extensions for the code that handles the request.
    #[inline]
    pub(crate) fn begin<B>(&self, client: IpAddr, request: &mut Request<B>) -> Option<AccessRecord> {
        if !self.log && self.tracer.is_none() {
            return None;
        }
        let trace = self.tracer.clone().map(|tracer| Trace::new(tracer, request.headers()));
        let entry = AccessEntry::new(client, request, self.is_tls);
        let record = Arc::new(Record { entry, is_logged: self.log, trace });
        request.extensions_mut().insert(record.slot.clone());
        request.extensions_mut().insert(record.clone());
        RECORDS.store(true, Ordering::Relaxed);
        Some(record)
    }
}

impl Record {
    /// Takes the record of a request out of its extensions.
    #[inline]
    pub(crate) fn take_from<B>(request: &mut Request<B>) -> Option<AccessRecord> {
        // If another thread set the flag, passing the request to this thread has made it visible here.
        RECORDS.load(Ordering::Relaxed).then(|| request.extensions_mut().remove()).flatten()
    }

    /// Notes that the request is forwarded to this service, and who the caller is. The service gets the `traceparent` of
    /// the request's span.
    pub(crate) fn forwarded(&self, upstream: &Arc<str>, caller: Option<&str>, headers: &mut HeaderMap) {
        self.entry.forwarded(upstream, caller);
        if let Some(trace) = &self.trace {
            trace.forward(&self.entry, headers);
        }
    }
}

impl Deref for Record {
    type Target = AccessEntry;

    fn deref(&self) -> &AccessEntry {
        &self.entry
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.is_logged {
            log_request(&self.entry);
        }
        if let Some(trace) = self.trace.take() {
            trace.end(&self.entry);
        }
    }
}
