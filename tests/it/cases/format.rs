//! A case as its file states it, with every key of `tests/cases/README.md`, and no other.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::framed::{self, Message, WebText};
use super::rpc::Place;
use super::wire::Headers;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// `NAME` or `NAME/ROW`.
    pub(super) name: String,
    #[serde(default)]
    pub(super) rules: Vec<String>,
    #[serde(default)]
    pub(super) why: String,
    #[serde(default)]
    pub(super) needs: Vec<String>,
    pub(super) drivers: Option<Vec<String>>,
    pub(super) policy: Option<String>,
    pub(super) policy_file: Option<String>,
    #[serde(default)]
    pub(super) files: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    #[serde(default = "one")]
    pub(super) chain: usize,
    pub(super) reload: Option<String>,
    // This is not `Default`, which would send the request no times.
    #[serde(default = "plain")]
    pub(super) request: Request,
    #[serde(default)]
    pub(super) inner: Inner,
    #[serde(default)]
    pub(super) expect: Expect,
    /// `expect`, once for each table of `or` that overrides it. Without `or`, this is `expect` alone.
    #[serde(skip)]
    pub(super) alternatives: Vec<Expect>,
    /// The folder of the file. `policy_file` is relative to it.
    #[serde(skip)]
    pub(super) folder: std::path::PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub(super) method: Option<String>,
    pub(super) path: Option<String>,
    pub(super) version: Option<Version>,
    #[serde(default)]
    pub(super) headers: Vec<(String, String)>,
    body: Option<String>,
    body_base64: Option<String>,
    body_repeat: Option<Repeat>,
    body_parts: Option<Vec<Repeat>>,
    messages: Option<Vec<Message>>,
    web_text: Option<WebText>,
    /// The offsets where the body is cut, in addition to its end.
    #[serde(default)]
    body_cuts: Vec<usize>,
    pub(super) framing: Option<RequestFraming>,
    raw: Option<String>,
    raw_base64: Option<String>,
    #[serde(default = "one")]
    pub(super) times: usize,
    #[serde(default)]
    pub(super) pipelined: bool,
    /// With `times`, each request uses its own connection.
    #[serde(default)]
    pub(super) fresh: bool,
    #[serde(default)]
    pub(super) reads_late: bool,
    pub(super) upgrade_send: Option<String>,
    /// The client leaves this long after it has sent its request.
    pub(super) leaves_after_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(super) enum Version {
    #[serde(rename = "1.0")]
    Http10,
    #[serde(rename = "1.1")]
    Http11,
    #[serde(rename = "2")]
    Http2,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum RequestFraming {
    Length,
    Chunked,
    None,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inner {
    pub(super) called: Option<bool>,
    #[serde(default)]
    pub(super) reads_body: bool,
    /// The service sends its head and messages before it reads the request's body, and its trailers after that.
    #[serde(default)]
    pub(super) answers_first: bool,
    pub(super) on_body_error: Option<u16>,
    pub(super) echo: Option<OneOrMany<String>>,
    pub(super) fails: Option<Fails>,
    pub(super) fault: Option<InnerFault>,
    pub(super) status: Option<u16>,
    #[serde(default)]
    pub(super) headers: Vec<(String, String)>,
    body: Option<String>,
    body_base64: Option<String>,
    body_repeat: Option<Repeat>,
    body_parts: Option<Vec<Repeat>>,
    messages: Option<Vec<Message>>,
    web_text: Option<WebText>,
    #[serde(default)]
    trailers: Vec<(String, String)>,
    gzip: Option<String>,
    gzip_repeat: Option<Repeat>,
    framing: Option<InnerFraming>,
    raw: Option<String>,
    raw_base64: Option<String>,
    #[serde(default)]
    pub(super) holds: bool,
    /// The number of the request on its connection that makes the service close it without a response.
    pub(super) drops: Option<usize>,
    #[serde(default)]
    pub(super) delay_ms: u64,
    pub(super) trickle: Option<Trickle>,
    #[serde(default)]
    pub(super) stalls: bool,
    pub(super) cut_after: Option<usize>,
    pub(super) upgraded: Option<Upgraded>,
}

/// A `Fault`: the service's error if it `fails`, otherwise a value in its response's extensions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InnerFault {
    pub(super) code: String,
    /// The status of the service's own code, which is not in the catalogue.
    pub(super) own: Option<u16>,
    pub(super) message: Option<Repeat>,
    pub(super) details: Option<String>,
    pub(super) status: Option<u16>,
    #[serde(default)]
    pub(super) headers: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fails {
    Panic,
    Error,
    NotReady,
    PanicInReady,
    PanicInBody,
    ErrorInBody,
    Timeout,
    Overloaded,
    Refused,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum InnerFraming {
    Length,
    Chunked,
    Close,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Upgraded {
    Echo,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trickle {
    pub(super) bytes: usize,
    pub(super) every_ms: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Repeat {
    text: String,
    #[serde(default = "one")]
    count: usize,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) status: Option<OneOrMany<u16>>,
    pub(super) body: Option<String>,
    pub(super) code: Option<OneOrMany<String>>,
    pub(super) message: Option<OneOrMany<String>>,
    #[serde(default)]
    pub(super) message_has: Vec<String>,
    #[serde(default)]
    pub(super) message_lacks: Vec<String>,
    pub(super) details: Option<String>,
    pub(super) details_raw: Option<RawText>,
    pub(super) retry: Option<String>,
    pub(super) docs: Option<String>,
    pub(super) json: Option<String>,
    pub(super) wire_code: Option<String>,
    #[serde(default)]
    pub(super) lacks: Vec<String>,
    #[serde(default)]
    pub(super) has: Vec<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) header_lines: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) absent: Vec<String>,
    pub(super) exposed: Option<bool>,
    #[serde(default)]
    pub(super) inner_headers: BTreeMap<String, String>,
    pub(super) inner_body: Option<String>,
    pub(super) calls: Option<usize>,
    pub(super) request_id: Option<String>,
    pub(super) request_id_not: Option<String>,
    pub(super) within_ms: Option<u64>,
    pub(super) head_ms: Option<u64>,
    pub(super) first_ms: Option<u64>,
    pub(super) interim: Option<Vec<u16>>,
    #[serde(default)]
    pub(super) no_reset: bool,
    pub(super) upgrade_recv: Option<String>,
    #[serde(default)]
    pub(super) details_bin_has: Vec<String>,
    pub(super) rpc_code: Option<OneOrMany<String>>,
    pub(super) rpc_at: Option<Place>,
    #[serde(default)]
    pub(super) rpc_details: BTreeMap<String, toml::Value>,
    #[serde(default)]
    pub(super) trailers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) trailer_frame: BTreeMap<String, String>,
    pub(super) end_stream: Option<String>,
    pub(super) messages: Option<Vec<String>>,
    #[serde(default)]
    pub(super) log_has: Vec<String>,
    #[serde(default)]
    pub(super) log_lacks: Vec<String>,
    pub(super) refused: Option<Vec<String>>,
    #[serde(default)]
    pub(super) below_layer: bool,
    /// This key is read from the table itself, because the names of its keys decide what it replaces.
    #[serde(default)]
    #[allow(dead_code, reason = "named so that an unknown key is still an error")]
    or: Vec<toml::Table>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    pub(super) fn all(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum RawText {
    Text(String),
    Parts(Vec<Repeat>),
}

impl RawText {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => parts.iter().map(Repeat::text).collect(),
        }
    }
}

impl Repeat {
    pub(super) fn text(&self) -> String {
        self.text.repeat(self.count)
    }
}

impl Case {
    /// Returns true if the case's policy limits how long a gateway waits for the service of a scope. All drivers refuse
    /// a policy that is invalid.
    pub(super) fn limits_its_service(&self) -> bool {
        let limits = |text: &String| ["upstream_timeout", "stall_timeout"].iter().any(|key| text.contains(key));
        self.expect.refused.is_none() && self.policy.iter().chain(self.files.values()).any(limits)
    }
}

impl Request {
    pub(super) fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("GET")
    }

    pub(super) fn path(&self) -> &str {
        self.path.as_deref().unwrap_or("/")
    }

    /// Returns the body, or `None` if the case has none. An empty body is a body.
    pub(super) fn body(&self) -> Option<Vec<u8>> {
        let framed = self.messages.as_ref().map(|messages| framed::body(messages, self.web_text));
        let parts = || self.body_parts.as_ref().map(|parts| joined(parts));
        framed.or_else(parts).or_else(|| first_of(&self.body, &self.body_base64, &self.body_repeat))
    }

    /// Returns the body as it is sent: cut where the case states it, otherwise into pieces of `size`.
    pub(super) fn pieces(&self, size: usize) -> Vec<Vec<u8>> {
        let body = self.body().unwrap_or_default();
        if self.body_cuts.is_empty() {
            return body.chunks(size).map(<[u8]>::to_vec).collect();
        }
        let ends = self.body_cuts.iter().copied().chain([body.len()]);
        let starts = [0].into_iter().chain(self.body_cuts.iter().copied());
        starts.zip(ends).map(|(start, end)| body[start..end].to_vec()).collect()
    }

    pub(super) fn raw(&self) -> Option<Vec<u8>> {
        first_of(&self.raw, &self.raw_base64, &None)
    }

    /// Returns the framing of the body on the wire, with the default resolved.
    pub(super) fn framed(&self) -> RequestFraming {
        let default = if self.body().is_some() { RequestFraming::Length } else { RequestFraming::None };
        self.framing.unwrap_or(default)
    }

    pub(super) fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(have, _)| have.eq_ignore_ascii_case(name))
    }
}

