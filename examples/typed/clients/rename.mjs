// Usage: node rename.mjs, in a folder of clients. It renames a code in the document as the change in Rust would, makes the
// clients anew, and holds that tsc fails at the lines that name the code and where a switch lacks the new one, and nowhere else.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const [from, to] = ["sold_out", "out_of_stock"];
const document = readFileSync("app.json", "utf8");
const make = () => execFileSync("npm", ["run", "--silent", "make"]);
writeFileSync("app.json", document.replaceAll(from, to));
make();
const { stdout } = spawnSync("node_modules/.bin/tsc", ["--noEmit", "--pretty", "false"], { encoding: "utf8" });
writeFileSync("app.json", document);
make();

const expected = readdirSync(".").filter((name) => name.endsWith(".ts")).flatMap((name) => {
  const lines = readFileSync(name, "utf8").split("\n");
  return lines.flatMap((line, at) => (line.includes(from) ? [`${name}:${at + 1}`] : []));
});
const found = [...stdout.matchAll(/^(\S+)\((\d+),\d+\): error/gm)].map(([, name, line]) => `${name}:${line}`);
console.log(`${from} is ${to} in Rust:\n${stdout}`);
assert.deepEqual([...new Set(found)].sort(), expected.sort());
