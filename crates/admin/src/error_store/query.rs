//! The filter of a page, in the URL, so that it can be shared.

use form_urlencoded::{Serializer, parse};

/// The value of `route` for errors without a route: no pattern is equal to it.
const ELSEWHERE: &str = "-";

/// Which of the last errors are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// A pattern, or `-`.
    pub(crate) route: Option<String>,
    pub(crate) code: Option<String>,
}

impl Filter {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        Self { route: value(query, "route"), code: value(query, "code") }
    }

    pub(crate) fn by_route(route: Option<&str>) -> Self {
        Self { route: Some(route_word(route).to_owned()), code: None }
    }

    pub(crate) fn matches_all(&self) -> bool {
        self.route.is_none() && self.code.is_none()
    }

    /// Whether an error of this route and code matches; `code` is empty for an error without a code.
    pub(crate) fn fits(&self, route: Option<&str>, code: &str) -> bool {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        fits(&self.route, route_word(route)) && fits(&self.code, code)
    }

    /// `path` with this filter as its query.
    pub(crate) fn link(&self, path: &str) -> String {
        self.link_with(path, None)
    }

    /// `path` with this filter, and one more parameter, as its query.
    pub(crate) fn link_with(&self, path: &str, more: Option<(&str, &str)>) -> String {
        let filters = [("route", self.route.as_deref()), ("code", self.code.as_deref())];
        link(path, filters.into_iter().filter_map(|(name, value)| Some((name, value?))).chain(more))
    }
}

/// `path` with these pairs as its query.
pub(crate) fn link<'a>(path: &str, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(pairs);
    match query.finish() {
        none if none.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// The word for a route in a URL.
pub(crate) fn route_word(route: Option<&str>) -> &str {
    route.unwrap_or(ELSEWHERE)
}

/// A value that is present and not empty.
pub(crate) fn value(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::Filter;

    #[test]
    fn a_link_says_what_it_filters_by() {
        for (query, link) in [
            (None, "/"),
            (Some("route=&code="), "/"),
            (Some("code=conflict"), "/?code=conflict"),
            (Some("route=GET%20/a/%7Bid%7D&code=x&y=1"), "/?route=GET+%2Fa%2F%7Bid%7D&code=x"),
            (Some("route=%22%3E%3Cscript%3E"), "/?route=%22%3E%3Cscript%3E"),
        ] {
            let filter = Filter::parse(query);
            assert_eq!(filter.link("/"), link);
            assert_eq!(Filter::parse(link.split_once('?').map(|(_, query)| query)), filter);
        }
    }
}
