// Every fetch that the gate makes: from the origin, the static files and the list of leaked passwords. The rules say
// what is sent and how the answer may be cached; nothing here keeps state between requests.

// What the rules say about an answer, as bits (`CachePolicy` in src/rules/forward.rs).
const LOOKS_AT_TOKENS = 1; // the rule looks for a token, so the answer is one user's
const IN_AUTHORIZATION = 2; // the token came in `Authorization`
const OPTIONAL = 4; // the answer depends on whether there was a token
const MAY_CACHE = 8; // the rule has `cache = true`
const OWN_ERROR_CODES = 16; // an `X-Auth-Error` of the origin is removed

// Which of the `X-Forwarded-…` fields the gate sets, as bits.
const FORWARDED_FOR = 1;
const FORWARDED_HOST = 2;
const FORWARDED_PROTO = 4;
const FORWARDED_PREFIX = 8;

// Why there is no answer of the origin: the first argument of `failed`.
const LATE = 0;
const UNREACHABLE = 1;
const TOO_LONG = 2;

/**
 * Sends the request on to the origin. `began`, `rule` and `number` are handed to `failed` again; `closesAt` is when a
 * WebSocket or a stream of events must end (milliseconds since 1970), or 0; `protocol` is the subprotocol of a WebSocket
 * for which the origin chooses none.
 *
 * @typedef {(pathAndQuery: string, request: Request, headers: Headers, isHead: boolean, began: number, rule: number,
 *   number?: number, policy?: number, closesAt?: number, protocol?: string) => Promise<Response>} Sender
 */

/**
 * One fetch. A redirect is an answer like any other: the client follows it, and the gate decides again. Cloudflare's
 * cache, which keys by URL and knows no users, neither answers nor stores unless `mayCache`.
 *
 * @param {string | Request} target
 * @param {RequestInit} init
 * @param {boolean} mayCache
 * @param {{ fetch: typeof fetch }} fetcher
 */
function perform(target, init, mayCache, fetcher = globalThis) {
  init.redirect = "manual";
  if (!mayCache) init.cache = "no-store";
  return fetcher.fetch(target, init);
}

/**
 * Where the requests under a rule go: scheme and host, or `null` for those of the client; the binding that fetches, if
 * any; the time for an answer; header fields of the origin's own; what is taken off the path (`strip`) and put before it
 * (`prefix`); how answers may be cached on the hot path (`policy`).
 *
 * @typedef {{ site: string | null, binding: string | null, timeoutMs: number, headers: [string, string][],
 *   strip: string, prefix: string, policy: number }} Destination
 */

/**
 * What of an origin's addresses is hidden from clients.
 *
 * @typedef {{ site: string, host: string, prefix: string, strip: string }} Mapping
 */

/**
 * A function that sends requests to the origins. `destinations` is a JSON list by rule, with `null` for rules that go to
 * none; `site` is the gate's public address, or empty for that of each request; `vary` is what an answer that depends on
 * a token varies by; `sets` says which `X-Forwarded-…` fields the gate sets. `failed` makes the response when an origin
 * gives none.
 *
 * @param {Record<string, any>} env
 * @param {string} destinations
 * @param {string} site
 * @param {string} vary
 * @param {number} sets
 * @param {(why: number, isHead: boolean, began: number, rule: number, number?: number) => Response} failed
 * @returns {Sender}
 */
