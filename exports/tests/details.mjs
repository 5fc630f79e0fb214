// Holds details against the modules that were written with own codes: node details.mjs DETAILS
//
// Zod and the plain module say the same of each: those that are what their code says of them come out with it, others
// are left out, and the envelope is one either way.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import * as plain from "./out/errors.js";
import * as zod from "./out/errors.zod.js";

const rows = JSON.parse(readFileSync(process.argv[2], "utf8"));
assert.ok(rows.length >= 60, `only ${rows.length} details`);

for (const { code, fits, details } of rows) {
  const body = { error: { code, message: "m", details }, request_id: "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D" };
  const name = `${code} ${JSON.stringify(details)}`;
  assert.ok(plain.isErrorEnvelope(body), name);
  const typed = zod.errorEnvelope.parse(body).error.typed;
  const wanted = fits ? details : undefined;
  for (const [who, error] of [["the guard", plain.knownErrorOf(body)], ["zod", typed]]) {
    assert.equal(error.code, code, `${who}: ${name}`);
    assert.deepEqual(error.details, wanted, `${who}: ${name}`);
  }
  assert.deepEqual(plain.detailsOf(body, code), wanted, name);
  assert.deepEqual(zod.errorEnvelope.parse(body).error.details, details, name);
  assert.equal(plain.detailsOf(body, "teapot"), undefined, name);
}

// A code that nobody knows is none of the union, and one without a schema keeps whatever it has.
for (const [code, known] of [["constructor", false], ["teapot", true]]) {
  const body = { error: { code, message: "m", details: [1] }, request_id: "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D" };
  const wanted = known ? { code, message: "m", details: [1] } : undefined;
  assert.deepEqual(plain.knownErrorOf(body), wanted, code);
  assert.deepEqual(zod.errorEnvelope.parse(body).error.typed, wanted, code);
}

console.log(`zod and the guard say the same of ${rows.length} details`);
