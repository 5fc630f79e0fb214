// What clients write with the exports. It has to compile, here and with codes that were not known when it was written.

import {
  ERROR_CODES,
  type ErrorCode,
  type ErrorEnvelope,
  type KnownErrorCode,
  type KnownError,
  detailsOf,
  hasCode,
  isErrorEnvelope,
  isKnownErrorCode,
  isTransient,
  issuesOf,
  knownErrorOf,
  retryOf,
} from "./errors.js";
import { errorEnvelope, type ParsedErrorEnvelope } from "./errors.zod.js";

/** Any text is a code, and the known ones are kept apart from it. */
const known: ErrorCode = "rate_limited";
const unheardOf: ErrorCode = "a_code_of_next_year";
// @ts-expect-error: the known codes are a closed set
const notKnown: KnownErrorCode = "a_code_of_next_year";
// @ts-expect-error: a code is a text
const number: ErrorCode = 404;
void [known, unheardOf, notKnown, number];

/** A table for some codes does not have to know all of them. */
const texts: Partial<Record<ErrorCode, string>> = { rate_limited: "Slow down, please." };

export function textFor(code: ErrorCode): string {
  return texts[code] ?? (isKnownErrorCode(code) ? ERROR_CODES[code].message : "Something went wrong.");
}

export function whatToDo(body: unknown): string {
  if (!isErrorEnvelope(body)) return "not an error of ours";
  if (hasCode(body, "invalid_request")) {
    const code: "invalid_request" = body.error.code;
    return code + issuesOf(body).map(({ path, message }) => `${path.join(".")}: ${message}`).join();
  }
  // What is left is still an envelope of any code.
  const rest: ErrorEnvelope = body;
  // @ts-expect-error: nobody knows what details are before they look
  void rest.error.details.limit_bytes;
  switch (retryOf(rest.error.code)) {
    case "no":
      return "give up";
    case "backoff":
      return "wait";
    case "refresh":
      return "read again";
  }
}

/** The details of a code are what the code says of them, and nothing is said of others. */
export function told(envelope: ErrorEnvelope): string {
  const error: KnownError | undefined = knownErrorOf(envelope);
  switch (error?.code) {
    case "payload_too_large": {
      const limit: number | undefined = error.details?.limit_bytes;
      // @ts-expect-error: it is a number
      const text: string | undefined = error.details?.limit_bytes;
      void text;
      return limit === undefined ? "too large" : `at most ${limit} bytes`;
    }
    case "invalid_request":
      return error.details?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join() ?? "";
    case "conflict":
      // @ts-expect-error: nobody says what they are
      void error.details?.limit_bytes;
      return "conflict";
    default:
      return envelope.error.message;
  }
}

export function limitOf(envelope: ErrorEnvelope): number | undefined {
  // @ts-expect-error: nobody says what its details are
  detailsOf(envelope, "conflict");
  return detailsOf(envelope, "payload_too_large")?.limit_bytes;
}

export async function read(response: { json(): Promise<unknown> }): Promise<ParsedErrorEnvelope | undefined> {
  const parsed = errorEnvelope.safeParse(await response.json());
  if (!parsed.success) return undefined;
  const { code, known, transient, retry, issues } = parsed.data.error;
  const facts: [ErrorCode, boolean, boolean, "no" | "backoff" | "refresh"] = [code, known, transient, retry];
  const paths: (string | number)[][] = issues.map((issue) => issue.path);
  void [facts, paths, isTransient(code)];
  const { typed } = parsed.data.error;
  if (typed?.code === "payload_too_large") {
    const limit: number | undefined = typed.details?.limit_bytes;
    void limit;
  }
  return parsed.data;
}
