//! The TypeScript modules: one without dependencies, with types and functions that check them, and one for Zod 4, with a schema
//! that parses an envelope and the advice on its code. Both have one table of codes.

use error_envelope_core::openapi::form::{CODE, DOCS, MAX_DOCS, MAX_MESSAGE, MESSAGE, REQUEST_ID};
use error_envelope_core::openapi::{Codes, Listed};

use super::details::{checks, typescript, zod};
use super::template::{filled, head, json_literal, rows};

/// The module without dependencies.
pub(super) fn plain(codes: &Codes) -> String {
    let parts = [
        ("@table@\n", table(codes)),
        ("@details@\n", rows(codes, details_type)),
        ("@shapes@\n", shapes(codes)),
        ("@schemas@\n", rows(codes, details_checks)),
        ("@CODE@", CODE.to_owned()),
        ("@MESSAGE@", MESSAGE.to_owned()),
        ("@MAX_MESSAGE@", MAX_MESSAGE.to_string()),
        ("@REQUEST_ID@", REQUEST_ID.to_owned()),
        ("@DOCS@", DOCS.replace('/', r"\/")),
        ("@MAX_DOCS@", MAX_DOCS.to_string()),
    ];
    head("//", "typescript") + &filled(include_str!("templates/errors.ts"), &parts)
}

/// The module for Zod.
pub(super) fn for_zod(codes: &Codes) -> String {
    let others = codes.iter().filter(|listed| listed.details().is_none());
    let others: Vec<_> = others.map(|listed| json_literal(listed.name())).collect();
    let parts = [
        ("@table@\n", table(codes)),
        ("@details@\n", rows(codes, details_schema)),
        ("@known@\n", rows(codes, known_error)),
        ("@others@", others.join(", ")),
        ("@CODE@", CODE.to_owned()),
        ("@MESSAGE@", MESSAGE.to_owned()),
        ("@REQUEST_ID@", REQUEST_ID.to_owned()),
        ("@DOCS@", DOCS.replace('/', r"\/")),
        ("@MAX_MESSAGE@", MAX_MESSAGE.to_string()),
        ("@MAX_DOCS@", MAX_DOCS.to_string()),
    ];
    head("//", "zod") + &filled(include_str!("templates/errors.zod.ts"), &parts)
}

/// The codes with their facts, and the types that follow from them.
fn table(codes: &Codes) -> String {
    let entry = |it: &Listed| {
        let (name, status, retry, message) = (it.name(), it.status(), it.retry(), json_literal(&it.message()));
        let about = comment("  ", &it.summary());
        format!("{about}  {name}: {{ status: {status}, retry: \"{retry}\", message: {message} }},\n")
    };
    filled(include_str!("templates/codes.ts"), &[("@codes@\n", rows(codes, entry))])
}

fn details_type(listed: &Listed) -> String {
    listed.details().map_or_else(String::new, |schema| {
        let about = schema["description"].as_str().map_or_else(String::new, |about| comment("  ", about));
        format!("{about}  {}: {};\n", listed.name(), typescript(&schema))
    })
}

fn details_checks(listed: &Listed) -> String {
    listed.details().map_or_else(String::new, |schema| format!("  {}: {},\n", listed.name(), checks(&schema)))
}

fn details_schema(listed: &Listed) -> String {
    listed.details().map_or_else(String::new, |schema| format!("  {}: {},\n", listed.name(), zod(&schema)))
}

/// A code with its details, in the union of the known errors.
fn known_error(listed: &Listed) -> String {
    listed.details().map_or_else(String::new, |_| {
        let name = listed.name();
        let details = format!("errorDetails.{name}.optional().catch(undefined)");
        format!("  z.object({{ code: z.literal(\"{name}\"), message: z.string(), details: {details} }}),\n")
    })
}

/// The bodies of the policy's own shapes (R15).
fn shapes(codes: &Codes) -> String {
    let shape = |(name, schema): &(String, serde_json::Value)| {
        let about = comment("", schema["description"].as_str().unwrap_or_default());
        format!("\n{about}export type {name} = {};\n", typescript(schema))
    };
    codes.shapes().iter().map(shape).collect()
}

/// A comment with this text. Line breaks and `*/` in a policy's text are replaced, as they would end the comment.
fn comment(indent: &str, text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace("*/", "* /");
    format!("{indent}/** {text} */\n")
}
