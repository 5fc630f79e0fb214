//! The frame of every page: its title, the gateway and policy that it shows, the kill switch, the navigation, and the
//! search.

use maud::{DOCTYPE, Markup, html};

use super::switch::last_change;
use super::text::{foreign, time};
use crate::admin_request::AdminRequest;
use crate::error_store::clock::milliseconds;
use crate::visible;

#[derive(Default)]
pub(super) struct Frame<'a> {
    pub(super) title: &'a str,
    /// The search text.
    pub(super) searched: &'a str,
    /// The live stream's address, and the number of the last error on the page.
    pub(super) live: Option<(&'a str, u64)>,
    pub(super) is_home: bool,
    pub(super) now: u64,
}

impl Frame<'_> {
    pub(super) fn wrap(&self, request: &AdminRequest<'_>, content: &Markup) -> Markup {
        let (live, after) = self.live.unzip();
        html! {
            (DOCTYPE)
            html lang="en" {
                (self.head(request))
                body data-live=[live] data-after=[after] {
                    a.skip href="#content" { "Skip to the content" }
                    header { div.bar { (self.name()) (pages()) (self.search()) } (self.source(request)) }
                    main id="content" tabindex="-1" {
                        div id="thrown" { @if request.shared().switch.is_off() { (self.switch_notice(request)) } }
                        (content)
                    }
                    footer { p { "Times are in UTC. Counts are kept in memory and start with this process." } }
                }
            }
        }
    }

    fn head(&self, request: &AdminRequest<'_>) -> Markup {
        html! {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (self.title) " · " (visible::line(&request.gateway())) }
                link rel="icon" type="image/svg+xml" href="/page.svg";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
        }
    }

    fn name(&self) -> Markup {
        html! { p.name { a href="/" aria-current=[self.is_home.then_some("page")] { "error envelope" } } }
    }

    /// Which gateway and policy the page shows, and when it was made.
    fn source(&self, request: &AdminRequest<'_>) -> Markup {
        let status = request.shared().policy_status();
        html! {
            dl.source id="source" {
                div { dt { "Gateway" } dd { (foreign(&request.gateway())) } }
                div { dt { "Version" } dd { (env!("CARGO_PKG_VERSION")) } }
                @if let Some(status) = &status {
                    div { dt { "Policy" } dd {
                        (foreign(status.policy().summary().origin())) ", since " (time(milliseconds(status.since())))
                    } }
                }
                div { dt { "As of" } dd { (time(self.now)) } }
            }
        }
    }

    /// The notice on every page while the switch is on.
    fn switch_notice(&self, request: &AdminRequest<'_>) -> Markup {
        html! {
            div.banner.danger role="note" {
                p { strong { "Kill switch on: every route is in mode off." } " Clients get the services' own errors." }
                @if let Some(change) = request.shared().switch.last_change() { (last_change(&change)) }
                p { a href="/switch" { "Turn it off" } }
            }
        }
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
                    [("/#errors", "Errors"), ("/#routes", "Routes"), ("/charts", "Charts"), ("/policy/view", "Policy"), ("/metrics/view", "Metrics")]
                { li { a href=(address) { (name) } } }
                li { a.to-switch href="/switch" { "Kill switch" } }
            }
        }
    }
}
