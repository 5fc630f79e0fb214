//! Tests tonic's client and tonic-web's with each application of `tests/rpc/app`. They see the code, message, request
//! id, retry delay and details that `tests/rpc/scenarios.json` states. `.ci/clients rpc` runs those of other languages.

mod client;
mod expected;

use client::{CALLS, Client, Transport};
use expected::{fine, rows};

use crate::rpc_app::{App, start};

const GRPC: [Transport; 2] = [Transport::Channel, Transport::Http2];
const WEB: [Transport; 2] = [Transport::Web1, Transport::Web2];

#[tokio::test]
async fn p1_a_grpc_client_reads_each_error() {
    meets(&GRPC).await;
}

#[tokio::test]
async fn p2_a_grpc_web_client_reads_each_error() {
    meets(&WEB).await;
}

#[tokio::test]
async fn p1_p2_each_call_succeeds_through_the_layer() {
    for app in App::ALL {
        let address = start(app).await;
        for transport in GRPC.into_iter().chain(WEB) {
            let client = Client::new(transport, address).await;
            for (call, service) in CALLS.into_iter().flat_map(|call| [(call, "Echo"), (call, "Vault")]) {
                let seen = client.call(call, &fine(service)).await;
                assert!(seen.succeeded(call), "{app:?}, {transport:?}, {service}, {call:?}: {seen:?}");
            }
        }
    }
}

#[tokio::test]
async fn p1_p2_the_limit_holds_for_each_message_and_no_stream() {
    for app in App::ALL {
        let address = start(app).await;
        for transport in GRPC.into_iter().chain(WEB) {
            let client = Client::new(transport, address).await;
            let texts = vec!["x".repeat(400_000); 7];
            let seen = client.collect(&texts).await;
            assert_eq!(
                seen.words.iter().map(|words| words.count).collect::<Vec<_>>(),
                [7],
                "{app:?}, {transport:?}: {:?}",
                seen.failed
            );
            assert_eq!(seen.words[0].text.len(), 7 * 400_000, "{app:?}, {transport:?}");
        }
    }
}

/// Plays every scenario on every application, and lists all differences. After each scenario, the connection must serve
/// a success.
async fn meets(transports: &[Transport]) {
    let (mut wrong, mut met) = (Vec::new(), 0);
    for app in App::ALL {
        let address = start(app).await;
        for transport in transports {
            let client = Client::new(*transport, address).await;
            for row in rows().iter().filter(|row| transport.can(row)) {
                for call in row.calls() {
                    let place = format!("{app:?}, {transport:?}, {call:?}: {}", row.name);
                    let differences = row.differences(&client.call(call, row).await);
                    wrong.extend(differences.into_iter().map(|what| format!("{place}: {what}")));
                    assert!(client.call(call, &fine("Echo")).await.succeeded(call), "{place}: the next one is served");
                    met += 1;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences in {met} calls:\n{}", wrong.len(), wrong.join("\n"));
    assert!(met > 300, "only {met} calls");
}
