// What Connect's client does not speak or show, asked by fetch: node raw.mjs SERVER FOLDER
//
// grpc-web-text, whose errors stand in the head or in a frame of trailers behind the messages; and over Connect the
// HTTP status and content type of each answer.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";

import { differences, echo, end, failures, google, rows, server } from "./expected.mjs";

const { apps, key } = server;
const Words = echo.getMessage("echo.v1.Words");
const Status = google.getMessage("google.rpc.Status");
const TRAILERS = 0x80;
const END_STREAM = 0x02;

/** Asks for one thing, or for one thing three times, in grpc-web-text. */
async function ask(app, call, row) {
  const body = frame(toBinary(Words, words(row))).toString("base64");
  const type = "application/grpc-web-text+proto";
  const url = `${apps[app]}/echo.v1.${row.service ?? "Echo"}/${call}`;
  const response = await post(url, row, { "content-type": type, accept: type }, body);
  const metadata = new Headers(response.headers);
  const texts = [];
  for (const [flags, payload] of frames(undone(await response.text()))) {
    if (flags & TRAILERS) trailers(payload).forEach(([name, value]) => metadata.set(name, value));
    else texts.push(fromBinary(Words, payload).text);
  }
  const http = `${response.status} ${response.headers.get("content-type")}`;
  return { texts, metadata, error: errorOf(metadata), wrong: http === `200 ${type}` ? [] : [`HTTP ${http}`] };
}

/** What fetch throws is no answer. */
function broken({ name, message }) {
  return { texts: [], metadata: new Headers(), error: { code: name, message, details: [] }, wrong: [] };
}

function errorOf(metadata) {
  const code = Number(metadata.get("grpc-status"));
  if (metadata.get("grpc-status") === "0") return undefined;
  const bytes = Buffer.from(metadata.get("grpc-status-details-bin") ?? "", "base64");
  const unpack = ({ typeUrl, value }) => fromBinary(google.getMessage(typeUrl.split("/").pop()), value);
  const details = fromBinary(Status, bytes).details.map(unpack);
  return { code, message: decodeURIComponent(metadata.get("grpc-message")), details };
}

/** Asks over Connect in JSON, and says how the HTTP around the answer is another one. */
async function around(call, row) {
  const unary = call === "Say";
  const type = unary ? "application/json" : "application/connect+json";
  const json = Buffer.from(JSON.stringify(words(row)));
  const path = `/connect/echo.v1.${row.service ?? "Echo"}/${call}`;
  const headers = { "content-type": type, "connect-protocol-version": "1" };
  const response = await post(apps.mixed + path, row, headers, unary ? json : frame(json));
  const body = Buffer.from(await response.arrayBuffer());
  const error = JSON.parse(unary ? body : last(body, END_STREAM)).error;
  const is = [response.status, response.headers.get("content-type"), unary ? JSON.parse(body).code : error?.code];
  const should = [unary ? row.http : 200, type, row.connect];
  return `${is}` === `${should}` ? [] : [`${is}, not ${should}`];
}

function post(url, row, headers, body) {
  const token = row.token && { authorization: `Bearer ${row.token}` };
  // Both protocols' names for it: each server looks at its own.
  const ms = row.deadline_ms && { "grpc-timeout": `${row.deadline_ms}m`, "connect-timeout-ms": `${row.deadline_ms}` };
  headers = { ...headers, ...token, ...ms, "x-scenario": row.scenario ?? "" };
  return fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(60_000) });
}

function words(row) {
  return create(Words, { text: row.big ? "x".repeat(1024 * 1024 + 1) : "hello", count: 3 });
}

function frame(payload) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
}

function* frames(body) {
  while (body.length > 0) {
    const end = 5 + body.readUInt32BE(1);
    yield [body[0], body.subarray(5, end)];
    body = body.subarray(end);
  }
}

function last(body, flag) {
  return [...frames(body)].find(([flags]) => flags & flag)?.[1];
}

/** Base64 in pieces, each with its own padding. */
function undone(text) {
  return Buffer.concat((text.match(/[^=]+=*/g) ?? []).map((piece) => Buffer.from(piece, "base64")));
}

function trailers(payload) {
  const lines = payload.toString("latin1").trimEnd().split("\r\n");
  return lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]);
}

const wrong = [];
for (const row of rows) {
  let met = 0;
  for (const call of row.calls ?? ["Say", "Repeat"]) {
    if (call === "Talk") continue;
    for (const app of Object.keys(apps)) {
      const seen = await ask(app, call, row).catch(broken);
      const found = [...seen.wrong, ...differences(row, row.grpc, seen)];
      found.push(...failures(call, await ask(app, call, {})).map((what) => `the next one: ${what}`));
      wrong.push(...found.map((what) => `${row.name}: grpc-web-text, ${app}, ${call}: ${what}`));
      met += 1;
    }
    wrong.push(...(await around(call, row)).map((what) => `${row.name}: Connect, ${call}: ${what}`));
    met += 1;
  }
  console.log(`${row.name}: ${met} calls, HTTP 200 ${row.grpc} and ${row.http} ${row.connect}`);
}
const unlocked = await ask("mixed", "Repeat", { service: "Vault", token: key });
wrong.push(...failures("Repeat", unlocked).map((what) => `the vault: ${what}`));
end(wrong);
