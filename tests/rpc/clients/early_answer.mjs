// A Connect service over HTTP/2 that answers before it has read a call, behind the gateway, and Connect's client over HTTP/1.1
// before it: node early_answer.mjs GATEWAY_COMMAND FOLDER
//
// The error of each call arrives, and the next call on the client's connections is served (F7).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http2";
import { createInterface } from "node:readline";

import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport } from "@connectrpc/connect-node";

const [command, folder] = process.argv.slice(2);
const ROUNDS = 50;
const sizes = [100, 20_000, 60_000, 100_000, 300_000, 900_000];

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(`${folder}/echo.bin`)));
const echo = registry.getService("echo.v1.Echo");

const routes = (router) => router.service(echo, { say: ({ text }) => ({ text: `${text.length}` }) });
const adapter = connectNodeAdapter({ routes });
/** As a limit of calls or of sizes does it: of the call's body nothing is read. */
const early = (request, response) => {
  response.writeHead(429, { "content-type": "application/json" });
  response.end(JSON.stringify({ code: "resource_exhausted", message: "Too many calls." }));
};
const answer = (request, response) => (request.headers["x-early"] ? early : adapter)(request, response);
const service = createServer(answer).listen(0, "127.0.0.1");
service.on("sessionError", () => {});
await once(service, "listening");

const upstream = `http://127.0.0.1:${service.address().port}`;
const gateway = spawn(command, ["gateway", "--listen", "127.0.0.1:0", "--upstream", upstream, "--upstream-h2"], {
  stdio: ["ignore", "pipe", "ignore"],
});
const [line] = await once(createInterface(gateway.stdout), "line");
const baseUrl = line.replace("listening on ", "");

const wrong = [];
try {
  const client = createClient(echo, createConnectTransport({ baseUrl, httpVersion: "1.1" }));
  for (let round = 0; round < ROUNDS; round += 1) {
    const size = sizes[round % sizes.length];
    const headers = { "x-early": "yes" };
    const code = await client.say({ text: "x".repeat(size) }, { headers }).then(() => "no error", (error) => ConnectError.from(error).code);
    const next = await client.say({ text: "hello" }).then(({ text }) => text, (error) => `${error}`);
    if (code !== Code.ResourceExhausted || next !== "5") wrong.push(`${size} bytes: ${code}, then ${next}`);
  }
} finally {
  gateway.kill("SIGKILL");
  service.close();
}
console.log(`${ROUNDS} early answers of Connect's service over HTTP/2, ${wrong.length} wrong`);
assert.deepEqual(wrong, []);
process.exit(0);
