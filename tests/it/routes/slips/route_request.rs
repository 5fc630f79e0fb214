//! A request, as some bytes choose it: its target and its host, each in any spelling.

use http::request::Parts;
use http::{HeaderValue, Request, Uri};

use super::world::SECRET;
use crate::choices::Choices;

#[derive(Debug)]
pub(crate) struct RouteRequest {
    pub(crate) method: &'static str,
    pub(crate) target: Target,
    pub(crate) path: String,
    /// The query after the path.
    query: &'static str,
    pub(crate) host: Option<Host>,
    pub(crate) headers: Vec<&'static str>,
    pub(crate) keys: Vec<(&'static str, bool)>,
    pub(crate) length: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A path alone.
    Origin,
    /// A scheme, an authority and a path: proxies' form, and what HTTP/2 has.
    Absolute,
    /// The same, and the host's line has the same host in another letter case.
    AbsoluteAndHost,
    /// The same, and the host's line has another host.
    AbsoluteAndOther,
    /// `*`
    Asterisk,
    /// The host's line appears twice.
    TwoHosts,
}

/// A host and its spelling.
#[derive(Debug)]
pub(crate) struct Host {
    /// The name in the form of scopes.
    pub(crate) name: &'static str,
    pub(crate) spelt: String,
    /// True if it is no valid host, and a service behind the layer may still accept it.
    pub(crate) is_broken: bool,
}

const NAMES: [&str; 10] = [
    "x.test",
    "a.x.test",
    "b.a.x.test",
    "q.b.a.x.test",
    "zx.test",
    "test",
    "[::1]",
    "127.0.0.1",
    "other.example",
    "x.test.evil.example",
];
const PIECES: [&str; 36] = [
    "/", "/", "/", "a", "b", "/a", "/b", "/a/b", "/A", ".", "..", "/..", "/.", "\\", "%61", "%62", "%2f", "%2F", "%5c",
    "%5C", "%2e", "%2E%2e", "%", "%zz", "%ff", "%252f", "%2561", "%c3%bc", "ü", "//", "/a/b/a", "%00", ";", ";a=b",
    "/B", "%3b",
];

impl RouteRequest {
    pub(crate) fn chosen(choices: &mut Choices<'_>) -> Self {
        use Target::{Absolute, AbsoluteAndHost, AbsoluteAndOther, Asterisk, Origin, TwoHosts};

        let method = choices.one_of(&["GET", "HEAD", "POST", "OPTIONS"]);
        let forms = [Origin, Origin, Origin, Absolute, AbsoluteAndHost, AbsoluteAndOther, Asterisk, TwoHosts];
        let target = choices.one_of(&forms);
        let query = choices.one_of(&["", "", "?", "?q=/a", "?/../b"]);
        let named = target != Origin || choices.below(4) != 0;
        let host = named.then(|| Host::chosen(choices, target));
        let headers = choices.one_of(&[vec![], vec!["x-one"], vec!["x-two"], vec!["x-one", "x-two"]]);
        let (one, two) = ("x-key-one", "x-key-two");
        let keys = [vec![], vec![(one, true)], vec![(two, true)], vec![(one, false), (two, true)], vec![(two, false)]];
        let keys = choices.one_of(&keys);
        let length = choices.one_of(&[0, 5, 15, 25]);
        Self { method, target, path: path(choices.rest()), query, host, headers, keys, length }
    }

    /// Returns the request, or `None` if no server would read such a target.
    pub(crate) fn request(&self) -> Option<(Parts, u64)> {
        let spelt = self.host.as_ref().map_or("", |host| &host.spelt);
        let target = match self.target {
            Target::Origin | Target::TwoHosts => format!("{}{}", self.path, self.query),
            Target::Asterisk => "*".to_owned(),
            _ => format!("http://{spelt}{}{}", self.path, self.query),
        };
        let uri = Uri::from_maybe_shared(target.into_bytes()).ok()?;
        let mut head = Request::builder().method(self.method).uri(uri).body(()).ok()?.into_parts().0;
        let mut line = |host: &str| head.headers.append("host", HeaderValue::from_bytes(host.as_bytes()).unwrap());
        match (self.target, &self.host) {
            (Target::Absolute, _) | (_, None) => {}
            (Target::AbsoluteAndHost, Some(host)) => drop(line(&host.name.to_ascii_uppercase())),
            (Target::AbsoluteAndOther, Some(_)) => drop(line("else.example")),
            (Target::TwoHosts, Some(host)) => {
                line(&host.spelt);
                line(&host.spelt);
            }
            (Target::Origin | Target::Asterisk, Some(host)) => drop(line(&host.spelt)),
        }
        for name in &self.headers {
            head.headers.insert(*name, HeaderValue::from_static("1"));
        }
        for (name, right) in &self.keys {
            head.headers.insert(*name, HeaderValue::from_static(if *right { SECRET } else { "guessed" }));
        }
        Some((head, self.length))
    }
}

/// Three of four bytes are pieces that servers resolve. The fourth means that the next byte is used literally.
fn path(bytes: &[u8]) -> String {
    let mut path = b"/".to_vec();
    let mut bytes = bytes.iter().take(60);
    while let Some(byte) = bytes.next() {
        match byte {
            ..192 => path.extend(PIECES[usize::from(*byte) % PIECES.len()].bytes()),
            _ => path.extend(bytes.next()),
        }
    }
    // The text after these characters is no path, and a target is UTF-8 here.
    path.retain(|byte| !matches!(byte, b'?' | b'#'));
    String::from_utf8_lossy(&path).into_owned()
}

impl Host {
    fn chosen(choices: &mut Choices<'_>, target: Target) -> Self {
        let name = choices.one_of(&NAMES);
        let in_target = !matches!(target, Target::Origin | Target::Asterisk | Target::TwoHosts);
        // A target with a broken authority is invalid, and no server reads it.
        let spellings = if in_target { 9 } else { 14 };
        let (spelt, is_broken) = match choices.below(spellings) {
            0..=2 => (name.to_owned(), false),
            3 => (name.to_ascii_uppercase(), false),
            4 => (format!("{name}:8080"), false),
            5 => (format!("{name}:"), false),
            6 if name.starts_with('[') => ("[0:0:0:0:0:0:0:1]:80".to_owned(), false),
            7 if name.starts_with('[') => ("[::0001]".to_owned(), false),
            6 => (format!("{name}."), false),
            7 => (format!("{name}.:80"), false),
            8 if in_target => (format!("u:p@{name}"), false),
            8 => (format!("{name}:80:80"), true),
            9 => (format!("{name}, else.example"), true),
            10 => (format!("{name}/../x"), true),
            11 => (format!("é.{name}"), true),
            12 => (format!("{name}:http"), true),
            _ => (format!("u@{name}"), true),
        };
        Self { name, spelt, is_broken }
    }
}
