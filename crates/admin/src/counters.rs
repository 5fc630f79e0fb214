//! Reads the counters of the process at the end of each minute, so that the chart of requests adds no cost to a request.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use error_envelope_runtime::PrometheusHandle;
use serde_json::Deserializer;

use super::error_store::timeline::{CLASSES, MINUTE_MS};
use crate::error_store::store::{self, Store};
use crate::error_store::timeline::Place;

const REQUESTS: &str = "error_envelope_requests_total";

/// Reads the counters now, and at the end of each minute while the store exists. If no thread can be started, they are
/// read whenever the page is open.
pub(crate) fn follow(handle: PrometheusHandle, store: &Arc<Store>) {
    drop(look(&handle, store));
    let of_policy = handle.clone();
    let _ = store.look.set(Box::new(move |store| drop(look(&of_policy, store))));
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

/// The requests of each route and scope, by class of status.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a counter is written as the whole number that it is"
)]
fn totals(text: &str) -> HashMap<Place, [u64; CLASSES.len()]> {
    let mut totals: HashMap<Place, [u64; CLASSES.len()]> = HashMap::new();
    for (labels, value) in text.lines().filter_map(|line| line.strip_prefix(REQUESTS)).filter_map(sample) {
        let label = |name: &str| labels.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value);
        let class = label("status_class").and_then(|class| CLASSES.iter().position(|known| *known == class));
        if let (Some(route), Some(class)) = (label("route"), class) {
            totals.entry(Place::from_labels(route, label("scope"))).or_default()[class] += value as u64;
        }
    }
    totals
}

/// Names with their values.
type Labels<'a> = Vec<(&'a str, String)>;

/// The labels and the value of a sample, from its line without the metric's name.
fn sample(line: &str) -> Option<(Labels<'_>, f64)> {
    let (labels, value) = labels(line.strip_prefix('{')?)?;
    Some((labels, value.split_whitespace().next()?.parse().ok()?))
}

/// The labels between the braces, and the text behind them.
fn labels(mut rest: &str) -> Option<(Labels<'_>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, value) = rest.split_once('=')?;
        // The escapes of a label are some of JSON's.
        let mut texts = Deserializer::from_str(value).into_iter::<String>();
        labels.push((name, texts.next()?.ok()?));
        rest = &value[texts.byte_offset()..];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Place, sample, totals};

    #[test]
    fn a_route_has_the_requests_of_all_its_methods_by_class() {
        let text = "# TYPE error_envelope_requests_total counter\n\
                    error_envelope_requests_total{route=\"/a\",method=\"GET\",status_class=\"2xx\"} 5\n\
                    error_envelope_requests_total{route=\"/a\",method=\"PUT\",status_class=\"5xx\"} 2\n\
                    error_envelope_requests_total{route=\"/a\",method=\"GET\",status_class=\"5xx\"} 1\n\
                    error_envelope_requests_total{route=\"none\",method=\"GET\",scope=\"none\",status_class=\"4xx\"} 1\n\
                    error_envelope_requests_total{route=\"none\",method=\"GET\",scope=\"/shop\",status_class=\"5xx\"} 3\n\
                    error_envelope_requests_total_of_others{route=\"/a\",status_class=\"2xx\"} 9\n";
        let mut totals: Vec<_> = totals(text).into_iter().collect();
        totals.sort();
        let [none, of_shop, a] = [("none", None), ("none", Some("/shop")), ("/a", None)]
            .map(|(route, scope)| Place::from_labels(route, scope));
        assert_eq!(totals, [(none, [0, 0, 1, 0]), (of_shop, [0, 0, 0, 3]), (a, [5, 0, 0, 3])]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\{?[a-z#{}=\"\\\\ ,\\n0-9é]{0,80}") {
            let _ = sample(&text);
        }

        #[test]
        fn a_label_is_what_was_written(value in "\\PC{0,20}|[\"\\\\\\n{},= ]{0,12}") {
            let written = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let line = format!("{{a=\"{written}\",b=\"\"}} 3");
            let (labels, number) = sample(&line).expect("a sample");
            prop_assert_eq!((labels[0].0, &*labels[0].1, labels[1].0, &*labels[1].1, number), ("a", &*value, "b", "", 3.0));
        }
    }
}
