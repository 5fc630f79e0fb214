//! Inner errors in the layer's log (L1): tracing's JSON lines, and its text lines with and without colours.
//!
//! Lines of other targets are skipped. The log has no texts from services (L3), so drafts from it have none either.

use std::collections::HashMap;
use std::io::{BufRead, Read};

use serde_json::Value;

use super::observed::ObservedErrors;
use crate::failure::CommandError;
use crate::recorded::{Source, unreadable};

const TARGET: &str = "tower_error_envelope";

const NO_EVENTS: &str = "neither a HAR file nor a log of the layer: no line has an error with the target \
                         tower_error_envelope; log that target at INFO, as text or as JSON lines";

/// The longest line to read, in bytes: the layer's own lines are shorter, even with causes.
const LONGEST: u64 = 256 * 1024;

pub(super) fn each(source: Source<'_>, mut visit: impl FnMut(ObservedErrors)) -> Result<(), CommandError> {
    let Source { path, mut reader, .. } = source;
    let (mut line, mut events) = (Vec::new(), 0_usize);
    while reader.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(|it| unreadable(path, &it))? > 0 {
        let fields = fields_of(&String::from_utf8_lossy(&line));
        line.clear();
        events += usize::from(fields.is_some());
        fields.as_ref().and_then(parse_fields).into_iter().for_each(&mut visit);
    }
    if events > 0 {
        return Ok(());
    }
    Err(CommandError::Io(format!("{}: {NO_EVENTS}", path.display())))
}

type Fields = HashMap<String, String>;

/// The fields of an error in a line that the layer wrote.
fn fields_of(line: &str) -> Option<Fields> {
    let line = line.trim();
    let fields = match serde_json::from_str::<Value>(line) {
        // Docker wraps each line in such an object.
        Ok(Value::Object(line)) if line.get("log").is_some_and(Value::is_string) => {
            return fields_of(line.get("log")?.as_str()?);
        }
        Ok(value) => json_fields(&value)?,
        Err(_) => text_fields(&anstream::adapter::strip_str(line).to_string())?,
    };
    (fields.contains_key("origin") && fields.contains_key("mode")).then_some(fields)
}

fn json_fields(line: &Value) -> Option<Fields> {
    if line.get("target").is_some_and(|target| target != TARGET) {
        return None;
    }
    // A subscriber may be configured to write the fields at the top level.
    let fields = line.get("fields").unwrap_or(line).as_object()?;
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Some(fields.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect())
}

/// The fields of a line such as `… tower_error_envelope: the message name="value" name=value`. The value of a text is
/// quoted as in Rust.
fn text_fields(line: &str) -> Option<Fields> {
    let (_, mut rest) = line.split_once("tower_error_envelope: ")?;
    let mut fields = Fields::new();
    while let Some((before, after)) = rest.split_once('=') {
        let name = before.rsplit(' ').next().unwrap_or_default();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted_value(quoted)?,
            None => after.split_once(' ').map_or((after.to_owned(), ""), |(value, left)| (value.to_owned(), left)),
        };
        fields.entry(name.to_owned()).or_insert(value);
        rest = left;
    }
    Some(fields)
}

/// A quoted text to its end, and the rest.
fn quoted_value(quoted: &str) -> Option<(String, &str)> {
    let mut escaped = false;
    let end = quoted.char_indices().find(|(_, character)| {
        let ends = *character == '"' && !escaped;
        escaped = *character == '\\' && !escaped;
        ends
    });
    let (end, _) = end?;
    Some((quoted[..end].to_owned(), &quoted[end + 1..]))
}

fn parse_fields(fields: &Fields) -> Option<ObservedErrors> {
    let text = |name: &str| fields.get(name).cloned();
    // The field is absent if an older layer wrote the log, or if the response kept its shape.
    let by = text("decided_by")?;
    text("origin").filter(|origin| origin == "inner")?;
    let status: u16 = text("status")?.parse().ok().filter(|status| (400..600).contains(status))?;
    Some(ObservedErrors {
        status,
        route: text("route"),
        scope: text("scope"),
        becomes: text("code").filter(|code| is_code(code))?,
        code: text("unknown_code").filter(|code| is_code(code)),
        text: None,
        has_content: fields.contains_key("dialect"),
        by_status: by == "status",
    })
}

/// Whether a text has the form of the codes that the layer logs: a line may come from any program.
fn is_code(code: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=64).contains(&code.len()) && code.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"2026-01-01T00:00:00.0Z  INFO request{request_id=req_1}: tower_error_envelope: observed only: the layer would have returned an error request_id=req_1 code="conflict" status=409 would_be_status=409 origin="inner" dialect="error_text" route="POST|PUT /a/{id}" mode="observe" decided_by="status" unknown_code="NAME_TAKEN" cause="a \"code\"=\"x\" b""#;
    const JSON: &str = r#"{"timestamp":"t","level":"INFO","fields":{"message":"m","request_id":"req_1","code":"conflict","status":409,"origin":"inner","dialect":"error_text","route":"POST|PUT /a/{id}","mode":"observe","decided_by":"status","unknown_code":"NAME_TAKEN"},"target":"tower_error_envelope","span":{"status":500}}"#;

    #[test]
    fn l1_a_line_is_read_in_each_form_that_it_is_written_in() {
        let coloured = TEXT.replace("code=", "\u{1b}[3mcode\u{1b}[0m\u{1b}[2m=\u{1b}[0m");
        let coloured = coloured.replace("tower_error_envelope", "\u{1b}[2mtower_error_envelope\u{1b}[0m");
        let coloured =
            coloured.replace("tower_error_envelope\u{1b}[0m:", "tower_error_envelope\u{1b}[0m\u{1b}[2m:\u{1b}[0m");
        let value: Value = serde_json::from_str(JSON).unwrap();
        let mut flat = value["fields"].clone();
        flat["target"] = TARGET.into();
        let docker = serde_json::json!({ "log": format!("{TEXT}\n"), "stream": "stdout" }).to_string();
        for line in [TEXT, JSON, &coloured, &flat.to_string(), &docker, &format!("pod-1 | {TEXT}\r\n")] {
            let seen = parse_fields(&fields_of(line).unwrap_or_else(|| panic!("{line}"))).unwrap();
            assert_eq!((seen.status, seen.becomes.as_str()), (409, "conflict"), "{line}");
            assert_eq!((seen.code.as_deref(), seen.route.as_deref()), (Some("NAME_TAKEN"), Some("POST|PUT /a/{id}")));
            assert!(seen.has_content && seen.by_status && seen.text.is_none(), "{line}");
        }
    }

    #[test]
    fn lines_of_others_are_passed_over() {
        for line in ["", "hello", "{}", "[1]", "INFO other: origin=\"inner\"", &JSON.replace(TARGET, "other")] {
            assert!(fields_of(line).is_none(), "{line}");
        }
        for line in
            [TEXT.replace("inner", "guard"), TEXT.replace("decided_by", "other"), TEXT.replace("=409", "=\"x\"")]
        {
            assert!(fields_of(&line).and_then(|fields| parse_fields(&fields)).is_none(), "{line}");
        }
    }
}
