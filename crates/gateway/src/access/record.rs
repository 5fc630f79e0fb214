//! The record of a request, which writes its line.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;

use super::entry::Entry;
use super::log::AccessLog;

/// Whether any request of the process has had a record: without an access log, requests are not searched for records.
static RECORDS: AtomicBool = AtomicBool::new(false);

/// Makes the records of one client's requests, if there is an access log.
pub(crate) struct ClientRecords {
    pub(crate) log: Option<AccessLog>,
    pub(crate) address: IpAddr,
}

/// A request, written once the last clone of the record is dropped.
#[derive(Clone)]
pub(crate) struct AccessRecord(Arc<Recorded>);

struct Recorded {
    log: AccessLog,
    entry: Entry,
}

impl ClientRecords {
    /// Begins the record of a request, and stores it in the extensions for the code that handles the request.
    #[inline]
    pub(crate) fn begin<B>(&self, request: &mut Request<B>) -> Option<AccessRecord> {
        let log = self.log.clone()?;
        let record = AccessRecord(Arc::new(Recorded { log, entry: Entry::new(self.address, request) }));
        request.extensions_mut().insert(record.slot.clone());
        request.extensions_mut().insert(record.clone());
        RECORDS.store(true, Ordering::Relaxed);
        Some(record)
    }
}

impl AccessRecord {
    /// Takes the record of a request out of its extensions.
    #[inline]
    pub(crate) fn take_from<B>(request: &mut Request<B>) -> Option<Self> {
        // If another thread set the flag, passing the request to this thread has made it visible here.
        RECORDS.load(Ordering::Relaxed).then(|| request.extensions_mut().remove()).flatten()
    }
}

impl Deref for AccessRecord {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.0.entry
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        self.log.write(&self.entry);
    }
}