fn joined(parts: &[Repeat]) -> Vec<u8> {
    parts.iter().map(Repeat::text).collect::<String>().into_bytes()
}

impl Inner {
    pub(super) fn status(&self) -> u16 {
        self.status.unwrap_or(200)
    }

    pub(super) fn body(&self) -> Option<Vec<u8>> {
        if let Some(parts) = &self.body_parts {
            return Some(joined(parts));
        }
        if let Some(messages) = &self.messages {
            return Some(framed::body(messages, self.web_text));
        }
        if let Some(text) = &self.gzip {
            return Some(gzipped(text, 1));
        }
        if let Some(repeat) = &self.gzip_repeat {
            return Some(gzipped(&repeat.text, repeat.count));
        }
        first_of(&self.body, &self.body_base64, &self.body_repeat)
    }

    /// Trailers can only follow chunks.
    pub(super) fn framed(&self) -> InnerFraming {
        let default = if self.trailers.is_empty() { InnerFraming::Length } else { InnerFraming::Chunked };
        self.framing.unwrap_or(default)
    }

    pub(super) fn trailers(&self) -> Headers {
        self.trailers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone().into_bytes())).collect()
    }

    pub(super) fn raw(&self) -> Option<Vec<u8>> {
        first_of(&self.raw, &self.raw_base64, &None)
    }

    pub(super) fn echo(&self) -> &[String] {
        self.echo.as_ref().map_or(&[], OneOrMany::all)
    }
}

