//! The kill switch: its form, its token, and where changes are refused.

use std::path::PathBuf;

use error_envelope_admin::Admin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use crate::kit::{Answer, ask, read, through};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const FORM: &str = "application/x-www-form-urlencoded";

fn token_file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

async fn send(admin: &Admin, path: &str, headers: &[(&str, &str)], form: &str) -> Answer {
    let headers = [&[("host", "localhost"), ("content-type", FORM)], headers].concat();
    let request =
        headers.iter().fold(http::Request::post(path), |request, (name, value)| request.header(*name, *value));
    read(admin.service().oneshot(request.body(form.to_owned()).unwrap()).await.unwrap()).await
}

#[tokio::test]
async fn one_form_keeps_who_and_why() {
    let admin = Admin::new();
    let page = ask(&admin, "GET", "/switch").await.body;
    assert_eq!(page.matches("<form class=\"sure\" method=\"post\" action=\"/kill-switch/on\"").count(), 1, "{page}");
    let browser = [("accept", "text/html")];
    let thrown = send(&admin, "/kill-switch/on", &browser, "by=maria&reason=orders+loses%20texts&sure=on").await;
    assert_eq!((thrown.status.as_u16(), thrown.header("location")), (303, Some("/")));
    for path in ["/", "/switch", "/charts", "/policy/view", "/metrics/view", "/errors?id=x"] {
        let page = ask(&admin, "GET", path).await.body;
        assert!(page.contains("by <bdi>maria</bdi>: <bdi>orders loses texts</bdi>"), "{path}: {page}");
    }
    let back = send(&admin, "/kill-switch/off", &[], "by=piet").await.json();
    assert_eq!((&back["kill_switch"], &back["changed_by"]), (&false.into(), &"piet".into()));
}

#[tokio::test]
async fn a_change_needs_the_token_of_its_file_as_it_is_now() {
    let (_folder, file) = token_file(&format!("{TOKEN}\n"));
    let admin = Admin::new().token_file(&file).unwrap();
    let bearer = |token: &str| format!("Bearer {token}");
    for (authorization, form, status) in [
        (None, String::new(), 401),
        (None, format!("token={TOKEN}x"), 401),
        (Some(bearer("")), String::new(), 401),
        (Some(bearer(&TOKEN[1..])), String::new(), 401),
        (Some(format!("Basic {TOKEN}")), String::new(), 401),
        (Some(bearer(TOKEN)), String::new(), 200),
        (Some(format!("bearer {TOKEN}")), String::new(), 200),
        (None, format!("token={TOKEN}"), 200),
    ] {
        let headers: Vec<_> = authorization.iter().map(|value| ("authorization", value.as_str())).collect();
        for path in ["/kill-switch/on", "/kill-switch/off"] {
            let answer = send(&admin, path, &headers, &form).await;
            let challenge = (status == 401).then_some("Bearer");
            assert_eq!(
                (answer.status.as_u16(), answer.header("www-authenticate")),
                (status, challenge),
                "{headers:?} {form}"
            );
        }
    }
    assert_eq!(
        send(&admin, &format!("/kill-switch/on?token={TOKEN}"), &[], "").await.status,
        401,
        "an address is logged"
    );
    let another = TOKEN.replace('0', "z");
    std::fs::write(&file, &another).unwrap();
    assert_eq!(send(&admin, "/kill-switch/on", &[("authorization", &bearer(TOKEN))], "").await.status, 401);
    assert_eq!(send(&admin, "/kill-switch/on", &[("authorization", &bearer(&another))], "").await.status, 200);
    std::fs::write(&file, "short").unwrap();
    assert_eq!(send(&admin, "/kill-switch/off", &[("authorization", "Bearer short")], "").await.status, 503);
    assert!(admin.kill_switch().is_off());
    assert_eq!(ask(&admin, "GET", "/kill-switch").await.status, 200, "reading needs no token");
}

#[tokio::test]
async fn a_refused_form_is_shown_again_without_its_token() {
    let (_folder, file) = token_file(TOKEN);
    let admin = Admin::new().token_file(file).unwrap();
    let form = "by=maria&reason=%3Cb%3E&token=hunter2-hunter2";
    let page = send(&admin, "/kill-switch/on", &[("accept", "text/html")], form).await;
    assert_eq!(page.status, 401);
    for text in ["Nothing was changed.", "value=\"maria\"", "value=\"&lt;b&gt;\"", "type=\"password\""] {
        assert!(page.body.contains(text), "{text} in {}", page.body);
    }
    assert!(!page.body.contains("hunter2"), "{}", page.body);
    assert!(!admin.kill_switch().is_off());
}

#[tokio::test]
async fn a_token_that_can_be_guessed_is_refused() {
    let (_folder, file) = token_file("  0123456789abcdef0123456789abcde \n");
    let error = Admin::new().token_file(&file).unwrap_err().to_string();
    assert!(
        error.contains(&*file.display().to_string()) && error.contains("has 31 bytes; write at least 32"),
        "{error}"
    );
    let (_folder, long) = token_file(&"x".repeat(5000));
    assert!(Admin::new().token_file(long).is_err());
    assert!(Admin::new().token_file("/no/such/file").is_err());
}

#[tokio::test]
async fn an_address_that_others_reach_is_read_only_without_a_token() {
    let (_folder, file) = token_file(TOKEN);
    for (admin, token, status) in [
        (Admin::new(), "", "403"),
        (Admin::new().token_file(file).unwrap(), TOKEN, "200"),
        (Admin::new(), TOKEN, "403"),
    ] {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (ended, kill_switch) = (tokio::sync::oneshot::channel::<()>(), admin.kill_switch());
        let served = tokio::spawn(async move { admin.serve(listener, async { drop(ended.1.await) }).await });
        let mut answers = Vec::new();
        for request in ["GET /switch", "POST /kill-switch/on?by=maria"] {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let head = format!("{request} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answers.push(answer);
        }
        assert!(answers[1].starts_with(&format!("HTTP/1.1 {status} ")), "{}", answers[1]);
        assert_eq!(answers[0].contains("This address is read-only."), status == "403", "{}", answers[0]);
        let change = kill_switch.last_change();
        assert_eq!(
            change.and_then(|it| it.peer()).map(|peer| peer.to_string()).as_deref() == Some("127.0.0.1"),
            status == "200"
        );
        drop(ended.0);
        served.await.unwrap();
    }
}

#[tokio::test]
async fn the_effective_mode_is_in_every_table_while_it_is_thrown() {
    let admin = Admin::new();
    let layer = ErrorEnvelopeLayer::new()
        .policy(Policy::builder().route(tower_error_envelope::Route::new("/a/{id}")).build().unwrap());
    let layer = admin.attach(layer);
    through(&layer, "/a/1", 500, "{}").await;
    admin.kill_switch().off();
    for (path, count) in [("/", 1), ("/policy/view", 2)] {
        let page = ask(&admin, "GET", path).await.body;
        let shown = page.matches("<b>off</b> <span class=\"quiet\">(policy: enforce)</span>").count();
        assert_eq!(shown, count, "{path}: {page}");
    }
}
