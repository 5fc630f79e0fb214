//! The metrics, as a person reads them.

use http::StatusCode;
use maud::{Markup, html};

use crate::admin::Metrics;
use crate::admin_request::AdminRequest;

/// The page of the metrics. If another address serves them, the page names that address.
pub(super) fn answer(request: &AdminRequest<'_>) -> (StatusCode, Markup) {
    match &request.admin.metrics {
        #[cfg(feature = "prometheus")]
        Metrics::Here(_) => (StatusCode::OK, here::page(request)),
        Metrics::Elsewhere(place) => (StatusCode::NOT_FOUND, none(place)),
        Metrics::Nowhere => {
            (StatusCode::NOT_FOUND, none("Nothing is counted, because no metrics recorder is installed."))
        }
    }
}

fn none(why: &str) -> Markup {
    html! { h1 { "Metrics" } p.lead { (why) } }
}

#[cfg(feature = "prometheus")]
mod here {
    use maud::{Markup, html};

    use super::super::part::PartSearch;
    use super::super::text::{foreign, grouped, head_row};
    use crate::admin_request::AdminRequest;
    use crate::exposition::{Family, Sample, families};
    use crate::metrics;

    /// One row: a number, or a histogram's samples with the same labels.
    struct Row<'t> {
        family: &'t str,
        kind: &'t str,
        help: &'t str,
        labels: String,
        value: String,
    }

    pub(super) fn page(request: &AdminRequest<'_>) -> Markup {
        let text = metrics::text(request.admin).unwrap_or_default();
        let mut search = PartSearch::new(request.query, "/metrics/view", "rows", "row");
        let families = families(&text);
        let rows = families.iter().flat_map(|(name, family)| rows(name, family));
        let rows: Vec<_> = rows.filter(|row| row.fits(&search.part)).collect();
        let shown = search.page(&rows);
        html! {
            h1 { "Metrics" }
            p.lead { "The current values. Prometheus reads them at " a href="/metrics" { code { "/metrics" } } "." }
            (search.form("Find metrics", "Name or label contains"))
            @if rows.is_empty() { p.empty id="rows" { "No name or label contains this text." } } @else { (table(shown)) }
            (search.links())
        }
    }

    fn table(rows: &[Row<'_>]) -> Markup {
        html! {
            table.metrics role="table" id="rows" {
                caption { "For a histogram: the number of values, their mean, and the bucket that contains 95 % of \
                           them" }
                (head_row(&["Name", "Labels", "Value"], &["Value"]))
                tbody role="rowgroup" {
                    @for (at, row) in rows.iter().enumerate() {
                        @let is_first = at == 0 || rows[at - 1].family != row.family;
                        tr role="row" class=[is_first.then_some("first")] {
                            th role="rowheader" scope="row" {
                                code { (row.family) }
                                @if is_first { " " span.tag { (row.kind) } p.help { (row.help) } }
                            }
                            td.wrap role="cell" { (foreign(&row.labels)) }
                            td.number role="cell" { (row.value) }
                        }
                    }
                }
            }
        }
    }

    impl Row<'_> {
        fn fits(&self, wanted: &str) -> bool {
            self.family.contains(wanted) || self.labels.contains(wanted)
        }
    }

    fn rows<'t>(name: &'t str, family: &Family<'t>) -> Vec<Row<'t>> {
        let row =
            |labels: String, value: String| Row { family: name, kind: family.kind, help: family.help, labels, value };
        let is_histogram = family.kind == "histogram";
        let samples = family.samples.iter().filter(|sample| !is_histogram || sample.name.ends_with("_count"));
        let value =
            |sample: &Sample<'_>| if is_histogram { distribution(family, sample) } else { number(sample.value) };
        samples.map(|sample| row(labels_of(sample), value(sample))).collect()
    }

    /// `route=/a, method=GET`, without a bucket's bound.
    fn labels_of(sample: &Sample<'_>) -> String {
        let labels = sample.labels.iter().filter(|(name, _)| *name != "le");
        labels.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    }

    /// `1,204, mean 0.012, 95 % within 0.05`.
    fn distribution(family: &Family<'_>, count: &Sample<'_>) -> String {
        let labels = labels_of(count);
        let same = || family.samples.iter().filter(|sample| labels_of(sample) == labels);
        let sum = same().find(|sample| sample.name.ends_with("_sum")).map_or(0.0, |sample| sample.value);
        if count.value <= 0.0 {
            return "0".to_owned();
        }
        let within = same().filter(|sample| sample.name.ends_with("_bucket") && sample.value >= count.value * 0.95);
        let bound = within.filter_map(|sample| sample.label("le")?.parse::<f64>().ok()).fold(f64::INFINITY, f64::min);
        let bound =
            if bound.is_finite() { format!("95 % within {bound}") } else { "5 % or more above all buckets".to_owned() };
        format!("{}, mean {}, {bound}", number(count.value), short(sum / count.value))
    }

    /// At most five decimal places, without zeros at the end.
    fn short(value: f64) -> String {
        let places = format!("{value:.5}");
        places.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// A whole number with thousands separators, any other as it is.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a whole number within u64")]
    fn number(value: f64) -> String {
        const LARGEST: f64 = 9_007_199_254_740_992.0;

        if value.fract() == 0.0 && (0.0..=LARGEST).contains(&value) { grouped(value as u64) } else { value.to_string() }
    }

    #[cfg(test)]
    mod tests {
        use super::rows;
        use crate::exposition::families;

        #[test]
        fn a_histogram_is_one_row_of_its_labels() {
            let text = "# HELP x_seconds Time.\n# TYPE x_seconds histogram\n\
                        x_seconds_bucket{route=\"/a\",le=\"0.01\"} 90\nx_seconds_bucket{route=\"/a\",le=\"0.1\"} 96\n\
                        x_seconds_bucket{route=\"/a\",le=\"+Inf\"} 100\nx_seconds_sum{route=\"/a\"} 2\nx_seconds_count{route=\"/a\"} 100\n\
                        x_seconds_bucket{route=\"/b\",le=\"+Inf\"} 0\nx_seconds_sum{route=\"/b\"} 0\nx_seconds_count{route=\"/b\"} 0\n\
                        # TYPE y_total counter\ny_total 1234567\n";
            let families = families(text);
            let all: Vec<_> = families.iter().flat_map(|(name, family)| rows(name, family)).collect();
            let shown: Vec<_> = all.iter().map(|row| (row.family, &*row.labels, &*row.value)).collect();
            assert_eq!(
                shown,
                [
                    ("x_seconds", "route=/a", "100, mean 0.02, 95 % within 0.1"),
                    ("x_seconds", "route=/b", "0"),
                    ("y_total", "", "1,234,567"),
                ]
            );
        }
    }
}
