//! What is read, and the place that an error names.

use std::fs;
use std::path::PathBuf;

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

fn read(path: &Path) -> Result<Vec<Recorded>, String> {
    let mut all = Vec::new();
    let mut push = |one| {
        all.push(one);
        Ok(())
    };
    match Source::open(path).and_then(|source| source.each(&mut push)) {
        Ok(_) => Ok(all),
        Err(CommandError::Io(why) | CommandError::Refused(why)) => {
            Err(why.replace(&path.display().to_string(), "FILE"))
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_response_is_read_as_curl_writes_it() {
    let folder = Folder::new();
    for (text, status, kind, body) in [
        ("HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\n\r\ngone", 404, Some("text/plain"), "gone"),
        ("HTTP/2 503\ncontent-type: text/html\n\n<p>\n", 503, Some("text/html"), "<p>\n"),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\ngone\n", 404, None, "gone"),
        ("HTTP/1.1 404\r\ntransfer-encoding: chunked\r\n\r\n4\r\ngone\r\n0\r\n\r\n", 404, None, "gone"),
        ("HTTP/1.1 404\r\ntransfer-encoding: chunked\r\n\r\ngone", 404, None, "gone"),
        ("HTTP/1.1 404\r\ncontent-encoding: gzip\r\n\r\ngone", 404, None, "gone"),
        ("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 409 Conflict\r\n\r\n", 409, None, ""),
        ("HTTP/1.1 404", 404, None, ""),
        ("\u{feff}HTTP/1.1 404 No\r\n\r\n", 404, None, ""),
        ("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 404 No\r\n\r\na", 404, None, "a"),
        ("HTTP/1.1 302 Found\r\nlocation: /a\r\n\r\nHTTP/1.1 404 No\r\n\r\na", 404, None, "a"),
        ("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 404 No\r\n\r\n", 200, None, "HTTP/1.1 404 No\r\n\r\n"),
    ] {
        let all = read(&folder.put("a.http", text)).unwrap_or_else(|why| panic!("{text}: {why}"));
        let [one] = &all[..] else { panic!("{text}: {}", all.len()) };
        let got = one.response.headers().get("content-type").map(|it| it.to_str().unwrap());
        assert_eq!((one.response.status().as_u16(), got), (status, kind), "{text}");
        assert_eq!(one.response.body().as_deref(), Some(body.as_bytes()), "{text}");
        assert!(!one.response.headers().contains_key("content-encoding"), "{text}");
    }
}

#[test]
fn a_request_beside_the_response_belongs_to_it() {
    let folder = Folder::new();
    let response = folder.put("a.http", "HTTP/1.1 404 Not Found\r\ncontent-length: 99\r\n\r\n");
    let request = folder.put("a.request.http", "HEAD /a?b=1 HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(is_request(&request) && !is_request(&response));
    let all = read(&response).unwrap();
    assert_eq!((all[0].request.method().as_str(), all[0].request.uri().path()), ("HEAD", "/a"));
    assert_eq!(all[0].response.headers()["content-length"], "99", "what GET would have got");
}

#[test]
fn what_is_no_message_is_told_with_its_line() {
    let folder = Folder::new();
    for (text, place) in [
        ("", "FILE:1: the file is empty"),
        ("hello", "FILE:1: not an HTTP message"),
        ("\u{1}\u{2}SSH-2.0", "FILE:1: not an HTTP message"),
        ("HTTP/1.1 4x4 No\r\n\r\n", "FILE:1: \"4x4\" is not a valid status"),
        ("HTTP/1.1 404 No\r\na: b\r\nno header\r\n\r\n", "FILE:3: not a header"),
        ("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 404 No\r\na: b\r\n:\r\n\r\n", "FILE:5: not a header"),
    ] {
        let why = read(&folder.put("a.http", text)).unwrap_err();
        assert!(why.starts_with(place), "{text:?}: {why}");
    }
    for target in ["/a\u{1}b?key=hunter2", "a?key=hunter2"] {
        let path = folder.put("c.http", format!("GET {target} HTTP/1.1\r\n\r\n"));
        let Err(CommandError::Io(why)) = http_file::request(&path) else { panic!("{target}") };
        assert!(why.contains("is not a valid request target") && !why.contains("hunter2"), "{why}");
    }
    let other = folder.put("b.request.http", "GET\r\n\r\n");
    let response = folder.put("b.http", "HTTP/1.1 404 No\r\n\r\n");
    let why = match pair(&response, None) {
        Err(CommandError::Io(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(why.starts_with(&format!("{}:1: not an HTTP message", other.display())), "{why}");
}

const ENTRY: &str = r#"{"startedDateTime":"2026-01-01T00:00:00Z","request":{"method":"POST","url":"https://a.example/b?c=d#e",
"httpVersion":"h2","headers":[{"name":":method","value":"POST"},{"name":"Accept","value":"*/*"}],
"postData":{"mimeType":"application/json","text":"{}"}},
"response":{"status":404,"httpVersion":"h2","headers":[{"name":"content-encoding","value":"br"}],
"content":{"size":4,"mimeType":"text/plain","text":"Z29uZQ==","encoding":"base64"}}}"#;

fn har(entries: &[&str]) -> String {
    format!(
        "{{\"log\":{{\"version\":\"1.2\",\"pages\":[{{\"a\":[1]}}],\"entries\":[{}],\"more\":1}}}}",
        entries.join(",")
    )
}

#[test]
fn a_har_is_read_entry_by_entry() {
    let folder = Folder::new();
    let unanswered = ENTRY.replace("\"status\":404", "\"status\":0");
    let bodiless = ENTRY.replace(",\"text\":\"Z29uZQ==\",\"encoding\":\"base64\"", "");
    let path = folder.put("a.har", har(&[ENTRY, &unanswered, &bodiless]));
    let all = read(&path).unwrap();
    assert_eq!(all.len(), 2);
    let one = &all[0];
    assert_eq!((one.request.method().as_str(), one.request.uri().to_string().as_str()), ("POST", "/b?c=d"));
    assert_eq!(one.request.headers()["host"], "a.example");
    assert_eq!(one.request.body().as_ref(), b"{}");
    assert_eq!(one.response.body().as_deref(), Some(&b"gone"[..]));
    assert_eq!(one.response.headers()["content-type"], "text/plain");
    assert!(!one.response.headers().contains_key("content-encoding"));
    assert_eq!(all[1].place, format!("{}: log.entries[2]", path.display()));
    assert_eq!(all[1].response.body(), &None, "a body that was not recorded is not an empty one");
}

#[test]
fn what_browsers_write_beside_the_standard_is_read() {
    let folder = Folder::new();
    let with = |from: &str, to: &str| {
        assert!(ENTRY.contains(from));
        ENTRY.replace(from, to)
    };
    let url = |url: &str| with("https://a.example/b?c=d#e", url);
    let left_out =
        [url("data:image/png;base64,AAAA"), url("blob:https://a/b"), with("\"status\":404", "\"status\":-1")];
    let read_ones = [
        url("https://a.example/a b/ü|{x}?q=\\\"<>^`"),
        with("{\"name\":\"Accept\",\"value\":\"*/*\"}", "{\"name\":\"a\",\"value\":null}"),
        with("{\"name\":\"content-encoding\",\"value\":\"br\"}", "{\"name\":\"set-cookie\",\"value\":\"a=1\\nb=2\"}"),
        with("\"size\":4", "\"size\":null"),
        with("\"method\"", "\"bodySize\":null,\"method\"").replace("\"httpVersion\":\"h2\"", "\"httpVersion\":null"),
        with("[{\"name\":\"content-encoding\",\"value\":\"br\"}]", "null"),
    ];
    let entries: Vec<&str> = left_out.iter().chain(&read_ones).map(String::as_str).collect();
    let path = folder.put("a.har", format!("\u{feff}{}", har(&entries)));
    let mut all = Vec::new();
    let unanswered = Source::open(&path).unwrap().each(|one| {
        all.push(one);
        Ok(())
    });
    assert_eq!((unanswered.unwrap(), all.len()), (left_out.len(), read_ones.len()));
    assert_eq!(all[0].request.uri().to_string(), "/a%20b/%C3%BC%7C%7Bx%7D?q=%22%3C%3E%5E%60");
    let cookies: Vec<_> = all[2].response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
}

#[test]
fn a_log_of_objects_is_no_har() {
    let folder = Folder::new();
    for (text, is) in [
        ("{\"log\":\"a\\n\",\"stream\":\"stdout\"}\n{\"log\":\"b\"}\n", false),
        ("{\"fields\":{\"log\":{}}}\n", false),
        ("{\"log\":{\"entries\":[]}}\n", true),
        (" {\n\"log\": {", true),
        ("hello", false),
    ] {
        let path = folder.put("a", text);
        assert_eq!(Source::open(&path).unwrap().is_har, is, "{text}");
    }
}

#[test]
fn a_broken_har_is_told_with_its_place_and_without_its_values() {
    let folder = Folder::new();
    let whole = har(&[ENTRY, ENTRY]);
    let cut = &whole[..whole.len() - 300];
    let secret = |from: &str, to: &str| har(&[ENTRY, &ENTRY.replace(from, to)]);
    for (text, expected) in [
        (cut.to_owned(), "FILE:6:", "log.entries[1]: the file ends too early"),
        ("{\"log\":{\"entries\":[{]}}".to_owned(), "FILE:1:21", "log.entries[0]: no JSON"),
        ("{\"log\":{}}\n ".to_owned(), "FILE: ", "not a HAR file"),
        (secret("\"status\":404", "\"status\":\"hunter2\""), "FILE:", "log.entries[1]: not a HAR file"),
        (
            secret("\"status\":404", "\"status\":1000"),
            "FILE: log.entries[1].response.status",
            "1000 is not a valid status",
        ),
        (secret("Z29uZQ==", "!hunter2!"), "FILE: log.entries[1].response.content.text", "not valid base64"),
        (secret("https://a.example/b?c=d#e", "hunter2 x"), "FILE: log.entries[1].request.url", "not a valid URL"),
        (secret("\"Accept\"", "\"Acc ept\""), "FILE: log.entries[1].request.headers", "not a valid header name"),
    ]
    .map(|(text, place, what)| (text, (place, what)))
    {
        let why = read(&folder.put("a.har", text)).unwrap_err();
        assert!(why.starts_with(expected.0) && why.contains(expected.1), "{expected:?}: {why}");
        assert!(!why.contains("hunter2"), "{why}");
    }
}
