// Hashes of passwords, for an application that keeps its users itself.
import { instance } from "./instance.mjs";

/**
 * Whether a password is right. Takes the same time for an unknown user, whose hash is `null`.
 *
 * @param {string | null | undefined} hash
 * @param {string} password
 */
export const checkPassword = (hash, password) => instance().check_password(hash ?? undefined, password);

/** The hash to store for a password. @param {string} password */
export const hashPassword = (password) => instance().hash_password(password);
