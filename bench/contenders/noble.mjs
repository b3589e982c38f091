// A log-in's work with @noble/hashes.
import { pbkdf2 } from "@noble/hashes/pbkdf2.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { logIn } from "./log-in.mjs";

export default {
  fetch: (request) =>
    logIn(request, (password, salt, iterations) => pbkdf2(sha256, password, salt, { c: iterations, dkLen: 32 })),
};
