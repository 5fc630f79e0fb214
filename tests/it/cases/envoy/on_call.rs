//! Tests the admin address inside Envoy: what the person on call sees and turns off there.

use std::net::{SocketAddr, TcpListener};

use serde_json::{Value, json};

use super::super::policy::Folder;
use super::super::process::Proxy;
use super::super::seen::Response;
use super::Running;
use super::asking::{ask, case, code, get, start_as_written, with_key};
use super::service;
use crate::wait::{until, when};

const POLICY: &str = "version = 1\n[observe]\nbodies = true\n[[route]]\nmatch = \"/404\"\n";

fn ask_line(admin: SocketAddr, line: &str) -> Response {
    let request = format!("{line} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    ask(admin, request.as_bytes()).unwrap_or_else(|why| panic!("{line}: {why}"))
}

fn text(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

fn read(admin: SocketAddr, line: &str) -> Value {
    let response = ask_line(admin, line);
    assert_eq!(response.status, 200, "{line}: {}", text(&response));
    serde_json::from_slice(&response.body).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// Returns the admin address that the log states.
fn served(envoy: &Running) -> SocketAddr {
    until("the log says where the admin address is", || {
        let log = envoy.log_from(0);
        let (_, address) = log.split_once("serving the admin address address=").ok_or(log.clone())?;
        address.split_whitespace().next().and_then(|address| address.parse().ok()).ok_or(log.clone())
    })
}

/// Adds this admin address to the filter's configuration.
fn with_admin(text: &str, admin: &str) -> String {
    with_key(text, &format!("admin = \"{admin}\""))
}

/// Moves the listener into a file that Envoy watches. Returns the configuration and the text of that file.
fn followed(text: &str, folder: &Folder) -> (String, String) {
    let (start, rest) = text.split_once("  listeners:\n").expect("listeners");
    let (listener, clusters) = rest.split_once("  clusters:\n").expect("clusters");
    let kind = "    \"@type\": type.googleapis.com/envoy.config.listener.v3.Listener\n";
    let listener = listener.replacen("  - name: edge\n", &format!("  - name: edge\n{kind}"), 1);
    let path = folder.path().join("listeners.yaml");
    let follows = format!(
        "node: {{ id: test, cluster: test }}\ndynamic_resources: {{ lds_config: {{ path_config_source: {{ path: {} }} }} }}\n",
        path.display()
    );
    (format!("{follows}{start}  clusters:\n{clusters}"), format!("resources:\n{listener}"))
}

fn follow(folder: &Folder, listeners: &str) {
    folder.write("listeners.new", listeners);
    let named = |name: &str| folder.path().join(name);
    std::fs::rename(named("listeners.new"), named("listeners.yaml")).expect("the same folder");
}

/// Gives the filter another policy, in the form of its configuration that also has an admin address.
fn with_another(listeners: &str) -> String {
    let line = |line: &str| match line.split_once("value: \"policy_file") {
        Some((indent, _)) => format!(
            "{indent}value: {{ policy: \"version = 1\\n[[route]]\\nmatch = \\\"/other\\\"\\n\", admin: \"127.0.0.1:0\" }}\n"
        ),
        None => format!("{line}\n"),
    };
    listeners.replace("google.protobuf.StringValue", "google.protobuf.Struct").lines().map(line).collect()
}

fn passes(envoy: &Running) {
    let response = ask(envoy.address(), &get("/404", "")).expect("an answer");
    assert_eq!((response.status, text(&response).as_str(), response.header("x-error-code")), (404, "none", None));
}

fn enveloped(envoy: &Running) -> String {
    let response = ask(envoy.address(), &get("/404", "")).expect("an answer");
    assert_eq!((response.status, code(&response).as_str()), (404, "not_found"));
    response.header("x-request-id").expect("an id")
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_m1_the_admin_address_shows_errors_and_its_switch_holds_across_configurations() {
    let (upstream, _) = service::start();
    let folder = Folder::with(&case(""));
    let mut listeners = String::new();
    let envoy = start_as_written(POLICY, upstream, |text| {
        let (config, first) = followed(&with_admin(&text, "127.0.0.1:0"), &folder);
        follow(&folder, &first);
        listeners = first;
        config
    });
    let admin = served(&envoy);
    assert_eq!(text(&ask_line(admin, "GET /readyz")), "ready\n");
    let metrics = ask_line(admin, "GET /metrics");
    assert!(metrics.status == 404 && text(&metrics).contains("/stats?format=prometheus"), "{metrics:?}");

    let id = enveloped(&envoy);
    until("the error is shown with what was said before and after", || {
        let page = text(&ask_line(admin, &format!("GET /errors.json?search={id}")));
        when([&id, "not_found", "/404"].iter().all(|expected| page.contains(expected)), page)
    });

    // A refused policy is shown together with the one in force.
    envoy.reload("version = 2\n");
    let policy = read(admin, "GET /policy");
    assert!(policy["last_refusal"]["why"].as_str().is_some_and(|why| why.contains("version")), "{policy:#}");
    assert_eq!((&policy["last_refusal"]["stands"], &policy["routes"][0]["route"]), (&json!(true), &json!("/404")));

    assert_eq!(read(admin, "POST /kill-switch/on")["kill_switch"], true);
    passes(&envoy);

    // Another configuration uses the same address. Its state is shown, and the switch keeps its position.
    follow(&folder, &with_another(&listeners));
    until("the other configuration is shown", || {
        let policy = read(admin, "GET /policy");
        when(policy["routes"][0]["route"] == "/other", policy)
    });
    assert_eq!(read(admin, "GET /kill-switch")["kill_switch"], true);
    passes(&envoy);

    assert_eq!(read(admin, "POST /kill-switch/off")["kill_switch"], false);
    enveloped(&envoy);
    let switched =
        ["on", "off"].map(|to| format!("envoy_dynamicmodulescustom_error_envelope_kill_switch_total{{to=\"{to}\"}} 1"));
    until("the switch is counted", || {
        let lines = envoy.counters();
        when(switched.iter().all(|line| lines.contains(line)), lines)
    });
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_m2_an_admin_address_in_use_is_logged_and_served_once_it_is_free() {
    let (upstream, _) = service::start();
    let another = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = another.local_addr().expect("its address");
    let envoy = start_as_written(POLICY, upstream, |text| with_admin(&text, &address.to_string()));
    enveloped(&envoy);
    let expected = format!("error_envelope: cannot serve the admin address {address} yet: ");
    until("the log says that it is not served", || {
        let log = envoy.log_from(0);
        when(log.lines().any(|line| line.contains("ERROR") && line.contains(&expected)), log)
    });
    drop(another);
    assert_eq!(served(&envoy), address);
    assert_eq!(text(&ask_line(address, "GET /healthz")), "ok\n");
}
