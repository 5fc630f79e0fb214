//! Tests the gateway with all its views.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;

use super::entry::Entry;
use super::plan::{MODES, kinds, patient, too_slow};
use super::process::Process;
use super::service::Service;
use super::views::{Views, series, text};
use super::{compare, expect_none, plants, rounds, runtime, send, wait};

pub(crate) fn gateway(name: &str, service: SocketAddr, timeout: &str, more: &[&str]) -> Process {
    let upstream = format!("http://{service}");
    Process::start(name, &[&["gateway", "--upstream", &upstream, "--upstream-timeout", timeout], more].concat())
}

#[test]
fn l5_every_statement_of_the_gateway_is_what_clients_and_services_saw() {
    let runtime = runtime();
    let all = [kinds(), too_slow()].concat();
    let service = runtime.block_on(Service::start(&all));
    let gateway = gateway("all", service.address, "2s", &[]);
    let mut ledger = runtime.block_on(send(gateway.address, &service, &kinds(), &MODES, rounds(5), false));
    ledger.extend(runtime.block_on(send(gateway.address, &service, &too_slow(), &MODES, 1, false)));
    let views = gateway.views(&ledger);
    expect_none(&compare::falsehoods(&ledger, &views), ledger.len());
    plants::expect_found(&ledger, &views);

    // The same requests are sent with the kill switch on.
    gateway.ask("POST", "/kill-switch/on");
    ledger.extend(runtime.block_on(send(gateway.address, &service, &kinds(), &MODES, 1, true)));
    let views = gateway.views(&ledger);
    expect_none(&compare::falsehoods(&ledger, &views), ledger.len());

    let is_failed = |entry: &&Entry| entry.mode == "enforce" && entry.outcome() == "server_error";
    let failed = ledger.iter().find(is_failed).expect("a failure");
    let mut find = Command::new(crate::command::binary());
    find.args(["find", failed.id().expect("an id"), "--admin", &gateway.admin.to_string()]);
    let found = find.output().expect("it runs");
    let text = String::from_utf8_lossy(&found.stdout);
    assert!(found.status.success() && text.contains(&failed.route()), "{found:?}");
}

#[test]
fn l5_a_limit_of_the_gateway_is_attributed_to_no_service() {
    let runtime = runtime();
    let all = [kinds(), too_slow()].concat();
    let service = runtime.block_on(Service::start(&all));
    let limits = ["--upstream-connections", "1", "--upstream-queue-time", "0.1s"];
    let gateway = gateway("limits", service.address, "2s", &limits);
    let front = gateway.address;
    let kind = |name: &str| all.iter().filter(|kind| kind.name == name).cloned().collect::<Vec<_>>();
    let ledger = runtime.block_on(async {
        let holding = tokio::spawn({
            let (service, kinds) = (service.clone(), kind("too-slow"));
            async move { send(front, &service, &kinds, &["enforce"], 1, false).await }
        });
        // This request has the only connection.
        while !service.has_calls() {
            tokio::task::yield_now().await;
        }
        let mut ledger = send(front, &service, &[kind("ok"), kind("uploaded")].concat(), &MODES, 3, false).await;
        ledger.extend(holding.await.expect("no panic"));
        ledger
    });
    assert!(ledger.iter().filter(|entry| entry.got.status == Some(503)).count() >= 20, "nothing was refused");
    expect_none(&compare::falsehoods(&ledger, &gateway.views(&ledger)), ledger.len());
}

#[test]
fn l5_a_client_that_leaves_the_line_for_a_connection_has_called_no_service() {
    let runtime = runtime();
    let service = runtime.block_on(Service::start(&patient()));
    let limits = ["--upstream-connections", "1", "--upstream-queue-time", "60s"];
    let gateway = gateway("line", service.address, "60s", &limits);
    let front = gateway.address;
    let is_queued = || {
        let metrics = gateway.ask("GET", "/metrics");
        metrics.lines().any(|it| it.starts_with("error_envelope_upstream_queued_requests{") && !it.ends_with(" 0"))
    };
    let queued = |wanted: bool| wait::when(is_queued() == wanted, ());
    let kind = |name: &str| patient().into_iter().filter(|kind| kind.name == name).collect::<Vec<_>>();
    let asking = |name: &'static str, modes: &'static [&'static str]| {
        let (service, kinds) = (service.clone(), kind(name));
        runtime.spawn(async move { send(front, &service, &kinds, modes, 1, false).await })
    };
    let holding = asking("holds", &["enforce"]);
    wait::until("the service has the first request", || wait::when(service.has_calls(), ()));
    let mut ledger = Vec::new();
    // Such a client may leave before hyper polls the request for the first time.
    ledger.extend(runtime.block_on(send(front, &service, &kind("left-at-once"), &MODES, 20, false)));
    for name in ["left-in-line", "left-in-line-2"] {
        for mode in [&["off"], &["observe"], &["own"], &["fill"], &["enforce"]] {
            let waiting = asking(name, mode);
            wait::until("the request waits in line", || queued(true));
            service.let_leave(name);
            ledger.extend(runtime.block_on(waiting).expect("no panic"));
            wait::until("the request has left the line", || queued(false));
        }
    }
    service.let_leave("holds");
    ledger.extend(runtime.block_on(holding).expect("no panic"));
    assert_eq!(ledger.iter().filter(|entry| entry.is_called()).count(), 1, "one request has the connection");
    let views = gateway.views(&ledger);
    take_ids(&mut ledger, &views);
    expect_none(&compare::falsehoods(&ledger, &views), ledger.len());
}

