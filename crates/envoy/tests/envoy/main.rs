//! Tests the module in an Envoy that calls its hooks in any order. There is at most one response, no panic leaves a
//! hook, nothing is freed twice, and nothing is leaked. Under Miri or a sanitizer, this also proves the claims of the
//! module's `unsafe` blocks.

#![allow(unsafe_code, reason = "the tests take the place of Envoy, behind a C interface")]

extern crate error_envelope as _;

mod callbacks;
mod hooks;
mod on_call;
mod world;

use proptest::prelude::*;

use world::{Act, World};

/// Generates names and values of heads, including ones that no crate accepts.
fn lines() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
    let name = proptest::sample::select(vec![
        &b"content-type"[..],
        &b"content-length"[..],
        &b"transfer-encoding"[..],
        &b"x-request-id"[..],
        &b"grpc-status"[..],
        &b"grpc-timeout"[..],
        &b"te"[..],
        &b"upgrade"[..],
        &b"accept"[..],
        &b"connect-protocol-version"[..],
        &b"authorization"[..],
        &b"not a name"[..],
        &b"\xff"[..],
        &b""[..],
        &b":strange"[..],
    ]);
    let value = proptest::sample::select(vec![
        &b"application/json"[..],
        &b"application/grpc"[..],
        &b"application/grpc-web-text"[..],
        &b"application/connect+json"[..],
        &b"text/html"[..],
        &b"text/event-stream"[..],
        &b"chunked"[..],
        &b"3"[..],
        &b"99999999"[..],
        &b"1m"[..],
        &b"trailers"[..],
        &b"websocket"[..],
        &b"application/problem+json"[..],
        &b"1"[..],
        &b"Bearer x"[..],
        &b"a\nb"[..],
        &b"\x80\xff"[..],
        &b""[..],
    ]);
    let few = proptest::collection::vec((name, value), 0..6);
    let owned =
        |lines: Vec<(&[u8], &[u8])>| lines.into_iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    prop_oneof![19 => few.prop_map(owned).boxed(), 1 => Just(many()).boxed()]
}

