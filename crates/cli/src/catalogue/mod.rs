//! `error-envelope catalogue` exports the codes and the envelope for documentation, programs and clients.
//!
//! All formats are written from one list of codes, which contains the library's table and a policy's own codes. So all
//! formats contain the same codes. These modules write them:
//!
//! 1. Your own programs can read the JSON export.
//! 2. The JSON Schema and the OpenAPI document ([`document`]) describe the envelope. The core's module `openapi`
//!    defines the schemas in them.
//! 3. Templates write the page of documentation, and the modules for clients.
//! 4. [`details`] writes the JSON Schema of a code's details as TypeScript and Zod.
//!
//! [`diff`] lists the changes between an earlier JSON export and the current one.
//!
//! The set of codes is open (E2). No exported module refuses a code that it does not list, and each module treats such
//! a code as transient. The output depends only on the codes, so a diff of a checked-in export shows which codes
//! changed.

mod details;
mod diff;

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser};
use error_envelope_core::openapi::form::{
    CODE, CONTRACT_VERSION, DOCS, MAX_DOCS, MAX_MESSAGE, MESSAGE, REQUEST_ID, SAMPLE_ID,
};
use error_envelope_core::openapi::schema::{self, embedded};
use error_envelope_core::openapi::tree::{Json, by_name, list, object, text};
use error_envelope_core::openapi::{Codes, Listed, document};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde_json::Value;
use tower_error_envelope::codes;

use crate::catalogue::details::{checks, literal, typescript, zod};
use crate::failure::{CommandError, print, print_unless_closed};
use crate::policy;
use crate::text::{json_escaped, one_line};

/// Export the error codes and the envelope as documentation or client code
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Set the output format [default: markdown, with --diff human]
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
    /// Include the codes that this policy file adds or names
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Include the codes of these groups, which belong to products
    #[arg(long, value_name = "GROUP", value_parser = groups(), value_delimiter = ',')]
    group: Vec<String>,
    /// Compare with the JSON export OLD and show the changes (--format human or json); exit code 1 if a change breaks
    /// clients
    #[arg(long, value_name = "OLD")]
    diff: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Markdown tables for documentation
    Markdown,
    /// The codes as JSON, for your own programs
    Json,
    /// JSON Schema 2020-12 of the envelope
    JsonSchema,
    /// OpenAPI 3.1 components: one response per status
    Openapi,
    /// A TypeScript module without dependencies
    Typescript,
    /// A TypeScript module for Zod 4
    Zod,
    /// A Python module without dependencies: a StrEnum and an exception
    Python,
    /// A Go package without dependencies
    Go,
    /// With --diff: one line per change
    Human,
}

/// Writes to standard output, and returns the exit code.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let read = args.policy.as_deref().map(policy::read).transpose()?;
    let codes = Codes::from_policy(read.as_ref().map(|read| read.file.policy()), &args.group);
    let Some(old) = &args.diff else {
        return print(&args.format.unwrap_or(Format::Markdown).write(&codes)?).map(|()| 0);
    };
    let diff = diff::diff(old, &write_json(&codes))?;
    let changes = match args.format {
        None | Some(Format::Human) => diff.human(),
        Some(Format::Json) => diff.json(),
        Some(_) => return Err(CommandError::Io("--diff needs --format human or json".to_owned())),
    };
    print_unless_closed(&changes).map(|()| u8::from(diff.breaks()))
}

impl Format {
    fn write(self, codes: &Codes) -> Result<String, CommandError> {
        Ok(match self {
            Self::Markdown => render("errors.md", codes)?,
            Self::Json => json_escaped(&write_json(codes)),
            Self::JsonSchema => json_escaped(&envelope_schema(codes)),
            Self::Openapi => json_escaped(&document::write(codes)),
            Self::Typescript => render("errors.ts", codes)?,
            Self::Zod => render("errors.zod.ts", codes)?,
            Self::Python => render("errors.py", codes)?,
            Self::Go => render("errors.go", codes)?,
            Self::Human => return Err(CommandError::Io("--format human needs --diff OLD".to_owned())),
        })
    }
}

/// Returns the names of the groups of codes that belong to products (E2), as possible values of a flag.
fn groups() -> PossibleValuesParser {
    codes::GROUPS.iter().map(|(name, about)| PossibleValue::new(name).help(about)).collect::<Vec<_>>().into()
}

const TEMPLATES: [(&str, &str); 6] = [
    ("errors.md", include_str!("templates/errors.md")),
    ("codes.ts", include_str!("templates/codes.ts")),
    ("errors.ts", include_str!("templates/errors.ts")),
    ("errors.zod.ts", include_str!("templates/errors.zod.ts")),
    ("errors.py", include_str!("templates/errors.py")),
    ("errors.go", include_str!("templates/errors.go")),
];

/// Renders the template with this name for these codes.
pub(super) fn render(template: &str, codes: &Codes) -> Result<String, CommandError> {
    rendered(template, codes).map_err(|error| CommandError::Io(format!("the template {template}: {error}")))
}

