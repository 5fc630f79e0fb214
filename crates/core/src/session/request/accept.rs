//! Chooses between the forms of an error by the client's `accept` (rules R11, R16, R18), as RFC 9110 §12.5.1 defines
//! it.
//!
//! The form with the highest quality is chosen. Between forms of equal quality, the order is JSON, problem, HTML,
//! Markdown. But Markdown that the client names is chosen before JSON that only a wildcard includes. If several ranges
//! fit a type, the most specific range decides. Among equally specific ranges, the highest quality decides. A type that
//! no range fits has quality 0. Elements that cannot be parsed are ignored.

use http::header::{ACCEPT, HeaderMap, HeaderValue};

use crate::page::PageType;
use crate::syntax::{elements, media_type};

/// Returns the form that the client prefers to JSON, to the route's `own` media type, and to all other offered forms.
/// Returns `None` if the client prefers none of them.
#[cold]
pub(in crate::session) fn preferred(
    headers: &HeaderMap,
    own: &str,
    is_offered: impl Fn(OtherForm) -> bool,
) -> Option<OtherForm> {
    let own = own.split_once('/').unwrap_or(JSON);
    let [json, own, problem, html, markdown] =
        qualities(headers, [JSON, own, PROBLEM, ("text", "html"), ("text", "markdown")]);
    let weight = |form: OtherForm| match form {
        OtherForm::Problem => problem.weight,
        OtherForm::Page(PageType::Html) => html.weight,
        OtherForm::Page(PageType::Markdown) => markdown.weight,
    };
    let all = [OtherForm::Problem, OtherForm::Page(PageType::Html), OtherForm::Page(PageType::Markdown)];
    let (mut best, mut chosen) = (json.weight.max(own.weight), None);
    for form in all.into_iter().filter(|form| is_offered(*form)) {
        if weight(form) > best {
            (best, chosen) = (weight(form), Some(form));
        }
    }
    // Agents send `text/markdown, text/html, */*`.
    let is_before =
        |form: OtherForm, quality: &Quality| is_offered(form) && quality.is_named() && quality.weight == best;
    let is_wanted = markdown.weight == best
        && markdown.is_named()
        && ![&json, &own].into_iter().any(Quality::is_named)
        && !is_before(OtherForm::Problem, &problem);
    let markdown =
        || Some(OtherForm::Page(PageType::Markdown)).filter(|form| is_wanted && best > 0 && is_offered(*form));
    chosen.or_else(markdown)
}

/// A form that a route may offer in addition to its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum OtherForm {
    /// RFC 9457 (R11).
    Problem,
    /// A page (R16), or Markdown (R18).
    Page(PageType),
}

const JSON: MediaType = ("application", "json");
const PROBLEM: MediaType = ("application", "problem+json");

/// The type and the subtype, in lower case.
type MediaType = (&'static str, &'static str);

/// Returns the quality that the client gives to each of these media types.
fn qualities<const N: usize>(headers: &HeaderMap, types: [(&str, &str); N]) -> [Quality; N] {
    let mut found = [(); N].map(|()| Quality::default());
    let lines = headers.get_all(ACCEPT).iter().map(HeaderValue::as_bytes);
    for range in lines.flat_map(elements).filter_map(Range::parse) {
        found.iter_mut().zip(types).for_each(|(quality, of)| quality.consider(&range, of));
    }
    found
}

/// Returns true if a line of `accept` may state a preference between JSON and problem. The line must contain `json`,
/// and must not be only `application/json`. A range with a wildcard fits both types, and few clients name either.
pub(in crate::session) fn names_a_type(line: &[u8]) -> bool {
    !line.eq_ignore_ascii_case(b"application/json") && line.windows(4).any(|part| part.eq_ignore_ascii_case(b"json"))
}

/// The specificity of a range without a wildcard.
const NAMED: u8 = 3;

/// The best range so far for one type.
#[derive(Default)]
struct Quality {
    specificity: u8,
    /// The quality in thousandths.
    weight: u16,
}