export function makeSender(env, destinations, site, vary, sets, failed) {
  /** @type {(Destination | null)[]} */
  const byRule = JSON.parse(destinations);
  const known = byRule.map((destination) => {
    if (destination === null) return null;
    const { site: at, binding, strip } = destination;
    const host = at === null ? undefined : new URL(at).host;
    const fetcher = binding === null ? undefined : env[binding];
    return { ...destination, host, fetcher, segments: strip.split("/").length - 1 };
  });
  return (pathAndQuery, request, headers, isHead, began, rule, number, givenPolicy, closesAt = 0, protocol = "") => {
    const destination = /** @type {NonNullable<(typeof known)[number]>} */ (known[rule]);
    const { strip, prefix, fetcher } = destination;
    const policy = givenPolicy ?? destination.policy;
    const { url } = request;
    const own = site || url.slice(0, url.indexOf("/", url.indexOf(":") + 3));
    const scheme = own.indexOf(":");
    // Not among what is kept by token: one token comes from many addresses.
    const address = request.headers.get("cf-connecting-ip");
    if (address !== null && sets & FORWARDED_FOR) headers.set("x-forwarded-for", address);
    // An answer that a cache may keep for everybody must not depend on the address or path by which one visitor came.
    const isOwnKnown = site || !(policy & MAY_CACHE);
    if (isOwnKnown && sets & FORWARDED_HOST) headers.set("x-forwarded-host", own.slice(scheme + 3));
    if (isOwnKnown && sets & FORWARDED_PROTO) headers.set("x-forwarded-proto", own.slice(0, scheme));
    if (strip && !(policy & MAY_CACHE) && sets & FORWARDED_PREFIX) headers.set("x-forwarded-prefix", strip);
    for (const [name, value] of destination.headers) headers.set(name, value);
    const host = destination.host ?? own.slice(scheme + 3);
    const mapping = { site: own, host, prefix, strip };
    const finish = (/** @type {Response} */ response) => finished(response, policy, vary, closesAt, mapping, protocol);
    const fail = (/** @type {number} */ why) => failed(why, isHead, began, rule, number);
    const target = (destination.site ?? own) + prefix + withoutSegments(pathAndQuery, destination.segments);
    return fetchWithin(
      target,
      request,
      headers,
      (policy & MAY_CACHE) !== 0,
      destination.timeoutMs,
      finish,
      fail,
      fetcher,
    );
  };
}

/**
 * Path and query without so many segments at their front (`Forwarding::rest_of` in src/rules/origin.rs).
 *
 * @param {string} pathAndQuery
 * @param {number} segments
 */
function withoutSegments(pathAndQuery, segments) {
  if (segments === 0) return pathAndQuery;
  const query = pathAndQuery.indexOf("?");
  const path = query < 0 ? pathAndQuery : pathAndQuery.slice(0, query);
  let slash = 0;
  for (let left = segments; left > 0 && slash >= 0; left--) slash = path.indexOf("/", slash + 1);
  return slash < 0 ? `/${pathAndQuery.slice(path.length)}` : pathAndQuery.slice(slash);
}

/** The names of the request's header fields, one a line. @param {Request} request */
export function names(request) {
  return [...request.headers.keys()].join("\n");
}

/**
 * Sends a request with other headers: without the fields named in `withheld`, with those of `added` (`name:value`).
 * Both have one a line.
 *
 * @param {Sender} sender
 * @param {string} pathAndQuery
 * @param {Request} request
 * @param {string} withheld
 * @param {string} added
 * @param {[isHead: boolean, began: number, rule: number, number: number, policy: number, closesAt: number,
 *   protocol: string]} rest
 */
export function send(sender, pathAndQuery, request, withheld, added, ...rest) {
  const headers = new Headers(request.headers);
  if (withheld) for (const name of withheld.split("\n")) headers.delete(name);
  if (added)
    for (const line of added.split("\n")) {
      const at = line.indexOf(":");
      headers.set(line.slice(0, at), line.slice(at + 1));
    }
  return sender(pathAndQuery, request, headers, ...rest);
}

/**
 * The origin's response; without one in time, what `fail` makes of the reason. The origin's time runs while it takes in
 * a part of the body and until its headers come; not while the client is slow, nor while the answer's body comes. When
 * the request ends, the runtime ends what nothing waits for any more, a timer too. (To abort the fetch by an
 * AbortController takes 0.13 of a forwarded request's time; to clear the timer 0.01.)
 *
 * @param {string} url
 * @param {Request} request
 * @param {Headers} headers
 * @param {boolean} mayCache
 * @param {number} timeoutMs
 * @param {(response: Response) => Response} finish
 * @param {(why: number) => Response} fail
 * @param {{ fetch: typeof fetch }} [fetcher]
 * @returns {Promise<Response>}
 */
