// The rows of scenarios.json, and how what a client saw differs from them.

import { readFileSync } from "node:fs";
import { inspect, isDeepStrictEqual } from "node:util";

import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** The line of JSON that the server printed; and where scenarios.json is. */
export const [server, folder] = [JSON.parse(process.argv[2]), process.argv[3]];
const read = (name) => JSON.parse(readFileSync(`${folder}/${name}.json`, "utf8"));

/** What holds behind another process: rows with a text are not for it, and it has rows of its own. */
const behind = (name) => {
  const theirs = read("scenarios").filter((row) => typeof row[name] !== "string");
  return [...theirs.map((row) => ({ ...row, ...row[name] })), ...read(name)];
};

export const rows = server.behind ? behind(server.behind) : read("scenarios");

const registry = (bytes) => createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
export const echo = registry(readFileSync(`${folder}/echo.bin`));
export const google = registry(Buffer.from(server.details, "base64"));

/** What each call answers where nothing is wrong. */
export const TEXTS = {
  Say: ["hello"],
  Collect: ["onetwohello"],
  Repeat: ["hello", "hello", "hello"],
  Talk: ["one", "two", "hello"],
};

/** Each thing that is another one, with what it should be. */
export function differences(row, code, { texts, metadata, error }) {
  if (!error) return [`no error after ${inspect(texts)}`];
  const id = metadata.get("x-request-id");
  const most = row.big ? 2 : (row.after ?? 0);
  return unequal({
    "the code": [error.code, code],
    "the message": [error.message, row.message],
    "x-error-code": [metadata.get("x-error-code"), row.own ? null : row.code],
    "x-request-id, well formed": [/^req_[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(id), true],
    "a secret": [inspect(error, { depth: null }).includes("s3cr3t"), false],
    "the number of messages before it": [texts.length, Math.min(Math.max(texts.length, row.after ?? 0), most)],
    ...details(row, id, error.details),
  });
}

function details(row, id, messages) {
  const named = messages.map((message) => [message.$typeName.replace("google.rpc.", ""), message]);
  const { ErrorInfo, RequestInfo, RetryInfo, BadRequest } = Object.fromEntries(named);
  const violations = BadRequest?.fieldViolations.map(({ field, description }) => ({ field, description }));
  return {
    reason: [ErrorInfo?.reason, row.code.toUpperCase()],
    domain: [ErrorInfo?.domain, row.own ? "echo.example" : "tower-error-envelope"],
    "the details' metadata": [ErrorInfo?.metadata, row.metadata ?? {}],
    RequestInfo: [RequestInfo?.requestId, row.own ? undefined : id],
    RetryInfo: [RetryInfo && Number(RetryInfo.retryDelay.seconds), row.retry_seconds],
    BadRequest: [violations ?? [], row.violations ?? []],
  };
}

/** How a call that nothing was wrong with went another way. */
export function failures(call, { texts, metadata, error }) {
  return unequal({
    "the error": [error?.message, undefined],
    "the texts": [texts, TEXTS[call]],
    "x-greeting": [metadata.get("x-greeting"), "hello"],
    "x-request-id": [metadata.has("x-request-id"), true],
  });
}

function unequal(pairs) {
  const others = Object.entries(pairs).filter(([, [is, should]]) => !isDeepStrictEqual(is, should));
  return others.map(([what, [is, should]]) => `${what} is ${inspect(is)}, not ${inspect(should)}`);
}

/** Says what is wrong, and ends the program. */
export function end(wrong) {
  console.error(wrong.join("\n"));
  process.exit(wrong.length > 0 ? 1 : 0);
}
