// A log-in's work with hash-wasm. It compiles its Wasm from text, which workerd forbids: so the same module is handed
// to it as a compiled one, which hash-wasm-module.mjs took out of the package.
import { createSHA256, pbkdf2 } from "hash-wasm";
import { logIn } from "./log-in.mjs";
import module from "./sha256.wasm";

WebAssembly.compile = async () => module;

export default {
  fetch: (request) =>
    logIn(request, (password, salt, iterations) =>
      pbkdf2({ password, salt, iterations, hashLength: 32, hashFunction: createSHA256(), outputType: "binary" }),
    ),
};
