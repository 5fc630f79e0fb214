//! Errors as they happen, as server-sent events.
//!
//! Nothing is queued: a listener that is ready for more reads the errors since its last event. So a listener needs the
//! memory of one event, and open pages make no error more expensive. If many errors come at once, the listener gets the
//! last rows and the number of those that were left out. A listener that reads nothing for a while is disconnected; its
//! browser reconnects by itself.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::error_store::error_record::Entry;
use crate::error_store::listeners::SubscriptionSlot;
use crate::error_store::query::Filter;
use crate::error_store::store::{self, Store};

/// The time between two events: short enough to be live, and long enough to put a storm of errors into one event.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often a silent stream sends a comment: proxies and browsers treat a silent connection as a dead one.
const BEAT_EVERY: Duration = Duration::from_secs(15);
/// The most rows in one event. More rows at once are too many to read.
const MOST_ROWS: usize = 20;
/// How long a row waits for its bodies.
const WAIT_FOR_BODIES_MS: u64 = 2_000;

/// The stream that one listener gets.
pub(super) struct Events {
    store: Arc<Store>,
    filter: Filter,
    place: SubscriptionSlot,
    ticks: Interval,
    last_beat: Instant,
    /// The number of the last error that was sent or left out.
    last: u64,
    has_begun: bool,
}

impl Events {
    /// The stream begins with the error after the number `after`; if there is none, with the next error.
    pub(super) fn new(store: Arc<Store>, filter: Filter, place: SubscriptionSlot, after: Option<u64>) -> Self {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The number may come from an earlier process, and be higher than any here.
        let count = store.recent().count;
        let last = after.map_or(count, |after| after.min(count));
        Self { store, filter, place, ticks, last_beat: Instant::now(), last, has_begun: false }
    }

    /// The errors since the last event, as one event; `None` if there are none.
    fn look(&mut self) -> Option<String> {
        let now = store::now();
        let (mut errors, gone) = self.since_last(now);
        errors.retain(|it| self.filter.fits(it.route.as_deref(), it.kind.code.as_str()));
        let too_many = errors.len().saturating_sub(MOST_ROWS);
        let left_out = too_many as u64 + if self.filter.matches_all() { gone } else { 0 };
        let rows = errors[too_many..].iter().map(|error| row_event(error));
        let left_out = (left_out > 0).then(|| format!("event: left-out\ndata: {left_out}\n\n"));
        let events: String = left_out.into_iter().chain(rows).collect();
        (!events.is_empty()).then_some(events)
    }

    /// The errors since the last one that was sent, the oldest first; and the number of those that are no longer
    /// stored.
    fn since_last(&mut self, now: u64) -> (Vec<Arc<Entry>>, u64) {
        let kept = self.store.recent();
        let mut errors: Vec<Arc<Entry>> = kept.entries().take_while(|it| it.number > self.last).cloned().collect();
        let gone = kept.count - self.last - errors.len() as u64;
        drop(kept);
        errors.reverse();
        let waits = |it: &Arc<Entry>| it.has_bodies && it.bodies.get().is_none() && now < it.at + WAIT_FOR_BODIES_MS;
        errors.truncate(errors.iter().position(waits).unwrap_or(errors.len()));
        self.last = errors.last().map_or(self.last + gone, |last| last.number);
        (errors, gone)
    }
}

fn row_event(error: &Entry) -> String {
    let html = super::errors::row(error).into_string();
    // In an event stream a carriage return ends a line, too.
    let lines: String = html.split(['\n', '\r']).map(|line| format!("data: {line}\n")).collect();
    format!("id: {}\nevent: row\n{lines}\n", error.number)
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.has_begun {
            self.has_begun = true;
            // A browser would reconnect after three seconds: too long for a person who watches this page.
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"retry: 1000\n\n")))));
        }
        loop {
            let now = ready!(self.ticks.poll_tick(cx));
            if !self.place.note_ready(now) {
                return Poll::Ready(None);
            }
            let event = self.look();
            if event.is_some() || now.saturating_duration_since(self.last_beat) >= BEAT_EVERY {
                self.last_beat = now;
                let event = event.unwrap_or_else(|| ":\n\n".to_owned());
                return Poll::Ready(Some(Ok(Frame::data(event.into()))));
            }
        }
    }
}

#[cfg(test)]
mod tests;
