//! The data of the first page, read at one moment, so that figures, charts and rows agree.

use std::collections::HashMap;
use std::sync::Arc;

use error_envelope_core::policy::UpstreamUrl;

use super::chart::Counts;
use crate::admin_request::AdminRequest;
use crate::error_store::error_record::{Code, Entry, Severity};
use crate::error_store::minutes::kept_minutes;
use crate::error_store::place::Place;
use crate::error_store::query::Filter;
use crate::error_store::readiness::Span;
use crate::error_store::requests::RouteTotals;
use crate::error_store::store;
use crate::error_store::tally::Tally;

/// How many minutes count as now: enough to show a rate, and so few that the rate drops soon after the cause has ended.
pub(super) const NOW_MINUTES: u32 = 15;

/// A place's errors with one code.
pub(super) type OfCode = (Place, Code, u64);

pub(super) struct Moment {
    pub(super) span: Span,
    /// How many errors there were.
    pub(super) count: u64,
    pub(super) entries: Vec<Arc<Entry>>,
    pub(super) tallies: Vec<(Option<Arc<str>>, Tally)>,
    pub(super) faults: Vec<OfCode>,
    pub(super) refusals: Vec<OfCode>,
    /// The service of each place's last error, behind a gateway.
    pub(super) services: HashMap<Place, UpstreamUrl>,
    /// The kill switch is on: the mode is `off`, whatever the policy sets.
    pub(super) is_off: bool,
    /// The current requests of each place, from the counters of requests, which also count the 5xx that the policy lets
    /// pass. `None` if there are no counters.
    pub(super) totals: Option<HashMap<Place, RouteTotals>>,
    /// The errors of all the minutes that are kept.
    pub(super) errors: Counts,
    pub(super) requests: Option<Counts>,
    /// The metrics of this process, as Prometheus reads them.
    pub(super) metrics: Option<String>,
}

impl Moment {
    pub(super) fn take(request: &AdminRequest<'_>) -> Self {
        let store = &request.shared().store;
        let metrics = request.admin.look_at_counters();
        let requests = store.requests();
        let recent = store.recent();
        let span = Span { since: store.since, now: store::now() };
        let minutes = kept_minutes(span.now);
        let now = minutes.end - NOW_MINUTES.min(minutes.end)..minutes.end;
        let with_errors = |(_, tally): &(_, &Tally)| tally.errors.sum(span.today()) > 0;
        let timeline = &recent.timeline;
        let with_faults = |all| Counts { all, faults: requests.fault_counts(None, minutes.clone()) };
        Self {
            span,
            count: recent.count,
            entries: recent.entries().cloned().collect(),
            tallies: recent.tallies().filter(with_errors).map(|(route, it)| (route.cloned(), it.clone())).collect(),
            faults: timeline.totals_of(Severity::Fault, &now),
            refusals: timeline.totals_of(Severity::Refusal, &now),
            services: recent.services.clone(),
            is_off: request.shared().switch.is_off(),
            totals: requests.totals(&now).map(|rows| rows.into_iter().map(|(place, it)| (place.clone(), it)).collect()),
            errors: Counts {
                all: timeline.counts(&Filter::default(), minutes.clone()),
                faults: timeline.counts_of(Severity::Fault, minutes.clone()),
            },
            requests: requests.counts(None, minutes.clone()).map(with_faults),
            metrics,
        }
    }
}
