//! Runs each check on each app. The table has the expected results, and the page of the manual shows it.

use std::time::Duration;

use tokio::time::timeout;

use crate::apps::{APPS, App};
use crate::checks::{CHECKS, Target};
use crate::manual;

/// The result of a check on every app, except on those that are named.
struct Row {
    check: &'static str,
    on_all: &'static str,
    but_on: &'static [(&'static str, &'static str)],
}

const TABLE: &[Row] = &[
    Row { check: "no such path", on_all: "404 `not_found`", but_on: &[] },
    Row {
        check: "another method",
        on_all: "405 `method_not_allowed`, `allow` kept",
        // These apps send no `allow`, and the layer does not know the methods.
        but_on: &[
            ("warp", "405 `method_not_allowed`"),
            ("poem on hyper-util", "405 `method_not_allowed`"),
            ("poem's server", "405 `method_not_allowed`"),
        ],
    },
    Row {
        check: "a rejection: JSON of a wrong type",
        on_all: "400 `bad_request`",
        but_on: &[
            ("axum", "422 `invalid_request`"),
            ("axum, nested, `from_fn` inside and outside", "422 `invalid_request`"),
            ("tonic's HTTP side", "422 `invalid_request`"),
        ],
    },
    Row { check: "panic in the handler", on_all: "500 `internal_error`, then 200", but_on: &[] },
    Row {
        check: "panic in the response body",
        on_all: "broken off, then 200",
        but_on: &[("poem's server", "ended as if whole, then 200; HTTP/2: broken off, then 200")],
    },
    Row { check: "over the limit, declared", on_all: "413 `payload_too_large`", but_on: &[] },
    Row { check: "over the limit, chunked", on_all: "413 `payload_too_large`", but_on: &[] },
    Row {
        check: "HEAD of no such path",
        on_all: "404 `not_found`",
        // GET's message is poem's own text, which HEAD does not have.
        but_on: &[
            ("poem on hyper-util", "404 `not_found`, another `content-length`"),
            ("poem's server", "404 `not_found`, another `content-length`"),
        ],
    },
    Row { check: "the handler's id, and the client's", on_all: "the same", but_on: &[] },
    Row { check: "trailers", on_all: "both ways", but_on: &[("warp", "it has none")] },
    Row { check: "server-sent events", on_all: "one by one", but_on: &[] },
    Row {
        check: "WebSocket",
        on_all: "echoes",
        but_on: &[
            ("hyper-util, HTTP/2", "–"),
            ("tonic's HTTP side", "its server has none"),
            ("poem's server", "refused: 500"),
        ],
    },
];

#[tokio::test]
async fn each_framework_does_what_the_manual_says() {
    let mut seen = Vec::new();
    for app in APPS {
        seen.push((app.name, outcomes(app).await));
    }
    for (at, row) in TABLE.iter().enumerate() {
        for (app, column) in &seen {
            assert_eq!(column[at], row.on(app), "{}: {app}", row.check);
        }
    }
    manual::expect_table(&rendered());
}

#[test]
fn the_table_has_a_row_for_each_check_and_names_apps_that_there_are() {
    let checks = CHECKS.iter().map(|check| check.name).collect::<Vec<_>>();
    assert_eq!(TABLE.iter().map(|row| row.check).collect::<Vec<_>>(), checks);
    for (name, _) in TABLE.iter().flat_map(|row| row.but_on) {
        assert!(APPS.iter().any(|app| app.name == *name), "{name}: no such app");
    }
}

/// Returns the result of each check on an app. A result is listed once if its protocols agree.
async fn outcomes(app: &App) -> Vec<String> {
    let address = (app.start)().await;
    let mut column = Vec::new();
    for check in CHECKS {
        let mut outcomes = Vec::new();
        for &protocol in app.protocols {
            println!("{}: {}: {protocol:?}", app.name, check.name); // shown by a failing test alone
            let target = Target { address, prefix: app.prefix, protocol };
            let outcome = timeout(Duration::from_secs(60), (check.run)(target)).await.expect("an outcome in time");
            outcomes.extend(outcome);
        }
        outcomes.dedup();
        column.push(if outcomes.is_empty() { "–".to_owned() } else { outcomes.join("; HTTP/2: ") });
    }
    column
}

/// Returns the table in Markdown.
fn rendered() -> String {
    let names = APPS.iter().map(|app| app.name).collect::<Vec<_>>();
    let mut table = line("", &names) + &line("---", &vec!["---"; names.len()]);
    for row in TABLE {
        let cells = names.iter().map(|app| row.on(app)).collect::<Vec<_>>();
        table += &line(row.check, &cells);
    }
    table
}

fn line(first: &str, cells: &[&str]) -> String {
    format!("| {first} | {} |\n", cells.join(" | "))
}

impl Row {
    fn on(&self, app: &str) -> &'static str {
        self.but_on.iter().find(|(name, _)| *name == app).map_or(self.on_all, |(_, outcome)| outcome)
    }
}
