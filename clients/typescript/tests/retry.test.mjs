import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { test } from "node:test";

import { codesOf, fetchWithRetry, parseError } from "error-envelope-client";
import { Clock } from "./clock.mjs";

const cases = JSON.parse(await readFile(new URL("../../cases/retry.json", import.meta.url), "utf8"));

/** Returns a `fetch` that returns one response after the other, and the times of its calls. */
function server(clock, answers) {
  const left = [...answers];
  const asked = [];
  const send = async (input, init) => {
    asked.push({ at: clock.now, body: input instanceof Request ? await input.text() : init?.body });
    const answer = left.shift();
    assert.ok(answer, "one more request than there are answers");
    if (answer.fails) throw new TypeError("fetch failed");
    const { status, headers = [], body } = answer;
    return new Response(status === 204 ? null : body, { status, headers });
  };
  const waits = () => asked.slice(1).map(({ at }, index) => at - asked[index].at);
  return { send, asked, waits, left };
}

test("each shared case is sent again as told", async (t) => {
  assert.ok(cases.length > 10, "the cases are there");
  for (const { name, method, repeatable = false, share = 0.5, now, attempts, most_ms, total_ms, answers, expect } of cases) {
    await t.test(name, async () => {
      const clock = new Clock();
      const { send, waits, left } = server(clock, answers);
      const options = {
        fetch: send,
        repeatable,
        random: () => share,
        now: () => Date.parse(now ?? "Sun, 06 Nov 1994 08:49:37 GMT"),
        ...(attempts === undefined ? {} : { attempts }),
        ...(most_ms === undefined ? {} : { most: most_ms }),
        ...(total_ms === undefined ? {} : { total: total_ms }),
      };
      const sent = clock.run(() => fetchWithRetry("http://test.example/", { method }, options));
      const status = await sent.then((response) => response.status, (error) => {
        assert.ok(error instanceof TypeError, String(error));
        return null;
      });
      assert.deepEqual({ waits_ms: waits(), status }, expect);
      assert.deepEqual([left.length, clock.left], [0, 0]);
    });
  }
});

test("the last response has its body unread", async () => {
  const clock = new Clock();
  const { send } = server(clock, [{ status: 503, body: "one" }, { status: 404, body: "two" }]);
  const response = await clock.run(() => fetchWithRetry("http://test.example/", {}, { fetch: send }));
  assert.equal(await response.text(), "two");
});

test("a request with a body is sent again with it", async () => {
  const clock = new Clock();
  const { send, asked } = server(clock, [{ status: 503, body: "" }, { status: 503, body: "" }, { status: 200, body: "" }]);
  const request = new Request("http://test.example/", { method: "PUT", body: "whole" });
  await clock.run(() => fetchWithRetry(request, {}, { fetch: send }));
  assert.deepEqual(asked.map(({ body }) => body), ["whole", "whole", "whole"]);
});

test("a body that is a stream is sent once", async () => {
  async function* chunks() {
    yield new TextEncoder().encode("once");
  }
  for (const body of [new ReadableStream({}), Readable.from(["once"]), chunks()]) {
    const clock = new Clock();
    const { send, asked } = server(clock, [{ status: 503, body: "" }]);
    const init = { method: "PUT", body, duplex: "half" };
    const response = await clock.run(() => fetchWithRetry("http://test.example/", init, { fetch: send }));
    assert.deepEqual([response.status, asked.length], [503, 1], String(body));
  }
});

test("a signal ends the wait, with its reason", async () => {
  for (const [name, given] of [
    ["of init", (signal) => ["http://test.example/", { signal }]],
    ["of the request", (signal) => [new Request("http://test.example/", { signal }), {}]],
  ]) {
    const clock = new Clock();
    const { send, asked } = server(clock, [{ status: 503, headers: [["retry-after", "50"]], body: "" }]);
    const controller = new AbortController();
    const reason = new Error("enough");
    const sent = clock.run(() => {
      const [input, init] = given(controller.signal);
      setTimeout(() => controller.abort(reason), 20_000);
      return fetchWithRetry(input, init, { fetch: send });
    });
    await assert.rejects(sent, (error) => error === reason, name);
    assert.deepEqual([asked.length, clock.now, clock.left], [1, 20_000, 0], name);
  }
});

test("a signal that was aborted sends nothing", async () => {
  const clock = new Clock();
  const { send, asked } = server(clock, []);
  await assert.rejects(fetchWithRetry("http://test.example/", { signal: AbortSignal.abort() }, { fetch: send }), { name: "AbortError" });
  assert.equal(asked.length, 0);
});

test("an error of one's own is not the connection's", async () => {
  let sent = 0;
  const send = () => {
    sent += 1;
    return Promise.reject(new RangeError("mine"));
  };
  await assert.rejects(fetchWithRetry("http://test.example/", {}, { fetch: send, base: 1 }), RangeError);
  assert.equal(sent, 1);
});

test("the advice of an organisation's own codes is followed", async () => {
  const body = (code) => JSON.stringify({ error: { code, message: "" }, request_id: "r" });
  const codes = codesOf({ codes: [{ code: "seat_taken", status: 409, retry: "no", message: "The seat is taken." }] });
  for (const [code, options, times] of [["seat_taken", { codes }, 1], ["SEAT_TAKEN", { codes }, 1], ["seat_taken", {}, 4]]) {
    const clock = new Clock();
    const { send, asked } = server(clock, Array(times).fill({ status: 409, body: body(code) }));
    const response = await clock.run(() => fetchWithRetry("http://test.example/", {}, { fetch: send, ...options }));
    const error = await parseError(response, options);
    assert.deepEqual([asked.length, error.code], [times, "seat_taken"]);
    if (options.codes) assert.deepEqual([error.retry, error.message], ["no", "The seat is taken."]);
  }
});
