// What the types hold, for `tsc --strict`: it is compiled, and not run.

import {
  ERROR_CODES,
  detailsOf,
  fetchWithRetry,
  knownErrorOf,
  parseError,
  type ClientError,
  type DetailsOf,
  type ErrorCode,
  type ErrorDetails,
  type KnownError,
} from "error-envelope-client";
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

export function limitOf(error: ClientError): number | undefined {
  const envelope = { error, request_id: error.requestId ?? "" };
  const known: KnownError | undefined = knownErrorOf(envelope);
  switch (known?.code) {
    case "payload_too_large":
      return known.details?.limit_bytes;
    case "invalid_request":
      // @ts-expect-error: that one has issues.
      return known.details?.limit_bytes;
    default:
      return detailsOf(envelope, "payload_too_large")?.limit_bytes;
  }
}

export const same = (details: DetailsOf<"invalid_request">): ErrorDetails["invalid_request"]["issues"] => details.issues;
export const later: ErrorCode = "a_code_of_tomorrow";
// @ts-expect-error: what came cannot be changed.
export const change = (error: ClientError): void => void (error.code = "other");
export const parsed: string = errorEnvelope.parse({}).request_id;
