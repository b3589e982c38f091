// Writes the Wasm module of hash-wasm's SHA-256 into the file that is named.
import { writeFileSync } from "node:fs";
import { createSHA256 } from "hash-wasm";

const { compile } = WebAssembly;
WebAssembly.compile = (bytes) => {
  writeFileSync(process.argv[2], Buffer.from(bytes));
  return compile(bytes);
};
await createSHA256();
