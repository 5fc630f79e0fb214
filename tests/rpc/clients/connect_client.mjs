// Connect's client for node against each application: node connect_client.mjs SERVER FOLDER
//
// Each scenario, by each kind of call, over Connect, gRPC-Web and gRPC, shows the code, message, id, retry delay and
// details of scenarios.json, and after it the connection serves a success.

import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { codeFromString } from "@connectrpc/connect/protocol-connect";

import { differences, echo, end, failures, google, rows, server, TEXTS } from "./expected.mjs";

const { apps, key } = server;

/** Those with Connect; to the others nobody answers. */
const speaksConnect = Object.entries(apps).filter(([app]) => ["mixed", "dead"].includes(app));

function* ways() {
  for (const httpVersion of ["1.1", "2"]) {
    for (const [app, url] of speaksConnect) {
      for (const useBinaryFormat of [true, false]) {
        const options = { baseUrl: `${url}/connect`, httpVersion, useBinaryFormat };
        const name = `Connect ${useBinaryFormat ? "proto" : "JSON"}, HTTP/${httpVersion}, ${app}`;
        yield { name, app, connect: true, transport: createConnectTransport(options) };
        const transport = createConnectTransport({ ...options, useHttpGet: true });
        yield { name: `${name}, GET`, app, connect: true, get: true, transport };
      }
    }
    for (const [app, baseUrl] of Object.entries(apps)) {
      const transport = createGrpcWebTransport({ baseUrl, httpVersion });
      yield { name: `gRPC-Web, HTTP/${httpVersion}, ${app}`, app, transport };
    }
  }
  for (const [app, baseUrl] of Object.entries(apps)) {
    yield { name: `gRPC, ${app}`, app, transport: createGrpcTransport({ baseUrl }) };
  }
}

/** The calls of a row: what has no side effects can be asked by GET, as long as it fits into a URL. */
function calls(way, row) {
  const calls = row.calls ?? Object.keys(TEXTS);
  return way.get ? calls.filter((call) => call === "Say" && !row.big) : calls;
}

/** What came of a call: the texts, the error, the metadata of its head and of its end. */
async function ask(way, call, row) {
  const client = createClient(echo.getService(`echo.v1.${row.service ?? "Echo"}`), way.transport);
  const last = { text: row.big ? "x".repeat(1024 * 1024 + 1) : "hello", count: 3 };
  const all = [{ text: "one" }, { text: "two" }, last];
  const seen = { texts: [], metadata: new Headers() };
  const note = (headers) => headers.forEach((value, name) => seen.metadata.set(name, value));
  const options = { headers: headers(way, row), onHeader: note, onTrailer: note, signal: AbortSignal.timeout(60_000) };
  try {
    const answer = client[call.toLowerCase()](["Collect", "Talk"].includes(call) ? stream(all) : last, options);
    for await (const words of ["Say", "Collect"].includes(call) ? [await answer] : answer) seen.texts.push(words.text);
  } catch (error) {
    const { code, rawMessage, metadata } = ConnectError.from(error);
    note(metadata);
    seen.error = { code, message: rawMessage, details: ConnectError.from(error).findDetails(google) };
  }
  return seen;
}

async function* stream(messages) {
  yield* messages;
}

/** A call's own time-out stands in its header alone: the client's clock would outrun the server's word. */
function headers(way, row) {
  const headers = { "x-scenario": row.scenario ?? "" };
  if (row.token) headers.authorization = `Bearer ${row.token}`;
  if (row.deadline_ms && way.connect) headers["connect-timeout-ms"] = `${row.deadline_ms}`;
  if (row.deadline_ms && !way.connect) headers["grpc-timeout"] = `${row.deadline_ms}m`;
  return headers;
}

const everyWay = [...ways()];
const wrong = [];
for (const row of rows) {
  let met = 0;
  for (const way of everyWay.filter(({ app }) => (app === "dead") === (row.app === "dead"))) {
    for (const call of calls(way, row)) {
      const code = way.connect ? codeFromString(row.connect) : row.grpc;
      const found = differences(row, code, await ask(way, call, row));
      if (way.app !== "dead") {
        found.push(...failures(call, await ask(way, call, {})).map((what) => `the next one: ${what}`));
      }
      wrong.push(...found.map((what) => `${row.name}: ${way.name}, ${call}: ${what}`));
      met += 1;
    }
  }
  console.log(`${row.name}: ${met} calls, ${row.grpc} ${row.connect} ${row.code}`);
}
const unlocked = { service: "Vault", token: key };
const alive = everyWay.filter(({ app }) => app !== "dead");
for (const way of alive) {
  for (const call of calls(way, {})) {
    const found = failures(call, await ask(way, call, unlocked));
    wrong.push(...found.map((what) => `the vault with its key: ${way.name}, ${call}: ${what}`));
  }
}
console.log(`the vault with its key: ${alive.length} ways`);
end(wrong);