impl Quality {
    /// Returns true if the client named the type itself, and not only a range that includes it.
    fn is_named(&self) -> bool {
        self.specificity == NAMED
    }

    fn consider(&mut self, range: &Range<'_>, of: (&str, &str)) {
        let specificity = range.fits(of);
        if specificity > self.specificity {
            *self = Self { specificity, weight: range.weight };
        } else if specificity > 0 && specificity == self.specificity {
            self.weight = self.weight.max(range.weight);
        }
    }
}

/// A range, such as `type/subtype;parameters;q=0.5`.
struct Range<'a> {
    kind: &'a [u8],
    subtype: &'a [u8],
    /// True if the range has a parameter that neither JSON nor a page has, so that it fits neither.
    narrowed: bool,
    weight: u16,
}

impl<'a> Range<'a> {
    fn parse(element: &'a [u8]) -> Option<Self> {
        let (mut narrowed, mut weight) = (false, None);
        let parameter = |name: &[u8], value: &[u8]| {
            if name.eq_ignore_ascii_case(b"q") {
                let is_first = weight.is_none();
                weight = thousandths(value);
                return is_first && weight.is_some();
            }
            // Both types are UTF-8. For JSON, a charset means nothing (RFC 8259 §11).
            narrowed |= !name.eq_ignore_ascii_case(b"charset") || !is_utf8(value);
            true
        };
        let (kind, subtype) = media_type(element, parameter)?;
        (kind != b"*" || subtype == b"*").then(|| Self { kind, subtype, narrowed, weight: weight.unwrap_or(1000) })
    }

    /// Returns how specifically the range fits a media type, or 0 if it does not fit.
    fn fits(&self, (kind, subtype): (&str, &str)) -> u8 {
        match (self.kind, self.subtype) {
            _ if self.narrowed => 0,
            (b"*", _) => 1,
            (own, _) if !own.eq_ignore_ascii_case(kind.as_bytes()) => 0,
            (_, b"*") => 2,
            (_, own) if own.eq_ignore_ascii_case(subtype.as_bytes()) => NAMED,
            _ => 0,
        }
    }
}

