
/**
 * What a client may do with a request that failed.
 *
 * - `no`: the same request will fail again.
 * - `backoff`: the same request may work later: wait `retry-after` where it is given, else back off.
 * - `refresh`: read the state again first, then build a new request.
 */
export type Retry = "no" | "backoff" | "refresh";

/** The codes of the contract when this file was written. The set is open: a service may send others. */
export const ERROR_CODES = {
{% for group in groups %}
  // {{ group.name }}
{% for code in group.codes %}
  /** {{ code.summary | comment }} */
  {{ code.name }}: { status: {{ code.status }}, retry: "{{ code.retry }}", message: {{ code.message | literal }} },
{% endfor %}
{% endfor %}
} as const satisfies Record<string, { status: number; retry: Retry; message: string }>;

/** A code that was in the contract when this file was written. */
export type KnownErrorCode = keyof typeof ERROR_CODES;

/** Any code: the listed ones for completion, every other text for codes that are yet to come. */
export type ErrorCode = KnownErrorCode | (string & {});

/** Whether the code was in the contract when this file was written. */
export function isKnownErrorCode(code: string): code is KnownErrorCode {
  return Object.prototype.hasOwnProperty.call(ERROR_CODES, code);
}

/** What a client may do after this code. One that is not listed is transient. */
export function retryOf(code: ErrorCode): Retry {
  return isKnownErrorCode(code) ? ERROR_CODES[code].retry : "backoff";
}

/** Whether the same request may work later. */
export function isTransient(code: ErrorCode): boolean {
  return retryOf(code) === "backoff";
}
