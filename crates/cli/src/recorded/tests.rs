//! Checks the parts of parsed recordings, and the line that an error names.

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

fn read(path: &Path) -> Result<Recorded, String> {
    match super::read(path).and_then(|text| Recorded::parse(path, &text, None)) {
        Ok(recorded) => Ok(recorded),
        Err(CommandError::Io(why)) => Err(why.replace(&path.display().to_string(), "FILE")),
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
        let one = read(&folder.put("a.http", text)).unwrap_or_else(|why| panic!("{text}: {why}"));
        let got = one.response.headers().get("content-type").map(|it| it.to_str().unwrap());
        assert_eq!((one.response.status().as_u16(), got), (status, kind), "{text}");
        assert_eq!(one.response.body(), body.as_bytes(), "{text}");
        assert!(!one.response.headers().contains_key("content-encoding"), "{text}");
    }
}

#[test]
fn a_request_beside_the_response_belongs_to_it() {
    let folder = Folder::new();
    let response = folder.put("a.http", "HTTP/1.1 404 Not Found\r\ncontent-length: 99\r\n\r\n");
    folder.put("a.request.http", "HEAD /a?b=1 HTTP/1.1\r\nhost: x\r\n\r\n");
    let one = read(&response).unwrap();
    assert_eq!((one.request.method().as_str(), one.request.uri().path()), ("HEAD", "/a"));
    assert_eq!(one.response.headers()["content-length"], "99", "what GET would have got");
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
        let Err(CommandError::Io(why)) = read_request(&path) else { panic!("{target}") };
        assert!(why.contains("is not a valid request target") && !why.contains("hunter2"), "{why}");
    }
    let other = folder.put("b.request.http", "GET\r\n\r\n");
    let response = folder.put("b.http", "HTTP/1.1 404 No\r\n\r\n");
    let why = read(&response).unwrap_err();
    assert!(why.starts_with(&format!("{}:1: not an HTTP message", other.display())), "{why}");
}
