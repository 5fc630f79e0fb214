//! Sends one request of each kind, all at once, and prints the responses.
//!
//! Each row is judged against its act, so that the demo is a test as well.

use std::collections::HashSet;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;

use super::acts::{ACTS, DemoCase, Expect};
use super::judge::judge;
use super::record::record_lines;
use super::table;
use super::visit::{DemoResponse, RequestBody, visit};
use crate::failure::{CommandError, print_unless_closed};

/// Sends the requests, prints the table, and returns whether every row is as it should be. `recorded` is the file for
/// the JSON lines.
pub(crate) async fn tour(address: SocketAddr, recorded: Option<&Path>) -> Result<bool, CommandError> {
    let mut walk = JoinSet::new();
    let client = Client::builder(TokioExecutor::new()).build_http::<RequestBody>();
    for (row, act) in ACTS.iter().enumerate() {
        let client = client.clone();
        walk.spawn(async move { (row, act, visit(client, address, act).await) });
    }
    let mut rows = walk.join_all().await;
    rows.sort_by_key(|(row, ..)| *row);
    let rows = || rows.iter().map(|(_, act, got)| (*act, got));
    let (mut text, wrong) = report(rows());
    let _ = writeln!(text, "\n{} requests, {wrong} not as expected.", rows().len());
    print_unless_closed(&text)?;
    recorded.map_or(Ok(()), |file| record_lines(file, rows()))?;
    Ok(wrong == 0)
}

/// The table, and how many of its rows are wrong.
fn report<'a>(rows: impl Iterator<Item = (&'a DemoCase, &'a Result<DemoResponse, String>)>) -> (String, usize) {
    let (mut text, mut ids, mut wrong) = (String::new(), HashSet::new(), 0);
    let _ = writeln!(text, "\n{}", table::head(["path", "the service", "the client got"]));
    for (act, got) in rows {
        let verdict = got.as_ref().map_err(Clone::clone).and_then(|got| judge(act, got, &mut ids));
        let outcome = got.as_ref().map_or_else(Clone::clone, |got| describe(act, got));
        let _ = writeln!(text, "{}", table::row([act.path, &act.upstream_body(), &outcome], verdict.is_ok()));
        if let Err(reason) = &verdict {
            let _ = writeln!(text, "  ✗ {}: {reason}", act.path);
            wrong += 1;
        }
    }
    (text, wrong)
}

/// The text in the right column of a row.
fn describe(act: &DemoCase, got: &DemoResponse) -> String {
    let (status, code) = (got.status.as_u16(), got.code());
    match act.expect {
        _ if got.broken => format!("{status}, cut off after {} bytes", got.body.len()),
        Expect::Head(..) => format!("{status} {code}, no body"),
        _ if !code.is_empty() => format!("{status} {code}: {}", got.member("/error/message")),
        _ if got.body.is_empty() => format!("{status}, nothing more"),
        _ => format!("{status}, unchanged, with an id"),
    }
}