function fetchWithin(url, request, headers, mayCache, timeoutMs, finish, fail, fetcher) {
  return new Promise((resolve, reject) => {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    let answered = false;
    const settle = (/** @type {() => Response} */ make) => {
      if (answered) return;
      answered = true;
      try {
        resolve(make());
      } catch (error) {
        reject(error);
      }
    };
    const stop = () => {
      if (timer !== undefined) clearTimeout(timer);
    };
    const run = () => {
      stop();
      if (!answered) timer = setTimeout(settle, timeoutMs, () => fail(LATE));
    };
    /** @type {RequestInit} */
    const init = { headers };
    /** @type {string | Request} */
    let target = url;
    if (request.method === "GET" || request.method === "HEAD") {
      if (request.body)
        target = new Request(url, request); // they may have a body only as a request's own
      else init.method = request.method;
    } else {
      init.method = request.method;
      const length = request.headers.get("content-length");
      // No stream can be made of a longer body, and no client sends one.
      if (length !== null && !Number.isSafeInteger(Number(length))) return settle(() => fail(TOO_LONG));
      init.body = request.body && timedBody(request.body, length, run, stop);
    }
    run();
    try {
      perform(target, init, mayCache, fetcher).then(
        (response) => settle(() => finish(response)),
        () => settle(() => fail(UNREACHABLE)),
      );
    } catch (error) {
      stop();
      throw error;
    }
  });
}

/**
 * A body, part by part as the origin takes them in, with its length if the client has declared it. `stop` is called
 * while the next part is awaited from the client, `run` while the origin takes it in.
 *
 * @param {ReadableStream} body
 * @param {string | null} length
 * @param {() => void} run
 * @param {() => void} stop
 */
function timedBody(body, length, run, stop) {
  const { readable, writable } =
    length === null ? new IdentityTransformStream() : new FixedLengthStream(Number(length));
  const reader = body.getReader({ mode: "byob" });
  const writer = writable.getWriter();
  const pump = async () => {
    // One buffer for all parts: with a new one each, 50 MiB took 32 MiB more memory. By default parts are of 4 KiB.
    for (let space = new Uint8Array(65536); ; ) {
      stop();
      const part = await reader.read(space);
      run();
      if (part.done) return writer.close();
      await writer.write(part.value);
      space = new Uint8Array(part.value.buffer);
    }
  };
  pump().catch((error) => Promise.allSettled([reader.cancel(error), writer.abort(error)]));
  return readable;
}

/**
 * The origin's answer as the client gets it. One that needs no change is handed on as it is.
 *
 * @param {Response} response
 * @param {number} policy
 * @param {string} vary
 * @param {number} closesAt
 * @param {Mapping} mapping
 * @param {string} protocol
 */
function finished(response, policy, vary, closesAt, mapping, protocol) {
  const { status, headers } = response;
  const hasCode = policy & OWN_ERROR_CODES && headers.has("x-auth-error");
  const isMoved = mapping.strip !== "" || mapping.prefix !== "";
  const hasCookies = isMoved && headers.has("set-cookie");
  if (status === 101 && response.webSocket) {
    const isChosen = protocol === "" || headers.has("sec-websocket-protocol");
    const isKept = isChosen && !hasCode && !hasCookies;
    const changed = isKept ? response : withChanges(response, hasCode, hasCookies, mapping);
    if (!isChosen) changed.headers.set("sec-websocket-protocol", protocol);
    return closesAt ? closingSocket(changed, /** @type {WebSocket} */ (changed.webSocket), closesAt) : changed;
  }
  // Of these no Response can be made.
  if (status < 200 || status > 599) return response;
  // Most answers need no change: to find that out first takes 0.03 of a forwarded request's time less.
  const isPlain =
    status === 200 && closesAt === 0 && (policy & ~OWN_ERROR_CODES) === (LOOKS_AT_TOKENS | IN_AUTHORIZATION);
  if (
    isPlain
    && !hasCode
    && !hasCookies
    && !headers.has("cache-control")
    && !TARGETED.some((name) => headers.has(name))
  )
    return response;
  const changes = policy & LOOKS_AT_TOKENS ? cachingChanges(headers, policy, vary) : [];
  if (status === 201 || (status >= 300 && status < 400)) {
    for (const name of ["location", "content-location"]) {
      const moved = relocated(headers.get(name), mapping);
      if (moved !== undefined) changes.push([name, moved]);
    }
  }
  const isClosing = closesAt && response.body && /^text\/event-stream\b/i.test(headers.get("content-type") ?? "");
  if (changes.length === 0 && !isClosing && !hasCode && !hasCookies) return response;
  const own = withChanges(
    isClosing ? new Response(endingAt(response.body, closesAt), response) : response,
    hasCode,
    hasCookies,
    mapping,
  );
  for (const [name, value] of changes) {
    if (value === undefined) own.headers.delete(name);
    else own.headers.set(name, value);
  }
  return own;
}

