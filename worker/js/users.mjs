// An application's own users, as Rust calls them (src/edge/javascript.rs): each answer is JSON.
/** @typedef {import("../index.d.mts").Users} Users */
/** @typedef {import("../index.d.mts").User} User */
/** @typedef {import("../index.d.mts").PasswordChange} PasswordChange */

/** A rejection in the application's own words: thrown by a function of its users. */
export class JwtError extends Error {
  /**
   * @param {string} error
   * @param {string} description
   * @param {{ status?: number, headers?: Record<string, string> }} [options]
   */
  constructor(error, description, { status = 401, headers = {} } = {}) {
    super(description);
    if (!Number.isInteger(status) || status < 400 || status > 599) throw new RangeError("a status of 400 to 599");
    this.name = "JwtError";
    this.error = error;
    this.description = description;
    this.status = status;
    this.headers = headers;
  }
}

/** Named in the log (`exception`): a function of the users has returned something else than it may. */
class InvalidAnswer extends TypeError {
  name = "InvalidAnswer";
}

/** What a function says, as Rust reads it. @param {() => unknown} act */
async function answerOf(act) {
  try {
    return JSON.stringify({ is: await act() });
  } catch (error) {
    if (!(error instanceof JwtError)) throw error;
    const { error: text, description, status, headers } = error;
    return JSON.stringify({ refused: { error: text, description, status, headers: Object.entries(headers) } });
  }
}

/**
 * Whether this is a time in milliseconds, as clocks of an hour's difference have it: a later version would keep its user
 * out. @param {unknown} value
 */
const isVersion = (value) =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= Date.now() + 3_600_000;

/** A user, checked. @param {User | null | undefined} user */
function checkedUser(user) {
  if (user === null || user === undefined) return null;
  const { id, attributes = {}, passwordVersion = 0, attributesVersion = 0 } = user;
  const isId = (typeof id === "string" && id !== "") || Number.isSafeInteger(id);
  const isTime = [passwordVersion, attributesVersion].every(isVersion);
  if (!isId || !isTime || typeof attributes !== "object" || attributes === null || Array.isArray(attributes))
    throw new InvalidAnswer(
      "a user is null, or { id: text or integer, attributes?: object, passwordVersion?: integer }",
    );
  return { id, attributes, password_version: passwordVersion, attributes_version: attributesVersion };
}

/** What became of a new password, checked. @param {PasswordChange} change */
function checkedChange(change) {
  const isGood =
    (change?.outcome === "stored" && (change.version === undefined || isVersion(change.version)))
    || change?.outcome === "wrong"
    || (change?.outcome === "weak" && typeof change.why === "string");
  if (!isGood) throw new InvalidAnswer('a change has the outcome "stored", "wrong", or "weak" with why');
  return change;
}

/** An application's users. Rust calls these. */
export class JsUsers {
  #users;

  /** @param {Users} users */
  constructor(users) {
    if (typeof users.authenticate !== "function" || typeof users.identity !== "function")
      throw new TypeError("users needs the functions authenticate and identity");
    this.#users = users;
  }

  /**
   * @param {string} username
   * @param {string} password
   * @param {Cloudflare.Env} env
   * @param {ExecutionContext} ctx
   */
  authenticate(username, password, env, ctx) {
    return answerOf(async () => checkedUser(await this.#users.authenticate({ username, password }, env, ctx)));
  }

  /**
   * @param {string} token
   * @param {Cloudflare.Env} env
   * @param {ExecutionContext} ctx
   */
  identity(token, env, ctx) {
    return answerOf(async () => checkedUser(await this.#users.identity(JSON.parse(token), env, ctx)));
  }

  /**
   * @param {string} token
   * @param {string | undefined} old
   * @param {string} password
   * @param {Cloudflare.Env} env
   * @param {ExecutionContext} ctx
   */
  setPassword(token, old, password, env, ctx) {
    return answerOf(async () => {
      if (this.#users.setPassword === undefined) return { outcome: "not_offered" };
      return checkedChange(await this.#users.setPassword(JSON.parse(token), { old, new: password }, env, ctx));
    });
  }
}
