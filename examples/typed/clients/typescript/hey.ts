// With @hey-api/openapi-ts.
import { createClient } from "./made/hey/client/index.js";
import { place, show as getOrder } from "./made/hey/sdk.gen.js";
import { unlisted } from "./unlisted.js";

interface Options {
  baseUrl: string;
  fetch?: typeof fetch;
}

export async function order(options: Options, sku: string, quantity: number): Promise<string> {
  const client = createClient(options);
  const { data, error } = await place({ client, headers: { "x-tenant": "a" }, body: { sku, quantity } });
  if (error === undefined) return `order ${data.id}`;
  if (error.error.code === "sold_out") return `${error.error.details.left.toFixed()} left`;
  // @ts-expect-error: an order needs no credentials.
  void (error.error.code === "auth_missing");
  return error.error.message;
}

export async function show(options: Options, id: number): Promise<string> {
  const { data, error } = await getOrder({ client: createClient(options), path: { id } });
  if (error === undefined) return `order ${data.id}`;
  switch (error.error.code) {
    case "auth_missing":
    case "auth_malformed":
    case "auth_invalid":
    case "auth_expired":
      return "log in";
    case "invalid_request":
      return error.error.details.issues.map(({ message }) => message).join();
    case "bad_request":
    case "not_found":
    case "internal_error":
    case "gateway_timeout":
      return error.error.message;
    default:
      return unlisted(error.error);
  }
}
