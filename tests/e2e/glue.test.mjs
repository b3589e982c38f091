// The types of the glue, worker/js/glue.d.mts, which are written by hand, against the glue that was built.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { root } from "./harness.mjs";

const types = await readFile(`${root}worker/js/glue.d.mts`, "utf8");
const glue = await readFile(`${root}build/tollgate.js`, "utf8");

/** The parts of a list that commas separate; none of those in brackets. */
const parts = (/** @type {string} */ list) => {
  let depth = 0;
  let part = "";
  const found = [];
  for (const char of `${list},`) {
    depth += "([{".includes(char) ? 1 : ")]}".includes(char) ? -1 : 0;
    if (char === "," && depth === 0) {
      if (part.trim()) found.push(part.trim());
      part = "";
    } else part += char;
  }
  return found;
};
const nameOf = (/** @type {string} */ parameter) => parameter.split(/[?:]/)[0].trim();
const membersOf = (/** @type {string} */ name) => {
  const [, body] = types.match(new RegExp(`^export interface ${name} \\{\n(.*?)^\\}`, "ms"));
  return body.split("\n").filter((line) => line);
};

test("each function that the types declare is in the glue, with the same parameters", () => {
  const declared = [...types.matchAll(/^export function (\w+)\((.*?)\): [^\n]*;$/gms)];
  assert.ok(declared.length > 10);
  assert.equal(declared.length, types.match(/^export function /gm).length);
  assert.ok(types.includes("export function initSync(options: { module: WebAssembly.Module }): unknown;"));
  for (const [, name, parameters] of declared) {
    const made = glue.match(new RegExp(`^(?:export )?function ${name} ?\\((.*?)\\) \\{$`, "m"));
    assert.ok(made, `there is no ${name}`);
    assert.ok(made[0].startsWith("export") || /^export \{.*initSync/m.test(glue), `${name} is not exported`);
    const names = parts(parameters).map(nameOf);
    if (name !== "initSync") assert.deepEqual(names, parts(made[1]), name);
  }
});

test("what Rust calls in JavaScript it calls with as many arguments as the types say", () => {
  const members = membersOf("HotCallbacks");
  assert.equal(members.length, 4);
  for (const member of members) {
    const [, name, parameters] = member.match(/^ {2}(\w+)\((.*)\): void;$/);
    const calls = [...glue.matchAll(new RegExp(`arg0\\.${name}\\((.*)\\);`, "g"))].map(
      ([, list]) => parts(list).length,
    );
    assert.ok(calls.includes(parts(parameters).length), `${name}: ${calls}`);
  }
});

test("what Rust returns has the members that the types say", () => {
  const [, made] = glue.match(/^export class Done \{\n(.*?)^\}/ms);
  for (const member of membersOf("Done")) {
    const [, name] = member.match(/^ {2}readonly (\w+): \w+;$/);
    assert.match(made, new RegExp(`^ {4}get ${name}\\(\\)`, "m"));
  }
});
