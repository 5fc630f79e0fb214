import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { ClientError, isRetryable, parseError, retryAfter } from "error-envelope-client";
import { errorEnvelope } from "error-envelope-client/zod";
import { Clock } from "./clock.mjs";

const cases = JSON.parse(await readFile(new URL("../../cases/parse.json", import.meta.url), "utf8"));

/** Returns the error in the form of the cases, which list only the fields that it has. */
function said(error) {
  if (error === undefined) return null;
  assert.ok(error instanceof ClientError && error instanceof Error);
  const { status, code, rawCode, message, details, issues, requestId, retry, retryAfter, docs } = error;
  return {
    status,
    code,
    ...(rawCode === undefined ? {} : { raw_code: rawCode }),
    message,
    ...(details === undefined ? {} : { details }),
    ...(issues.length === 0 ? {} : { issues }),
    ...(requestId === undefined ? {} : { request_id: requestId }),
    retry,
    ...(retryAfter === undefined ? {} : { retry_after_ms: retryAfter }),
    ...(docs === undefined ? {} : { docs }),
  };
}

test("each shared case is read", async (t) => {
  const ours = cases.filter(({ only }) => only === undefined || only.includes("typescript"));
  assert.ok(ours.length > 20, "the cases are there");
  for (const { name, status, headers = [], body, now, expect } of ours) {
    await t.test(name, async () => {
      const response = new Response(body, { status, headers });
      const error = await parseError(response, { now: () => (now === undefined ? 0 : Date.parse(now)) });
      assert.deepEqual(said(error), expect);
      assert.equal(await response.text(), body, "the body is there still");
    });
  }
});

test("a line for the log has no details", async () => {
  const body = { error: { code: "conflict", message: "a\nb", details: { token: "s3cr3t" } }, request_id: "r1" };
  const error = await parseError(Response.json(body, { status: 409 }));
  assert.equal(String(error), "409 conflict: a b (r1)");
  assert.equal(isRetryable(error), false);
});

test("what was read, is too long, or breaks off leaves it to the head", async () => {
  const body = JSON.stringify({ error: { code: "conflict", message: "Taken." }, request_id: "r1" });
  const head = { status: 503, headers: { "x-error-code": "no_qr" } };
  const read = new Response(body, head);
  await read.text();
  const broken = new ReadableStream({
    pull(controller) {
      controller.error(new TypeError("reset"));
    },
  });
  const whole = new Response(body, head);
  assert.equal((await parseError(whole, { limit: body.length })).code, "conflict");
  for (const [response, options] of [
    [read, {}],
    [new Response(body, head), { limit: body.length - 1 }],
    [new Response(broken, head), {}],
    [new Response("{", head), {}],
    [new Response("[]", head), {}],
    [new Response(new Uint8Array([0xff]), head), {}],
    [new Response(null, head), {}],
  ]) {
    assert.equal((await parseError(response, options)).code, "no_qr");
  }
});

test("a body that does not come is not waited for", async () => {
  const clock = new Clock();
  const stuck = new Response(new ReadableStream({}), { status: 504 });
  const error = await clock.run(() => parseError(stuck, { time: 2000 }));
  assert.equal(error.code, "gateway_timeout");
  assert.deepEqual([clock.now, clock.left], [2000, 0]);
});

test("what is no form of retry-after is none", () => {
  const of = (value) => retryAfter(new Response(null, { headers: { "retry-after": value } }), () => 0);
  for (const value of ["soon", "1.5", "-1", "", "1e3", "0x10", "2026", "Sun, 99 Foo 1994 08:49:37 GMT", "2026-01-01T00:00:00Z"]) {
    assert.equal(of(value), value === "2026" ? 2_026_000 : undefined, value);
  }
  assert.equal(of("99999999999999999999"), 315_576_000_000_000);
});

test("the schema takes what parseError takes", () => {
  const envelope = { error: { code: "seat_taken", message: "Taken." }, request_id: "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D" };
  assert.equal(errorEnvelope.safeParse(envelope).success, true);
  assert.equal(errorEnvelope.safeParse({}).success, false);
});
