// Holds real bodies against the modules that a client imports: node parse.mjs TOUR WELLFORMED MALFORMED
//
// Every error body of the tour and every well-formed one parses, with zod and with the type guard; a code that is not
// known is marked transient; every malformed one is rejected by both.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import * as plain from "./out/errors.js";
import * as zod from "./out/errors.zod.js";

const [tour, wellformed, malformed] = process.argv.slice(2).map((file) => readFileSync(file, "utf8"));

const rows = tour.trimEnd().split("\n").map((line) => JSON.parse(line));
const bodies = rows.flatMap(({ name, headers, body }) => {
  const code = headers.find(([header]) => header === "x-error-code")?.[1];
  // What passes in its protocol's own form (R10) is no envelope.
  return code === undefined || body === "" || body.includes('"jsonrpc"') ? [] : [{ name, code, body: JSON.parse(body) }];
});
assert.ok(bodies.length >= 30, `only ${bodies.length} error bodies in the tour`);

function accepted({ name, body }) {
  assert.ok(plain.isErrorEnvelope(body), `the guard refuses ${name}`);
  const parsed = zod.errorEnvelope.parse(body);
  const { code, message, details, docs, known, retry, transient, issues } = parsed.error;
  const own = Object.fromEntries(Object.entries({ details, retry, docs }).filter(([field]) => field in body.error));
  assert.deepEqual({ error: { code, message, ...own }, request_id: parsed.request_id }, body);
  assert.deepEqual([known, retry, transient], [plain.isKnownErrorCode(code), plain.adviceOf(body), retry === "backoff"]);
  if (!("retry" in body.error)) assert.deepEqual([retry, transient], [plain.retryOf(code), plain.isTransient(code)]);
  assert.deepEqual(issues, plain.issuesOf(body), name);
  return parsed;
}

for (const row of bodies) {
  const { error } = accepted(row);
  assert.equal(error.code, row.code, `${row.name}: x-error-code`);
  assert.ok(error.known, `${row.name}: ${error.code}`);
  assert.equal(error.issues.length > 0, error.code === "invalid_request", `${row.name}: issues`);
}

const well = JSON.parse(wellformed).map(accepted);
for (const { error } of well.filter(({ error }) => !error.known)) {
  assert.deepEqual([error.retry, error.transient], ["backoff", true], error.code);
}
assert.deepEqual(well.filter(({ error }) => !error.known).map(({ error }) => error.code), ["seat_taken", "constructor"]);

const wrong = JSON.parse(malformed);
assert.equal(wrong.length, 13);
for (const { name, body } of wrong) {
  assert.ok(!zod.errorEnvelope.safeParse(body).success, `zod takes ${name}`);
  assert.ok(!plain.isErrorEnvelope(body), `the guard takes ${name}`);
}

// Members that the contract does not know are dropped (E7).
const more = { ...JSON.parse(wellformed)[0].body, meta: {} };
assert.ok(!("meta" in zod.errorEnvelope.parse(more)) && plain.isErrorEnvelope(more));

console.log(`zod and the guard take ${bodies.length} bodies of the tour and ${well.length} others, and reject ${wrong.length}`);
