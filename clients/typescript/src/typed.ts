import type { ClientError } from "./error.js";

/**
 * A code that the operation's document does not list: a proxy's, or one of a later version of the service.
 *
 * It is any text. Its type is one that no listed code has, because `string` would be among the errors of each code, and
 * their details of any type.
 */
export type UnlistedCode = `${string} (unlisted)`;

/** An error with such a code. */
export interface UnlistedError extends ClientError {
  readonly code: UnlistedCode;
}

/**
 * The errors of one operation: a `switch` over `code` has the details of each, and `default` is an `UnlistedError`.
 *
 * `Operation` is a type that was made of the OpenAPI document of the service: openapi-typescript's
 * `paths["/orders"]["post"]`, `PlaceErrors` or `PlaceError` of @hey-api/openapi-ts, orval's `placeResponse`, or any body or
 * union of bodies. Without one it is `ClientError`.
 *
 * The types are what the document promises. Nothing checks the details of a response against them.
 */
export type TypedClientError<Operation> = unknown extends Operation ? ClientError : Listed<ErrorsOf<Operation>> | UnlistedError;

/** A response for any error lists no code. */
type Listed<Error> = Error extends { code: infer Code extends string }
  ? string extends Code
    ? never
    : ClientError & { readonly code: Code; readonly details: DetailsOf<Error> }
  : never;

type DetailsOf<Error> = Error extends { details: infer Details }
  ? Details
  : Error extends { details?: infer Details }
    ? Details | undefined
    : unknown;

type ErrorsOf<Operation> = Extract<BodiesOf<Operation>, { error: unknown }>["error"];

type BodiesOf<Operation> = Operation extends { responses: infer Responses }
  ? ContentOf<Responses[keyof Responses]>
  : Operation extends { error: unknown }
    ? Operation
    : Operation[keyof Operation];

type ContentOf<Response> = Response extends { content: infer Content } ? Content[keyof Content] : never;