/// Makes more lines than anybody sends.
fn many() -> Vec<(Vec<u8>, Vec<u8>)> {
    let count = if cfg!(miri) { 50 } else { 10_000 };
    (0..count).map(|index| (format!("x-{index}").into_bytes(), b"1".to_vec())).collect()
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(b"x".to_vec()),
        Just(b"data: 1\n\n".to_vec()),
        Just(br#"{"error":"none"}"#.to_vec()),
        Just(b"\0\0\0\0\x03abc".to_vec()),
        Just(b"\0\0\0\x7f\xff".to_vec()),
        Just(b"\x80\0\0\0\x0fgrpc-status:0\r\n".to_vec()),
        Just(vec![b'a'; 40]),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let method = proptest::sample::select(vec!["GET", "HEAD", "POST", "CONNECT", "OPTIONS", "b d"]);
    let path =
        proptest::sample::select(vec!["/", "/json", "/watch", "/fill", "/key", "/stream", "*", "/%", "/\u{e9}", ""]);
    let status = proptest::sample::select(vec!["200", "204", "205", "302", "404", "503", "600", "x"]);
    prop_oneof![
        4 => (method, path, lines(), any::<bool>()).prop_map(|(method, path, lines, end)| Act::RequestHead { method, path, lines, end }),
        4 => (proptest::collection::vec(data(), 0..3), any::<bool>()).prop_map(|(chunks, end)| Act::RequestBody { chunks, end }),
        1 => lines().prop_map(Act::RequestTrailers),
        4 => (status, lines(), any::<bool>()).prop_map(|(status, lines, end)| Act::ResponseHead { status, lines, end }),
        4 => (proptest::collection::vec(data(), 0..3), any::<bool>()).prop_map(|(chunks, end)| Act::ResponseBody { chunks, end }),
        1 => lines().prop_map(Act::ResponseTrailers),
        2 => prop_oneof![Just(0_u32), Just(200), Just(307), Just(404), Just(503), Just(70_000)].prop_map(Act::LocalReply),
        2 => (0_u64..6).prop_map(Act::Scheduled),
        1 => prop_oneof![Just(Act::Completed), Just(Act::ClientLeaves)],
    ]
}

const POLICY: &str = r#"
version = 1
[defaults]
body_limit = 32
[inspect]
max_bytes = 24
[auth.keys]
scheme = "bearer"
keys = [{ id = "a", sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" }]
[[route]]
match = "/json"
json = true
[[route]]
match = "/watch"
mode = "observe"
[[route]]
match = "/fill"
mode = "fill"
[[route]]
match = "/key"
auth = ["keys"]
[[route]]
match = "/stream"
event_streams = "append_error"
"#;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 40 } else { 4000 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn v4_hooks_in_any_order_do_no_harm(
        acts in proptest::collection::vec(act(), 0..14),
        destroys_inside in any::<bool>(),
        http2 in any::<bool>(),
    ) {
        let mut world = World::new(POLICY, http2, destroys_inside);
        for act in &acts {
            world.act(act);
        }
        world.end();
    }
}

/// With a policy that names a header, the whole head is copied and compared. With any other policy, only the lines that
/// the core reads are copied and compared.
const NAMES_A_HEADER: &str = r#"
[auth.unused]
scheme = "header"
header = "x-unused"
keys = [{ id = "a", sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" }]
"#;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 10 } else { 500 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn v4_heads_of_which_little_is_read_fare_as_those_that_are_read_whole(
        request in (act(), lines()).prop_map(|(act, more)| with(act, more)),
        response in act(),
        http2 in any::<bool>(),
    ) {
        let seen = [POLICY.to_owned(), format!("{POLICY}{NAMES_A_HEADER}")].map(|policy| {
            let mut world = World::new(&policy, http2, false);
            world.act(&request);
            world.act(&response);
            let seen = world.seen();
            world.end();
            seen
        });
        prop_assert_eq!(&seen[0], &seen[1]);
    }
}

/// Adds lines to a request's head. Any other act becomes a good request.
fn with(act: Act, more: Vec<(Vec<u8>, Vec<u8>)>) -> Act {
    match act {
        Act::RequestHead { method, path, mut lines, end } => {
            lines.extend(more.into_iter().map(|(_, value)| (b"x-unread".to_vec(), value)));
            Act::RequestHead { method, path, lines, end }
        }
        _ => Act::RequestHead { method: "GET", path: "/", lines: more, end: true },
    }
}

#[test]
fn i3_e4_a_success_is_read_where_its_head_asks_for_it() {
    let answered = |line: (&str, &str)| {
        let mut world = World::new(POLICY, false, false);
        let lines = vec![(line.0.as_bytes().to_vec(), line.1.as_bytes().to_vec())];
        world.act(&Act::RequestHead { method: "GET", path: "/", lines: Vec::new(), end: true });
        world.act(&Act::ResponseHead { status: "200", lines, end: true });
        let head = world.response_head();
        world.end();
        head
    };
    let named = |head: &[(String, String)], name: &str| -> Vec<String> {
        head.iter().filter(|(it, _)| it == name).map(|(_, value)| value.clone()).collect()
    };
    let plain = answered(("x-other", "1"));
    assert_eq!((named(&plain, ":status"), plain.len()), (vec!["200".to_owned()], 3), "{plain:?}");
    let theirs = named(&answered(("x-request-id", "theirs")), "x-request-id");
    assert!(theirs.len() == 1 && theirs[0].starts_with("req_"), "{theirs:?}");
    let exposed = named(&answered(("access-control-allow-origin", "*")), "access-control-expose-headers");
    assert!(exposed.concat().contains("x-request-id"), "{exposed:?}");
    assert_eq!(named(&answered(("x-other", "a\nb")), ":status"), ["502"]);
}

/// Returns what the client gets of a stream of these chunks after the service broke it off.
fn broken(path: &'static str, chunks: &[&[u8]], trailers: bool) -> (String, bool) {
    let mut world = World::new(POLICY, true, false);
    let lines = vec![(b"content-type".to_vec(), b"text/event-stream".to_vec())];
    world.act(&Act::RequestHead { method: "GET", path, lines: Vec::new(), end: true });
    world.act(&Act::ResponseHead { status: "200", lines, end: false });
    for chunk in chunks {
        world.act(&Act::ResponseBody { chunks: vec![chunk.to_vec()], end: false });
    }
    if trailers {
        world.act(&Act::ResponseTrailers(Vec::new()));
    }
    world.act(&Act::LocalReply(503));
    let (last, ended) = world.last_data();
    world.end();
    (last, ended)
}

#[test]
fn f6_a_stream_that_the_service_breaks_off_gets_its_event_before_envoy_resets_it() {
    for (path, chunks, trailers, expected) in [
        ("/stream", &[b"data: 1\n\n".as_slice()][..], false, true),
        ("/stream", &[b"data: 1\r\n\r", b"\n"], false, true),
        ("/stream", &[], false, true),
        ("/stream", &[b"data: 1\n"], false, false),
        ("/stream", &[b"data: 1\n\n"], true, false),
        ("/", &[b"data: 1\n\n"], false, false),
    ] {
        let (last, ended) = broken(path, chunks, trailers);
        let event = "event: error\ndata: {\"error\":{\"code\":\"other\",\"message\":\"";
        assert_eq!(last.starts_with(event), expected, "{path} {chunks:?}: {last}");
        assert!(!ended, "the end is Envoy's to say");
    }
}

#[test]
fn l2_what_is_counted_is_put_down_by_the_main_thread_soon_and_once() {
    const NUMBER: usize = 77;

    let mut world = World::new_as(NUMBER, &POLICY.replace("/key", "/counted"), true, false);
    let counted =
        || callbacks::counted().into_iter().filter(|(labels, _)| labels.contains("/counted")).collect::<Vec<_>>();
    world.act(&Act::RequestHead { method: "GET", path: "/counted", lines: Vec::new(), end: true });
    world.act(&Act::Completed);
    assert_eq!(counted(), [], "Envoy's lock was taken on a worker");
    let was_requested = (0..6000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        callbacks::committed(NUMBER) > 0
    });
    assert!(was_requested, "nobody asked the main thread");
    world.on_main_thread();
    world.on_main_thread();
    assert_eq!(counted(), [("auth_missing 401 none none none guard /counted none enforce none".to_owned(), 1)]);
    assert_eq!(callbacks::committed(NUMBER), 1);
    world.end();
}

