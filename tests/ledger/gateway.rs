//! Tests the gateway with all its views.

use std::net::SocketAddr;
use std::process::Command;

use super::entry::Entry;
use super::plan::{MODES, kinds, too_slow};
use super::process::Process;
use super::service::Service;
use super::{compare, expect_none, plants, rounds, runtime, send};

fn gateway(name: &str, service: SocketAddr, more: &[&str]) -> Process {
    let upstream = format!("http://{service}");
    Process::start(name, &[&["gateway", "--upstream", &upstream, "--upstream-timeout", "2s"], more].concat())
}

#[test]
fn l5_every_statement_of_the_gateway_is_what_clients_and_services_saw() {
    let runtime = runtime();
    let all = [kinds(), too_slow()].concat();
    let service = runtime.block_on(Service::start(&all));
    let gateway = gateway("all", service.address, &[]);
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
    let gateway = gateway("limits", service.address, &limits);
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
