import { ERROR_CODES, type Retry } from "./errors.js";

/** What is known of a code: its usual status, what to do next, its usual message. */
export interface Advice {
  status: number;
  retry: Retry;
  message: string;
  /** The address of its page. */
  docs?: string | undefined;
}

/** Codes by name. */
export type Codes = Readonly<Record<string, Advice>>;

/** What `error-envelope catalogue --format json` writes, as far as a client asks. */
export interface Exported {
  codes: readonly { code: string; status: number; retry: string; message: string; docs?: string | undefined }[];
}

/**
 * The codes of the catalogue and an organisation's own, for the option `codes`: what they advise is the policy's then.
 */
export function codesOf({ codes }: Exported): Codes {
  const own = codes.map(({ code, status, retry, message, docs }) => {
    return [code, { status, retry: retryIn(retry) ?? "backoff", message, ...(docs === undefined ? {} : { docs }) }] as const;
  });
  return { ...ERROR_CODES, ...Object.fromEntries(own) };
}

export function adviceOf(codes: Codes, code: string): Advice | undefined {
  return Object.prototype.hasOwnProperty.call(codes, code) ? codes[code] : undefined;
}

/** One of the three words; `undefined` for any other value. */
export function retryIn(value: unknown): Retry | undefined {
  return value === "no" || value === "backoff" || value === "refresh" ? value : undefined;
}

const DOCS = /^https:\/\/[^/?#\s][!#-;=?-Z\]_a-z~[]*$/;
const MAX_DOCS = 1024;

/** An https address of at most 1,024 bytes; `undefined` for any other value. */
export function docsIn(value: unknown): string | undefined {
  return typeof value === "string" && value.length <= MAX_DOCS && DOCS.test(value) ? value : undefined;
}
