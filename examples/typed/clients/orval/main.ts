// Usage: node main.js URL, of the service whose document app.json is. With orval.
import assert from "node:assert/strict";

import { place, show as getOrder } from "./made/orval.js";

const url = process.argv[2];
assert(url);
const real = globalThis.fetch;
// orval's functions have no address.
globalThis.fetch = (path, init) => real(`${url}${path}`, init);

function unlisted(error: never): string {
  return `${(error as { code: string }).code} is not in the document`;
}

async function order(sku: string, quantity: number): Promise<string> {
  const { data } = await place({ sku, quantity }, { headers: { "x-tenant": "a" } });
  if ("id" in data) return `order ${data.id}`;
  if (data.error.code === "sold_out") return `${data.error.details.left.toFixed()} left`;
  return data.error.message;
}

async function show(id: number): Promise<string> {
  const { status, data } = await getOrder(id);
  if (status === 200) return `order ${data.id}`;
  switch (data.error.code) {
    case "auth_missing":
    case "auth_malformed":
    case "auth_invalid":
    case "auth_expired":
      return "log in";
    case "invalid_request":
      return data.error.details.issues.map(({ message }) => message).join();
    case "bad_request":
    case "not_found":
    case "internal_error":
    case "gateway_timeout":
      return data.error.message;
    default:
      return unlisted(data.error);
  }
}

assert.equal(await order("lamp", 1), "order 1");
assert.equal(await order("lamp", 9), "3 left");
assert.equal(await show(1), "log in");