#[test]
fn l5_a_client_that_leaves_while_a_connection_is_opened_has_called_no_service() {
    let runtime = runtime();
    // This service never completes a TLS handshake.
    let service = runtime.block_on(Service::start(&patient()));
    let upstream = format!("https://{}", service.address);
    let gateway = Process::start("opening", &["gateway", "--upstream", &upstream, "--upstream-timeout", "60s"]);
    let kind = patient().into_iter().filter(|kind| kind.name == "left-in-line").collect::<Vec<_>>();
    let waiting = runtime.spawn({
        let (front, service) = (gateway.address, service.clone());
        async move { send(front, &service, &kind, &MODES, 1, false).await }
    });
    wait::until("the requests wait for a connection", || {
        let views = Views { metrics: series(&gateway.ask("GET", "/metrics")), ..Views::default() };
        let queued = views.sums("error_envelope_upstream_queued_requests", &[]).into_values().sum::<i64>();
        wait::when(queued == MODES.len() as i64, queued)
    });
    MODES.iter().for_each(|_| service.let_leave("left-in-line"));
    let mut ledger = runtime.block_on(waiting).expect("no panic");
    let views = gateway.views(&ledger);
    take_ids(&mut ledger, &views);
    expect_none(&compare::falsehoods(&ledger, &views), ledger.len());
}

#[test]
fn l5_a_wait_for_a_connection_that_lasts_too_long_has_called_no_service() {
    let runtime = runtime();
    let service = runtime.block_on(Service::start(&patient()));
    let limits = ["--upstream-connections", "1", "--upstream-queue-time", "60s"];
    let gateway = gateway("late", service.address, "1s", &limits);
    let front = gateway.address;
    let kind = |name: &str| patient().into_iter().filter(|kind| kind.name == name).collect::<Vec<_>>();
    let holding = runtime.spawn({
        // Its time limit stands still, because it waits for its client.
        let (service, kinds) = (service.clone(), kind("holds-uploading"));
        async move { send(front, &service, &kinds, &["enforce"], 1, false).await }
    });
    wait::until("the service has the first request", || wait::when(service.has_calls(), ()));
    let mut ledger = runtime.block_on(send(front, &service, &kind("waits"), &MODES, 2, false));
    let codes: Vec<_> = ledger.iter().map(|entry| (entry.got.status, entry.code().unwrap_or_default())).collect();
    assert_eq!(codes, [(Some(504), "gateway_timeout"); 10]);
    service.let_leave("holds-uploading");
    ledger.extend(runtime.block_on(holding).expect("no panic"));
    let views = gateway.views(&ledger);
    let cause = format!("no connection to http://{} within the time limit", service.address);
    let is_of_wait = |line: &&Value| text(&line["cause"]).contains(&cause);
    assert_eq!(views.lines.iter().filter(is_of_wait).count(), 10, "{:?}", views.lines);
    expect_none(&compare::falsehoods(&ledger, &views), ledger.len());
}

#[test]
fn l5_a_service_that_refuses_connections_is_named() {
    let runtime = runtime();
    let service = runtime.block_on(Service::start(&patient()));
    // Nothing listens at the lowest port.
    let gateway = gateway("refused", SocketAddr::from(([127, 0, 0, 1], 1)), "60s", &[]);
    let kind = patient().into_iter().filter(|kind| kind.name == "waits").collect::<Vec<_>>();
    let ledger = runtime.block_on(send(gateway.address, &service, &kind, &MODES, 1, false));
    let views = gateway.views(&ledger);
    let named = views.lines.iter().filter(|line| line["upstream"] == "http://127.0.0.1:1").count();
    assert_eq!(named, MODES.len(), "{:?}", views.lines);
}

#[test]
fn l5_a_request_that_is_malformed_from_the_start_is_no_client_that_left() {
    let runtime = runtime();
    let service = runtime.block_on(Service::start(&patient()));
    let gateway = gateway("malformed", service.address, "60s", &[]);
    let kind = patient().into_iter().filter(|kind| kind.name == "malformed-at-once-2").collect::<Vec<_>>();
    let mut ledger = runtime.block_on(send(gateway.address, &service, &kind, &MODES, 20, false));
    let views = gateway.views(&ledger);
    take_ids(&mut ledger, &views);
    expect_none(&compare::falsehoods(&ledger, &views), ledger.len());
}

/// Gives requests whose ids nobody saw the ids of the access log's lines with their paths.
fn take_ids(ledger: &mut [Entry], views: &Views) {
    let seen: HashSet<_> = ledger.iter().filter_map(Entry::id).map(str::to_owned).collect();
    let is_unseen = |line: &&Value| line["request_id"].as_str().is_none_or(|id| !seen.contains(id));
    let mut lines: Vec<_> = views.access.iter().flatten().filter(is_unseen).collect();
    for entry in ledger.iter_mut().filter(|entry| entry.id().is_none()) {
        let line = lines.iter().position(|line| line["path"] == *entry.path).expect("each request has a line");
        let id = lines.swap_remove(line)["request_id"].as_str().expect("an id").into();
        entry.got.headers.push(("x-request-id".into(), id));
    }
}
