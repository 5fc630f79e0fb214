//! Tests the layer inside axum's `nest`, which strips a prefix before it calls the layer. Both paths are guarded (G0).

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::any;
use http::{StatusCode, Uri};
use tower::ServiceExt;
use tower_error_envelope::policy::RequiredHeader;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use crate::cases::logs::captured;

const KEYS: &str = r#"
[auth.k]
scheme = "bearer"
keys = [{ id = "a", sha256 = "627c8a152519f9f3da4d61fa329dc9fb559e10d8e336ca7797c953773fe47836" }]
[header.h]
name = "x-h"
[[code]]
code = "seat_taken"
status = 409
"#;

fn policy(tables: &str) -> Policy {
    Policy::from_toml("policy.toml", &format!("version = 1\n{tables}\n{KEYS}")).unwrap()
}

/// Makes a service that returns the path that it sees, with this status, below `/v1/api` of an application.
fn app(policy: Policy, status: StatusCode) -> Router {
    let handler = move |uri: Uri| async move { (status, uri.path().to_owned()) };
    let inner = Router::new().route("/{*rest}", any(handler)).layer(ErrorEnvelopeLayer::new().policy(policy));
    Router::new().nest("/v1", Router::new().nest("/api", inner))
}

async fn send(app: Router, path: &str, lines: &[(&str, &str)]) -> (u16, String, String) {
    let request = lines.iter().fold(Request::builder().uri(path), |it, (name, value)| it.header(*name, *value));
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let code = response.headers().get("x-error-code").map_or("", |code| code.to_str().unwrap()).to_owned();
    let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
    (status, code, String::from_utf8(body.to_vec()).unwrap())
}

async fn status(tables: &str, path: &str) -> u16 {
    send(app(policy(tables), StatusCode::OK), path, &[]).await.0
}

#[tokio::test]
async fn g0_either_path_closes_what_a_policy_closes() {
    let key = [("authorization", "Bearer next-key-1")];
    for pattern in ["/v1/api/admin/{*rest}", "/admin/{*rest}", "/v1/{any}/admin/{*rest}"] {
        let tables = format!("[[route]]\nmatch = \"{pattern}\"\nauth = [\"k\"]");
        for path in ["/v1/api/admin", "/v1/api/admin/x", "/v1/api/ADMIN/x", "/v1/api/%61dmin/x", "/v1/api/a/../admin/x"]
        {
            assert_eq!(status(&tables, path).await, 401, "{pattern} {path}");
        }
        assert_eq!(status(&tables, "/v1/api/x").await, 200, "{pattern}");
        let let_in = send(app(policy(&tables), StatusCode::OK), "/v1/api/admin/x", &key).await;
        assert_eq!((let_in.0, &*let_in.2), (200, "/admin/x"), "{pattern}");
    }
}

#[tokio::test]
async fn g0_a_policy_for_one_path_gives_no_defaults_to_the_other() {
    for pattern in ["/v1/api/public/{*rest}", "/public/{*rest}"] {
        let tables = format!("[defaults]\nauth = [\"k\"]\n[[route]]\nmatch = \"{pattern}\"\nauth = []");
        assert_eq!(status(&tables, "/v1/api/public/x").await, 200, "{pattern}");
        assert_eq!(status(&tables, "/v1/api/x").await, 401, "{pattern}");
        assert_eq!(status(&tables, "/v1/api/public/../x").await, 401, "{pattern}");
    }
}

#[tokio::test]
async fn g0_where_both_match_the_guards_of_both_hold_and_the_two_are_no_ambiguity() {
    let tables = "[defaults]\npaths = \"refuse\"\n\
        [[route]]\nmatch = \"/v1/api/x\"\nauth = [\"k\"]\n\
        [[route]]\nmatch = \"/x\"\nrequire_headers = [\"h\"]";
    let app = app(policy(tables), StatusCode::OK);
    let (key, header) = (("authorization", "Bearer next-key-1"), ("x-h", "1"));
    for (lines, expected) in
        [(&[key, header][..], (200, "")), (&[header], (401, "auth_missing")), (&[key], (400, "bad_request"))]
    {
        let (status, code, body) = send(app.clone(), "/v1/api/x", lines).await;
        assert_eq!((status, &*code), expected, "{lines:?} {body}");
    }
    // Each path is judged by its readings.
    assert_eq!(send(app, "/v1/api/y/../x", &[key, header]).await.0, 400);
}

