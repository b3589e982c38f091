#!/usr/bin/env node
// The command `tollgate` where there is no Rust: the same program as WebAssembly (tollgate.wasm). WASI gives it files,
// arguments, time and randomness; this file what else it asks for (cli/src/system/node.rs).
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { ReadStream } from "node:tty";
import { fileURLToPath } from "node:url";

/** Exit code of a shell for a program that Ctrl-C ended. */
const INTERRUPTED = 130;
/** What a terminal in raw mode sends for these keys. */
const KEY = { ctrlC: 0x03, ctrlD: 0x04, backspace: 0x08, newLine: 0x0a, enter: 0x0d, ctrlU: 0x15, delete: 0x7f };
/** Folders that this process has made. @type {Set<string>} */
const folders = new Set();

/** What the program can ask. @type {Record<string, (question: any) => unknown>} */
const answers = {
  folder: () => process.cwd(),
  "hidden-line": ({ prompt }) => hiddenLine(prompt),

  run({ path, args, env, first_folder: first }) {
    const all = { ...process.env, ...env };
    if (first) all.PATH = [resolve(first), all.PATH].filter(Boolean).join(delimiter);
    /** @type {import("node:child_process").StdioOptions} */
    const stdio = ["ignore", "pipe", "pipe"];
    const ended = spawnSync(path, args, { env: all, encoding: "utf8", maxBuffer: Number.POSITIVE_INFINITY, stdio });
    if (ended.error) throw ended.error;
    return { code: ended.status, signal: ended.signal, stdout: ended.stdout, stderr: ended.stderr };
  },

  // In a process of its own, because this one waits.
  post(question) {
    const env = question.uses_proxy ? { ...process.env, NODE_USE_ENV_PROXY: "1" } : process.env;
    const program = fileURLToPath(new URL("post.mjs", import.meta.url));
    const input = JSON.stringify(question);
    /** @type {import("node:child_process").StdioOptions} */
    const stdio = ["pipe", "pipe", "inherit"];
    const ended = spawnSync(process.execPath, [program], { input, env, encoding: "utf8", maxBuffer: 1 << 26, stdio });
    if (ended.error) throw ended.error;
    const answer = JSON.parse(ended.stdout);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  },

  canonicalize: ({ path }) => realpathSync(path),
  user: () => process.geteuid?.() ?? null,
  permissions({ path }) {
    const { mode, uid, gid } = statSync(path);
    return { mode, uid, gid };
  },

  "read-own"({ path }) {
    let file;
    try {
      file = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code === "ENOENT") return null;
      if (lstatSync(path).isSymbolicLink()) throw new Error("it is a symbolic link");
      throw error;
    }
    try {
      const stat = fstatSync(file);
      if (!stat.isFile()) throw new Error("it is not a file");
      if (process.geteuid && stat.uid !== process.geteuid()) throw new Error("it belongs to another user");
      return readFileSync(file).toString("base64");
    } finally {
      closeSync(file);
    }
  },

  replace({ path, content }) {
    const written = `${path}.${randomUUID()}`;
    try {
      const file = openSync(written, "wx", 0o600);
      try {
        writeFileSync(file, Buffer.from(content, "base64"));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(written, path);
    } catch (error) {
      rmSync(written, { force: true });
      throw error;
    }
    return null;
  },

  "make-folder"() {
    const folder = mkdtempSync(join(tmpdir(), "tollgate-"));
    folders.add(folder);
    return folder;
  },
  "remove-folder"({ path }) {
    if (folders.delete(path)) rmSync(path, { recursive: true, force: true });
    return null;
  },
};

/**
 * A line from the terminal, which does not show it.
 *
 * @param {string} prompt
 */
function hiddenLine(prompt) {
  const terminal = openSync("/dev/tty", "r+");
  const mode = new ReadStream(openSync("/dev/tty", "r"));
  writeSync(terminal, prompt);
  mode.setRawMode(true);
  try {
    /** @type {number[]} */
    const bytes = [];
    const read = Buffer.alloc(1);
    while (readSync(terminal, read) === 1) {
      const [byte] = read;
      if (byte === KEY.ctrlC) {
        mode.setRawMode(false);
        removeFolders();
        process.exit(INTERRUPTED);
      }
      if (byte === KEY.enter || byte === KEY.newLine || byte === KEY.ctrlD) break;
      if (byte === KEY.ctrlU) bytes.length = 0;
      else if (byte === KEY.delete || byte === KEY.backspace) eraseCharacter(bytes);
      else bytes.push(byte);
    }
    return Buffer.from(bytes).toString();
  } finally {
    mode.setRawMode(false);
    mode.destroy();
    writeSync(terminal, "\n");
    closeSync(terminal);
  }
}

/** Removes the last character, of one to four bytes in UTF-8. */
function eraseCharacter(/** @type {number[]} */ bytes) {
  while ((bytes.pop() ?? 0) >> 6 === 0b10);
}

function removeFolders() {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

// Node warns that WASI is experimental: the user of a command can do nothing about that.
process.removeAllListeners("warning");
const { WASI } = await import("node:wasi");
const wasi = new WASI({
  version: "preview1",
  args: ["tollgate", ...process.argv.slice(2)],
  env: process.env,
  preopens: { "/": "/" },
});
/** @type {WebAssembly.Memory} */
let memory;
let answer = Buffer.alloc(0);
const instance = new WebAssembly.Instance(
  new WebAssembly.Module(readFileSync(new URL("tollgate.wasm", import.meta.url))),
  {
    ...wasi.getImportObject(),
    tollgate: {
      /** @type {(pointer: number, length: number) => number} */
      ask(pointer, length) {
        try {
          const question = JSON.parse(Buffer.from(memory.buffer, pointer, length).toString());
          answer = Buffer.from(JSON.stringify({ is: answers[question.do](question) }));
        } catch (error) {
          answer = Buffer.from(JSON.stringify({ error: /** @type {Error} */ (error).message }));
        }
        return answer.length;
      },
      /** @type {(pointer: number) => void} */
      take: (pointer) => void Buffer.from(memory.buffer).set(answer, pointer),
    },
  },
);
memory = /** @type {WebAssembly.Memory} */ (instance.exports.memory);
try {
  process.exitCode = wasi.start(instance);
} finally {
  removeFolders();
}
