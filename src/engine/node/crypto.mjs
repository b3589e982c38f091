// The runtime's own cryptography, `node:crypto`: keys by number, signing and verifying. Nothing here waits.

/**
 * A loaded key with the digest of its algorithm, which is null for EdDSA.
 *
 * @typedef {{ digest: string | null, key: import("node:crypto").KeyObject, pss: Pss | undefined }} Loaded
 */

/**
 * A key for RSASSA-PSS. workerd takes options with a key in DER, not with a `KeyObject`; and only in `createSign` and
 * `createVerify`: the functions `sign` and `verify` drop them and use the padding of PKCS#1 v1.5.
 *
 * @typedef {import("node:crypto").SignPrivateKeyInput} SignKey
 * @typedef {import("node:crypto").VerifyPublicKeyInput} VerifyKey
 * @typedef {{ key: Buffer, format: "der", type: "pkcs8" | "spki", padding: number, saltLength: number }} Pss
 */

/** @type {typeof import("node:crypto") | undefined} */
let crypto;
/** @type {Map<number, Loaded>} */
const keys = new Map();
let next = 0;

/** The memory of scrypt: the 64 MiB that the rules allow, and some more for what goes by r and p. */
const MOST_BYTES = 66 * 1024 * 1024;

/**
 * Finds `node:crypto` when the first key is loaded: it takes 3 ms, which a worker without such keys is spared. An
 * import would stop a worker without `nodejs_compat` from starting at all.
 *
 * @returns {boolean} whether the runtime has it
 */
export function isThere() {
  crypto ??= globalThis.process?.getBuiltinModule?.("node:crypto");
  return crypto !== undefined;
}

/**
 * Loads a private key and its public half. Call {@link isThere} first.
 *
 * @param {Uint8Array} der PKCS#8; empty if there is a JWK
 * @param {string} jwk
 * @param {string} digest empty for EdDSA
 * @param {number} salt the salt's length for PSS in bytes; 0 for the other algorithms
 * @returns {number} the private key's number; the public key's is the next
 */
export function loadPrivate(der, jwk, digest, salt) {
  const { createPrivateKey, createPublicKey } = found();
  const key =
    jwk === ""
      ? createPrivateKey({ key: buffer(der), format: "der", type: "pkcs8" })
      : createPrivateKey({ key: JSON.parse(jwk), format: "jwk" });
  const [one, other] = [key, createPublicKey(key)].map((half) => entry(half, digest, salt));
  const number = add(one);
  add(other);
  return number;
}

/**
 * Loads a public key: as for a private one, with SPKI for PKCS#8.
 *
 * @param {Uint8Array} der
 * @param {string} jwk
 * @param {string} digest
 * @param {number} salt
 * @returns {number} the key's number
 */
export function loadPublic(der, jwk, digest, salt) {
  const { createPublicKey } = found();
  const key =
    jwk === ""
      ? createPublicKey({ key: buffer(der), format: "der", type: "spki" })
      : createPublicKey({ key: JSON.parse(jwk), format: "jwk" });
  return add(entry(key, digest, salt));
}

/**
 * The public key of this number, as SPKI.
 *
 * @param {number} number
 * @returns {Uint8Array}
 */
export function spki(number) {
  return loaded(number).key.export({ format: "der", type: "spki" });
}

/**
 * @param {number} number
 * @param {Uint8Array} input
 * @returns {Uint8Array}
 */
export function sign(number, input) {
  const { digest, key, pss } = loaded(number);
  if (pss === undefined) return found().sign(digest, input, key);
  return found()
    .createSign(`${digest}`)
    .update(input)
    .sign(/** @type {SignKey} */ (pss));
}

/**
 * @param {number} number
 * @param {Uint8Array} input
 * @param {Uint8Array} signature
 * @returns {boolean}
 */
export function verify(number, input, signature) {
  const { digest, key, pss } = loaded(number);
  if (pss === undefined) return found().verify(digest, input, key, signature);
  return found()
    .createVerify(`${digest}`)
    .update(input)
    .verify(/** @type {VerifyKey} */ (pss), signature);
}

/**
 * @param {Uint8Array} password
 * @param {Uint8Array} salt
 * @param {number} logN
 * @param {number} r
 * @param {number} p
 * @param {number} length
 * @returns {Uint8Array}
 */
export function scrypt(password, salt, logN, r, p, length) {
  return found().scryptSync(password.slice(), salt.slice(), length, { N: 2 ** logN, r, p, maxmem: MOST_BYTES });
}

/** @param {number} number */
export function forget(number) {
  keys.get(number)?.pss?.key.fill(0);
  keys.delete(number);
}

/** Forgets every key. */
export function forgetAll() {
  for (const number of [...keys.keys()]) forget(number);
}

/**
 * @param {import("node:crypto").KeyObject} key
 * @param {string} digest
 * @param {number} salt
 * @returns {Loaded}
 */
function entry(key, digest, salt) {
  return { digest: digest === "" ? null : digest, key, pss: salt === 0 ? undefined : withPss(key, salt) };
}

/** @param {Loaded} key */
function add(key) {
  keys.set(next, key);
  return next++;
}

/**
 * @param {import("node:crypto").KeyObject} key
 * @param {number} saltLength
 * @returns {Pss}
 */
function withPss(key, saltLength) {
  const type = key.type === "private" ? "pkcs8" : "spki";
  const der = key.export({ format: "der", type });
  return { key: der, format: "der", type, padding: found().constants.RSA_PKCS1_PSS_PADDING, saltLength };
}

function found() {
  if (crypto === undefined) throw new Error("no node:crypto");
  return crypto;
}

/** @param {number} number */
function loaded(number) {
  const key = keys.get(number);
  if (key === undefined) throw new Error("no such key");
  return key;
}

/**
 * A copy: the bytes are in Wasm's memory.
 *
 * @param {Uint8Array} bytes
 */
function buffer(bytes) {
  return /** @type {Buffer} */ (bytes.slice());
}
