//! A TypeScript module for Zod 4: a schema that parses an envelope, and the advice on its code.

use std::fmt::Write;

use super::details::zod;
use super::script;
use error_envelope_core::openapi::form::{CODE, MAX_MESSAGE, MESSAGE, REQUEST_ID};
use error_envelope_core::openapi::{Codes, Listed};

pub(super) fn write(codes: &Codes) -> String {
    script::head("zod") + "\nimport * as z from \"zod\";\n" + &script::table(codes) + &details(codes) + &schemas()
}

/// The details of each code, and the union of the known errors by code.
fn details(codes: &Codes) -> String {
    let mut text = DETAILS_BEGIN.to_owned();
    let (typed, others): (Vec<&Listed>, _) = codes.iter().partition(|listed| listed.details().is_some());
    for listed in &typed {
        let schema = listed.details().unwrap_or_default();
        let _ = writeln!(text, "  {}: {},", listed.name(), zod(&schema));
    }
    text.push_str(KNOWN_BEGINS);
    for name in typed.iter().map(|listed| listed.name()) {
        let details = format!("errorDetails.{name}.optional().catch(undefined)");
        let _ =
            writeln!(text, "  z.object({{ code: z.literal(\"{name}\"), message: z.string(), details: {details} }}),");
    }
    let others = others.iter().map(|listed| format!("\"{}\"", listed.name())).collect::<Vec<_>>().join(", ");
    let _ = writeln!(
        text,
        "  z.object({{ code: z.enum([{others}]), message: z.string(), details: z.unknown().optional() }}),\n]);"
    );
    text + "\n/** An error whose code is known, to switch over. */\nexport type KnownError = z.output<typeof knownError>;\n"
}

const DETAILS_BEGIN: &str = "
/** What the details of a code are, where somebody says it. A service may add members, and may send none at all. */
export const errorDetails = {
";

const KNOWN_BEGINS: &str = r#"};

/**
 * An error whose code is known, by its code.
 *
 * Details that are not what the code says of them are left out: a service may send others.
 */
export const knownError = z.discriminatedUnion("code", [
"#;

fn schemas() -> String {
    format!(
        r#"
const CODE = /{CODE}/;
const MESSAGE = /{MESSAGE}/;
const REQUEST_ID = /{REQUEST_ID}/;

/** One issue of an invalid request; what else a service says of it is kept. */
export const issue = z.looseObject({{
  path: z.array(z.union([z.string(), z.int().nonnegative()])),
  message: z.string(),
  code: z.string().optional(),
}});

const validationDetails = z.looseObject({{ issues: z.array(issue).min(1) }});

/**
 * The body of every error response.
 *
 * What comes out also says whether the code is `known`, when to `retry`, whether the error is `transient` (a code that
 * is not known is), the list of `issues`, empty where there is none, and `typed`, the error to switch over where its
 * code is known, with details that are what the code says of them. Members that the contract does not know are dropped.
 */
export const errorEnvelope = z
  .object({{
    error: z.object({{
      code: z.string().regex(CODE),
      message: z.string().max({MAX_MESSAGE}).regex(MESSAGE),
      details: z.unknown().optional(),
    }}),
    request_id: z.string().regex(REQUEST_ID),
  }})
  .refine(({{ error }}) => error.code !== "invalid_request" || error.details !== undefined, {{
    path: ["error", "details"],
    message: "An invalid_request has details",
  }})
  .transform(({{ error, request_id }}) => {{
    const code: ErrorCode = error.code;
    const retry = retryOf(code);
    const issues: Issue[] = validationDetails.safeParse(error.details).data?.issues ?? [];
    return {{
      error: {{
        ...error,
        code,
        known: isKnownErrorCode(code),
        retry,
        transient: isTransient(code),
        issues,
        typed: knownError.safeParse(error).data,
      }},
      request_id,
    }};
  }});

/** What a service sends. */
export type ErrorEnvelope = z.input<typeof errorEnvelope>;

/** What parsing makes of it. */
export type ParsedErrorEnvelope = z.output<typeof errorEnvelope>;

/** What is wrong at one place of an invalid request. */
export type Issue = z.output<typeof issue>;
"#
    )
}