fn first_of(text: &Option<String>, base64: &Option<String>, repeat: &Option<Repeat>) -> Option<Vec<u8>> {
    let decode = |text: &String| base64::engine::general_purpose::STANDARD.decode(text).expect("the case's base64");
    let text = text.as_ref().map(|text| text.clone().into_bytes());
    text.or_else(|| base64.as_ref().map(decode)).or_else(|| repeat.as_ref().map(|repeat| repeat.text().into_bytes()))
}

const BLOCK: usize = 4096;

/// The text is compressed once for the whole run, because a bomb takes longer than its case may.
fn gzipped(text: &str, count: usize) -> Vec<u8> {
    static CODED: Mutex<BTreeMap<(String, usize), Vec<u8>>> = Mutex::new(BTreeMap::new());

    let mut coded = CODED.lock().unwrap_or_else(PoisonError::into_inner);
    coded.entry((text.to_owned(), count)).or_insert_with(|| gzip(text, count)).clone()
}

fn gzip(text: &str, count: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // The text is written in blocks, because a bomb of 50 million pieces would need as many calls.
    for piece in [text.repeat(BLOCK)].iter().cycle().take(count / BLOCK) {
        encoder.write_all(piece.as_bytes()).expect("a Vec takes all");
    }
    encoder.write_all(text.repeat(count % BLOCK).as_bytes()).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

/// Reads a table as a value of the format, and refuses an unknown key.
pub(super) fn read<T: DeserializeOwned>(table: toml::Table) -> Result<T, toml::de::Error> {
    toml::Value::Table(table).try_into()
}

fn plain() -> Request {
    read(toml::Table::new()).expect("every key of a request is optional")
}

fn one<N: From<u8>>() -> N {
    N::from(1)
}