/// Parses a quality such as `0`, `1`, `0.5` or `1.000`, with at most three decimals (RFC 9110 §12.4.2).
fn thousandths(value: &[u8]) -> Option<u16> {
    let (whole, decimals) = match value {
        [whole @ (b'0' | b'1')] => (whole, &b""[..]),
        [whole @ (b'0' | b'1'), b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut weight = u16::from(whole - b'0');
    for at in 0..3 {
        let digit = decimals.get(at).unwrap_or(&b'0');
        weight = weight * 10 + u16::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
    }
    (weight <= 1000).then_some(weight)
}

fn is_utf8(value: &[u8]) -> bool {
    value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""))
        .unwrap_or(value)
        .eq_ignore_ascii_case(b"utf-8")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefers(lines: &[&str]) -> bool {
        let line = |line: &&str| (ACCEPT, HeaderValue::from_str(line).unwrap());
        prefers_by(&lines.iter().map(line).collect())
    }

    fn prefers_by(headers: &HeaderMap) -> bool {
        headers.values().any(|value| names_a_type(value.as_bytes()))
            && preferred(headers, "application/json", |form| form == OtherForm::Problem).is_some()
    }

    #[test]
    fn r11_a_higher_quality_and_no_other() {
        for lines in [
            &["application/problem+json"][..],
            &["Application/Problem+JSON"],
            &["application/problem+json, application/json;q=0.9, */*;q=0.1"],
            &["application/json;q=0.9", "application/problem+json"],
            &["application/json;q=0, */*"],
            &["application/json;q=0.001,application/*;q=0.002"],
            &["application/problem+json;charset=utf-8"],
            &["application/problem+json; charset=\"UTF-8\" ; Q=0.3"],
            &["application/problem+json;q=0.5;charset=utf-8, application/json;q=0.4"],
            &["a/b;c=\"x, application/json\", application/problem+json"],
            &["application/json;profile=x, application/problem+json;q=0.1"],
            &["application/problem+json;;q=0.2;"],
            &[",, application/problem+json ,"],
            &["application/json;q=2, application/problem+json;q=0.1"],
        ] {
            assert!(prefers(lines), "{lines:?}");
        }
    }

    #[test]
    fn r11_everyone_else_gets_the_envelope() {
        for lines in [
            &[][..],
            &[""],
            &["*/*"],
            &["application/json"],
            &["text/html, application/xhtml+xml, */*;q=0.8"],
            &["application/*"],
            &["application/json, application/problem+json"],
            &["application/problem+json;q=0.5, application/json"],
            &["application/problem+json;q=0.5, */*;q=0.6"],
            &["application/problem+json;q=0"],
            &["application/problem+json;q=0.5, application/*;q=0.1, application/json;q=0.5"],
            &["application/problem+json;q=1.001"],
            &["application/problem+json;q=0.1234"],
            &["application/problem+json;q="],
            &["application/problem+json;q=.5"],
            &["application/problem+json;q=1;q=1"],
            &["application/problem+json;v=1"],
            &["application/problem+json;charset=latin1"],
            &["application/problem+json json"],
            &["\"application/problem+json"],
            &["*/problem+json"],
            &["application/problem+jsons"],
            &["text/problem+json"],
            &["\"x, application/problem+json"],
        ] {
            assert!(!prefers(lines), "{lines:?}");
        }
    }

    fn prefers_page(headers: &HeaderMap, own: &str, has_problem: bool) -> bool {
        let html = OtherForm::Page(PageType::Html);
        preferred(headers, own, |form| form == html || has_problem && form == OtherForm::Problem) == Some(html)
    }

    #[test]
    fn r16_a_page_for_those_who_prefer_it() {
        const CHROME: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7";
        const FIREFOX: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        const GOOGLE: &str = "application/vnd.google";
        for (accept, own, has_problem, expected) in [
            (CHROME, "application/json", true, true),
            (FIREFOX, "application/json", true, true),
            ("text/html", "application/json", true, true),
            ("TEXT/HTML;charset=utf-8", "application/json", true, true),
            ("text/*", "application/json", true, true),
            ("text/html;q=0.2, */*;q=0.1", "application/json", true, true),
            ("application/json;q=0, */*", "application/json", false, true),
            ("*/*", "application/json", true, false),
            ("", "application/json", true, false),
            ("text/html, application/json", "application/json", true, false),
            ("application/json, text/html", "application/json", true, false),
            ("application/json, text/html;q=0.9", "application/json", true, false),
            ("text/html;q=0", "application/json", true, false),
            ("text/html, */*", "application/json", true, false),
            ("text/html;level=1", "application/json", true, false),
            ("application/xhtml+xml", "application/json", true, false),
            ("text/html;q=0.9, application/problem+json", "application/json", true, false),
            ("text/html, application/problem+json", "application/json", true, false),
            ("text/html, application/problem+json;q=0.9", "application/json", true, true),
            ("text/html;q=0.9, application/problem+json", "application/json", false, true),
            ("text/html;q=0.9, application/problem+json", "application/problem+json", false, false),
            ("text/html;q=0.9, application/vnd.google", GOOGLE, false, false),
        ] {
            let headers = [(ACCEPT, HeaderValue::from_static(accept))].into_iter().collect();
            assert_eq!(prefers_page(&headers, own, has_problem), expected, "{accept} {own}");
        }
        assert!(!prefers_page(&HeaderMap::new(), "application/json", true));
    }

    #[test]
    fn r11_bytes_beyond_ascii_are_no_member() {
        let value = HeaderValue::from_bytes(b"caf\xe9/json, application/problem+json").unwrap();
        assert!(prefers_by(&[(ACCEPT, value)].into_iter().collect()));
    }

    /// A range in the model: kind, subtype, further parameter, quality in thousandths, or nonsense.
    #[derive(Clone, Debug)]
    enum Member {
        Range(&'static str, &'static str, &'static str, Option<u16>),
        Nonsense(&'static str),
    }

    fn member() -> impl Strategy<Value = Member> {
        let range = (
            prop::sample::select(vec![
                ("*", "*"),
                ("application", "*"),
                ("application", "json"),
                ("APPLICATION", "Json"),
                ("application", "problem+json"),
                ("text", "*"),
                ("text", "json"),
                ("Text", "HTML"),
                ("text", "Markdown"),
                ("application", "json-seq"),
            ]),
            prop::sample::select(vec!["", "", "", ";charset=utf-8", ";v=1", ";v=\"a,b;q=0\\\"\""]),
            prop::option::of(prop::sample::select(vec![0u16, 1, 300, 500, 999, 1000])),
        );
        prop_oneof![
            6 => range.prop_map(|((kind, subtype), parameter, q)| Member::Range(kind, subtype, parameter, q)),
            1 => prop::sample::select(vec![
                "", "json", "application/", "/json", "application/json;q=x", "application/json;q=1.5",
                "application/problem+json;q=0.0001", "*/json", "application/problem+json;=1", "a b/json",
            ])
            .prop_map(Member::Nonsense),
        ]
    }

    fn written(member: &Member) -> String {
        match member {
            Member::Nonsense(text) => (*text).to_owned(),
            Member::Range(kind, subtype, parameter, None) => format!("{kind}/{subtype}{parameter}"),
            Member::Range(kind, subtype, parameter, Some(q)) => {
                format!("{kind}/{subtype}{parameter} ; q={}.{:03}", q / 1000, q % 1000)
            }
        }
    }

    /// Returns the specificity and the quality, computed exactly as RFC 9110 §12.5.1 describes it.
    fn quality(members: &[Member], of: &str, wanted: &str) -> (u8, u16) {
        let fitting = members.iter().filter_map(|member| {
            let Member::Range(kind, subtype, parameter, q) = member else { return None };
            let specificity = match (kind.to_lowercase().as_str(), subtype.to_lowercase().as_str()) {
                _ if parameter.contains("v=") => return None,
                ("*", "*") => 1,
                (kind, "*") if kind == of => 2,
                (kind, subtype) if kind == of && subtype == wanted => 3,
                _ => return None,
            };
            Some((specificity, q.unwrap_or(1000)))
        });
        fitting.max().unwrap_or_default()
    }

    proptest! {
        #[test]
        fn r11_r16_r18_the_comparison_is_that_of_a_naive_model(
            members in prop::collection::vec(member(), 0..6),
            lines in prop::collection::vec(any::<bool>(), 6),
        ) {
            let mut text = vec![String::new()];
            for (member, new_line) in members.iter().zip(lines) {
                if new_line {
                    text.push(written(member));
                } else {
                    let last = text.last_mut().unwrap();
                    *last = format!("{last}, {}", written(member));
                }
            }
            let lines: Vec<&str> = text.iter().map(String::as_str).collect();
            let [(of_problem, problem), (of_json, json)] = ["problem+json", "json"].map(|it| quality(&members, "application", it));
            let [(_, html), (of_markdown, markdown)] = ["html", "markdown"].map(|it| quality(&members, "text", it));
            prop_assert_eq!(prefers(&lines), problem > json, "{:?}", lines);
            let headers = lines.iter().map(|line| (ACCEPT, HeaderValue::from_str(line).unwrap())).collect();
            let pages = |has_problem| prefers_page(&headers, "application/json", has_problem);
            prop_assert_eq!((pages(false), pages(true)), (html > json, html > json.max(problem)), "{:?}", lines);
            let chosen = preferred(&headers, "application/json", |_| true);
            let is_markdown = chosen == Some(OtherForm::Page(PageType::Markdown));
            let is_wanted = markdown == json && json > 0 && json >= problem.max(html) && of_markdown == 3 && of_json < 3;
            let is_wanted = is_wanted && (of_problem, problem) != (3, json);
            prop_assert_eq!(is_markdown, markdown > json.max(problem).max(html) || is_wanted, "{:?}", lines);
        }
    }
}
