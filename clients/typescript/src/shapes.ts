// The shapes that a service with the contract writes, and the places of their parts.

import { adviceOf, type Codes, docsIn, retryIn } from "./codes.js";
import { type ErrorCode, type Issue, type Retry } from "./errors.js";

/** The content of an error body of any shape. */
export interface Said {
  /** The code of an envelope. */
  canonical?: ErrorCode | undefined;
  /** The code of another shape. */
  name?: string | undefined;
  /** The HTTP status of a Connect error. */
  connect?: number | undefined;
  message?: string | undefined;
  /** Absent if there are none. */
  details?: unknown;
  requestId?: string | undefined;
  retry?: Retry | undefined;
  docs?: string | undefined;
}

type Members = Record<string, unknown>;

/** Connect's names of gRPC's statuses, and their HTTP statuses. */
const CONNECT: Readonly<Record<string, number>> = {
  canceled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
};

const CODE = /^[a-z][a-z0-9_]{0,62}$/;

export function readBody(body: Members, codes: Codes): Said {
  const meta = isObject(body["meta"]) ? body["meta"]["request_id"] : undefined;
  const requestId = text(body["request_id"]) ?? text(meta);
  const error = body["error"];
  if (isObject(error) && body["jsonrpc"] === "2.0") return { requestId, ...readJsonRpc(error, codes) };
  if (isObject(error)) {
    const name = text(error["code"]) ?? reasonIn(error["details"]) ?? text(error["status"]) ?? text(error["type"]);
    const isEnvelope = (body["request_id"] ?? null) !== null && typeof error["message"] === "string";
    const canonical = isEnvelope ? codeOf(error["code"], codes) : undefined;
    return { canonical, name, message: text(error["message"]), ...detailsOfError(error), requestId, ...adviceIn(error) };
  }
  if (body["success"] === false && typeof error === "string") {
    const { success: _, error: message, ...details } = body;
    return { message: text(message), ...(Object.keys(details).length > 0 ? { details } : {}), requestId };
  }
  const message = text(body["detail"]) ?? text(body["message"]) ?? text(error) ?? text(body["title"]);
  const name = text(body["code"]);
  const isConnect = name !== undefined && Object.hasOwn(CONNECT, name) && Object.keys(body).every(isConnects);
  const connect = isConnect ? CONNECT[name] : undefined;
  // Connect's details are messages of protobuf.
  const details = connect === undefined ? withIssues(detailsOf(body), issuesByField(body["errors"])) : {};
  return { name, connect, message, ...details, requestId };
}

/** Reads a JSON-RPC error. A layer's code, id and advice are in the data. Any other server's data are details. */
function readJsonRpc(error: Members, codes: Codes): Said {
  const { code, data } = error;
  const message = text(error["message"]);
  const name = isObject(data) ? text(data["code"]) : undefined;
  if (isObject(data) && name !== undefined && "request_id" in data) {
    const requestId = text(data["request_id"]);
    return { canonical: codeOf(name, codes), name, message, ...detailsOf(data), requestId, ...adviceIn(data) };
  }
  const number = Number.isInteger(code) ? String(code) : undefined;
  return { name: name ?? number, message, ...("data" in error ? { details: data } : {}), ...adviceIn(error) };
}

function adviceIn(object: Members): { retry?: Retry | undefined; docs?: string | undefined } {
  return { retry: retryIn(object["retry"]), docs: docsIn(object["docs"]) };
}

function isConnects(member: string): boolean {
  return member === "code" || member === "message" || member === "details";
}

function detailsOf(object: Members): { details?: unknown } {
  return "details" in object ? { details: object["details"] } : {};
}

function detailsOfError(error: Members): { details?: unknown } {
  const { message, param, details } = error;
  if (typeof error["status"] === "string" && Array.isArray(details)) return detailsOfGoogle(details);
  const named = typeof param === "string" && typeof message === "string" ? [{ path: pathOf(param), message }] : [];
  return withIssues(detailsOf(error), named);
}

/** Reads messages of google.rpc: the metadata of the reason, and violations by field. */
function detailsOfGoogle(messages: unknown[]): { details?: unknown } {
  const metadata = googles(messages, "ErrorInfo")[0]?.["metadata"];
  const violations = googles(messages, "BadRequest").flatMap((it) => (Array.isArray(it["fieldViolations"]) ? it["fieldViolations"] : []));
  const issues = violations.filter(isObject).flatMap(({ field, description }) => {
    return typeof description === "string" ? [{ path: pathOf(text(field) ?? ""), message: description }] : [];
  });
  return withIssues(isObject(metadata) && Object.keys(metadata).length > 0 ? { details: metadata } : {}, issues);
}

function reasonIn(details: unknown): string | undefined {
  return Array.isArray(details) ? text(googles(details, "ErrorInfo")[0]?.["reason"]) : undefined;
}

function googles(messages: unknown[], name: string): Members[] {
  return messages.filter(isObject).filter((it) => text(it["@type"])?.split("/").pop() === `google.rpc.${name}`);
}

/** Reads issues of the form `{"field":["a text"]}`. Any other form has none. */
function issuesByField(errors: unknown): Issue[] {
  if (!isObject(errors)) return [];
  const issues = Object.entries(errors).flatMap(([field, texts]) =>
    Array.isArray(texts) ? texts.map((message: unknown) => ({ path: pathOf(field), message })) : [{ path: [], message: 0 }],
  );
  return issues.every(isIssue) ? issues : [];
}

function withIssues(said: { details?: unknown }, issues: Issue[]): { details?: unknown } {
  if (issues.length === 0 || issuesIn(said.details).length > 0) return said;
  return { details: { ...(isObject(said.details) ? said.details : {}), issues } };
}

/** Splits `messages[0].content` and `messages.0.content` into their steps. */
function pathOf(name: string): (string | number)[] {
  const steps = name.split(/[.[\]]/).filter((step) => step !== "");
  return steps.map((step) => (/^(0|[1-9]\d{0,8})$/.test(step) ? Number(step) : step));
}

/** Returns a code in the form of the contract. If `codes` are given, a known code may also be in capitals. */
export function codeOf(value: unknown, codes?: Codes): ErrorCode | undefined {
  if (typeof value !== "string") return undefined;
  if (CODE.test(value)) return value;
  const known = value.toLowerCase();
  return codes && value === value.toUpperCase() && adviceOf(codes, known) ? known : undefined;
}

/** Returns the list of issues. It is empty if there is no well-formed list. */
export function issuesIn(details: unknown): Issue[] {
  const issues = isObject(details) ? details["issues"] : undefined;
  return Array.isArray(issues) && issues.every(isIssue) ? issues : [];
}

function isIssue(value: unknown): value is Issue {
  if (!isObject(value)) return false;
  const { path, message, code } = value;
  const isStep = (step: unknown) => typeof step === "string" || (Number.isInteger(step) && (step as number) >= 0);
  const hasCode = code === undefined || typeof code === "string";
  return Array.isArray(path) && path.every(isStep) && typeof message === "string" && hasCode;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function isObject(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
