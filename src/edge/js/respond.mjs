// Answers of the gate's own, and cookies on the answers of others.

/** Status and headers, one `name:value` a line, as `Response` takes them. */
export function init(status, headers) {
  const fields = new Headers();
  for (const line of headers.split("\n")) {
    const at = line.indexOf(":");
    // A value that no header can carry (an embedder's own) is left out rather than let the answer fail.
    try {
      fields.append(line.slice(0, at), line.slice(at + 1));
    } catch {}
  }
  return { status, headers: fields };
}

/** A whole answer. One crossing: with web_sys each header is one of its own. */
export function respond(status, headers, body) {
  return new Response(body, init(status, headers));
}

/**
 * An answer that somebody else makes, with the cookies of a new token. Not if it sets or removes them itself: a user who has
 * just logged out would be logged in again; and not if no Response can be made of its status. No cache may keep it.
 */
export async function renew(promise, cookies) {
  const answer = await promise;
  if (answer.status < 200 || answer.status > 599) return answer;
  const name = (cookie) => cookie.slice(0, cookie.indexOf("="));
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
