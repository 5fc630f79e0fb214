// Usage: node main.js URL, of the service whose document app.json is.
import assert from "node:assert/strict";

import * as fetched from "./fetch.js";
import * as hey from "./hey.js";
import * as ours from "./ours.js";

const url = process.argv[2];
assert(url);

for (const { order, show } of [fetched, hey]) {
  assert.equal(await order({ baseUrl: url }, "lamp", 1), "order 1");
  assert.equal(await order({ baseUrl: url }, "lamp", 9), "3 left");
  assert.equal(await order({ baseUrl: url }, "bed", 1), "The card has expired.");
  assert.equal(await show({ baseUrl: url }, 1), "log in");
}
assert.equal(await ours.order(fetch, url, "lamp", 9), "3 left");
assert.equal(await ours.order(fetch, url, "rug", 1), "129.00 for rug");
assert.equal(await ours.order(fetch, url, "sofa", 1), "limit, 2 more attempts");

// A proxy's code is in no document.
const body = { error: { code: "quota_exceeded", message: "No more today." }, request_id: "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D" };
const proxy = async (): Promise<Response> => Response.json(body, { status: 429 });
for (const { show } of [fetched, hey]) {
  assert.equal(await show({ baseUrl: url, fetch: proxy }, 1), "quota_exceeded is not in the document");
}
assert.equal(await ours.order(proxy, url, "lamp", 1), "quota_exceeded is not in the document");
