import { ERROR_CODES, type Retry } from "./errors.js";

/** The facts about a code: its usual status, the advice to clients, its usual message. */
export interface Advice {
  status: number;
  retry: Retry;
  message: string;
  /** The address of the page about the code. */
  docs?: string | undefined;
}

/** Codes by name. */
export type Codes = Readonly<Record<string, Advice>>;

/** The fields of `error-envelope catalogue --format json` that a client needs. */
export interface Exported {
  codes: readonly { code: string; status: number; retry: string; message: string; docs?: string | undefined }[];
}

/**
 * Returns the codes of the catalogue and an organisation's own, for the option `codes`. Their advice is that of the policy.
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

/** Returns one of the three words, or `undefined` for any other value. */
export function retryIn(value: unknown): Retry | undefined {
  return value === "no" || value === "backoff" || value === "refresh" ? value : undefined;
}

const DOCS = /^https:\/\/[^/?#\s][!#-;=?-Z\]_a-z~[]*$/;
const MAX_DOCS = 1024;

/** Returns an https address of at most 1,024 bytes, or `undefined` for any other value. */
export function docsIn(value: unknown): string | undefined {
  return typeof value === "string" && value.length <= MAX_DOCS && DOCS.test(value) ? value : undefined;
}
