// What the types hold, for `tsc --strict`: it is compiled, and not run.

import { ERROR_CODES, fetchWithRetry, parseError, type ClientError, type ErrorCode } from "error-envelope-client";
import { errorEnvelope } from "error-envelope-client/zod";

export async function ask(url: URL, signal: AbortSignal): Promise<string> {
  const response = await fetchWithRetry(url, { signal }, { attempts: 2, repeatable: true });
  const error: ClientError | undefined = await parseError(response);
  if (error === undefined) return response.text();
  switch (error.code) {
    case "channel_unavailable":
      return "pair again";
    // The set is open: a code that came later is one as well.
    case "seat_taken":
      return error.issues.map(({ path }) => path.join(".")).join();
    default:
      return error.requestId ?? ERROR_CODES.other.message;
  }
}

export const later: ErrorCode = "a_code_of_tomorrow";
// @ts-expect-error: what came cannot be changed.
export const change = (error: ClientError): void => void (error.code = "other");
export const parsed: string = errorEnvelope.parse({}).request_id;
