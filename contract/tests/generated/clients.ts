// Usage: node clients.js URL, of the app whose document app.json is. The types are what tsc holds: code that must not
// compile has `@ts-expect-error` above it.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";

import type { paths } from "./fetch/app.js";
import type { components } from "./fetch/errors.js";
import { place, show } from "./hey/app/sdk.gen.js";
import type { ErrorCode } from "./hey/errors/types.gen.js";

const later = "a_code_of_next_year";
const codes: [ErrorCode, components["schemas"]["ErrorCode"]] = [later, later];
// @ts-expect-error A code is a text.
const hey: ErrorCode = 404;
// @ts-expect-error A code is a text.
const fetched: components["schemas"]["ErrorCode"] = 404;
void [codes, hey, fetched];

const baseUrl = process.argv[2];
assert(baseUrl);
const chair = { sku: "chair", quantity: 1 };
const headers = { "x-tenant": "a" };

const ours = createClient<paths>({ baseUrl });
const placed = await ours.POST("/orders", { body: chair, headers });
assert.equal(placed.error?.error.code, "service_unavailable");
const shown = await ours.GET("/orders/{id}", { params: { path: { id: 1 } } });
assert.equal(shown.error?.error.code, "auth_missing");
assert.equal(shown.error.request_id, shown.response.headers.get("x-request-id"));
// @ts-expect-error Not an error of this operation.
void (shown.error.error.code === "payload_too_large");

const theirs = await place({ baseUrl, body: chair, headers });
assert.equal(theirs.error?.error.code, "service_unavailable");
const refused = await show({ baseUrl, path: { id: 1 } });
assert.equal(refused.error?.error.code, "auth_missing");
