// Hashes of passwords, for an application that keeps its users itself.
import { instance } from "./instance.mjs";

/** Rust reads only text, and a body may have anything. @param {unknown} password */
function checkedPassword(password) {
  if (typeof password !== "string") throw new TypeError("a password is a text");
  if (password.length > MAX_CHARACTERS) throw new RangeError(`a password has at most ${MAX_CHARACTERS} characters`);
  return password;
}

/** As at the gate's log-in. */
const MAX_CHARACTERS = 1024;

/**
 * Whether a password is right. Takes the same time for an unknown user, whose hash is `null`.
 *
 * @param {string | null | undefined} hash
 * @param {string} password
 */
export function checkPassword(hash, password) {
  const stored = hash ?? undefined;
  if (stored !== undefined && typeof stored !== "string") throw new TypeError("a hash is a text, null or undefined");
  return instance().check_password(stored, checkedPassword(password));
}

/** The hash to store for a password. @param {string} password */
export const hashPassword = (password) => instance().hash_password(checkedPassword(password));
