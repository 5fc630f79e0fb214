//! What the product states about all requests, in each of its views.

use std::collections::BTreeMap;

use serde_json::Value;

/// The views of one process.
#[derive(Clone, Default)]
pub(crate) struct Views {
    /// True if the process sees only the head of a response. Then it may not state how a response ended.
    pub(crate) is_blind: bool,
    /// The fields of the log's lines about requests.
    pub(crate) lines: Vec<Value>,
    /// The fields of the access log's lines, or `None` if there is no such log.
    pub(crate) access: Option<Vec<Value>>,
    pub(crate) metrics: Vec<Series>,
    /// The content of `/errors.json`, `/now.json` and `/readiness.json`, or null without an admin address.
    pub(crate) errors: Value,
    pub(crate) now: Value,
    pub(crate) readiness: Value,
    /// What `find` states about some ids.
    pub(crate) found: Vec<(String, Value)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// Returns the lines of a JSON log with this target that are about a request's failure.
pub(crate) fn lines(log: &str, target: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_request = |line: &Value| line["target"] == target && line["fields"]["origin"].is_string();
    lines.filter(of_request).map(|line| line["fields"].clone()).collect()
}

/// Reads the series of a text in Prometheus's format, without comments.
pub(crate) fn series(text: &str) -> Vec<Series> {
    let one = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| {
            let (name, value) = label.split_once("=\"")?;
            Some((name.to_owned(), value.trim_end_matches('"').to_owned()))
        });
        Some(Series { name: name.to_owned(), labels: labels.collect(), value: value.parse().ok()? })
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(one).collect()
}

impl Views {
    /// Returns the sums of a metric by these labels.
    pub(crate) fn sums(&self, name: &str, by: &[&str]) -> BTreeMap<Vec<String>, i64> {
        let mut sums = BTreeMap::new();
        for series in self.metrics.iter().filter(|series| series.name == name) {
            let key = by.iter().map(|label| series.labels.get(*label).cloned().unwrap_or_default()).collect();
            *sums.entry(key).or_default() += series.value as i64;
        }
        sums
    }
}

/// Returns a field as a text, or `none` if it is missing or null.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
