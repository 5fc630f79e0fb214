// Checks the types with `tsc --strict`. This file is compiled, and not run.

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
  type TypedClientError,
  type UnlistedError,
} from "error-envelope-client";
import { errorEnvelope } from "error-envelope-client/zod";

export async function ask(url: URL, signal: AbortSignal): Promise<string> {
  const response = await fetchWithRetry(url, { signal }, { attempts: 2, repeatable: true });
  const error: ClientError | undefined = await parseError(response);
  if (error === undefined) return response.text();
  switch (error.code) {
    case "channel_unavailable":
      return "pair again";
    // The set is open: a later code is also a code.
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

/** The errors of an operation, as openapi-typescript and @hey-api/openapi-ts write them. */
type SoldOut = { error: { code: "sold_out"; message: string; details: { left: number } }; request_id: string };
type Held = { error: { code: "seat_held"; message: string; details?: { until?: string } } | { code: "gone"; message: string } };
type Any = { error: { code: string; message: string; details?: unknown } };
type Json<Body> = { headers: object; content: { "application/json": Body } };
interface Place {
  parameters: object;
  responses: { 201: Json<{ id: number }>; 204: { headers: object; content?: never }; 409: Json<SoldOut>; 423: Json<Held>; default: Json<Any> };
}

const unlisted = (error: UnlistedError): string => error.message;

export function textOf(error: TypedClientError<Place>): string {
  if (error.code === "sold_out") return error.details.left.toFixed();
  switch (error.code) {
    case "seat_held":
      return error.details?.until ?? error.requestId ?? "";
    case "gone":
      return error.toString();
    // @ts-expect-error: no error of the operation has that code.
    case "sold":
      return "";
    default:
      return unlisted(error);
  }
}

export function incomplete(error: TypedClientError<{ 409: SoldOut; 423: Held }>): string {
  switch (error.code) {
    case "sold_out":
      return "";
    default:
      // @ts-expect-error: `seat_held` and `gone` are left.
      return unlisted(error);
  }
}

export async function parseTyped(response: Response): Promise<number | undefined> {
  const error = await parseError<SoldOut | Held>(response);
  const plain: ClientError | undefined = error;
  return error?.code === "sold_out" ? error.details.left : plain?.status;
}

/** The responses of an operation, as orval writes them. */
type Responses = { data: { id: number }; status: 201; headers: Headers } | { data: SoldOut; status: 409; headers: Headers };
export const leftOf = (error: TypedClientError<Responses>): number | undefined =>
  error.code === "sold_out" ? error.details.left : undefined;

// @ts-expect-error: without an operation, any code may come, with any details.
export const left = (error: ClientError): number | undefined => (error.code === "sold_out" ? error.details.left : undefined);
