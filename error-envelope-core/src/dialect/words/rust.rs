//! The texts of Rust frameworks' rejections, by what they begin with (rule R13).

use super::parsed_issues::ParsedIssues;
use super::place::FieldPath;
use super::serde;

/// A text that begins so is one framework's.
struct RustRejection {
    /// The framework and the version that it was seen in.
    #[cfg_attr(not(test), allow(dead_code, reason = "for whoever reads the table"))]
    seen: &'static str,
    begins: &'static str,
    /// Reads what follows.
    read: fn(&str) -> ParsedIssues,
}

const fn row(seen: &'static str, begins: &'static str, read: fn(&str) -> ParsedIssues) -> RustRejection {
    RustRejection { seen, begins, read }
}

const REJECTIONS: [RustRejection; 15] = [
    row("axum 0.8.9", "Failed to deserialize the JSON body into the target type: ", of_serde),
    row("axum 0.8.9", "Failed to deserialize query string: ", of_serde),
    row("axum 0.8.9", "Failed to deserialize form body: ", of_serde),
    row("axum 0.8.9", "Failed to deserialize form: ", of_serde),
    row("axum 0.8.9", "Invalid URL: ", of_axums_path),
    row("actix-web 4.18.1", "Json deserialize error: ", of_serde),
    row("actix-web 4.18.1", "Query deserialize error: ", of_serde),
    row("actix-web 4.18.1", "Path deserialize error: ", of_serde),
    row("actix-web 4.18.1", "Parse error: ", |rest| of_serde(rest.strip_suffix('.').unwrap_or(rest))),
    row("warp 0.4.3", "Request body deserialize error: ", of_serde),
    // Rocket 0.5.2 writes its JSON errors the same way.
    row("poem 3.1.12", "parse error: ", of_serde),
    row("poem 3.1.12", "url decode: ", of_serde),
    row("poem-openapi 5.1.16", "failed to parse parameter `", of_poems_parameter),
    row("poem-openapi 5.1.16", "parse request payload error: ", |rest| {
        ParsedIssues::Text(without_found(rest).to_owned())
    }),
    row("salvo 1.1.0", "serde json error: ", of_serde),
];

/// Reads a text, or says what of it may be said where it names no member.
pub(super) fn parse_text(text: &str) -> ParsedIssues {
    // Each has one of the two, and most other texts have neither.
    if !text.contains(": ") && !text.contains('`') {
        return ParsedIssues::Nothing;
    }
    // salvo's for all but JSON, and what anybody may say before one of serde's forms.
    let bare = text.strip_prefix("deserialize error: ").unwrap_or(text);
    match REJECTIONS.iter().find_map(|row| Some((row, text.strip_prefix(row.begins)?))) {
        Some((row, rest)) => match (row.read)(rest) {
            ParsedIssues::Text(rest) => ParsedIssues::Text([row.begins, &*rest].concat()),
            heard => heard,
        },
        // poem's query says no more than serde does.
        None if serde::is_form(bare) => of_serde(bare),
        None => ParsedIssues::Nothing,
    }
}

/// What salvo 1.1.0 tells of an error's cause where it is built for debugging: `SerdeJson(Error("missing field `sku`",
/// line: 1, column: 2))`.
pub(super) fn heard_in_debug(cause: &str) -> ParsedIssues {
    let quoted = || {
        let inside = cause.split_once("Error(")?.1.trim_start().strip_prefix('"')?;
        serde_json::from_str::<String>(&format!("\"{}\"", &inside[..serde::closing_quote(inside)?])).ok()
    };
    quoted().map_or(ParsedIssues::Nothing, |text| of_serde(&text))
}

fn of_serde(text: &str) -> ParsedIssues {
    match serde::parse_text(text) {
        Some(told) => ParsedIssues::issue(&told.place, &told.text),
        None => ParsedIssues::Text(serde::without_values(text).into_owned()),
    }
}

/// "Cannot parse `id` with value `abc` to a `u32`". The name is the route's own; what is sent may hold back quotes.
fn of_axums_path(text: &str) -> ParsedIssues {
    if let Some(name) = text.strip_prefix("Invalid UTF-8 in `").and_then(|rest| rest.strip_suffix('`')) {
        return ParsedIssues::issue(&path_of_name(name), text);
    }
    let Some(rest) = text.strip_prefix("Cannot parse ") else { return ParsedIssues::Text(text.to_owned()) };
    let is_type = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let target = |value: &str| {
        let at = value.rfind("` to a `")?;
        let name = value[at + "` to a `".len()..].strip_suffix('`')?;
        is_type(name).then(|| format!(" to a `{name}`"))
    };
    if let Some((place, value)) = rest.split_once(" with value `") {
        let name = place.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
        // A route's names are words; anything else is a value that goes on like the sentence.
        let name = name.filter(|name| super::place::is_dotted(name)).map(path_of_name);
        let index =
            || place.strip_prefix("value at index ").filter(|index| super::place::is_number(index)).map(path_of_name);
        if let Some(at) = name.or_else(index) {
            // In the end it may be serde's sentence, which may quote as well.
            let said = || value.rfind("`: ").map(|at| format!(": {}", serde::without_values(&value[at + 3..])));
            return match target(value).or_else(said) {
                Some(said) => ParsedIssues::issue(&at, &format!("Cannot parse {place}{said}")),
                None => ParsedIssues::issue(&at, &format!("Cannot parse {place}")),
            };
        }
    }
    ParsedIssues::Text(format!("Cannot parse{}", target(rest).unwrap_or_default()))
}

