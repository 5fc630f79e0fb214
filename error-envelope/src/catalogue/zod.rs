//! A TypeScript module for Zod 4: a schema that parses an envelope and says what to do about its code.

use super::codes::Codes;
use super::form::{CODE, MAX_MESSAGE, MESSAGE, REQUEST_ID};
use super::script;

pub(super) fn write(codes: &Codes) -> String {
    script::head("zod") + "\nimport * as z from \"zod\";\n" + &script::table(codes) + &schemas()
}

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
 * is not known is), and the list of `issues`, empty where there is none. Members that the contract does not know are
 * dropped.
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
      error: {{ ...error, code, known: isKnownErrorCode(code), retry, transient: isTransient(code), issues }},
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
