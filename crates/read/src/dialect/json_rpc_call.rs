//! The JSON-RPC call in the body of a request. The layer may have seen only the beginning of that body (R10).

use serde::de::IgnoredAny;

use super::charset;
use crate::json::end_of_value;

/// The maximum length of an id that an error repeats, in bytes. Real clients have shorter ids.
const MAX_ID: usize = 256;

/// The facts about a JSON-RPC call that an error response needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct JsonRpcCall {
    /// The id of a single call, byte for byte. The id is a string or a number.
    pub(crate) id: Option<Box<str>>,
    /// True if the whole body was seen and is not JSON.
    pub(crate) is_malformed: bool,
}

impl JsonRpcCall {
    /// Reads the call from the body, or from the part of it that was seen.
    pub fn parse(seen: &[u8], is_whole: bool) -> Self {
        let seen = seen.strip_prefix("\u{feff}".as_bytes()).unwrap_or(seen);
        // A body that begins with a control character is compressed, so it may contain JSON after all.
        let is_control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
        let is_text = seen.trim_ascii_start().first().is_some_and(|byte| matches!(byte, b' '..=b'~'))
            && !seen.iter().take(64).any(is_control);
        let parses = |body: &[u8]| serde_json::from_slice::<IgnoredAny>(body).is_ok();
        // Python's JSON parser accepts `NaN`, too.
        let is_lenient = || charset::lenient(seen).is_some_and(|body| parses(&body));
        let is_json = || str::from_utf8(seen).is_ok() && (parses(seen) || is_lenient());
        if is_text && is_whole && !is_json() {
            return Self { id: None, is_malformed: true };
        }
        Self { id: Fields { rest: seen, is_whole }.only_id(), is_malformed: false }
    }
}

/// Iterates over the fields of an object whose text may be cut off anywhere.
struct Fields<'a> {
    rest: &'a [u8],
    is_whole: bool,
}

impl<'a> Fields<'a> {
    /// Returns the value of the field `id`, if there is exactly one such field.
    fn only_id(mut self) -> Option<Box<str>> {
        self.take(b'{')?;
        let mut id = None;
        while let Some((name, value)) = self.next() {
            if is_id(name) && id.replace(value).is_some() {
                return None;
            }
        }
        let id = str::from_utf8(id?).ok().filter(|id| id.len() <= MAX_ID)?;
        let is_id = serde_json::from_str(id).is_ok_and(|id: serde_json::Value| id.is_string() || id.is_number());
        is_id.then(|| id.into())
    }

    /// Returns the next field. Returns `None` at the end of the object, and where the text is cut off.
    fn next(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let name = self.value()?;
        self.take(b':')?;
        let value = self.value()?;
        let behind = trimmed(self.rest);
        if self.take(b',').is_none() && behind.first() != Some(&b'}') && (!behind.is_empty() || self.is_whole) {
            return None;
        }
        Some((name, value))
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.rest = trimmed(self.rest).strip_prefix(&[byte])?;
        Some(())
    }

    /// Returns the next value, or `None` if the value may continue after the text.
    fn value(&mut self) -> Option<&'a [u8]> {
        let text = trimmed(self.rest);
        let (value, rest) = text.split_at(end_of_value(text)?);
        self.rest = rest;
        Some(value).filter(|value| !value.is_empty())
    }
}

/// Returns the text without the white space before it, as JSON defines white space. A form feed is white space in
/// ASCII, but not in JSON.
fn trimmed(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    &text[text.iter().position(|byte| !is_space(byte)).unwrap_or(text.len())..]
}

