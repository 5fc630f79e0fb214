//! Makes a case's request as hyper hands it to a service: a head of the crate `http`, and a body in pieces that may
//! never end.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, Version as HttpVersion};

use super::body_script::{ScriptBody, Step};
use super::format::{Case, Request as RequestScript, RequestFraming, Version};
use super::wire::{Framing, Wire};

/// Returns the request, or `None` if hyper would refuse it, or if `http` cannot express it.
pub(super) fn from_case(case: &Case) -> Option<Request<ScriptBody>> {
    if let Some(raw) = case.request.raw() {
        return parsed(&raw);
    }
    let script = &case.request;
    let version = match script.version.unwrap_or(Version::Http11) {
        Version::Http10 => HttpVersion::HTTP_10,
        Version::Http11 => HttpVersion::HTTP_11,
        Version::Http2 => HttpVersion::HTTP_2,
    };
    let (target, headers) = head(script, version);
    let mut request = Request::new(body(script, &headers));
    *request.method_mut() = Method::from_bytes(script.method().as_bytes()).ok()?;
    *request.uri_mut() = target.parse::<Uri>().ok()?;
    *request.version_mut() = version;
    for (name, value) in headers {
        append(&mut request, &name, value.as_bytes())?;
    }
    Some(request)
}

fn append<B>(request: &mut Request<B>, name: &str, value: &[u8]) -> Option<()> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    request.headers_mut().append(name, HeaderValue::from_bytes(value).ok()?);
    Some(())
}

/// Returns the target and the headers, with the host if the version has it, and with the framing of the wire.
fn head(script: &RequestScript, version: HttpVersion) -> (String, Vec<(String, String)>) {
    let mut headers = script.headers.clone();
    let host = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host")).map(|(_, host)| host.clone());
    let host = host.unwrap_or_else(|| super::HOST.to_owned());
    let mut target = script.path().to_owned();
    if version == HttpVersion::HTTP_2 {
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("host"));
        if target.starts_with('/') {
            target = format!("http://{host}{target}");
        }
    } else if !script.has_header("host") {
        headers.insert(0, ("host".into(), host));
    }
    match script.framed() {
        RequestFraming::Length if !script.has_header("content-length") => {
            let length = script.body().map_or(0, |body| body.len());
            headers.push(("content-length".into(), length.to_string()));
        }
        RequestFraming::Chunked if version == HttpVersion::HTTP_11 && !script.has_header("transfer-encoding") => {
            headers.push(("transfer-encoding".into(), "chunked".into()));
        }
        _ => {}
    }
    (target, headers)
}

fn body(script: &RequestScript, headers: &[(String, String)]) -> ScriptBody {
    let bytes = script.body().unwrap_or_default();
    let declared = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let declared = declared.and_then(|(_, value)| value.parse::<u64>().ok());
    // The client promises more than it sends, so hyper would wait for the rest.
    let rest = declared.is_some_and(|declared| declared > bytes.len() as u64).then_some(Step::Hang);
    // An empty chunked body is only known to be empty when its end has arrived.
    let unseen_end = script.framed() == RequestFraming::Chunked && bytes.is_empty();
    let unseen_end = unseen_end.then(|| Step::Data(Bytes::new()));
    let pieces = script.pieces(16 * 1024).into_iter().map(|piece| Step::Data(piece.into()));
    ScriptBody::new(pieces.chain(rest).chain(unseen_end), declared)
}

/// Parses a raw request as far as it is a proper one. The missing part of its body never arrives.
fn parsed(raw: &[u8]) -> Option<Request<ScriptBody>> {
    let mut wire = Wire::new(raw);
    let head = wire.head().ok()?;
    let parts: Vec<&str> = head.first_line.split(' ').collect();
    let [method, target, version] = parts[..] else { return None };
    let mut request = Request::new(raw_body(&mut wire, head.framing(Framing::None).ok()?)?);
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = target.parse().ok()?;
    *request.version_mut() = match version {
        "HTTP/1.1" => HttpVersion::HTTP_11,
        "HTTP/1.0" => HttpVersion::HTTP_10,
        _ => return None,
    };
    for (name, value) in &head.headers {
        append(&mut request, name, value)?;
    }
    Some(request)
}

fn raw_body(wire: &mut Wire<&[u8]>, framing: Framing) -> Option<ScriptBody> {
    let mut body = Vec::new();
    let rest = match wire.body(framing, |piece| body.extend_from_slice(piece)) {
        Ok(_) => None,
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Some(Step::Hang),
        Err(_) => return None,
    };
    let length = if let Framing::Length(length) = framing { Some(length) } else { None };
    Some(ScriptBody::new(ScriptBody::pieces(&body).chain(rest), length))
}
