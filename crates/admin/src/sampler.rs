//! Reads the counters of the process at the end of each minute, so that a chart of requests adds no cost to a request.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use error_envelope_runtime::PrometheusHandle;

use crate::error_store::minutes::MINUTE_MS;
use crate::error_store::place::Place;
use crate::error_store::requests::RouteTotals;
use crate::error_store::store::{self, Store};
use crate::exposition;

const REQUESTS: &str = "error_envelope_requests_total";

/// Reads the counters now, and at the end of each minute while the store exists. If no thread can be started, they are
/// read whenever a page is opened.
pub(crate) fn follow(handle: PrometheusHandle, store: &Arc<Store>) {
    drop(look(&handle, store));
    let store = Arc::downgrade(store);
    let all = move || while look_at_next_turn(&handle, &store) {};
    let _ = thread::Builder::new().name("minutes".to_owned()).spawn(all);
}

/// Counts the requests since the last reading, and returns the metrics as read. Only one thread reads at a time: an
/// older reading would look like a restart.
pub(crate) fn look(handle: &PrometheusHandle, store: &Store) -> String {
    let mut requests = store.requests();
    let text = handle.render();
    requests.look(store::now(), &totals(&text));
    text
}

fn look_at_next_turn(handle: &PrometheusHandle, store: &Weak<Store>) -> bool {
    thread::sleep(Duration::from_millis(MINUTE_MS - store::now() % MINUTE_MS));
    store.upgrade().map(|store| drop(look(handle, &store))).is_some()
}

/// The requests of each route and scope.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a counter is written as the whole number that it is"
)]
fn totals(text: &str) -> HashMap<Place, RouteTotals> {
    let mut totals: HashMap<Place, RouteTotals> = HashMap::new();
    for sample in text.lines().filter(|line| line.starts_with(REQUESTS)).filter_map(exposition::sample) {
        if let Some(route) = sample.label("route").filter(|_| sample.name == REQUESTS) {
            let of_place = totals.entry(Place::from_labels(route, sample.label("scope"))).or_default();
            of_place.all += sample.value as u64;
            if sample.label("status_class") == Some("5xx") {
                of_place.faults += sample.value as u64;
            }
        }
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::{Place, totals};

    #[test]
    fn a_route_has_the_requests_of_all_its_methods_and_classes() {
        let text = "# TYPE error_envelope_requests_total counter\n\
                    error_envelope_requests_total{route=\"/a\",method=\"GET\",status_class=\"2xx\"} 5\n\
                    error_envelope_requests_total{route=\"/a\",method=\"PUT\",status_class=\"5xx\"} 2\n\
                    error_envelope_requests_total{route=\"none\",method=\"GET\",scope=\"none\",status_class=\"4xx\"} 1\n\
                    error_envelope_requests_total{route=\"none\",method=\"GET\",scope=\"/shop\",status_class=\"5xx\"} 3\n\
                    error_envelope_requests_total_of_others{route=\"/a\"} 9\n";
        let mut totals: Vec<_> = totals(text).into_iter().map(|(place, it)| (place, it.all, it.faults)).collect();
        totals.sort();
        let [none, of_shop, a] = [("none", None), ("none", Some("/shop")), ("/a", None)]
            .map(|(route, scope)| Place::from_labels(route, scope));
        assert_eq!(totals, [(none, 1, 0), (of_shop, 3, 3), (a, 7, 2)]);
    }
}
