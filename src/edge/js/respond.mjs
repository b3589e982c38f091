// The gate's own answers, and cookies on the answers of others.

/**
 * Status and headers (`name:value`, one a line) as `Response` takes them.
 *
 * @param {number} status
 * @param {string} headers
 */
export function init(status, headers) {
  const fields = new Headers();
  for (const line of headers.split("\n")) {
    const at = line.indexOf(":");
    try {
      fields.append(line.slice(0, at), line.slice(at + 1));
    } catch {
      // An embedder's own value that no header can carry: the answer goes out without it.
    }
  }
  return { status, headers: fields };
}

/**
 * A whole answer, in one call from Rust: with web_sys each header takes one.
 *
 * @param {number} status
 * @param {string} headers
 * @param {string | undefined} body
 */
export function respond(status, headers, body) {
  return new Response(body, init(status, headers));
}

/**
 * Says to an answer's page whether it may read it (CORS): `fields` (`name:value`, one a line) in place of all that the
 * answer says itself; `vary` is added.
 *
 * @param {Response | Promise<Response>} promise
 * @param {string} fields
 */
export async function withCors(promise, fields) {
  const answer = await promise;
  if (answer.status < 200 || answer.status > 599) return answer;
  const own = new Response(answer.body, answer);
  for (const name of [...own.headers.keys()]) if (name.startsWith("access-control-")) own.headers.delete(name);
  for (const line of fields.split("\n")) {
    const at = line.indexOf(":");
    const [name, value] = [line.slice(0, at), line.slice(at + 1)];
    if (name !== "vary") own.headers.set(name, value);
    else if (!/(^|,)\s*(origin|\*)\s*(,|$)/i.test(own.headers.get("vary") ?? "")) own.headers.append("vary", value);
  }
  return own;
}

/**
 * A request that the worker's own code answers (`to = "worker"`): `auth` is JSON (`Principal::to_json`), `cookies` and
 * `cors` are for `renew` and `withCors`, if there are any.
 *
 * @typedef {{ request: Request, auth: string, cookies: string | undefined, cors: string | undefined }} Inner
 */
/**
 * @param {Request} request
 * @param {string} auth
 * @param {string | undefined} cookies
 * @param {string | undefined} cors
 * @returns {Inner}
 */
export function inner(request, auth, cookies, cors) {
  return { request, auth, cookies, cors };
}

/**
 * The verdict on a token: `auth` is JSON (`Principal::to_json`), or there is the code of a rejection, and the answer.
 *
 * @typedef {{ auth: string | undefined, code: string, response: Response | undefined }} Verdict
 */
/**
 * @param {string | undefined} auth
 * @param {string} code
 * @param {Response | undefined} response
 * @returns {Verdict}
 */
export function verdict(auth, code, response) {
  return { auth, code, response };
}

/**
 * Adds the cookies of a new token (one a line) to an answer of the origin's, and forbids caches to store it. The answer
 * stays as it is if it sets or removes one of them itself (a user who has just logged out would be logged in again), or
 * if no Response can be made of its status.
 *
 * @param {Response | Promise<Response>} promise
 * @param {string} cookies
 */
export async function renew(promise, cookies) {
  const answer = await promise;
  if (answer.status < 200 || answer.status > 599) return answer;
  const name = (/** @type {string} */ cookie) => cookie.slice(0, cookie.indexOf("="));
  const theirs = new Set(answer.headers.getSetCookie().map(name));
  const ours = cookies.split("\n");
  if (ours.some((cookie) => theirs.has(name(cookie)))) return answer;
  const own = new Response(answer.body, answer);
  for (const cookie of ours) own.headers.append("set-cookie", cookie);
  own.headers.set("cache-control", "no-store");
  for (const targeted of ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"])
    own.headers.delete(targeted);
  return own;
}
