//! `replay`: what another policy changes for clients.

use super::Folder;

#[test]
fn replay_tells_what_a_scheme_of_the_same_name_asks_for() {
    let folder = Folder::with_files();
    folder.put("a.http", "HTTP/1.1 200 OK\r\n\r\n");
    let key = "0".repeat(64);
    let policy = |scheme: &str, route: &str| {
        format!(
            "version = 1\n[auth.app]\n{scheme}\nkeys = [{{ id = \"a\", sha256 = \"{key}\" }}]\n\
             [[route]]\nmatch = \"/*\"\n{route}auth = [\"app\"]\n"
        )
        .replace("\"/*\"", "\"/{*rest}\"")
    };
    let header = "scheme = \"header\"\nheader = \"x-api-key\"";
    folder.put("old.toml", policy(header, ""));
    for (new, code) in [
        (policy(header, ""), 0),
        (policy(&header.replace("x-api", "x-other"), ""), 1),
        (policy("scheme = \"bearer\"", ""), 1),
        (policy(&format!("{header}\nchallenge = \"Other\""), ""), 1),
        (policy(header, "auth_observe = true\n"), 1),
    ] {
        folder.put("new.toml", &new);
        let (out, err, ended) = folder.sh("error-envelope replay a.http --old old.toml --new new.toml");
        assert_eq!((err.as_str(), ended), ("", code), "{new}");
        assert_eq!(out.contains("changes: required credentials\n"), code == 1, "{new}{out}");
    }
}

#[test]
fn replay_tells_what_a_policy_asks_for_and_what_a_guard_refuses() {
    let folder = Folder::with_files();
    folder.put("old.toml", "version = 1\n");
    let key = "0".repeat(64);
    folder.put(
        "new.toml",
        format!(
            "version = 1\n[auth.app]\nscheme = \"header\"\nheader = \"x-api-key\"\nkeys = [{{ id = \"a\", sha256 = \"{key}\" }}]\n\
             [[route]]\nmatch = \"/ok\"\nauth = [\"app\"]\n[[route]]\nmatch = \"POST /upload-fits\"\nbody_limit = \"64 KiB\"\n"
        ),
    );
    let (out, _, code) = folder.sh("error-envelope replay tour.har --old old.toml --new new.toml");
    assert_eq!(code, 1);
    assert_eq!(
        out,
        "\
1 x /ok: 200 unchanged -> 200 unchanged
    changes: required credentials
    for example tour.har: log.entries[0]: GET /ok

1 x POST /upload-fits: 200 unchanged -> 413 payload_too_large
    changes: status; body; headers cache-control, content-type, vary, x-content-type-options, x-error-code
    for example tour.har: log.entries[47]: POST /upload-fits

48 exchanges: 2 changed responses in 2 groups
"
    );
    let (json, _, code) = folder.sh("error-envelope replay tour.har --format json --old old.toml --new new.toml");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["exchanges"], &json["changed"]), (1, &48.into(), &2.into()));
    assert_eq!(json["groups"][1]["new"]["code"], "payload_too_large");
    let (out, _, code) = folder.sh("error-envelope replay tour.har --old old.toml --new old.toml");
    assert_eq!((out.as_str(), code), ("48 exchanges: no changes for clients\n", 0));
}
