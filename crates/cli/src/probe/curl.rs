//! A request of the table as a command line, so that the user can repeat a failed line.

use super::request::{ProbeRequest, SentRequest};
use super::table::Wire;

/// The most header lines of a curl command. A request with more tests the limits of heads, and gets no command.
const MOST_HEADERS: usize = 16;
const MOST_BYTES: usize = 4 * 1024;

impl ProbeRequest {
    /// The curl command that sends the same request; `None` if curl cannot send it.
    ///
    /// Values that the user gave are left out, for the user to fill in.
    pub(super) fn curl(&self, origin: &str) -> Option<String> {
        let bytes = self.path.as_str().len() + self.headers.values().map(|value| value.len()).sum::<usize>();
        if self.headers.len() > MOST_HEADERS || bytes > MOST_BYTES {
            return None;
        }
        let (filled, body) = match &self.body {
            SentRequest::Nothing => (None, None),
            SentRequest::Text(text) => (None, Some(format!("--data-binary {}", quoted(str::from_utf8(text).ok()?)))),
            SentRequest::Unsent(bytes) => (Some(bytes), Some("-H 'expect: 100-continue' --data-binary @-".to_owned())),
            SentRequest::Filled(bytes) => (Some(bytes), Some("-H expect: --data-binary @-".to_owned())),
            SentRequest::Chunked(bytes) => {
                (Some(bytes), Some("-H 'transfer-encoding: chunked' -H expect: --data-binary @-".to_owned()))
            }
        };
        // A JSON string that never ends.
        let mut words: Vec<_> =
            filled.map(|bytes| format!("head -c {bytes} /dev/zero | tr '\\0' a |")).into_iter().collect();
        words.push("curl -i --path-as-is".to_owned());
        words.extend((self.wire == Wire::Http2).then(|| "--http2-prior-knowledge".to_owned()));
        words.push(if self.method == "HEAD" { "--head".to_owned() } else { format!("-X {}", self.method) });
        words.push(quoted(&format!("{origin}{}", self.path)));
        for (name, value) in self.headers.iter().filter(|(name, _)| *name != "host") {
            let value = if self.secret.contains(name) { "(as given)" } else { value.to_str().ok()? };
            words.push(format!("-H {}", quoted(&format!("{name}: {value}"))));
        }
        words.extend(body);
        Some(words.join(" "))
    }
}

/// The text, quoted for a shell: names from the service or the policy may contain anything.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;

    fn request(method: Method, body: SentRequest) -> ProbeRequest {
        let headers = HeaderMap::from_iter([
            (http::header::HOST, HeaderValue::from_static("api.example.com")),
            (http::header::ACCEPT, HeaderValue::from_static("it's all")),
            (http::header::AUTHORIZATION, HeaderValue::from_static("Bearer s3cr3t")),
        ]);
        let path = "/a%2Fb".parse().unwrap();
        ProbeRequest { method, path, headers, body, wire: Wire::Http1, secret: vec![http::header::AUTHORIZATION] }
    }

    #[test]
    fn a_command_line_sends_the_same_and_has_no_secret() {
        let head = r"'https://api.example.com/a%2Fb' -H 'accept: it'\''s all' -H 'authorization: (as given)'";
        for (method, body, before, after) in [
            (Method::HEAD, SentRequest::Nothing, "curl -i --path-as-is --head", ""),
            (Method::POST, SentRequest::Text("{".into()), "curl -i --path-as-is -X POST", " --data-binary '{'"),
            (
                Method::POST,
                SentRequest::Filled(9),
                r"head -c 9 /dev/zero | tr '\0' a | curl -i --path-as-is -X POST",
                " -H expect: --data-binary @-",
            ),
        ] {
            let curl = request(method, body).curl("https://api.example.com").unwrap();
            assert_eq!(curl, format!("{before} {head}{after}"));
        }
        let mut long = request(Method::GET, SentRequest::Nothing);

        for _ in 0..MOST_HEADERS {
            long.headers.append(http::header::COOKIE, HeaderValue::from_static("a"));
        }
        assert_eq!(long.curl("https://api.example.com"), None);
    }
}
