//! Tests the gateway with all its views.

use std::net::SocketAddr;
use std::process::Command;

use super::entry::Entry;
use super::plan::{MODES, kinds, patient, too_slow};
use super::process::Process;
use super::service::Service;
use super::{compare, expect_none, plants, rounds, runtime, send, wait};

fn gateway(name: &str, service: SocketAddr, timeout: &str, more: &[&str]) -> Process {
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
    // Nobody saw the ids of the others, so that they are those of the lines with their paths.
    for entry in ledger.iter_mut().filter(|entry| entry.id().is_none()) {
        let mut lines = views.access.iter().flatten();
        let line = lines.find(|line| line["path"] == *entry.path).expect("each request has a line");
        entry.got.headers.push(("x-request-id".into(), line["request_id"].as_str().expect("an id").into()));
    }
    expect_none(&compare::falsehoods(&ledger, &views), ledger.len());
}