/// Returns a filter's configuration with this policy, with or without the metadata of errors.
fn with_metadata(policy: &str, metadata: bool) -> String {
    let text: String = policy.chars().flat_map(char::escape_default).collect();
    format!("{{\"policy\": \"{text}\", \"metadata\": {metadata}}}")
}

/// Returns the world after the head of an error whose body is being read.
fn collecting(mut world: World) -> World {
    world.act(&Act::RequestHead { method: "GET", path: "/", lines: Vec::new(), end: true });
    world.act(&Act::ResponseHead { status: "404", lines: Vec::new(), end: false });
    world
}

const LOGGED: [&str; 4] = ["code", "mode", "origin", "request_id"];
const REPLIED: [&str; 8] =
    ["body", "code", "content_security_policy", "content_type", "grpc_details", "local_reply", "request_id", "vary"];

#[test]
fn l1_an_error_is_noted_for_access_logs_unless_the_configuration_says_not_to() {
    for (metadata, wanted) in [(true, &LOGGED[..]), (false, &[])] {
        let mut world = collecting(World::new(&with_metadata("version = 1", metadata), false, false));
        world.act(&Act::ResponseBody { chunks: vec![b"none".to_vec()], end: true });
        let noted: Vec<String> = world.noted().into_keys().collect();
        assert_eq!(noted, wanted, "metadata = {metadata}");
        assert!(world.last_data().0.contains("not_found"), "{:?}", world.last_data());
        world.end();

        // A guard's response, which has a route.
        let mut world = World::new(&with_metadata(POLICY, metadata), false, false);
        world.act(&Act::RequestHead { method: "GET", path: "/key", lines: Vec::new(), end: true });
        assert_eq!(world.noted().get("route").map(String::as_str), metadata.then_some("/key"));
        world.end();
    }
}

#[test]
fn l1_what_a_stricter_mode_would_have_sent_is_noted_beside_what_was_sent() {
    let mut world = World::new(POLICY, false, false);
    world.act(&get("/watch"));
    world.act(&Act::ResponseHead { status: "404", lines: Vec::new(), end: false });
    world.act(&body(b"none", true));
    let noted = world.noted();
    assert_eq!((noted.get("code"), &*noted["would_be_code"]), (None, "not_found"), "{noted:?}");
    world.end();
}

fn get(path: &'static str) -> Act {
    Act::RequestHead { method: "GET", path, lines: Vec::new(), end: true }
}

fn post(path: &'static str) -> Act {
    Act::RequestHead { method: "POST", path, lines: Vec::new(), end: false }
}

