//! Tables for a page of documentation.

use std::fmt::Write;

use super::details::typescript;
use error_envelope_core::openapi::form::{CONTRACT_VERSION, SAMPLE_ID};
use error_envelope_core::openapi::{Codes, Listed};

pub(super) fn write(codes: &Codes) -> String {
    let mut page = introduction();
    for group in codes.groups() {
        let _ = write!(page, "\n## {}\n\n", heading(group));
        page.push_str("| Code | Status | gRPC | JSON-RPC | Retry | Message |\n|---|---|---|---|---|---|\n");
        page.extend(group.iter().map(row));
    }
    page.push_str(
        "\n## details\n\nThe details of each code, as a TypeScript type. Details may be absent; details of \
                   other codes have no fixed type.\n\n",
    );
    page.extend(codes.iter().filter_map(details));
    page
}

fn introduction() -> String {
    format!(include_str!("introduction.md"), CONTRACT_VERSION = CONTRACT_VERSION, SAMPLE_ID = SAMPLE_ID)
}

fn details(listed: &Listed) -> Option<String> {
    let schema = listed.details()?;
    let about = schema["description"]
        .as_str()
        .map(|about| format!(": {}", escaped(&about.split_whitespace().collect::<Vec<_>>().join(" "))));
    // Two backticks mark code that may itself contain one backtick.
    Some(format!("- `{}`{}\n  `` {} ``\n", listed.name(), about.unwrap_or_default(), typescript(&schema)))
}

fn heading(group: &[Listed]) -> &'static str {
    group.first().map_or("", |listed| listed.group)
}

fn row(listed: &Listed) -> String {
    let message = escaped(&listed.message());
    let name = match &listed.docs {
        Some(docs) => format!("[`{}`](<{docs}>)", listed.name()),
        None => format!("`{}`", listed.name()),
    };
    let (status, code, retry) = (listed.status(), &listed.code, listed.retry());
    format!("| {name} | {status} | {} | {} | {retry} | {message} |\n", code.grpc(), code.jsonrpc())
}

/// Escapes a message for a table cell: a policy's text may contain markup, or the end of the cell.
fn escaped(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for character in message.chars() {
        if matches!(character, '\\' | '|' | '<' | '>' | '&' | '`' | '*' | '_' | '[' | ']') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}
