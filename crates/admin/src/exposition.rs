//! Prometheus' text format, parsed as far as this process writes it: families of samples with labels.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// The samples of one name.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Family<'t> {
    pub(crate) help: &'t str,
    /// `counter`, `gauge`, `histogram`, `summary`; empty if it is missing.
    pub(crate) kind: &'t str,
    pub(crate) samples: Vec<Sample<'t>>,
}

/// One sample, on a line of its own.
#[derive(Debug, PartialEq)]
pub(crate) struct Sample<'t> {
    /// The family's name, and `_sum`, `_count` or `_bucket` behind it.
    pub(crate) name: &'t str,
    pub(crate) labels: Vec<(&'t str, Cow<'t, str>)>,
    pub(crate) value: f64,
}

/// Parses the text into families, by their names. A line in another form is left out.
pub(crate) fn families(text: &str) -> BTreeMap<&str, Family<'_>> {
    let mut families: BTreeMap<&str, Family<'_>> = BTreeMap::new();
    let mut current = "";
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|line| line.split_once(' ')) {
            families.entry(name).or_default().help = help;
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            families.entry(name).or_default().kind = kind;
            current = name;
        } else if let Some(sample) = sample(line) {
            let name = if belongs(sample.name, current) { current } else { sample.name };
            families.entry(name).or_default().samples.push(sample);
        }
    }
    families
}

/// One line; `None` for comments and for any other form.
pub(crate) fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = value.split_whitespace().next()?.parse().ok()?;
    (!name.is_empty() && !name.starts_with('#')).then_some(Sample { name, labels, value })
}

impl Sample<'_> {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }
}

fn belongs(sample: &str, family: &str) -> bool {
    let suffix = sample.strip_prefix(family).filter(|_| !family.is_empty());
    suffix.is_some_and(|suffix| ["", "_sum", "_count", "_bucket"].contains(&suffix))
}

/// Names with their values.
type Labels<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// The labels between the braces, and the text behind them.
fn labels(mut rest: &str) -> Option<(Labels<'_>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, value) = rest.split_once("=\"")?;
        let end = closing_quote(value)?;
        labels.push((name, unescaped(&value[..end])));
        rest = &value[end + 1..];
    }
}

fn closing_quote(value: &str) -> Option<usize> {
    let mut is_escaped = false;
    value.bytes().position(|byte| {
        let closes = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        closes
    })
}

fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut letters = value.chars();
    let next = || match letters.next()? {
        '\\' => letters.next().map(|letter| if letter == 'n' { '\n' } else { letter }),
        letter => Some(letter),
    };
    std::iter::from_fn(next).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{families, sample};

    #[test]
    fn families_have_their_samples() {
        let text = "# HELP a_total How many.\n# TYPE a_total counter\na_total{route=\"/a/{id}\",x=\"\"} 7\na_total 1\n\n\
                    # TYPE b_seconds histogram\nb_seconds_bucket{le=\"+Inf\"} 2\nb_seconds_sum 0.5\nb_seconds_count 2\nc 1 1700000000\nno value\n";
        let families = families(text);
        assert_eq!(families.keys().copied().collect::<Vec<_>>(), ["a_total", "b_seconds", "c"]);
        let a = &families["a_total"];
        assert_eq!((a.help, a.kind, a.samples.len()), ("How many.", "counter", 2));
        assert_eq!((a.samples[0].label("route"), a.samples[0].value), (Some("/a/{id}"), 7.0));
        assert_eq!(families["b_seconds"].samples.len(), 3);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[a-z#{}=\"\\\\ ,\\n0-9é]{0,80}") {
            let _ = families(&text);
        }

        #[test]
        fn a_label_is_what_was_written(value in "\\PC{0,20}|[\"\\\\\\n{},= ]{0,12}") {
            let written = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let line = format!("name{{a=\"{written}\",b=\"\"}} 3");
            let read = sample(&line).expect("a sample");
            prop_assert_eq!((read.name, read.label("a"), read.label("b"), read.value), ("name", Some(&*value), Some(""), 3.0));
        }
    }
}