/**
 * The response as one that can be changed, without `X-Auth-Error` if it has it, and with cookies for the paths at which
 * clients know them.
 *
 * @param {Response} response
 * @param {unknown} hasCode
 * @param {boolean} hasCookies
 * @param {Mapping} mapping
 */
function withChanges(response, hasCode, hasCookies, mapping) {
  const { status, headers, webSocket } = response;
  const own = webSocket ? new Response(null, { status, headers, webSocket }) : new Response(response.body, response);
  if (hasCode) own.headers.delete("x-auth-error");
  if (hasCookies) {
    const cookies = headers.getSetCookie();
    own.headers.delete("set-cookie");
    for (const cookie of cookies) own.headers.append("set-cookie", movedCookie(cookie, mapping));
  }
  return own;
}

// Fields that some caches obey in place of `Cache-Control` (RFC 9213, and its predecessors).
const TARGETED = ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"];
// A directive with its argument, which may be in quotes (RFC 9111 §5.2).
const DIRECTIVE = /[^\s,="]+(?:\s*=\s*(?:"(?:\\.|[^"\\])*"|[^\s,"]*))?/g;

/**
 * What must change so that only its user's own cache stores the answer: fields with their new values, `undefined` for
 * those to delete.
 *
 * @param {Headers} headers
 * @param {number} policy
 * @param {string} vary
 */
export function cachingChanges(headers, policy, vary) {
  /** @type {[string, string | undefined][]} */
  const changes = [];
  for (const name of TARGETED) if (headers.has(name)) changes.push([name, undefined]);
  const value = headers.get("cache-control");
  const directives = value?.match(DIRECTIVE) ?? [];
  const nameOf = (/** @type {string} */ directive) => directive.split("=", 1)[0].trim().toLowerCase();
  const has = (/** @type {string[]} */ ...names) => directives.some((directive) => names.includes(nameOf(directive)));
  // A quote without an end hides what follows it.
  const isWhole = !value?.replace(/"(?:\\.|[^"\\])*"/g, "").includes('"');
  // A cache that knows `must-understand` does not obey `no-store` beside it (RFC 9111 §5.2.2.3).
  if (isWhole && has("no-store") && !has("must-understand")) return changes;
  // `private` with the names of fields is about those fields alone.
  const isPrivate = isWhole && directives.some((directive) => directive.toLowerCase() === "private");
  // A shared cache keeps the answer to a request with `Authorization` only if one of these says so (RFC 9111 §3.5).
  const isKept = !(policy & IN_AUTHORIZATION) || has("public", "s-maxage", "must-revalidate");
  if (isPrivate ? has("public", "s-maxage") : isKept || changes.length > 0) {
    const others = directives.filter((directive) => !["public", "s-maxage", "private"].includes(nameOf(directive)));
    changes.push(["cache-control", [...others, "private"].join(", ")]);
  }
  if (policy & OPTIONAL) {
    const known = (headers.get("vary") ?? "")
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name);
    const lower = known.map((name) => name.toLowerCase());
    const missing = vary.split(", ").filter((name) => !lower.includes(name.toLowerCase()));
    if (missing.length > 0 && !known.includes("*")) changes.push(["vary", [...known, ...missing].join(", ")]);
  }
  return changes;
}

/**
 * A `Location` at the origin's own address, as the client can reach it through the gate; `undefined` if it stays.
 *
 * @param {string | null} location
 * @param {Mapping} mapping
 */
export function relocated(location, { site, host, prefix, strip }) {
  if (location === null) return undefined;
  location = location.replace(/[\t\n\r]/g, ""); // as browsers do (WHATWG URL §4.4)
  const isAbsolute = /^\s*(?:[a-z][a-z0-9+.-]*:|[\\/]{2})/i.test(location);
  if (!isAbsolute && !((prefix || strip) && location.startsWith("/"))) return undefined;
  if (!URL.canParse(location, `http://${host}`)) return undefined;
  const url = new URL(location, `http://${host}`);
  if (!["http:", "https:"].includes(url.protocol) || url.host !== host) return undefined;
  const path = clientPath(url.pathname, prefix, strip);
  if (path === undefined) return undefined;
  const rest = `${path}${url.search}${url.hash}`;
  // Two slashes at the beginning would name another host.
  return isAbsolute || rest.startsWith("//") ? `${site}${rest}` : rest;
}

/** Whether a path is `start`, or lies below it. @param {string} path @param {string} start */
function isBelow(path, start) {
  return path === start || path.startsWith(`${start}/`);
}

/**
 * A path of an origin's answer as clients know it: without `prefix`, and with `strip` before it. `undefined` for a path
 * that can't be reached through the gate, because it lies beside the prefix. An application that reads
 * `X-Forwarded-Prefix` puts that before its paths itself, so a path that begins with it keeps it.
 *
 * @param {string} path
 * @param {string} prefix
 * @param {string} strip
 */
function clientPath(path, prefix, strip) {
  const isKnown = strip !== "" && isBelow(path, strip);
  const rest = isKnown ? path.slice(strip.length) : path;
  if (prefix === "") return strip + rest || "/";
  if (isBelow(rest, prefix)) return strip + rest.slice(prefix.length) || "/";
  return isKnown ? path : undefined;
}

/**
 * A cookie of an origin for the path at which clients know it. One for all paths of the origin's host is for all that
 * the gate sends there. A cookie named `__Host-…` is for all paths of a host, or browsers refuse it.
 *
 * @param {string} cookie the value of `Set-Cookie`
 * @param {Mapping} mapping
 */
export function movedCookie(cookie, { prefix, strip }) {
  if (/^\s*__host-/i.test(cookie)) return cookie;
  return cookie.replace(/(;\s*path\s*=\s*)(\/[^;]*?)(?=\s*(?:;|$))/gi, (_, start, path) => {
    const isAbove = path === "/" || (prefix !== "" && isBelow(prefix, path.replace(/\/$/, "")));
    const moved = isAbove ? strip || "/" : clientPath(path, prefix, strip);
    return `${start}${moved ?? path}`;
  });
}

// The longest time that a timer takes, in milliseconds.
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls `act` at a time in milliseconds since 1970. Returns a function that cancels that.
 *
 * @param {number} time
 * @param {() => void} act
 */
function at(time, act) {
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  const wait = () => {
    const left = time - Date.now();
    timer = setTimeout(left > MAX_TIMER_MS ? wait : act, Math.min(Math.max(left, 0), MAX_TIMER_MS));
  };
  wait();
  return () => clearTimeout(timer);
}

/**
 * The WebSocket of a response, relayed so that the gate can close it at a time (RFC 6455 §7.4.1: 1008).
 *
 * @param {Response} response
 * @param {WebSocket} origin the response's
 * @param {number} time
 */
function closingSocket(response, origin, time) {
  const [client, server] = Object.values(new WebSocketPair());
  const sides = [
    [origin, server],
    [server, origin],
  ];
  const attempt = (/** @type {() => void} */ act) => {
    try {
      act();
    } catch {
      // This side is closed already.
    }
  };
  const stop = at(time, () => {
    for (const [side] of sides) attempt(() => side.close(1008, "token expired"));
  });
  for (const [from, to] of sides) {
    from.binaryType = "arraybuffer";
    from.addEventListener("message", ({ data }) => attempt(() => to.send(data)));
    from.addEventListener("close", ({ code, reason }) => {
      stop();
      // 1005 says that there was no code. Others can't be sent (1006, 1015), or not by JavaScript: the other side is
      // closed all the same, or it would stay open without anybody at its end.
      try {
        if (code === 1005) to.close();
        else to.close(code, reason);
      } catch {
        attempt(() => to.close(1011));
      }
    });
    from.addEventListener("error", () => attempt(() => to.close(1011)));
  }
  origin.accept();
  server.accept();
  const headers = new Headers(response.headers);
  headers.delete("sec-websocket-extensions"); // agreed upon for one hop
  return new Response(null, { status: 101, webSocket: client, headers });
}

/**
 * A body that ends at a time, whether it is over or not.
 *
 * @param {ReadableStream} body
 * @param {number} time
 */
function endingAt(body, time) {
  const { readable, writable } = new IdentityTransformStream();
  const reader = body.getReader();
  const writer = writable.getWriter();
  let isOver = false;
  // To cancel the reader ends the read that is under way, by an error perhaps.
  const stop = at(time, () => {
    isOver = true;
    reader.cancel().catch(() => {});
  });
  const pump = async () => {
    for (;;) {
      const { done, value } = await reader.read().catch((error) => {
        if (isOver) return { done: true, value: undefined };
        throw error;
      });
      if (done) return writer.close();
      await writer.write(value);
    }
  };
  pump()
    .catch((error) => Promise.allSettled([reader.cancel(error), writer.abort(error)]))
    .finally(stop);
  return readable;
}

/**
 * A static file. What the asset server answers with 404 and no page of its own is `missing(true)`; `missing(false)` if
 * it can't be reached. No shared cache may store the file if it is private.
 *
 * @param {Fetcher} assets
 * @param {string} url
 * @param {Request} request
 * @param {boolean} isPrivate
 * @param {string} vary
 * @param {(isNotFound: boolean) => Response} missing
 */
export function fetchAsset(assets, url, request, isPrivate, vary, missing) {
  const headers = new Headers(request.headers);
  headers.delete("authorization");
  return Promise.resolve()
    .then(() => perform(url, { method: request.method, headers }, !isPrivate, assets))
    .then(
      (response) => {
        // With a type it is the page of `not_found_handling = "404-page"`.
        if (response.status === 404 && !response.headers.has("content-type")) return missing(true);
        if (!isPrivate || response.status < 200) return response;
        const own = new Response(response.body, response);
        for (const name of TARGETED) own.headers.delete(name);
        own.headers.set("cache-control", "private, no-cache");
        own.headers.append("vary", vary);
        return own;
      },
      () => missing(false),
    );
}

/**
 * A GET request to another server: `{ status, body }` with the whole body, or a word that says why there is no answer.
 * `headers` are `name:value`, one a line.
 *
 * @param {string} url
 * @param {string} headers
 * @param {number} timeoutMs
 * @param {number} limit in bytes
 * @returns {Promise<{ status: number, body: Uint8Array } | "too_long" | "timeout" | "unreachable">}
 */
export async function fetchWhole(url, headers, timeoutMs, limit) {
  try {
    const lines = headers === "" ? [] : headers.split("\n");
    const fields = lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]);
    const response = await perform(url, { headers: fields, signal: AbortSignal.timeout(timeoutMs) }, false);
    const parts = [];
    let length = 0;
    for await (const part of response.body ?? []) {
      length += part.length;
      if (length > limit) return "too_long";
      parts.push(part);
    }
    return { status: response.status, body: new Uint8Array(await new Blob(parts).arrayBuffer()) };
  } catch (error) {
    return /** @type {Error} */ (error).name === "TimeoutError" ? "timeout" : "unreachable";
  }
}
