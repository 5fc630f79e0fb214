//! HAR 1.2, as browsers, proxies and test tools write it. It is read entry by entry.
//!
//! Its bodies are decoded texts, so that the codings and lengths of the heads do not apply to them.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response, Uri, Version};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::exchange::{self, Recorded, insert_header, insert_host};
use super::reader::Reader;
use crate::failure::CommandError;

type Take<'a> = dyn FnMut(Recorded) -> Result<(), CommandError> + 'a;

const NO_ENTRIES: &str =
    "not a HAR file: it has no list `log.entries`; export one from a browser's network panel or a proxy";

/// Reads the entries of a file; returns how many have no response.
pub(super) fn each(path: &Path, reader: Reader, take: &mut Take<'_>) -> Result<usize, CommandError> {
    let mut reading = HarParser { path, take, entry: 0, unanswered: 0, failed: None, found: false };
    let mut json = serde_json::Deserializer::from_reader(reader);
    let read = Level { depth: 0, reading: &mut reading }.deserialize(&mut json);
    let read = read.and_then(|()| json.end());
    match (reading.failed, read) {
        (Some(failure), _) => Err(failure),
        (None, Err(error)) => Err(broken(path, reading.entry, &error)),
        (None, Ok(())) if !reading.found => Err(CommandError::Io(format!("{}: {NO_ENTRIES}", path.display()))),
        (None, Ok(())) => Ok(reading.unanswered),
    }
}

/// The failure to parse an entry. serde's own text is left out: it may quote a value of the file (L3).
fn broken(path: &Path, entry: usize, error: &serde_json::Error) -> CommandError {
    let what = match error.classify() {
        serde_json::error::Category::Io => {
            return CommandError::Io(format!("{}: cannot be read: {error}", path.display()));
        }
        serde_json::error::Category::Eof => "the file ends too early",
        serde_json::error::Category::Syntax => "no JSON",
        serde_json::error::Category::Data => {
            "not a HAR file: each entry needs a `request` and a `response` with their fields"
        }
    };
    let (line, column) = (error.line(), error.column());
    CommandError::Io(format!("{}:{line}:{column}: log.entries[{entry}]: {what}; export it again", path.display()))
}

struct HarParser<'a, 'b> {
    path: &'a Path,
    take: &'a mut Take<'b>,
    entry: usize,
    unanswered: usize,
    failed: Option<CommandError>,
    /// Whether the list of entries was found.
    found: bool,
}

/// The place of the entries in a HAR.
const PATH: [&str; 2] = ["log", "entries"];

/// Reads an object on that path, or the list at its end.
struct Level<'r, 'a, 'b> {
    depth: usize,
    reading: &'r mut HarParser<'a, 'b>,
}

impl<'de> DeserializeSeed<'de> for Level<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.depth < PATH.len() { deserializer.deserialize_map(self) } else { deserializer.deserialize_seq(self) }
    }
}

impl<'de> Visitor<'de> for Level<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the list `log.entries`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if PATH.get(self.depth).is_some_and(|name| key == *name) {
                map.next_value_seed(Level { depth: self.depth + 1, reading: &mut *self.reading })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.reading.found = true;
        while let Some(entry) = entries.next_element::<Entry>()? {
            if let Err(failure) = self.reading.take_entry(entry) {
                self.reading.failed = Some(failure);
                return Err(A::Error::custom("stopped"));
            }
            self.reading.entry += 1;
        }
        Ok(())
    }
}

impl HarParser<'_, '_> {
    fn take_entry(&mut self, entry: Entry) -> Result<(), CommandError> {
        // Browsers write such an entry if there was no response, or no request over HTTP.
        if entry.response.status <= 0 || is_local(&entry.request.url) {
            self.unanswered += 1;
            return Ok(());
        }
        let place = format!("{}: log.entries[{}]", self.path.display(), self.entry);
        let body_size = entry.request.body_size.and_then(|size| u64::try_from(size).ok());
        let invalid = |wrong: String| CommandError::Io(format!("{place}.{wrong}"));
        let request = entry.request.message().map_err(invalid)?;
        let response = entry.response.message().map_err(invalid)?;
        let request_bytes = exchange::request_bytes(&request, body_size);
        (self.take)(Recorded { place, request, request_bytes, response })
    }
}