#[tokio::test]
async fn g0_everything_else_follows_the_stripped_path_if_it_matches_a_route_else_the_other() {
    let full = "[[route]]\nmatch = \"/v1/api/x\"\nmode = \"off\"";
    let stripped = "[[route]]\nmatch = \"/x\"\ndialect = \"success_flag\"";
    for (tables, begins) in [
        (full.to_owned(), "/x"),
        (stripped.to_owned(), "{\"success\":false"),
        (format!("{full}\n{stripped}"), "{\"success\":false"),
        (String::new(), "{\"error\":"),
    ] {
        let (status, _, body) = send(app(policy(&tables), StatusCode::CONFLICT), "/v1/api/x", &[]).await;
        assert!(status == 409 && body.starts_with(begins), "{tables}: {body}");
    }
    for route in ["/v1/api/x", "/x"] {
        let rule =
            format!("[[route]]\nmatch = \"{route}\"\n[[map]]\nroute = \"{route}\"\nstatus = 409\nto = \"seat_taken\"");
        let (_, code, body) = send(app(policy(&rule), StatusCode::CONFLICT), "/v1/api/x", &[]).await;
        assert_eq!(code, "seat_taken", "{route}: {body}");
    }
}

#[tokio::test]
async fn g0_scopes_are_matched_by_both_paths() {
    use tower_error_envelope::policy::Scope;
    for prefix in ["/v1/api", "/x"] {
        let scope = Scope::new().prefix(prefix).require_headers(["h"]);
        let policy = Policy::builder().header("h", RequiredHeader::new("x-h")).scope(scope).build().unwrap();
        assert_eq!(send(app(policy.clone(), StatusCode::OK), "/v1/api/x/y", &[]).await.0, 400, "{prefix}");
        assert_eq!(send(app(policy, StatusCode::OK), "/v1/api/x/y", &[("x-h", "1")]).await.0, 200, "{prefix}");
    }
}

#[test]
fn g0_the_log_warns_once_where_the_path_before_alone_matches() {
    let statuses = |tables: &str| {
        let policy = policy(tables);
        let (_, log) = captured(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for (status, path) in
                [(StatusCode::OK, "/v1/api/y"), (StatusCode::OK, "/v1/api/x"), (StatusCode::CONFLICT, "/v1/api/x")]
            {
                runtime.block_on(send(app(policy.clone(), status), path, &[]));
            }
        });
        log.lines().filter(|line| line.contains("WARN") && line.contains("stripped a prefix")).count()
    };
    assert_eq!(statuses("[[route]]\nmatch = \"/v1/api/x\"\njson = true"), 1);
    assert_eq!(statuses("[[route]]\nmatch = \"/v1/api/x\"\n[[route]]\nmatch = \"/x\""), 0);
    assert_eq!(statuses("[[route]]\nmatch = \"/x\""), 0);
}

#[tokio::test]
async fn m1_no_mode_skips_authentication_of_either_path() {
    const MODES: [&str; 5] = ["off", "observe", "own", "fill", "enforce"];
    let paths = ["guard", "refuse"];
    for (mode, paths) in MODES.into_iter().flat_map(|mode| paths.map(|paths| (mode, paths))) {
        let tables = format!(
            "[defaults]\nmode = \"{mode}\"\npaths = \"{paths}\"\n[[route]]\nmatch = \"/v1/api/x\"\nauth = [\"k\"]"
        );
        assert_eq!(status(&tables, "/v1/api/x").await, 401, "{tables}");
    }
}
