import { ERROR_CODES, type Retry } from "./errors.js";

/** What is known of a code: its usual status, what to do next, its usual message. */
export interface Advice {
  status: number;
  retry: Retry;
  message: string;
}

/** Codes by name. */
export type Codes = Readonly<Record<string, Advice>>;

/** What `error-envelope catalogue --format json` writes, as far as a client asks. */
export interface Exported {
  codes: readonly { code: string; status: number; retry: string; message: string }[];
}

/**
 * The codes of the catalogue and an organisation's own, for the option `codes`: what they advise is the policy's then.
 */
export function codesOf({ codes }: Exported): Codes {
  const own = codes.map(({ code, status, retry, message }) => [code, { status, retry: retryIn(retry), message }] as const);
  return { ...ERROR_CODES, ...Object.fromEntries(own) };
}

export function adviceOf(codes: Codes, code: string): Advice | undefined {
  return Object.prototype.hasOwnProperty.call(codes, code) ? codes[code] : undefined;
}

/** Advice that is not known here is as that of a code which is not. */
function retryIn(text: string): Retry {
  return text === "no" || text === "refresh" ? text : "backoff";
}