/// One entry. For unknown values, tools write `null` or nothing.
#[derive(Deserialize)]
struct Entry {
    request: HarRequest,
    response: HarResponse,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HarRequest {
    method: String,
    url: String,
    http_version: Option<String>,
    headers: Option<Vec<Header>>,
    post_data: Option<Content>,
    /// The length of the body; -1 if the tool did not measure it.
    body_size: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HarResponse {
    status: i32,
    http_version: Option<String>,
    headers: Option<Vec<Header>>,
    content: Option<Content>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    size: Option<i64>,
    mime_type: Option<String>,
    text: Option<String>,
    encoding: Option<String>,
}

impl HarRequest {
    fn message(self) -> Result<Request<Bytes>, String> {
        let mut headers = headers_of(self.headers.as_deref().unwrap_or_default())
            .map_err(|wrong| format!("request.headers: {wrong}"))?;
        let invalid_url = |error| format!("request.url: not a valid URL: {error}");
        let uri: Uri = self.url.parse().or_else(|_| encoded(&self.url).parse()).map_err(invalid_url)?;
        insert_host(&mut headers, &uri).map_err(|wrong| format!("request.url: {wrong}"))?;
        let body = self.post_data.unwrap_or_default().body().map_err(|wrong| format!("request.postData.{wrong}"))?;
        let method = self.method.parse().map_err(|_| "request.method: not a valid method, such as GET".to_owned())?;
        let path = uri.path_and_query().ok_or("request.url: the URL has no path")?;
        let target = path.as_str().parse().map_err(invalid_url)?;
        Ok(exchange::request(method, target, version(self.http_version.as_deref()), headers, body.unwrap_or_default()))
    }
}

impl HarResponse {
    fn message(self) -> Result<Response<Option<Bytes>>, String> {
        let mut headers = headers_of(self.headers.as_deref().unwrap_or_default())
            .map_err(|wrong| format!("response.headers: {wrong}"))?;
        let content = self.content.unwrap_or_default();
        let kind = content.mime_type.as_deref().filter(|kind| is_media_type(kind));
        if let Some(kind) = kind.filter(|_| !headers.contains_key(CONTENT_TYPE)) {
            insert_header(&mut headers, "content-type", kind.as_bytes())
                .map_err(|it| format!("response.content.mimeType: {it}"))?;
        }
        let status = u16::try_from(self.status).ok().and_then(|status| http::StatusCode::from_u16(status).ok());
        let status = status.ok_or_else(|| format!("response.status: {} is not a valid status", self.status))?;
        let body = content.sent().map_err(|wrong| format!("response.content.{wrong}"))?;
        if body.is_some() {
            // These headers describe the body on the wire, not the text in the HAR.
            [CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING].iter().for_each(|stale| drop(headers.remove(stale)));
        }
        Ok(exchange::response(status, version(self.http_version.as_deref()), headers, body))
    }
}

impl Content {
    /// The body of a response; an empty body has no text in a HAR.
    fn sent(self) -> Result<Option<Bytes>, String> {
        if self.size.unwrap_or_default() == 0 && self.text.is_none() { Ok(Some(Bytes::new())) } else { self.body() }
    }

    fn body(self) -> Result<Option<Bytes>, String> {
        match (self.text, self.encoding.as_deref()) {
            (None, _) => Ok(None),
            (Some(text), Some("base64")) => STANDARD
                .decode(text.trim())
                .map(|body| Some(body.into()))
                .map_err(|_| "text: not valid base64".to_owned()),
            (Some(text), None | Some("")) => Ok(Some(text.into_bytes().into())),
            (Some(_), Some(_)) => Err("encoding: only base64 is supported".to_owned()),
        }
    }
}

/// The headers, without HTTP/2's pseudo-headers.
fn headers_of(all: &[Header]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for Header { name, value } in all.iter().filter(|header| !header.name.starts_with(':')) {
        // If a header such as `set-cookie` has several lines, browsers write them as one value with line breaks.
        for line in value.as_deref().unwrap_or_default().split('\n') {
            insert_header(&mut headers, name, line.trim_end_matches('\r').as_bytes())?;
        }
    }
    Ok(headers)
}

/// Whether a browser loads this URL without a request over the network.
fn is_local(url: &str) -> bool {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
    matches!(&*scheme, "data" | "blob" | "about" | "file") || scheme.ends_with("-extension")
}

/// Characters that browsers show as they are in a HAR, but encode in a request.
const ENCODED: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// A URL as a browser sends it.
fn encoded(url: &str) -> String {
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
    format!("{}{}", &url[..path], utf8_percent_encode(&url[path..], ENCODED))
}

/// Whether this is a media type. Browsers write `x-unknown` if the response had none.
fn is_media_type(kind: &str) -> bool {
    kind.contains('/') && !kind.starts_with("x-unknown")
}

fn version(word: Option<&str>) -> Version {
    match word.unwrap_or_default().to_ascii_lowercase().as_str() {
        "h2" | "http/2" | "http/2.0" => Version::HTTP_2,
        "h3" | "http/3" | "http/3.0" => Version::HTTP_3,
        "http/1.0" => Version::HTTP_10,
        _ => Version::HTTP_11,
    }
}
