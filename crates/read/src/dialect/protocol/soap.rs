//! Recognises a SOAP envelope, and writes the fault that replaces it on a 5xx, or if it contains a stack trace (R10).
//!
//! No XML is parsed. A scanner skips the text that may precede the root element, and only reads the tags of that
//! element. A document type is not allowed (SOAP 1.1 §3, 1.2 §5).

use http::StatusCode;

use crate::message;

/// The version of an envelope. The envelope's namespace decides the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoapVersion {
    V11,
    V12,
}

const NAMESPACE_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const NAMESPACE_12: &str = "http://www.w3.org/2003/05/soap-envelope";

/// Returns the SOAP version of a text that consists of an `Envelope` element. If the media type is SOAP's, an envelope
/// with an unknown namespace is treated as SOAP 1.2.
pub(super) fn version(text: &str, is_soap_type: bool) -> Option<SoapVersion> {
    let tag = root_tag(text)?;
    let name = tag.split(|it: char| it.is_ascii_whitespace() || it == '/').next()?;
    let (prefix, local) = name.rsplit_once(':').unwrap_or(("", name));
    let ends = || text.trim_end().strip_suffix('>')?.trim_end().strip_suffix(name)?.strip_suffix("</");
    if local != "Envelope" || ends().is_none() {
        return None;
    }
    match namespace(&tag[name.len()..], prefix) {
        Some(NAMESPACE_11) => Some(SoapVersion::V11),
        Some(NAMESPACE_12) => Some(SoapVersion::V12),
        _ => is_soap_type.then_some(SoapVersion::V12),
    }
}

/// Returns the namespace that the attributes of an element declare for a prefix, which may be empty.
fn namespace<'t>(mut attributes: &'t str, prefix: &str) -> Option<&'t str> {
    loop {
        let (name, behind) = attributes.split_once('=')?;
        let behind = behind.trim_start();
        let quote = behind.chars().next().filter(|it| matches!(it, '"' | '\''))?;
        let (value, rest) = behind[1..].split_once(quote)?;
        match name.trim().strip_prefix("xmlns") {
            Some("") if prefix.is_empty() => return Some(value),
            Some(declared) if declared.strip_prefix(':') == Some(prefix) => return Some(value),
            _ => attributes = rest,
        }
    }
}

/// Returns true if an envelope has a stack trace: in an element of this name, or in a line. Each tag may end a line, and a
/// line break may be a numeric reference.
pub(super) fn has_trace(text: &str) -> bool {
    let is_stack = |element: &str| {
        let (tag, text) = element.split_once('>').unwrap_or_default();
        let name = tag.split_ascii_whitespace().next().unwrap_or_default();
        let local = name.rsplit(':').next().unwrap_or_default();
        !tag.starts_with('/') && local.eq_ignore_ascii_case("stacktrace") && !text.trim().is_empty()
    };
    if text.split('<').any(is_stack) || message::has_trace(text) {
        return true;
    }
    let lines = text.replace("<![CDATA[", "\n").replace(['<', '>'], "\n");
    let is_break = |number| matches!(message::character_of_number(number), Some('\t' | '\n' | '\r'));
    let mut parts = lines.split("&#");
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(';').filter(|(number, _)| is_break(number)) {
            Some((_, behind)) => decoded.extend(["\n", behind]),
            None => decoded.extend(["&#", part]),
        }
    }
    message::has_trace(&decoded)
}

