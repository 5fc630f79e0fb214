//! A long table that is searched by a part of its texts, page by page; both are in the address.

use maud::{Markup, html};

use super::paging::Paging;
use crate::error_store::query::{link, value};
use crate::visible;

/// The number of rows on one page.
const ROWS: usize = 40;

/// A table whose rows are found by a part of their texts.
pub(super) struct PartSearch {
    path: &'static str,
    /// The table's anchor in the page.
    anchor: &'static str,
    pub(super) part: String,
    paging: Paging,
}

impl PartSearch {
    /// `what` is a row's name.
    pub(super) fn new(query: Option<&str>, path: &'static str, anchor: &'static str, what: &'static str) -> Self {
        let part = value(query, "part").unwrap_or_default();
        Self { path, anchor, part, paging: Paging::new(query, "page", what) }
    }

    /// The rows of the page.
    pub(super) fn page<'l, T>(&mut self, all: &'l [T]) -> &'l [T] {
        self.paging.part(all, ROWS)
    }

    pub(super) fn form(&self, name: &str, label: &str) -> Markup {
        html! {
            form.filters action=(self.path) method="get" aria-label=(name) {
                label { (label) input name="part" type="search" value=(visible::line(&self.part)) maxlength="200"; }
                button type="submit" { "Filter" }
                @if !self.part.is_empty() { a href=(self.path) { "Show all" } }
            }
        }
    }

    pub(super) fn links(&self) -> Markup {
        let part = (!self.part.is_empty()).then_some(("part", &*self.part));
        self.paging.links(|page| format!("{}#{}", link(self.path, part.into_iter().chain(page)), self.anchor))
    }
}
