//! A long table, page by page, whose rows can be searched. The searched text and the page are in the address.

use maud::{Markup, html};

use super::paging::Paging;
use crate::error_store::query::{link, value};
use crate::visible;

/// The number of rows on one page.
const ROWS: usize = 40;

/// A search for the rows that have this text in them.
pub(super) struct PartSearch {
    path: &'static str,
    /// The table's anchor in the page.
    anchor: &'static str,
    pub(super) part: String,
    paging: Paging,
}

impl PartSearch {
    /// `what` names one row, in the singular.
    pub(super) fn new(query: Option<&str>, path: &'static str, anchor: &'static str, what: &'static str) -> Self {
        let part = value(query, "part").unwrap_or_default();
        Self { path, anchor, part, paging: Paging::new(query, "page", what) }
    }

    /// The rows that are on the current page.
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
