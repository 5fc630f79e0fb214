import type { ClientError } from "./error.js";

/**
 * A code that the operation's document does not list, such as a code of a proxy, or of a later version of the service.
 *
 * It may be any text. Its type differs from that of every listed code. With the type `string`, these errors would be among
 * the errors of each code, and would give their details any type.
 */
export type UnlistedCode = `${string} (unlisted)`;

/** An error with such a code. */
export interface UnlistedError extends ClientError {
  readonly code: UnlistedCode;
}

/**
 * The errors of one operation. In a `switch` over `code`, each case has its details, and `default` is an `UnlistedError`.
 *
 * `Operation` is a type that was made from the OpenAPI document of the service: openapi-typescript's
 * `paths["/orders"]["post"]`, `PlaceErrors` or `PlaceError` of @hey-api/openapi-ts, orval's `placeResponse`, or any body or
 * union of bodies. Without such a type, the error is a `ClientError`.
 *
 * The types follow the document. The details of a response are not compared with them.
 */
export type TypedClientError<Operation> = unknown extends Operation ? ClientError : Listed<ErrorsOf<Operation>> | UnlistedError;

/** Makes the errors of a body. A body for any error lists no code, so it has none. */
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
