// The error contract, version {{ version }}.
// Written by `error-envelope catalogue --format typescript`: do not edit.
{% include "codes.ts" %}

/** The body of every error response. */
export interface ErrorEnvelope<Code extends ErrorCode = ErrorCode> {
  error: {
    /** What to match on: it never changes its meaning. */
    code: Code;
    /** One line for people, free to change. */
    message: string;
    /** Any JSON value; absent where there is none. */
    details?: unknown;
    /** What a client may do: it counts more than the advice of the code. Absent where the service adds none. */
    retry?: Retry | undefined;
    /** The https address of the page about the code; absent where there is none. */
    docs?: string | undefined;
  };
  /** The same as in the header `x-request-id`: quote it when you ask for help. */
  request_id: string;
}

/** What is wrong at one place of an invalid request. */
export interface Issue {
  /** Names and indices that lead to the value; empty for the whole request. */
  path: (string | number)[];
  message: string;
  code?: string;
}

/** The details of a code, where a schema declares them. A service may add members, and may send none at all. */
export interface ErrorDetails {
{% for code in codes if code.details %}
{% if code.details.about %}
  /** {{ code.details.about | comment }} */
{% endif %}
  {{ code.name }}: {{ code.details.typescript }};
{% endfor %}
}

/** The details of a code; anything where no schema declares them. */
export type DetailsOf<Code extends string> = Code extends keyof ErrorDetails ? ErrorDetails[Code] : unknown;

/** An error whose code is listed, to switch over. */
export type KnownError = {
  [Code in KnownErrorCode]: { code: Code; message: string; details?: DetailsOf<Code> };
}[KnownErrorCode];

/** A part of JSON Schema. */
interface Schema {
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  properties?: { [name: string]: Schema };
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
}
{% for shape in shapes %}

/** {{ shape.about | comment }} */
export type {{ shape.name }} = {{ shape.typescript }};
{% endfor %}

const DETAILS: { [code: string]: Schema } = {
{% for code in codes if code.details %}
  {{ code.name }}: {{ code.details.checks }},
{% endfor %}
};

const CODE = /{{ code_form }}/;
const MESSAGE = /{{ message_form }}/;
const MAX_MESSAGE = {{ max_message }};
const REQUEST_ID = /{{ request_id_form }}/;
const RETRY = /^(no|backoff|refresh)$/;
const DOCS = /{{ docs | replace('/', '\\/') }}/;
const MAX_DOCS = {{ max_docs }};

/** Whether a value, such as a parsed body, is an envelope. */
export function isErrorEnvelope(value: unknown): value is ErrorEnvelope {
  if (!isObject(value) || !isObject(value.error)) return false;
  const { code, message, retry, docs } = value.error;
  return (
    isOfForm(code, CODE) &&
    isOfForm(message, MESSAGE) &&
    message.length <= MAX_MESSAGE &&
    isOfForm(value.request_id, REQUEST_ID) &&
    (retry === undefined || isOfForm(retry, RETRY)) &&
    (docs === undefined || (isOfForm(docs, DOCS) && docs.length <= MAX_DOCS)) &&
    (code !== "invalid_request" || value.error.details !== undefined)
  );
}

/** Whether an envelope has this very code. */
export function hasCode<Code extends KnownErrorCode>(
  envelope: ErrorEnvelope,
  code: Code,
): envelope is ErrorEnvelope<Code> {
  return envelope.error.code === code;
}

/** What a client may do after this error: its own advice, else that of its code. */
export function adviceOf(envelope: ErrorEnvelope): Retry {
  return envelope.error.retry ?? retryOf(envelope.error.code);
}

/** The issues of an envelope, in the shape of Zod's; none where it has no list of them. */
export function issuesOf(envelope: ErrorEnvelope): Issue[] {
  const { details } = envelope.error;
  const issues = isObject(details) ? details.issues : undefined;
  return Array.isArray(issues) && issues.every(isIssue) ? issues : [];
}

function isIssue(value: unknown): value is Issue {
  const isStep = (step: unknown) => typeof step === "string" || (Number.isInteger(step) && (step as number) >= 0);
  return (
    isObject(value) &&
    Array.isArray(value.path) &&
    value.path.every(isStep) &&
    typeof value.message === "string" &&
    (value.code === undefined || typeof value.code === "string")
  );
}

function isOfForm(value: unknown, form: RegExp): value is string {
  return typeof value === "string" && form.test(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** The details of an envelope, where it has this code and they fit the schema of the code. */
export function detailsOf<Code extends keyof ErrorDetails>(
  envelope: ErrorEnvelope,
  code: Code,
): ErrorDetails[Code] | undefined {
  const known = envelope.error.code === code ? knownErrorOf(envelope) : undefined;
  return known?.details as ErrorDetails[Code] | undefined;
}

/**
 * The error of an envelope, to switch over its code; none where the code is not listed.
 *
 * Details that do not fit the schema of the code are left out: a service may send others.
 */
export function knownErrorOf(envelope: ErrorEnvelope): KnownError | undefined {
  const { code, message, details } = envelope.error;
  if (!isKnownErrorCode(code)) return undefined;
  const schema = own(DETAILS, code);
  const error = details === undefined || (schema && !fits(schema, details)) ? { code, message } : { code, message, details };
  return error as KnownError;
}

function fits(schema: Schema, value: unknown): boolean {
  if (schema.anyOf) return schema.anyOf.some((form) => fits(form, value));
  const types = schema.type === undefined ? [] : ([] as string[]).concat(schema.type);
  if (types.length > 0 && !types.some((type) => isOfType(value, type))) return false;
  if (schema.enum && schema.enum.indexOf(value) < 0) return false;
  if (schema.const !== undefined && schema.const !== value) return false;
  if (typeof value === "string") return isWithin([...value].length, schema.minLength, schema.maxLength);
  if (typeof value === "number") return isWithin(value, schema.minimum, schema.maximum);
  const { items, properties = {}, required = [], additionalProperties = true } = schema;
  if (Array.isArray(value)) {
    return isWithin(value.length, schema.minItems, schema.maxItems) && (!items || value.every((one) => fits(items, one)));
  }
  if (!isObject(value)) return true;
  return (
    required.every((name) => own(value, name) !== undefined) &&
    Object.keys(value).every((name) => {
      const member = own(properties, name) ?? additionalProperties;
      return typeof member === "boolean" ? member : fits(member, value[name]);
    })
  );
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value) && !Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function isWithin(number: number, least = -Infinity, most = Infinity): boolean {
  return number >= least && number <= most;
}

function own<Value>(object: { [name: string]: Value }, name: string): Value | undefined {
  return Object.prototype.hasOwnProperty.call(object, name) ? object[name] : undefined;
}