fn success(end: bool) -> Act {
    Act::ResponseHead { status: "200", lines: Vec::new(), end }
}

fn body(data: &[u8], end: bool) -> Act {
    Act::ResponseBody { chunks: vec![data.to_vec()], end }
}

/// Returns the lines about a stream's request: while it runs, and at its end.
fn lines_of(acts: &[Act], last: &Act) -> [Vec<String>; 2] {
    let mut world = World::new(POLICY, false, false);
    let lines = || callbacks::log().lines().filter(|line| line.contains("request_id=")).map(str::to_owned).collect();
    lines();
    acts.iter().for_each(|act| world.act(act));
    let before = lines();
    world.act(last);
    let lines = [before, lines()];
    world.end();
    lines
}

#[test]
fn l5_a_record_is_closed_at_the_end_of_its_stream_and_states_who_ended_it() {
    let upgraded = Act::ResponseHead { status: "101", lines: Vec::new(), end: false };
    let failed = Act::ResponseHead { status: "404", lines: Vec::new(), end: false };
    let (left, broke) = (["origin=\"abandoned\"", "end=\"client_left\""], ["status=200", "end=\"service_broke_off\""]);
    for (acts, last, expected) in [
        (vec![get("/"), success(true)], Act::ClientLeaves, vec![]),
        (vec![get("/"), success(false), body(b"x", true)], Act::ClientLeaves, vec![]),
        (vec![get("/"), success(false), body(b"x", false), Act::ResponseTrailers(vec![])], Act::ClientLeaves, vec![]),
        (vec![get("/"), upgraded, body(b"x", false)], Act::ClientLeaves, vec![]),
        (vec![get("/")], Act::ClientLeaves, left.to_vec()),
        (vec![get("/"), failed.clone()], Act::ClientLeaves, left.to_vec()),
        (vec![get("/"), success(false), body(b"x", false)], Act::ClientLeaves, [&left[..], &["status=200"]].concat()),
        (vec![get("/"), success(false), body(b"x", false)], Act::Completed, broke.to_vec()),
        (vec![get("/"), success(false), Act::LocalReply(503)], Act::Completed, broke.to_vec()),
        (vec![get("/key")], Act::ClientLeaves, vec!["code=\"auth_missing\" status=401"]),
        (vec![get("/"), failed.clone(), body(b"x", true)], Act::ClientLeaves, vec!["code=\"not_found\" status=404"]),
        // V3: Envoy itself writes the reply.
        (vec![get("/"), failed, Act::LocalReply(504)], Act::Completed, vec!["code=\"gateway_timeout\" status=504"]),
    ] {
        let [before, lines] = lines_of(&acts, &last);
        assert_eq!(
            (before.len(), lines.len()),
            (0, usize::from(!expected.is_empty())),
            "{acts:?}: {before:?} {lines:?}"
        );
        assert!(expected.iter().all(|part| lines[0].contains(part)), "{acts:?}: {lines:?}");
        let is_complete = !expected.iter().any(|part| part.starts_with("end="));
        assert!(!is_complete || lines.iter().all(|line| !line.contains("end=")), "{acts:?}: {lines:?}");
    }
}

#[test]
fn l5_a_response_that_the_request_cuts_off_does_not_blame_the_service() {
    let over = Act::RequestBody { chunks: vec![vec![b'a'; 40]], end: false };
    // The reset ends the stream.
    let [lines, none] = lines_of(&[post("/"), success(false), body(b"x", false), over], &Act::Completed);
    assert_eq!((lines.len(), none.len()), (1, 0), "{lines:?}");
    let parts = ["code=\"payload_too_large\" status=200", "ran over its limit", "response body broke off"];
    assert!(parts.iter().all(|part| lines[0].contains(part)), "{lines:?}");
}

#[test]
fn v3_what_envoy_s_own_reply_needs_is_noted_whatever_the_configuration_says() {
    for metadata in [true, false] {
        let mut world = collecting(World::new(&with_metadata("version = 1", metadata), false, false));
        world.act(&Act::LocalReply(504));
        let noted = world.noted();
        let mut wanted: Vec<&str> = if metadata { [&LOGGED[..], &REPLIED[..]].concat() } else { REPLIED.to_vec() };
        wanted.sort_unstable();
        wanted.dedup();
        assert!(noted.keys().eq(&wanted), "metadata = {metadata}: {noted:?}");
        assert_eq!((&*noted["local_reply"], &*noted["code"]), ("error_envelope", "gateway_timeout"));
        assert!(noted["body"].contains(&noted["request_id"]), "{noted:?}");
        world.end();
    }
}

