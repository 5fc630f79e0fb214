//! The active policy: its settings, their files, and the last rejection.

use error_envelope_core::loader::{OutlineTable, Setting};
use error_envelope_core::policy::PolicySummary;
use error_envelope_runtime::{PolicyRejection, PolicyStatus};
use http::StatusCode;
use maud::{Markup, html};

use super::part::PartSearch;
use super::text::{counted, effective_mode, foreign, grouped, head_row, time};
use crate::admin::Shared;
use crate::error_store::clock::milliseconds;

/// One table of the policy.
struct Row<'p> {
    /// `None` for defaults.
    pattern: Option<&'p str>,
    /// The effective mode, wherever it is set; `None` for defaults.
    mode: Option<&'static str>,
    /// `None` if the policy has no files.
    table: Option<&'p OutlineTable>,
}

pub(super) fn answer(shared: &Shared, query: Option<&str>) -> (StatusCode, Markup) {
    let Some(status) = shared.policy_status() else {
        let content = html! { h1 { "Policy" } p.lead { "No layer is connected to this address yet." } };
        return (StatusCode::SERVICE_UNAVAILABLE, content);
    };
    let content = html! {
        h1 { "Policy" }
        @if let Some(rejection) = status.rejection() { (refusal(rejection)) }
        (facts(&status, shared.switch.is_off()))
        (files(&status))
        (tables(&status, shared.switch.is_off(), query))
        p.quiet {
            "To see the settings that apply to one request, run " code { "error-envelope check --effective METHOD URL FILE" }
            ". For programs: " a href="/policy" { code { "/policy" } } "."
        }
    };
    (StatusCode::OK, content)
}

fn refusal(rejection: &PolicyRejection) -> Markup {
    let since = milliseconds(rejection.since());
    html! {
        section.refused id="refused" aria-labelledby="refused-title" {
            h2 id="refused-title" {
                @if rejection.is_current() { "The new policy was rejected; the old one stays active" }
                @else { "Rejected before, and corrected since" }
            }
            p { (time(since)) }
            pre.copy tabindex="0" { code { (crate::visible::lines(rejection.why())) "\n" } }
        }
    }
}

fn facts(status: &PolicyStatus, is_off: bool) -> Markup {
    let figures: PolicySummary<'_> = status.policy().summary();
    html! {
        dl.facts {
            div { dt { "Policy" } dd { (foreign(figures.origin())) } }
            div { dt { "Hash of its files" } dd { (figures.hash().unwrap_or("none")) } }
            div { dt { "Active since" } dd { (time(milliseconds(status.since()))) } }
            div { dt { "Default mode" } dd { (effective_mode(figures.mode().as_str(), is_off)) } }
            div { dt { "Body limit" } dd {
                @match figures.body_limit() { Some(limit) => { (grouped(limit)) " bytes" }, None => "none" }
            } }
            div { dt { "Scopes" } dd { (figures.scopes()) } }
            div { dt { "Map rules" } dd { (figures.map_rules()) } }
            div { dt { "Custom codes" } dd { (figures.own_codes()) } }
            div { dt { "Bodies on this page" } dd { @if figures.observes_bodies() { "shown" } @else { "not shown" } } }
        }
    }
}

fn files(status: &PolicyStatus) -> Markup {
    html! {
        @if !status.files().is_empty() {
            details.note {
                summary { "Read from " (counted(status.files().len() as u64, "file")) ", watched for changes" }
                ul { @for file in status.files() { li { code { (foreign(&file.display().to_string())) } } } }
            }
        }
    }
}

fn tables(status: &PolicyStatus, is_off: bool, query: Option<&str>) -> Markup {
    let mut search = PartSearch::new(query, "/policy/view", "tables", "table");
    let rows: Vec<_> = rows(status).into_iter().filter(|row| row.fits(&search.part)).collect();
    let shown = search.page(&rows);
    html! {
        section id="tables" aria-labelledby="tables-title" {
            div.title { h2 id="tables-title" { "Settings by route" } }
            (search.form("Find routes", "Pattern, scope or file contains"))
            @if rows.is_empty() { p.empty { "No routes." } } @else { (table(shown, is_off)) }
            (search.links())
        }
    }
}

/// The rows: the tables of the policy's files, or its routes if it has no files.
fn rows(status: &PolicyStatus) -> Vec<Row<'_>> {
    let modes = status.policy().routes();
    if status.outline().is_empty() {
        let row = |pattern, mode| Row { pattern: Some(pattern), mode: Some(mode), table: None };
        return modes.map(|route| row(route.pattern(), route.mode().as_str())).collect();
    }
    let row = |table| Row { pattern: OutlineTable::pattern(table), mode: None, table: Some(table) };
    let mut rows: Vec<_> = status.outline().iter().map(row).collect();
    // The modes are in the order of the policy's routes.
    for (row, route) in rows.iter_mut().filter(|row| row.pattern.is_some()).zip(modes) {
        row.mode = Some(route.mode().as_str());
    }
    rows
}

fn table(rows: &[Row<'_>], is_off: bool) -> Markup {
    html! {
        table.tables role="table" {
            (head_row(&["Route", "Mode", "Sets", "From"], &[]))
            tbody role="rowgroup" { @for row in rows { (row.markup(is_off)) } }
        }
    }
}

impl<'p> Row<'p> {
    fn scope(&self) -> Option<&'p str> {
        self.table?.scope()
    }

    fn from(&self) -> Option<&'p str> {
        self.table?.from()
    }

    fn settings(&self) -> &'p [Setting] {
        self.table.map_or(&[], OutlineTable::settings)
    }

    fn fits(&self, part: &str) -> bool {
        let texts = [self.pattern, self.scope(), self.from()].into_iter().flatten();
        let mut texts = texts.chain(self.settings().iter().filter_map(Setting::from));
        part.is_empty() || texts.any(|text| text.contains(part))
    }

    /// The place where a setting is written, and the base's value that it overrides.
    fn place(&self, setting: &Setting) -> Markup {
        let base = self.table.and_then(|table| table.overridden(setting.key()));
        html! {
            p {
                (foreign(setting.from().unwrap_or_default()))
                @if let Some((value, from)) = base { " " span.tag { "overrides" } " " code { (foreign(value)) } " (" (foreign(from)) ")" }
            }
        }
    }

    fn markup(&self, is_off: bool) -> Markup {
        html! {
            tr role="row" {
                th.route role="rowheader" scope="row" {
                    @match self.pattern { Some(pattern) => code { (foreign(pattern)) }, None => "Defaults" }
                    @if let Some(scope) = self.scope() { " " span.quiet { "in " (foreign(scope)) } }
                }
                td role="cell" data-name="Mode" { @match self.mode { Some(mode) => (effective_mode(mode, is_off)), None => span.none { "see Sets" } } }
                td.sets role="cell" data-name="Sets" {
                    @for setting in self.settings() { p { code { (setting.key()) " = " (foreign(setting.value())) } } }
                    @if self.settings().is_empty() { span.none { "nothing" } }
                }
                td.sets role="cell" data-name="From" {
                    @for setting in self.settings() { (self.place(setting)) }
                    @if self.settings().is_empty() { (foreign(self.from().unwrap_or("Rust"))) }
                }
            }
        }
    }
}
