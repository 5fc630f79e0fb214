//! What the two TypeScript modules share: the head and the table of codes.

use std::fmt::Write;

use error_envelope_core::openapi::form::CONTRACT_VERSION;
use error_envelope_core::openapi::{Codes, Listed};

/// The first line; `format` is the command's name for the module.
pub(super) fn head(format: &str) -> String {
    format!(
        "// The error contract, version {CONTRACT_VERSION}.\n\
         // Written by `error-envelope catalogue --format {format}`: do not edit.\n"
    )
}

/// The codes with their facts, and the types that follow from them.
pub(super) fn table(codes: &Codes) -> String {
    let mut table = TABLE_BEGINS.to_owned();
    table.extend(codes.iter().map(entry));
    table + TABLE_ENDS
}

const TABLE_BEGINS: &str = r#"
/**
 * What a client may do with a request that failed.
 *
 * - `no`: the same request will fail again.
 * - `backoff`: the same request may work later: wait `retry-after` where it is given, else back off.
 * - `refresh`: read the state again first, then build a new request.
 */
export type Retry = "no" | "backoff" | "refresh";

/** The codes that were known when this file was written. The set is open: a service may send others. */
export const ERROR_CODES = {
"#;

const TABLE_ENDS: &str = r#"} as const satisfies Record<string, { status: number; retry: Retry; message: string }>;

/** A code that was known when this file was written. */
export type KnownErrorCode = keyof typeof ERROR_CODES;

/** Any code: the known ones for completion, every other text for codes that are yet to come. */
export type ErrorCode = KnownErrorCode | (string & {});

/** Whether the code was known when this file was written. */
export function isKnownErrorCode(code: string): code is KnownErrorCode {
  return Object.prototype.hasOwnProperty.call(ERROR_CODES, code);
}

/** What a client may do after this code. One that is not known is transient. */
export function retryOf(code: ErrorCode): Retry {
  return isKnownErrorCode(code) ? ERROR_CODES[code].retry : "backoff";
}

/** Whether the same request may work later. */
export function isTransient(code: ErrorCode): boolean {
  return retryOf(code) === "backoff";
}
"#;

fn entry(listed: &Listed) -> String {
    let mut entry = String::new();
    let (name, status, retry) = (listed.name(), listed.status(), listed.retry());
    let message = listed.message();
    let _ = writeln!(entry, "  /** {} */", in_comment(&listed.summary()));
    let _ = writeln!(entry, "  {name}: {{ status: {status}, retry: \"{retry}\", message: {} }},", literal(&message));
    entry
}

/// In a policy's text, the end of a comment or of a line would end the comment that contains it.
pub(super) fn in_comment(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("*/", "* /")
}

/// A text of JSON is one of ECMAScript.
fn literal(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