#[test]
fn v2_a_redirect_of_envoy_s_own_while_a_byte_is_awaited_logs_nothing() {
    let mut world = World::new(POLICY, false, false);
    world.act(&Act::RequestHead { method: "POST", path: "/json", lines: Vec::new(), end: false });
    world.act(&Act::LocalReply(301));
    world.act(&Act::ResponseHead { status: "301", lines: Vec::new(), end: true });
    let head = world.response_head();
    assert!(head.iter().any(|(name, id)| name == "x-request-id" && id.starts_with("req_")), "{head:?}");
    world.act(&Act::Completed);
    assert!(world.noted().is_empty(), "{:?}", world.noted());
    world.end();
}

/// Returns the event that the end of a wait sends to its worker.
fn event_of(world: &World) -> u64 {
    let event = (0..6000).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        world.event()
    });
    event.expect("the wait has ended")
}

#[test]
fn r4_waits_of_all_workers_end_in_their_time() {
    let policy = |timeout: &str| format!("version = 1\n[inspect]\ntimeout = \"{timeout}\"\n");
    let waits = collecting(World::new(&policy("60s"), false, false));
    let all_have_theirs = std::sync::Barrier::new(3);
    let worker = || {
        let mut world = collecting(World::with_file(&policy("10ms")));
        let event = event_of(&world);
        // A counted error also wakes the timer's thread.
        all_have_theirs.wait();
        world.act(&Act::Scheduled(event));
        let (body, ended) = world.last_data();
        world.end();
        assert!(body.contains("not_found") && ended, "{body}");
    };
    let round = || std::thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(worker))));
    round();
    // After this wait, the timer's thread sleeps for a minute.
    let last = collecting(World::with_file(&policy("500ms")));
    event_of(&last);
    round();
    assert_eq!(waits.event(), None);
    last.end();
    waits.end();
}

#[test]
fn v4_a_policy_that_is_refused_refuses_the_configuration() {
    for (text, expected) in [
        ("version = 2", "version"),
        ("not toml", "filter_config"),
        ("policy_file = 3", "policy_file"),
        ("policy_file = \"a\"\nversion = 1", "mutually exclusive"),
        (r#"{"policy": "version = 1", "other": 1}"#, "other"),
        (r#"{"policy": "version = 1", "policy_file": "a"}"#, "write either"),
        ("policy_file = \"a\"\nadmin = 9902", "admin is not a string"),
        (
            "policy_file = \"a\"\nadmin = \"localhost:9902\"",
            "admin: \"localhost:9902\" is not an IP address with a port",
        ),
        (r#"{"policy": "version = 1", "admin": "127.0.0.1"}"#, "admin: \"127.0.0.1\" is not an IP address"),
        (r#"{"admin": "99020"}"#, "admin: \"99020\" is not an IP address"),
        ("version = 1\nadmin = \"9902\"", "google.protobuf.Struct"),
        ("policy_file = \"/nowhere/p.toml\"\nadmin = \"0\"", "/nowhere/p.toml"),
        ("policy_file = \"a\"\nmetadata = \"no\"", "metadata is not true or false"),
        ("metadata = 0", "metadata is not true or false"),
        (r#"{"policy": "version = 1", "metadata": "false"}"#, "metadata is not true or false"),
        (r#"{"metadata": null}"#, "metadata is not true or false"),
        ("version = 1\nmetadata = false", "{\"policy\": \"…\", \"metadata\": false}"),
        ("policy_file = \"a\"\nmetadata = false\nmeta = 1", "mutually exclusive"),
        ("version = 1\n[auth.own]\nscheme = \"custom\"\n", "ext_authz"),
    ] {
        assert!(hooks::configure(text.as_bytes()).is_none(), "{text}");
        let log = callbacks::log();
        assert!(log.contains(expected), "{text}: {log}");
    }
    let metadata = r#"{"policy": "version = 1", "metadata": true}"#;
    for text in ["", "version = 1", "{}", r#"{"policy": "version = 1"}"#, metadata, "metadata = false"] {
        hooks::unconfigure(hooks::configure(text.as_bytes()).unwrap_or_else(|| panic!("{text}")));
    }
}
