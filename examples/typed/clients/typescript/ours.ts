// With error-envelope-client, which takes the types of either generator.
import { parseError, type TypedClientError, type UnlistedError } from "error-envelope-client";

import type { paths } from "./made/fetch.js";
import type { PlaceErrors } from "./made/hey/types.gen.js";

type OrderError = TypedClientError<paths["/orders"]["post"]>;
const asHey = (error: OrderError): TypedClientError<PlaceErrors> => error;
const asFetched = (error: TypedClientError<PlaceErrors>): OrderError => error;
void [asHey, asFetched];

const unlisted = (error: UnlistedError): string => `${error.code} is not in the document`;

export async function order(send: typeof fetch, baseUrl: string, sku: string, quantity: number): Promise<string> {
  const headers = { "content-type": "application/json", "x-tenant": "a" };
  const response = await send(`${baseUrl}/orders`, { method: "POST", headers, body: JSON.stringify({ sku, quantity }) });
  const error = await parseError<paths["/orders"]["post"]>(response);
  if (error === undefined) return "ordered";
  if (error.code === "sold_out") return `${error.details.left.toFixed()} left`;
  switch (error.code) {
    case "price_changed":
      return error.details.offers.map(({ sku, cents }) => `${(cents / 100).toFixed(2)} for ${sku}`).join();
    case "card_declined":
      return `${error.details.reason}, ${error.details.attempts_left ?? "no"} more attempts`;
    case "card_expired":
    case "not_found":
    case "bad_request":
    case "invalid_request":
    case "payload_too_large":
    case "unsupported_media_type":
    case "internal_error":
    case "service_unavailable":
    case "gateway_timeout":
      return error.toString();
    default:
      return unlisted(error); // sold_out under another name is left
  }
}