fn rendered(template: &str, codes: &Codes) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.add_filter("comment", comment);
    environment.add_filter("literal", literal);
    environment.add_filter("markdown", markdown);
    environment.add_filter("pascal", pascal);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    let group = |codes: &[Listed]| {
        let name = codes.first().map_or("", |listed| listed.group);
        context! { name, codes => codes.iter().map(code).collect::<Vec<_>>() }
    };
    let shape = |(name, schema): &(String, Value)| {
        context! { name, about => schema["description"].as_str().unwrap_or_default(), typescript => typescript(schema) }
    };
    environment.get_template(template)?.render(context! {
        version => CONTRACT_VERSION,
        sample_id => SAMPLE_ID,
        code_form => CODE,
        message_form => MESSAGE,
        max_message => MAX_MESSAGE,
        request_id_form => REQUEST_ID,
        docs => DOCS,
        max_docs => MAX_DOCS,
        codes => codes.iter().map(code).collect::<Vec<_>>(),
        groups => codes.groups().map(group).collect::<Vec<_>>(),
        shapes => codes.shapes.iter().map(shape).collect::<Vec<_>>(),
    })
}

fn code(listed: &Listed) -> minijinja::Value {
    let details = listed.details().map(|schema| {
        context! {
            about => schema["description"].as_str(),
            typescript => typescript(&schema),
            zod => zod(&schema),
            checks => checks(&schema).to_string(),
        }
    });
    context! {
        name => listed.name(),
        status => listed.status(),
        grpc => u16::from(listed.code.grpc()),
        jsonrpc => listed.code.jsonrpc(),
        retry => listed.retry(),
        message => listed.message(),
        summary => listed.summary(),
        docs => listed.docs,
        details,
    }
}

/// Makes a text safe inside a comment. `*/` in a policy's text would end it.
fn comment(text: &str) -> String {
    one_line(text).replace("*/", "* /")
}

/// Escapes a text for a cell of a Markdown table. A policy's text may contain markup, or `|`, which would end the cell.
fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in one_line(text).chars() {
        if matches!(character, '\\' | '|' | '<' | '>' | '&' | '`' | '*' | '_' | '[' | ']') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Converts `auth_missing` to `AuthMissing`. An underscore stays if no letter follows it, so that two codes never get
/// the same name.
fn pascal(code: &str) -> String {
    let mut name = String::with_capacity(code.len());
    let mut rest = code.chars().peekable();
    let mut begins = true;
    while let Some(character) = rest.next() {
        match character {
            '_' if rest.peek().is_some_and(char::is_ascii_lowercase) => begins = true,
            _ if std::mem::take(&mut begins) => name.push(character.to_ascii_uppercase()),
            _ => name.push(character),
        }
    }
    name
}

/// Writes the codes as JSON. Later versions may add fields, but do not rename any.
pub(super) fn write_json(codes: &Codes) -> String {
    object([
        ("contract", text(CONTRACT_VERSION)),
        ("unknown_code", object([("retry", text("backoff"))])),
        ("codes", list(codes.iter().map(entry))),
    ])
    .pretty()
}

fn entry(listed: &Listed) -> Json {
    let entry = object([
        ("code", text(listed.name())),
        ("status", listed.status().into()),
        ("grpc", u16::from(listed.code.grpc()).into()),
        ("jsonrpc", Value::from(listed.code.jsonrpc()).into()),
        ("retry", text(listed.retry())),
        ("group", text(listed.group)),
        ("message", text(listed.message())),
    ]);
    let entry = match &listed.docs {
        Some(docs) => entry.with("docs", text(docs)),
        None => entry,
    };
    match listed.details() {
        Some(schema) => entry.with("details", Value::Object(embedded(&schema))),
        None => entry,
    }
}

/// Returns the JSON Schema 2020-12 of the envelope. The schema refers to no other schema, and has no `$id`.
pub(super) fn envelope_schema(codes: &Codes) -> String {
    const AT: &str = "#/$defs/";

    let head = [
        ("$schema", text("https://json-schema.org/draft/2020-12/schema")),
        ("$comment", text(format!("The error contract, version {CONTRACT_VERSION}."))),
        ("title", text(schema::ENVELOPE)),
    ];
    let Json::Object(envelope) = schema::envelope(AT) else { return String::new() };
    let head = head.map(|(name, value)| (name.to_owned(), value));
    let root = by_name(head.into_iter().chain(envelope));
    root.with("$defs", by_name(schema::parts(AT, codes))).pretty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_stay_different() {
        let codes = ["ab", "a_b", "a__b", "a1", "a_1", "ab_", "a_b_", "a1b", "a1_b"];
        let mut names: Vec<_> = codes.map(pascal).into();
        assert_eq!(names, ["Ab", "AB", "A_B", "A1", "A_1", "Ab_", "AB_", "A1b", "A1B"]);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), codes.len());
        assert_eq!(pascal("auth_no_email"), "AuthNoEmail");
    }

    #[test]
    fn a_policys_text_ends_no_literal_and_no_comment() {
        assert_eq!(literal("a \"b\" \\u é\u{feff}"), r#""a \"b\" \\u é\ufeff""#);
        assert_eq!(comment("a\n*/ b"), "a * / b");
    }
}
