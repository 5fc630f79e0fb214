//! The record of a request, which logs its event.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;

use super::entry::Entry;
use super::event::log_request;

/// Whether any request of the process has had a record: without an access log, requests are not searched for records.
static RECORDS: AtomicBool = AtomicBool::new(false);

/// Makes the records of one client's requests, if there is an access log.
pub(crate) struct ClientRecords {
    pub(crate) is_logged: bool,
    pub(crate) address: IpAddr,
}

/// A request, logged once the last clone of the record is dropped.
pub(crate) type AccessRecord = Arc<Entry>;

impl ClientRecords {
    /// Begins the record of a request, and stores it in the extensions for the code that handles the request.
    #[inline]
    pub(crate) fn begin<B>(&self, request: &mut Request<B>) -> Option<AccessRecord> {
        if !self.is_logged {
            return None;
        }
        let record = Arc::new(Entry::new(self.address, request));
        request.extensions_mut().insert(record.slot.clone());
        request.extensions_mut().insert(record.clone());
        RECORDS.store(true, Ordering::Relaxed);
        Some(record)
    }
}

impl Entry {
    /// Takes the record of a request out of its extensions.
    #[inline]
    pub(crate) fn take_from<B>(request: &mut Request<B>) -> Option<AccessRecord> {
        // If another thread set the flag, passing the request to this thread has made it visible here.
        RECORDS.load(Ordering::Relaxed).then(|| request.extensions_mut().remove()).flatten()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        log_request(self);
    }
}
