// The error contract, version {{ version }}.
// Written by `error-envelope catalogue --format zod`: do not edit.

import * as z from "zod";
{% include "codes.ts" %}

/** The details of a code, where a schema declares them. A service may add members, and may send none at all. */
export const errorDetails = {
{% for code in codes if code.details %}
  {{ code.name }}: {{ code.details.zod }},
{% endfor %}
};

/**
 * An error whose code is listed, by its code.
 *
 * Details that do not fit the schema of the code are left out: a service may send others.
 */
export const knownError = z.discriminatedUnion("code", [
{% for code in codes if code.details %}
  z.object({ code: z.literal("{{ code.name }}"), message: z.string(), details: errorDetails.{{ code.name }}.optional().catch(undefined) }),
{% endfor %}
  z.object({ code: z.enum([{% for code in codes if not code.details %}{{ code.name | literal }}{% if not loop.last %}, {% endif %}{% endfor %}]), message: z.string(), details: z.unknown().optional() }),
]);

/** An error whose code is listed, to switch over. */
export type KnownError = z.output<typeof knownError>;

const CODE = /{{ code_form }}/;
const MESSAGE = /{{ message_form }}/;
const REQUEST_ID = /{{ request_id_form }}/;
const DOCS = /{{ docs | replace('/', '\\/') }}/;

/** One issue of an invalid request; further members are kept. */
export const issue = z.looseObject({
  path: z.array(z.union([z.string(), z.int().nonnegative()])),
  message: z.string(),
  code: z.string().optional(),
});

const validationDetails = z.looseObject({ issues: z.array(issue).min(1) });

/**
 * The body of every error response.
 *
 * The output also has whether the code is `known`, when to `retry` (the error's own advice, else that of its code), whether
 * the error is `transient` (a code that is not listed is), the list of `issues`, empty where there is none, and `typed`, the
 * error to switch over where its code is listed, with details that fit the schema of the code. Members that are not in the
 * contract are dropped.
 */
export const errorEnvelope = z
  .object({
    error: z.object({
      code: z.string().regex(CODE),
      message: z.string().max({{ max_message }}).regex(MESSAGE),
      details: z.unknown().optional(),
      retry: z.enum(["no", "backoff", "refresh"]).optional(),
      docs: z.string().max({{ max_docs }}).regex(DOCS).optional(),
    }),
    request_id: z.string().regex(REQUEST_ID),
  })
  .refine(({ error }) => error.code !== "invalid_request" || error.details !== undefined, {
    path: ["error", "details"],
    message: "An invalid_request has details",
  })
  .transform(({ error, request_id }) => {
    const code: ErrorCode = error.code;
    const retry: Retry = error.retry ?? retryOf(code);
    const issues: Issue[] = validationDetails.safeParse(error.details).data?.issues ?? [];
    return {
      error: {
        ...error,
        code,
        known: isKnownErrorCode(code),
        retry,
        transient: retry === "backoff",
        issues,
        typed: knownError.safeParse(error).data,
      },
      request_id,
    };
  });

/** What a service sends. */
export type ErrorEnvelope = z.input<typeof errorEnvelope>;

/** What parsing makes of it. */
export type ParsedErrorEnvelope = z.output<typeof errorEnvelope>;

/** What is wrong at one place of an invalid request. */
export type Issue = z.output<typeof issue>;
