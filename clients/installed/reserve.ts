// A program of an empty project. A request whose error has the organisation's own code, with the advice `no`, is sent once.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { codesOf, fetchWithRetry, parseError, type ClientError } from "error-envelope-client";
import exported from "./errors.json" with { type: "json" };

const codes = codesOf(exported);
let asked = 0;
const server = createServer((request, response) => {
  asked += 1;
  const code = request.url === "/own" ? "seat_lost" : "service_unavailable";
  response.writeHead(503, { "content-type": "application/json", "retry-after": "0" });
  const error = { code, message: "The seat is lost." };
  response.end(JSON.stringify({ error, request_id: "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D" }));
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;

async function reserve(path: string): Promise<ClientError | undefined> {
  asked = 0;
  const response = await fetchWithRetry(`http://127.0.0.1:${port}${path}`, { method: "PUT" }, { codes });
  return parseError(response, { codes });
}

const own = await reserve("/own");
assert.deepEqual([own?.code, own?.retry, asked], ["seat_lost", "no", 1]);
const known = await reserve("/");
assert.deepEqual([known?.code, known?.retry, asked], ["service_unavailable", "backoff", 4]);
server.close();
console.log("installed: the organisation's own code is sent once");
