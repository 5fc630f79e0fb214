// Tests the client with the gateway whose address is in GATEWAY. `clients/check` starts it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fetchWithRetry, isErrorEnvelope, parseError } from "error-envelope-client";

const gateway = process.env.GATEWAY;
assert.ok(gateway, "GATEWAY is the address of a gateway that serves its tour");

test("what the gateway writes is read", async () => {
  for (const [path, status, code, message, retry] of [
    ["/empty-404", 404, "not_found", "Not found.", "no"],
    ["/html-502", 502, "other", "An upstream provider failed.", "backoff"],
    ["/envelope", 409, "no_qr", "QR not yet ready.", "backoff"],
    ["/express", 409, "conflict", "Name is taken.", "no"],
    ["/panic", 500, "internal_error", "An unexpected error occurred.", "backoff"],
    ["/code-message", 410, "media_gone", "It has aged out.", "refresh"],
  ]) {
    const response = await fetch(gateway + path);
    const error = await parseError(response);
    assert.deepEqual([error.status, error.code, error.message, error.retry], [status, code, message, retry], path);
    assert.equal(error.requestId, response.headers.get("x-request-id"), path);
    assert.ok(isErrorEnvelope(await response.json()), path);
  }
});

test("issues, waits and heads are read", async () => {
  const fields = await parseError(await fetch(`${gateway}/field-errors`));
  assert.deepEqual(fields.issues, [{ path: ["to"], message: "Required." }]);
  assert.equal((await parseError(await fetch(`${gateway}/retry-after`))).retryAfter, 7000);
  const head = await parseError(await fetch(`${gateway}/head-404`, { method: "HEAD" }));
  assert.deepEqual([head.code, head.message], ["not_found", "Not found."]);
  const problem = await fetch(`${gateway}/envelope`, { headers: { accept: "application/problem+json" } });
  assert.equal(problem.headers.get("content-type"), "application/problem+json");
  const { code, message } = await parseError(problem);
  assert.deepEqual([code, message], ["no_qr", "QR not yet ready."]);
  assert.equal(await parseError(await fetch(`${gateway}/ok`)), undefined);
});

test("a real request is sent again", async () => {
  const ids = new Set();
  const counting = async (input, init) => {
    const response = await fetch(input, init);
    ids.add(response.headers.get("x-request-id"));
    return response;
  };
  const response = await fetchWithRetry(`${gateway}/error`, {}, { fetch: counting, attempts: 3, base: 1 });
  assert.deepEqual([response.status, ids.size], [500, 3]);
  assert.equal((await parseError(response)).code, "internal_error");
});
