//! A long list, page by page; the address has the page number.

use maud::{Markup, html};

use super::text::counted;
use crate::error_store::query::value;

/// One page of a list.
pub(super) struct Paging {
    /// The page's name in the address.
    name: &'static str,
    /// What is listed, in the singular.
    what: &'static str,
    /// The page's index, from 0.
    at: usize,
    pages: usize,
    total: usize,
}

impl Paging {
    /// The page that the query names: the last page if there are fewer, the first if the query has no number.
    pub(super) fn new(query: Option<&str>, name: &'static str, what: &'static str) -> Self {
        let number = value(query, name).and_then(|page| page.parse::<usize>().ok()).unwrap_or(1);
        Self { name, what, at: number.saturating_sub(1), pages: 1, total: 0 }
    }

    /// The part of a list that is on the page.
    pub(super) fn part<'l, T>(&mut self, all: &'l [T], length: usize) -> &'l [T] {
        self.total = all.len();
        self.pages = all.len().div_ceil(length).max(1);
        self.at = self.at.min(self.pages - 1);
        all.chunks(length).nth(self.at).unwrap_or_default()
    }

    pub(super) fn is_first(&self) -> bool {
        self.at == 0
    }

    /// Links to the previous and the next page; nothing if the list fits on one page. `address` makes the list's
    /// address for a page, whose number it gets as a query parameter; `None` stands for the first page.
    pub(super) fn links(&self, address: impl Fn(Option<(&str, &str)>) -> String) -> Markup {
        let link = |page: usize| {
            let page = page.to_string();
            address((page != "1").then_some((self.name, &*page)))
        };
        html! {
            @if self.pages > 1 {
                nav.paging aria-label={ "Pages of " (self.what) "s" } {
                    @if self.at > 0 { a rel="prev" href=(link(self.at)) { "Previous" } }
                    span { "Page " (self.at + 1) " of " (self.pages) ", " (counted(self.total as u64, self.what)) }
                    @if self.at + 1 < self.pages { a rel="next" href=(link(self.at + 2)) { "Next" } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Paging;
    use crate::error_store::query::Filter;

    #[test]
    fn a_page_that_is_not_there_is_the_last_one() {
        let all: Vec<u32> = (0..45).collect();
        let filter = Filter::by_route(Some("/a"));
        let address = |page: Option<(&str, &str)>| format!("{}#errors", filter.link_with("/", page));
        for (query, first, links) in [
            ("", 0, "<a rel=\"next\" href=\"/?route=%2Fa&amp;page=2#errors\">"),
            ("page=2", 20, "<a rel=\"prev\" href=\"/?route=%2Fa#errors\">"),
            ("page=3", 40, "Page 3 of 3, 45 errors"),
            ("page=99999999999999999999", 0, "Page 1 of 3"),
            ("page=4000", 40, "Page 3 of 3"),
            ("page=0", 0, "Page 1 of 3"),
            ("page=-1", 0, "Page 1 of 3"),
        ] {
            let mut paging = Paging::new(Some(query), "page", "error");
            assert_eq!(paging.part(&all, 20)[0], first, "{query}");
            let shown = paging.links(address).into_string();
            assert!(shown.contains(links), "{links} in {shown}");
        }
        let mut paging = Paging::new(None, "page", "error");
        assert!(paging.part::<u32>(&[], 20).is_empty());
        assert_eq!(paging.links(address).into_string(), "");
    }
}