/// Returns true if a name is `id`. A name that no parser can decode is not `id`.
fn is_id(name: &[u8]) -> bool {
    name == b"\"id\"" || name.contains(&b'\\') && serde_json::from_slice::<String>(name).is_ok_and(|name| name == "id")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(body: &str) -> Option<String> {
        JsonRpcCall::parse(body.as_bytes(), true).id.map(String::from)
    }

    #[test]
    fn r10_the_id_of_a_single_call_byte_for_byte() {
        let long = format!("\"{}\"", "x".repeat(254));
        for (body, found) in [
            (r#"{"jsonrpc":"2.0","id":7,"method":"a"}"#, Some("7")),
            (r#" { "id" : "a-7" , "params" : {"id":8} } "#, Some("\"a-7\"")),
            (r#"{"params":[{"id":1},"}"],"\u0069d":1.50e3}"#, Some("1.50e3")),
            (r#"{"method":"\"id\":3","id":"\u00e9\""}"#, Some(r#""\u00e9\"""#)),
            (&format!("{{\"id\":{long}}}"), Some(&*long)),
            (&format!("{{\"id\":\"{}\"}}", "x".repeat(255)), None),
            (r#"{"id":7,"params":{"x":NaN,"y":-Infinity}}"#, Some("7")),
            ("\u{feff}{\"id\":7}", Some("7")),
            (r#"{"id":1 }"#, Some("1")),
            ("{\n  \"jsonrpc\": \"2.0\",\n  \"method\": \"x\",\n  \"id\": \"a-1\"\n}\n", Some("\"a-1\"")),
            ("\t{\r\n\"id\"\t:\r1\n,\t\"params\"\r: [ ] \n}\r", Some("1")),
            (r#"{"id":1,"method":"x","id":2 }"#, None),
            ("{\"id\":1,\n\"method\":\"x\"\n,\"\\u0069\\u0064\":2\n}", None),
            (r#"{"id":1,"\ud800":"x","id":2}"#, None),
            (r#"{"id":NaN}"#, None),
            (r#"{"id":null}"#, None),
            (r#"{"id":true}"#, None),
            (r#"{"id":[1]}"#, None),
            (r#"{"id":{"id":1}}"#, None),
            (r#"{"id":1,"id":1}"#, None),
            (r#"{"id":1,"\u0069d":2}"#, None),
            (r#"{"params":{"id":1}}"#, None),
            (r#"[{"id":1}]"#, None),
            ("", None),
        ] {
            assert_eq!(id(body).as_deref(), found, "{body}");
            assert!(!JsonRpcCall::parse(body.as_bytes(), true).is_malformed, "{body}");
        }
    }

    #[test]
    fn r10_a_body_that_was_seen_whole_and_is_no_json() {
        let call = |body: &[u8], is_whole| JsonRpcCall::parse(body, is_whole);
        let malformed = JsonRpcCall { id: None, is_malformed: true };
        for body in [
            r#"{"id":7,"#,
            r#"{"id":7} x"#,
            "x",
            r#"{"id":7 "a":1}"#,
            "{\"id\":7\x0c}",
            "\x0c{\"id\":7}",
            "{\"id\":7\u{a0}}",
            "{\"id\":7,\"id\":8 ",
        ] {
            assert_eq!(call(body.as_bytes(), true), malformed, "{body}");
        }
        assert_eq!(call(b"{\"id\":\"\xff\"}", true), malformed);
        for coded in [&b"\x1f\x8b\x08"[..], b"x\x9c\x03\x00"] {
            assert!(!call(coded, true).is_malformed, "{coded:?}");
        }
        for (cut, found) in [
            (r#"{"id":7,"a":"#, Some("7")),
            (r#"{"id":7"#, None),
            (r#"{"id":"7"#, None),
            ("{\"id\":7\n", Some("7")),
            ("{\"id\":7\n,\"a\" ", Some("7")),
            ("{\"id\":7\n}\n", Some("7")),
            ("{\"id\":7\x0c", None),
            (r#"{"id":7 ,"id":8 "#, None),
        ] {
            let call = call(cut.as_bytes(), false);
            assert_eq!((call.id.as_deref(), call.is_malformed), (found, false), "{cut}");
        }
    }

    proptest! {
        /// Checks that a simple parser of the whole body finds the same id, regardless of the white space.
        #[test]
        fn r10_any_object_is_read_as_a_parser_reads_it(
            fields in prop::collection::vec((r#""(id|i|a\\"b|\\u0069d|\\ud800)""#, r#"7|"x"|null|\{"id":1\}|\["\}",2\]|-1\.5|"\\"""#), 0..5),
            spaces in prop::collection::vec("[ \t\r\n]{0,2}", 22),
            cut in 0_usize..120,
        ) {
            let mut tokens = vec!["{"];
            for (name, value) in &fields {
                tokens.extend([name, ":", value, ","]);
            }
            tokens.truncate(tokens.len() - usize::from(!fields.is_empty()));
            tokens.push("}");
            let body: String = tokens.iter().zip(&spaces).flat_map(|(token, space)| [space, *token]).collect::<String>() + &spaces[21];
            let is_id = |name: &str| matches!(name, "\"id\"" | "\"\\u0069d\"");
            let ids: Vec<_> = fields.iter().filter(|(name, _)| is_id(name)).map(|(_, value)| &**value).collect();
            let expected = if let [id] = *ids { Some(id).filter(|id| matches!(*id, "7" | "-1.5") || id.starts_with('"')) } else { None };
            let found = id(&body);
            prop_assert_eq!(found.as_deref(), expected, "{}", body);
            // The part of a cut body has the same id or no id.
            let part = JsonRpcCall::parse(&body.as_bytes()[..cut.min(body.len())], false);
            prop_assert!(part.id.is_none() || ids.len() > 1 || part.id.map(String::from) == found, "{}", body);
        }
    }
}
