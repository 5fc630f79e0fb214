//! Tests the kill switch: its token, and the refused changes.

use std::path::PathBuf;

use error_envelope_admin::Admin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::kit::{Answer, ask, ask_with};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn token_file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

async fn send(admin: &Admin, path: &str, authorization: Option<&str>) -> Answer {
    let headers = authorization.map(|value| ("authorization", value));
    ask_with(admin, "POST", path, &headers.into_iter().chain([("host", "localhost")]).collect::<Vec<_>>()).await
}

#[tokio::test]
async fn a_change_needs_the_token_of_its_file_as_it_is_now() {
    let (_folder, file) = token_file(&format!("{TOKEN}\n"));
    let admin = Admin::new().token_file(&file).unwrap();
    let bearer = |token: &str| format!("Bearer {token}");
    for (authorization, status) in [
        (None, 401),
        (Some(bearer("")), 401),
        (Some(bearer(&TOKEN[1..])), 401),
        (Some(format!("Basic {TOKEN}")), 401),
        (Some(bearer(TOKEN)), 200),
        (Some(format!("bearer {TOKEN}")), 200),
    ] {
        for path in ["/kill-switch/on", "/kill-switch/off"] {
            let answer = send(&admin, path, authorization.as_deref()).await;
            let challenge = (status == 401).then_some("Bearer");
            assert_eq!(
                (answer.status.as_u16(), answer.header("www-authenticate")),
                (status, challenge),
                "{authorization:?}"
            );
        }
    }
    assert_eq!(send(&admin, &format!("/kill-switch/on?token={TOKEN}"), None).await.status, 401, "an address is logged");
    let another = TOKEN.replace('0', "z");
    std::fs::write(&file, &another).unwrap();
    assert_eq!(send(&admin, "/kill-switch/on", Some(&bearer(TOKEN))).await.status, 401);
    assert_eq!(send(&admin, "/kill-switch/on", Some(&bearer(&another))).await.status, 200);
    for path in ["/kill-switch", "/now.json", "/errors.json", "/readiness.json", "/policy"] {
        assert_eq!(ask(&admin, "GET", path).await.status, 401, "{path}");
    }
    for path in ["/", "/page.js", "/healthz", "/readyz"] {
        assert_eq!(ask(&admin, "GET", path).await.status, 200, "{path}");
    }
    std::fs::write(&file, "short").unwrap();
    assert_eq!(send(&admin, "/kill-switch/off", Some("Bearer short")).await.status, 503);
    assert!(admin.kill_switch().is_on());
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
        for request in ["GET /now.json", "POST /kill-switch/on?by=maria"] {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let head = format!("{request} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answers.push(answer);
        }
        assert!(answers[1].starts_with(&format!("HTTP/1.1 {status} ")), "{}", answers[1]);
        assert_eq!(answers[0].contains(r#""changes": "refused""#), status == "403", "{}", answers[0]);
        let change = kill_switch.last_change();
        assert_eq!(
            change.and_then(|it| it.peer).map(|peer| peer.to_string()).as_deref() == Some("127.0.0.1"),
            status == "200"
        );
        drop(ended.0);
        served.await.unwrap();
    }
}

#[tokio::test]
async fn a_journal_keeps_the_last_change_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal");
    let state = async |admin: &Admin| ask(admin, "GET", "/kill-switch").await.json();
    let first = Admin::new().journal(&file).unwrap();
    assert!(!first.kill_switch().is_on());
    ask(&first, "POST", "/kill-switch/on?by=maria&reason=orders").await;
    ask(&first, "POST", "/kill-switch/on?by=ben").await;
    let before = state(&first).await;
    assert_eq!((&before["kill_switch"], &before["changed_by"]), (&true.into(), &"maria".into()));

    let second = Admin::new().journal(&file).unwrap();
    assert_eq!(state(&second).await, before);
    ask(&second, "POST", "/kill-switch/off?by=ben").await;
    let third = Admin::new().journal(&file).unwrap();
    assert_eq!(state(&third).await, state(&second).await);
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 2);

    std::fs::write(&file, "{}\n").unwrap();
    let error = Admin::new().journal(&file).unwrap_err().to_string();
    assert!(error.ends_with("journal: the last line is not a valid change; remove it"), "{error}");
}
