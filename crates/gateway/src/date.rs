//! The `date` of responses.
//!
//! hyper formats the time once a second on each thread. If the clock is set back by a day, it keeps the old time for a
//! day. It also panics if the first time that a thread reads is before 1970.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{future, io};

use bytes::Bytes;
use http::header::DATE;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Empty;
use httpdate::HttpDate;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

/// The last second of the year 9999, the last that date formats can express.
const LAST_SECOND: u64 = 253_402_300_799;

thread_local! {
    /// The second that was formatted last.
    static FORMATTED: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

/// Adds a date to a service's response that has none.
pub(crate) fn add_date(headers: &mut HeaderMap) {
    if !headers.contains_key(DATE)
        && let Some(date) = now()
    {
        headers.insert(DATE, date);
    }
}

/// The current time, or the nearest one that the format can express.
fn now() -> Option<HeaderValue> {
    let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().min(LAST_SECOND);
    FORMATTED.with_borrow_mut(|formatted| {
        if formatted.as_ref().is_none_or(|(last, _)| *last != second) {
            let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(second)).to_string();
            *formatted = HeaderValue::try_from(date).ok().map(|date| (second, date));
        }
        formatted.as_ref().map(|(_, date)| date.clone())
    })
}

/// Returns an error for a time at which hyper would panic. Linux cannot be set to such a time, but a simulated clock
/// can.
pub(crate) fn check_clock() -> io::Result<()> {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) if since.as_secs() <= LAST_SECOND => Ok(()),
        _ => Err(io::Error::other("the system's clock is before 1970 or after 9999; set it")),
    }
}

/// Makes hyper read the clock on this thread for the first time now: later the clock may be set to before 1970.
pub(crate) fn take_first_time() {
    if check_clock().is_ok() {
        let answer = |_: Request<Incoming>| future::ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())));
        let nobody = TokioIo::new(tokio::io::empty());
        let connection = pin!(http1::Builder::new().serve_connection(nobody, service_fn(answer)));
        let _ = connection.poll(&mut Context::from_waker(Waker::noop()));
    }
}
