//! A TypeScript module without dependencies: types, and functions that tell them.

use super::codes::Codes;
use super::form::{CODE, MAX_MESSAGE, MESSAGE, REQUEST_ID};
use super::script;

pub(super) fn write(codes: &Codes) -> String {
    script::head("typescript") + &script::table(codes) + SHAPES + &forms() + GUARDS
}

fn forms() -> String {
    format!(
        "
const CODE = /{CODE}/;
const MESSAGE = /{MESSAGE}/;
const MAX_MESSAGE = {MAX_MESSAGE};
const REQUEST_ID = /{REQUEST_ID}/;
"
    )
}

const SHAPES: &str = r#"
/** The body of every error response. */
export interface ErrorEnvelope<Code extends ErrorCode = ErrorCode> {
  error: {
    /** What to match on: it never changes its meaning. */
    code: Code;
    /** One line for people, free to change. */
    message: string;
    /** Any JSON value; absent where there is none. */
    details?: unknown;
  };
  /** The same as in the header `x-request-id`: name it when you ask for help. */
  request_id: string;
}

/** What is wrong at one place of an invalid request. */
export interface Issue {
  /** Names and indices that lead to the value; empty for the whole request. */
  path: (string | number)[];
  message: string;
  code?: string;
}
"#;

const GUARDS: &str = r#"
/** Whether a value, such as a parsed body, is an envelope. */
export function isErrorEnvelope(value: unknown): value is ErrorEnvelope {
  if (!isObject(value) || !isObject(value.error)) return false;
  const { code, message } = value.error;
  return (
    isOfForm(code, CODE) &&
    isOfForm(message, MESSAGE) &&
    message.length <= MAX_MESSAGE &&
    isOfForm(value.request_id, REQUEST_ID) &&
    (code !== "invalid_request" || value.error.details !== undefined)
  );
}

/** Whether an envelope has this very code. */
export function hasCode<Code extends KnownErrorCode>(
  envelope: ErrorEnvelope,
  code: Code,
): envelope is ErrorEnvelope<Code> {
  return envelope.error.code === code;
}

/** The issues of an envelope, in the shape of Zod's; none where it has no list of them. */
export function issuesOf(envelope: ErrorEnvelope): Issue[] {
  const { details } = envelope.error;
  const issues = isObject(details) ? details.issues : undefined;
  return Array.isArray(issues) && issues.every(isIssue) ? issues : [];
}

function isIssue(value: unknown): value is Issue {
  const isStep = (step: unknown) => typeof step === "string" || (Number.isInteger(step) && (step as number) >= 0);
  return (
    isObject(value) &&
    Array.isArray(value.path) &&
    value.path.every(isStep) &&
    typeof value.message === "string" &&
    (value.code === undefined || typeof value.code === "string")
  );
}

function isOfForm(value: unknown, form: RegExp): value is string {
  return typeof value === "string" && form.test(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
"#;
