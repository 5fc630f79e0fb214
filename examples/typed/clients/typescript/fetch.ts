// With openapi-typescript and openapi-fetch.
import createClient, { type ClientOptions } from "openapi-fetch";

import type { paths } from "./made/fetch.js";
import { unlisted } from "./unlisted.js";

export async function order(options: ClientOptions, sku: string, quantity: number): Promise<string> {
  const params = { header: { "x-tenant": "a" } };
  const { data, error } = await createClient<paths>(options).POST("/orders", { params, body: { sku, quantity } });
  if (error === undefined) return `order ${data.id}`;
  if (error.error.code === "sold_out") return `${error.error.details.left.toFixed()} left`;
  // @ts-expect-error: an order needs no credentials.
  void (error.error.code === "auth_missing");
  return error.error.message;
}

export async function show(options: ClientOptions, id: number): Promise<string> {
  const { data, error } = await createClient<paths>(options).GET("/orders/{id}", { params: { path: { id } } });
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
