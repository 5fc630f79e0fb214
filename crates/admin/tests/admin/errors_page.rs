//! What whoever is on call sees of errors that went through a layer.

use std::time::Duration;

use error_envelope_admin::Admin;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use crate::kit::{Answer, ask, ask_with, through};

const POLICY: &str = r#"
    version = 1
    [defaults]
    mode = "observe"
    [header.tenant]
    name = "x-tenant"
    [[route]]
    match = "/names/{name}"
    [[route]]
    match = "/tenants"
    require_headers = ["tenant"]
    [[route]]
    match = "/accounts"
    mode = "enforce"
    [[route]]
    match = "/quiet"
    mode = "fill"
"#;
const WITH_BODIES: &str = "[observe]\nbodies = true\n";
const SECRET: &str =
    r#"{"detail":[{"loc":["body","password"],"msg":"Too short.","input":"hunter2"}],"token":"hunter2"}"#;

fn watched(policy: &str) -> (Admin, ErrorEnvelopeLayer) {
    let admin = Admin::new();
    let policy = Policy::from_toml("policy.toml", policy).unwrap();
    let layer = admin.attach(ErrorEnvelopeLayer::new().policy(policy));
    (admin, layer)
}

/// The page as soon as it has this text: bodies are read by a thread of their own.
async fn page_with(admin: &Admin, path: &str, told: &str) -> String {
    let page = async {
        loop {
            let page = ask(admin, "GET", path).await.body;
            if page.contains(told) {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(10), page).await {
        Ok(page) => page,
        Err(_) => panic!("{told} is not in {}", ask(admin, "GET", path).await.body),
    }
}

fn id_of(answer: &Answer) -> String {
    answer.header("x-request-id").unwrap().to_owned()
}

#[tokio::test]
async fn each_route_tells_what_it_says_and_what_comes_next() {
    let (admin, layer) = watched(POLICY);
    for name in ["ada", "bob"] {
        through(&layer, &format!("/names/{name}"), 409, r#"{"error":"Name is taken."}"#).await;
    }
    through(&layer, "/tenants", 200, "{}").await;
    let page = ask(&admin, "GET", "/").await.body;
    for told in [
        "<bdi>/names/{name}</bdi>",
        "2 of 2 errors without a code since ",
        "error_text",
        "route = &quot;/names/{name}&quot;\nto = &quot;names_conflict&quot;",
        "Mode own would have refused 1 request since ",
        "1 route in fill without errors",
        "1 route in enforce without errors",
        "Bodies are not shown, because the policy does not allow it",
        "[observe]\nbodies = true",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    assert!(!page.contains("/names/ada"), "a path is in the page: {page}");
    assert!(!page.contains("Name is taken"), "a body is shown: {page}");
}

#[tokio::test]
async fn before_and_after_are_shown_without_credentials() {
    let (admin, layer) = watched(&format!("{POLICY}{WITH_BODIES}"));
    let id = id_of(&through(&layer, "/accounts", 422, SECRET).await);
    through(&layer, "/names/ada", 409, r#"{"error":"Name is taken."}"#).await;
    let page = page_with(&admin, "/", "&quot;error&quot;: &quot;Name is taken.&quot;").await;
    let one = page_with(&admin, &format!("/errors/{id}"), "&quot;msg&quot;: &quot;Too short.&quot;").await;
    for (page, told) in [
        (&page, "In mode enforce the client would get"),
        (&page, "&quot;message&quot;: &quot;Name is taken.&quot;"),
        (&one, "&quot;token&quot;: &quot;[redacted]&quot;"),
        (&one, "&quot;input&quot;: &quot;[redacted]&quot;"),
        (&one, "&quot;code&quot;: &quot;invalid_request&quot;"),
        (&one, "The client got"),
        (&one, "fastapi"),
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    assert!([&page, &one].iter().all(|page| !page.contains("hunter2")), "a credential is shown");
}

#[tokio::test]
async fn an_error_is_found_by_what_a_client_reports() {
    let (admin, layer) = watched(POLICY);
    let id = id_of(&through(&layer, "/names/ada", 409, "{}").await);
    for said in
        [id.clone(), id[4..].to_ascii_lowercase(), format!("%20%20{id}%20"), format!("request_id:+{id},+please")]
    {
        let found = ask(&admin, "GET", &format!("/errors?id={said}")).await;
        assert_eq!(found.status, 200, "{said}");
        assert!(found.body.contains(&format!("<h1 class=\"id\">{id}</h1>")), "{}", found.body);
    }
    let unknown = ask(&admin, "GET", "/errors/req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.body.contains("grep -F"), "{}", unknown.body);
    assert_eq!(ask(&admin, "GET", "/errors/%00").await.status, 400);
}

#[tokio::test]
async fn a_filter_is_part_of_the_address() {
    let (admin, layer) = watched(POLICY);
    let kept = id_of(&through(&layer, "/names/ada", 409, "{}").await);
    let other = id_of(&through(&layer, "/accounts", 404, "{}").await);
    let shows = async |query: &str| {
        let page = ask(&admin, "GET", &format!("/{query}")).await.body;
        [&kept, &other].map(|id| page.contains(&format!("/errors/{id}")))
    };
    assert_eq!(shows("").await, [true, true]);
    assert_eq!(shows("?route=%2Fnames%2F%7Bname%7D").await, [true, false]);
    assert_eq!(shows("?code=not_found").await, [false, true]);
    assert_eq!(shows("?code=not_found&route=/names/%7Bname%7D").await, [false, false]);
    assert_eq!(shows("?route=&code=").await, [true, true]);
}

#[tokio::test]
async fn the_kill_switch_is_shown_and_offered() {
    let (admin, layer) = watched(POLICY);
    assert!(ask(&admin, "GET", "/").await.body.contains("href=\"/switch\""));
    let question = ask(&admin, "GET", "/switch").await.body;
    for told in ["action=\"/kill-switch/on\"", "type=\"checkbox\" name=\"sure\" required", "of its 4 routes"] {
        assert!(question.contains(told), "{told} in {question}");
    }
    let named = ask(&admin, "GET", "/switch?by=ada&reason=%22%3E%3Cb%3E").await.body;
    assert!(
        named.contains("value=\"ada\"")
            && named.contains("value=\"&quot;>&lt;b>\"") | named.contains("value=\"&quot;&gt;&lt;b&gt;\""),
        "{named}"
    );
    let mode = ask(&admin, "GET", "/kill-switch").await.json();
    assert_eq!(mode["kill_switch"], false, "a page that is looked at throws nothing");
    let foreign = [("host", "127.0.0.1:9901"), ("origin", "http://evil.example")];
    assert_eq!(ask_with(&admin, "POST", "/kill-switch/on", &foreign).await.status, 403);
    ask(&admin, "POST", "/kill-switch/on").await;
    through(&layer, "/names/ada", 409, "{}").await;
    let page = ask(&admin, "GET", "/").await.body;
    assert!(page.contains("every route is in mode off.") && page.contains("href=\"/switch\""), "{page}");
    assert!(ask(&admin, "GET", "/switch").await.body.contains("action=\"/kill-switch/off\""));
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere() {
    let (admin, _) = watched(POLICY);
    let page = ask(&admin, "GET", "/").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none';") && !policy.contains("unsafe") && !policy.contains("http"),
        "{policy}"
    );
    assert_eq!(page.header("referrer-policy"), Some("same-origin"), "a form of the page would come from nowhere");
    for inline in ["://", " style=", "<style", " onclick=", "<script>"] {
        assert!(!page.body.contains(inline), "{inline} in {}", page.body);
    }
    for (path, kind) in [("/page.css", "text/css"), ("/page.js", "text/javascript"), ("/page.svg", "image/svg+xml")] {
        let file = ask(&admin, "GET", path).await;
        assert_eq!(file.status, 200, "{path}");
        assert!(file.header("content-type").unwrap().starts_with(kind), "{path}");
        assert!(page.body.contains(path), "{path}");
    }
}

#[tokio::test]
async fn events_are_a_stream_and_listeners_are_few() {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Empty};
    use tower::ServiceExt;

    let (admin, layer) = watched(POLICY);
    let listen = async || {
        let request = http::Request::get("/events?code=conflict").header("host", "localhost");
        admin.service().oneshot(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap()
    };
    let mut events = listen().await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut all = String::new();
    through(&layer, "/accounts", 404, "{}").await;
    let id = id_of(&through(&layer, "/names/ada", 409, "{}").await);
    while !all.contains("event: row") {
        let frame = tokio::time::timeout(Duration::from_secs(10), events.body_mut().frame()).await.expect("in time");
        all.push_str(std::str::from_utf8(&frame.unwrap().unwrap().into_data().unwrap()).unwrap());
    }
    assert!(all.contains(&id) && all.matches("event: row").count() == 1, "{all}");
    let mut open = vec![events];
    while open.len() < 16 {
        let next = listen().await;
        assert_eq!(next.status(), 200);
        open.push(next);
    }
    let full = listen().await;
    assert_eq!((full.status().as_u16(), full.headers()["retry-after"].to_str().unwrap()), (503, "10"));
    drop(open);
    assert_eq!(listen().await.status(), 200);
}

#[tokio::test]
async fn a_page_of_another_name_is_refused() {
    let (admin, _) = watched(POLICY);
    for path in ["/", "/errors", "/events"] {
        let refused = ask_with(&admin, "GET", path, &[("host", "attacker.example")]).await;
        assert_eq!(refused.status, 421, "{path}");
    }
}
