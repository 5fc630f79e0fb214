// Prints a module with a switch over every code: node exhaustive.mjs errors.json
//
// It is compiled against codes that came later, too: a new code breaks no build.

import { readFileSync } from "node:fs";

const { codes } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const cases = codes.map(({ code, status }) => `    case "${code}":\n      return ${status};`);
console.log(`import type { ErrorCode } from "./errors.js";

export function statusOf(code: ErrorCode): number {
  switch (code) {
${cases.join("\n")}
    default:
      return 500;
  }
}`);