/// Returns a fault with this text. The fault states that the client is the cause of a 4xx, and the service of a 5xx.
pub(super) fn fault(version: SoapVersion, status: StatusCode, message: &str) -> Vec<u8> {
    let text = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let of_client = status.is_client_error();
    let (namespace, fault) = match version {
        SoapVersion::V11 => {
            let code = if of_client { "Client" } else { "Server" };
            (NAMESPACE_11, format!("<faultcode>env:{code}</faultcode><faultstring>{text}</faultstring>"))
        }
        SoapVersion::V12 => {
            let code = if of_client { "Sender" } else { "Receiver" };
            let code = format!("<env:Code><env:Value>env:{code}</env:Value></env:Code>");
            (NAMESPACE_12, format!(r#"{code}<env:Reason><env:Text xml:lang="en">{text}</env:Text></env:Reason>"#))
        }
    };
    let body = format!("<env:Body><env:Fault>{fault}</env:Fault></env:Body>");
    format!(r#"<?xml version="1.0" encoding="UTF-8"?><env:Envelope xmlns:env="{namespace}">{body}</env:Envelope>"#)
        .into_bytes()
}

/// Returns the first tag of the root element, without its brackets.
pub(super) fn root_tag(text: &str) -> Option<&str> {
    let mut rest = text.trim_start();
    loop {
        rest = if let Some(instruction) = rest.strip_prefix("<?") {
            text_behind(instruction, "?>")?
        } else if let Some(comment) = rest.strip_prefix("<!--") {
            text_behind(comment, "-->")?
        } else {
            return inside_tag(rest.strip_prefix('<')?);
        }
        .trim_start();
    }
}

fn text_behind<'t>(text: &'t str, end: &str) -> Option<&'t str> {
    text.split_once(end).map(|(_, rest)| rest)
}

/// Returns the text up to the first `>` outside of quotes.
fn inside_tag(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        let at = rest.find(['"', '\'', '>'])?;
        let (found, next) = (&rest[at..=at], &rest[at + 1..]);
        if found == ">" {
            return Some(&text[..text.len() - rest.len() + at]);
        }
        rest = text_behind(next, found)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r10_an_envelope_is_known_by_its_root_element() {
        for envelope in [
            "<Envelope></Envelope>",
            "<s:Envelope xmlns:s='x>y'\n><s:Body/></s:Envelope >\n",
            "\u{feff}<?xml version=\"1.0\"?>\r\n<!-- > don't --><?pi <a> ?><s:Envelope></s:Envelope>",
        ] {
            assert_eq!(version(envelope.trim_start_matches('\u{feff}'), true), Some(SoapVersion::V12), "{envelope}");
        }
        for other in [
            "",
            "<",
            "Envelope",
            "<envelope></envelope>",
            "<Envelope/>",
            "<Envelope>",
            "<Envelope></Envelope>pq: s3cret",
            "<Envelopes></Envelopes>",
            "<Envelope:a></Envelope:a>",
            "<!-- <Envelope></Envelope>",
            "<!DOCTYPE html><html><Envelope></Envelope></html>",
            "<?xml",
            "<!DOCTYPE a><Envelope></Envelope>",
            "<!DOCTYPE Envelope [<!ENTITY b \"]>\">]><Envelope></Envelope>",
            "<Envelope a='></Envelope>",
        ] {
            assert_eq!(version(other, true), None, "{other}");
        }
    }

    #[test]
    fn r10_the_namespace_is_that_of_the_root_elements_prefix() {
        for (attributes, is) in [
            (format!("xmlns:s='{NAMESPACE_11}'"), Some(SoapVersion::V11)),
            (format!("xmlns=\"x\" a = '>\"' xmlns:s\n=\n\"{NAMESPACE_12}\""), Some(SoapVersion::V12)),
            (format!("xmlns='{NAMESPACE_11}'"), None),
            (format!("xmlns:t='{NAMESPACE_11}'"), None),
            (format!("xmlnss='{NAMESPACE_11}'"), None),
            (format!("xmlns:s='{NAMESPACE_11}/'"), None),
            (format!("a='xmlns:s=\"{NAMESPACE_11}\"'"), None),
            ("a=''".repeat(10_000), None),
            (String::new(), None),
        ] {
            let body = format!("<s:Envelope {attributes}></s:Envelope>");
            assert_eq!(version(&body, false), is, "{attributes:.99}");
            assert_eq!(version(&body, true), is.or(Some(SoapVersion::V12)));
        }
        assert_eq!(version(&format!("<Envelope xmlns='{NAMESPACE_11}'></Envelope>"), false), Some(SoapVersion::V11));
    }

    #[test]
    fn r10_a_fault_has_the_version_of_what_came() {
        for (is, code) in [(SoapVersion::V11, "env:Server<"), (SoapVersion::V12, "env:Receiver<")] {
            let written = String::from_utf8(fault(is, StatusCode::BAD_GATEWAY, "a < b & c")).unwrap();
            assert!(written.contains(">a &lt; b &amp; c<") && written.contains(code), "{written}");
            assert_eq!(version(&written, false), Some(is));
        }
    }
}
