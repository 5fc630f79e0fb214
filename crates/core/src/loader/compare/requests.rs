//! The sample requests for which two policies are compared.

use std::collections::{BTreeMap, HashSet};

use crate::guard::pattern::Pattern;
use crate::loader::chain::{keys, value_of};
use crate::loader::file::PolicyFile;
use crate::loader::witness::{FRESH, SampleRequest, any_method};
use crate::policy::error::TablePath;

/// A route with its settings and the hosts of its scope.
struct RouteSample {
    place: TablePath,
    hosts: Vec<String>,
    pattern: Pattern,
    /// A text that is equal for two routes with the same scope, pattern and settings.
    text: String,
}

impl PolicyFile {
    /// A request for each table of both policies, and one for each pair of routes that meet if only one policy has one
    /// of them.
    pub(super) fn requests_to_compare(&self, new: &Self) -> Vec<SampleRequest> {
        let (before, after) = (self.route_samples(), new.route_samples());
        let texts = |routes: &[RouteSample]| routes.iter().map(|route| route.text.clone()).collect::<HashSet<_>>();
        let (old_texts, new_texts) = (texts(&before), texts(&after));
        let all = || before.iter().chain(&after);
        let changed = all().filter(|route| !(old_texts.contains(&route.text) && new_texts.contains(&route.text)));
        let meetings = changed.flat_map(|route| {
            all().filter(|other| other.text != route.text).flat_map(|other| route.common_request(other))
        });
        let samples = self.samples().into_iter().chain(new.samples()).chain(meetings);
        let unique: BTreeMap<_, _> =
            samples.map(|it| ((it.host.clone(), it.path.clone(), it.method.to_string()), it)).collect();
        unique.into_values().collect()
    }

    fn route_samples(&self) -> Vec<RouteSample> {
        let of_part = |(part, patterns): (usize, Vec<Pattern>)| {
            let route = move |(index, pattern): (usize, Pattern)| self.route_sample(part, index, pattern);
            patterns.into_iter().enumerate().map(route)
        };
        self.patterns().into_iter().enumerate().flat_map(of_part).collect()
    }

    fn route_sample(&self, part: usize, index: usize, pattern: Pattern) -> RouteSample {
        let settings = &self.part(part).routes[index].keys;
        let set: Vec<_> = keys().filter_map(|key| value_of(settings, key)).collect();
        let hosts = Some(self.hosts_of(part)).filter(|hosts| !hosts.is_empty()).unwrap_or_else(|| vec![String::new()]);
        let text = format!("{hosts:?} {:?} {} {set:?}", self.prefix_of(part), pattern.written());
        RouteSample { place: TablePath::Route(part, index), hosts, pattern, text }
    }
}

impl RouteSample {
    /// A request that both routes match, for each host of either.
    fn common_request(&self, other: &Self) -> Vec<SampleRequest> {
        let Some((method, path)) = self.pattern.common_request(&other.pattern) else { return Vec::new() };
        let is_any = self.pattern.methods().is_empty() && other.pattern.methods().is_empty();
        let method = if is_any { any_method() } else { method };
        let request = |host: &String| SampleRequest {
            place: self.place.clone(),
            method: method.clone(),
            host: host.clone(),
            path: path.clone(),
        };
        self.hosts.iter().chain(&other.hosts).map(request).collect()
    }
}

impl SampleRequest {
    /// The request as people read it, with `…` for any text, such as `GET *.example.com/a/…`. Without a method if any
    /// one fits.
    pub(super) fn to_text(&self) -> String {
        let method = if self.method == any_method() { String::new() } else { format!("{} ", self.method) };
        let (host, mut path) = (self.host.replace(FRESH, "*"), self.path.replace(FRESH, "…"));
        while path.contains("/…/…") {
            path = path.replace("/…/…", "/…");
        }
        format!("{method}{host}{path}")
    }
}
