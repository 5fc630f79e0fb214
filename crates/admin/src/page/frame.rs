//! The frame of every page: its head, the navigation, and the search.

use maud::{DOCTYPE, Markup, html};

use crate::visible;

#[derive(Default)]
pub(super) struct Frame<'a> {
    pub(super) title: &'a str,
    /// The search text.
    pub(super) searched: &'a str,
    /// The live stream's address, and the number of the last error on the page.
    pub(super) live: Option<(&'a str, u64)>,
    pub(super) is_home: bool,
}

impl Frame<'_> {
    pub(super) fn around(&self, content: &Markup) -> Markup {
        let (live, after) = self.live.unzip();
        html! {
            (DOCTYPE)
            html lang="en" {
                (self.head())
                body data-live=[live] data-after=[after] {
                    a.skip href="#content" { "Skip to the content" }
                    header { div.bar { (self.name()) (pages()) (self.search()) } }
                    main id="content" tabindex="-1" { (content) }
                    footer { p { "Times are UTC. What is counted is in the memory of this process, and begins with it." } }
                }
            }
        }
    }

    fn head(&self) -> Markup {
        html! {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (self.title) " · error envelope" }
                link rel="icon" type="image/svg+xml" href="/page.svg";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
        }
    }

    fn name(&self) -> Markup {
        html! { p.name { a href="/" aria-current=[self.is_home.then_some("page")] { "error envelope" } } }
    }

    fn search(&self) -> Markup {
        html! {
            form.search role="search" action="/errors" method="get" {
                label for="id" { "Request id" }
                div.field {
                    input id="id" name="id" type="search" value=(visible::line(self.searched)) placeholder="req_…"
                        autocomplete="off" autocapitalize="off" spellcheck="false" maxlength="4096";
                    button type="submit" { "Find" }
                }
            }
        }
    }
}

fn pages() -> Markup {
    html! {
        nav aria-label="Pages" {
            ul {
                @for (address, name) in
                    [("/#routes", "Routes"), ("/#errors", "Errors"), ("/charts", "Charts"), ("/policy/view", "Policy"), ("/metrics/view", "Metrics")]
                { li { a href=(address) { (name) } } }
            }
        }
    }
}