/// "failed to parse parameter `n`: failed to parse "integer(int32)": invalid digit found in string".
fn of_poems_parameter(text: &str) -> ParsedIssues {
    match text.split_once("`: ") {
        Some((name, said)) => ParsedIssues::issue(&path_of_name(name), without_found(said)),
        None => ParsedIssues::Text(text.to_owned()),
    }
}

/// `Expected input type "string", found 4711.`
fn without_found(text: &str) -> &str {
    text.find("Expected input type ")
        .and_then(|at| text[at..].find(", found ").map(|end| &text[..at + end]))
        .unwrap_or(text)
}

fn path_of_name(name: &str) -> FieldPath {
    let mut place = FieldPath::new();
    place.step(name);
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(text: &str) -> Option<String> {
        match parse_text(text) {
            ParsedIssues::Issues(issues) => Some(issues),
            _ => None,
        }
    }

    fn said(text: &str) -> Option<String> {
        match parse_text(text) {
            ParsedIssues::Text(text) => Some(text),
            _ => None,
        }
    }

    #[test]
    fn r13_poem_openapi_names_the_parameter() {
        let said_of = |reason: &str| issue(&format!("failed to parse parameter `v`: {reason}"));
        let reason = "failed to parse \"integer(int32)\": invalid digit found in string";
        let told = r#"[{"path":["v"],"message":"failed to parse \"integer(int32)\": invalid digit found in string"}]"#;
        assert_eq!(said_of(reason).as_deref(), Some(told));
        let told = r#"[{"path":["v"],"message":"Expected input type \"string\""}]"#;
        assert_eq!(said_of("Expected input type \"string\", found \"s3cret\".").as_deref(), Some(told));
        let body = "parse request payload error: Expected input type \"Order\", found \"s3cret\".";
        assert_eq!(said(body).as_deref(), Some("parse request payload error: Expected input type \"Order\""));
    }

    #[test]
    fn r13_each_framework_names_the_member() {
        let of_serde = |row: &&RustRejection| row.begins != "Invalid URL: " && !row.seen.starts_with("poem-openapi");
        for row in REJECTIONS.iter().filter(of_serde) {
            let dot = if row.begins == "Parse error: " { "." } else { "" };
            let text = format!("{}missing field `sku`{dot}", row.begins);
            assert_eq!(
                issue(&text).as_deref(),
                Some(r#"[{"path":["sku"],"message":"missing field `sku`"}]"#),
                "{text}"
            );
            let text = format!("{}items[1].qty: invalid type: string \"s3cret\", expected u32{dot}", row.begins);
            let told = r#"[{"path":["items",1,"qty"],"message":"invalid type: string, expected u32"}]"#;
            assert_eq!(issue(&text).as_deref(), Some(told), "{text}");
            let text = format!("{}invalid type: string \"s3cret\", expected u32{dot}", row.begins);
            let told = format!("{}invalid type: string, expected u32", row.begins);
            assert_eq!(said(&text), Some(told), "{text}");
        }
        for bare in ["missing field `n`", "deserialize error: missing field `n`"] {
            assert_eq!(issue(bare).as_deref(), Some(r#"[{"path":["n"],"message":"missing field `n`"}]"#));
        }
        for other in ["no field", "invalid digit found in string", "a: b", "", "Bad: missing things"] {
            assert!(matches!(parse_text(other), ParsedIssues::Nothing), "{other}");
        }
    }

    #[test]
    fn r13_a_path_of_axums_names_its_parameter() {
        for (text, told) in [
            (
                "Invalid URL: Cannot parse `id` with value `s3`cret` to a `u32`",
                r#"[{"path":["id"],"message":"Cannot parse `id` to a `u32`"}]"#,
            ),
            (
                "Invalid URL: Cannot parse value at index 1 with value `s3cret` to a `u32`",
                r#"[{"path":[1],"message":"Cannot parse value at index 1 to a `u32`"}]"#,
            ),
            (
                "Invalid URL: Cannot parse `id` with value `s3cret`: unknown variant `s3cret`, expected `a`",
                r#"[{"path":["id"],"message":"Cannot parse `id`: unknown variant, expected `a`"}]"#,
            ),
            ("Invalid URL: Invalid UTF-8 in `id`", r#"[{"path":["id"],"message":"Invalid UTF-8 in `id`"}]"#),
        ] {
            assert_eq!(issue(text).as_deref(), Some(told));
        }
        let odd = "Invalid URL: Cannot parse `s3cret\": `id` with value `x` to a `u32`";
        assert_eq!(said(odd).as_deref(), Some("Invalid URL: Cannot parse to a `u32`"));
        let text = "Invalid URL: Cannot parse `s3cret` to a `u32`";
        assert_eq!(said(text).as_deref(), Some("Invalid URL: Cannot parse to a `u32`"));
        assert_eq!(
            said("Path deserialize error: can not parse \"s3cret\" to a u32").as_deref(),
            Some("Path deserialize error: can not parse to a u32")
        );
    }

    #[test]
    fn r13_salvos_cause_is_read() {
        for cause in [
            "SerdeJson(\n    Error(\"missing field `sku`\", line: 1, column: 2),\n)",
            "Deserialize(\n    Error(\n        \"missing field `sku`\",\n    ),\n)",
        ] {
            let ParsedIssues::Issues(issues) = heard_in_debug(cause) else { panic!("{cause}") };
            assert_eq!(issues, r#"[{"path":["sku"],"message":"missing field `sku`"}]"#);
        }
        for other in ["", "Error(", "Error(\"a", "Error(\"\\u{1}\")"] {
            assert!(matches!(heard_in_debug(other), ParsedIssues::Nothing), "{other}");
        }
    }

    #[test]
    fn each_framework_was_seen() {
        for row in REJECTIONS {
            assert!(row.seen.contains(|digit: char| digit.is_ascii_digit()), "{}", row.seen);
        }
    }
}
