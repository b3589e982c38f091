// The hot path: answers or forwards a request without a promise, and mostly without a call into Rust.
//
// Which decisions are replayed: three kinds that Rust has made, "answer with this identity", "forward under this rule"
// and "the worker's own code answers". Rust gives times only for those that it allows to be kept (`keep` in
// src/edge/hot.rs: from a token's second use, under a rule that asks for no fresh token, and more). Rejections are not
// replayed: Rust decides each one, and only the parts of its response are kept here.
//
// Keyed by what: the whole value of `Authorization`, byte for byte. An entry holds one decision, for one method and one
// URL, and is used only for a request with the same three values. It also holds the identity headers of its token,
// which go out only after a decision to forward, a new or a replayed one. With assertions they depend on the origin and
// on the time: Rust says for which `audience` they are, and until when.
//
// Until when: the rules say with each decision from and until when it holds (`Gate::replayable`): within the token's
// own times; and where tokens can be revoked, until the next snapshot of the revocations is due, at a third of its
// maximum age. A revocation that arrives before takes effect when that time is over. An entry goes earlier when newer
// tokens need its place (the rules say for how many there is room), and all go with the instance.
//
// Why that is safe: a decision that is replayed depends on the configuration, which an isolate reads once, on method,
// URL and `Authorization`, which are compared, and on the clock and the known revocations, which the times bound. For a
// decision that needed any other header Rust gives no times. `handle` runs to its end without another request in
// between. An exception on the way leaves an entry with neither answer nor rule, which sends the next request to Rust.

/** @typedef {import("./glue.mjs").HotCallbacks} HotCallbacks */
/** @typedef {typeof import("./glue.mjs")} Rust */
/** @typedef {Pick<Rust, "begin" | "buffer" | "decide" | "goes_on" | "identity_init" | "is_the_clients" | "sender">} HotRust */
/** @typedef {Response | Promise<Response>} Answer */

/**
 * What is known of a token. The decision holds from `from` until before `until`, in milliseconds since 1970. It is
 * `body` (answer with it), `rule` (forward under it) or `auth` (the worker's own code answers, and this says to whom, as
 * JSON); if all are unset there is nothing to replay. `audience` is the one that it needs identity headers for (0 for
 * any), and `identityHeaders` are those for `headersAudience`, until before `headersUntil`.
 *
 * @typedef {{
 *   method: string, url: string, from: number, until: number,
 *   body: string | undefined, rule: number | undefined, auth: string | undefined,
 *   audience: number, identityHeaders: [string, string][] | undefined, headersAudience: number, headersUntil: number,
 * }} Entry
 */

/** From here on a verdict is the length of `auth` (`verdict` in src/edge/hot.rs). */
const INNER = 65_536;

/** The audience of identity headers that are not there (`audience` in src/edge/hot.rs). */
const NO_HEADERS = -1;

const decoder = new TextDecoder();

/**
 * The hot path of a worker. `instance()` gives the instance in Wasm; `handleInRust` answers what is not answered here,
 * `answerInside` what the worker's own code answers, and `internalError` makes the answer to an exception. Call the
 * returned `begin(rust)` with each fresh instance.
 *
 * @param {() => unknown} instance
 * @param {(request: Request, env: Cloudflare.Env, ctx: ExecutionContext, isDecided: boolean) => Answer} handleInRust
 * @param {(request: Request, env: Cloudflare.Env, ctx: ExecutionContext, auth: string) => Answer} answerInside
 * @param {(error: unknown) => Response} internalError
 */
export function hotPath(instance, handleInRust, answerInside, internalError) {
  // What is kept for this instance.
  /** @type {HotRust} */
  let rust;
  /** Where requests are written for Rust. @type {Uint8Array} */
  let buffer;
  /** Status and headers of every answer with an identity. @type {ResponseInit} */
  let identityInit;
  /** @type {{ init: ResponseInit, logged: LoggedInit, body: string, id: string, before: string, after: string }[]} */
  let rejections;
  /** @typedef {{ status?: number, headers: Headers }} LoggedInit */
  /** Whether a header field is forwarded, by its name. @type {Map<string, boolean | undefined>} */
  let forwardedFields;
  /** Whether a header field reaches the worker's own code, by its name. @type {Map<string, boolean>} */
  let clientsFields;
  /** By the value of `Authorization`, the oldest first. @type {Map<string | null, Entry>} */
  let entries;
  /** @type {import("../../src/edge/js/fetch.mjs").Sender | undefined} */
  let sender;

  /** @param {HotRust} fresh */
  function begin(fresh) {
    rust = fresh;
    buffer = rust.buffer();
    identityInit = rust.identity_init();
    rejections = [];
    forwardedFields = new Map();
    clientsFields = new Map();
    entries = new Map();
    sender = undefined;
    rust.begin(callbacks);
  }

  // The request that is being decided. These are set for each request before they are read.
  /** @type {string} */
  let method;
  /** @type {string} */
  let url;
  /** @type {string | null} */
  let authorization;
  // What Rust says of it: its identity headers, the response if it is rejected, the entry for its decision.
  /** @type {[string, string][] | undefined} */
  let identityHeaders;
  /** @type {Response} */
  let response;
  /** @type {Entry | undefined} */
  let entryToFill;

  /** The token's entry, a new one if need be: of `capacity` entries the oldest makes room. @param {number} capacity */
  function entryFor(capacity) {
    let entry = entries.get(authorization);
    if (entry === undefined) {
      if (entries.size >= capacity) entries.delete(/** @type {string | null} */ (entries.keys().next().value));
      entry = {
        method: "",
        url: "",
        from: 0,
        until: 0,
        body: undefined,
        rule: undefined,
        auth: undefined,
        audience: 0,
        identityHeaders: undefined,
        headersAudience: 0,
        headersUntil: 0,
      };
      entries.set(authorization, entry);
    }
    return entry;
  }

  /**
   * Fills the entry with the decision, if Rust gave times for it.
   *
   * @param {string | undefined} body
   * @param {number | undefined} rule
   * @param {string | undefined} auth
   */
  function fill(body, rule, auth) {
    if (entryToFill === undefined) return;
    entryToFill.body = body;
    entryToFill.rule = rule;
    entryToFill.auth = auth;
  }

  /** What Rust calls during `decide`. @type {HotCallbacks} */
  const callbacks = {
    keep(from, until, capacity, audience) {
      const nothing = { body: undefined, rule: undefined, auth: undefined };
      entryToFill = Object.assign(entryFor(capacity), { method, url, from, until, audience, ...nothing });
    },
    setIdentityHeaders(lines, capacity, headersAudience, headersUntil) {
      identityHeaders = lines.split("\n").map((line) => {
        const at = line.indexOf(":");
        return [line.slice(0, at), line.slice(at + 1)];
      });
      if (capacity > 0) Object.assign(entryFor(capacity), { identityHeaders, headersAudience, headersUntil });
    },
    setRejection(number, init, body, id, line) {
      const [before, after] = line.split(id);
      const logged = { status: init.status, headers: new Headers(init.headers) };
      rejections[number] = { init, logged, body, id, before, after };
    },
    reject(number, request, isLogged) {
      const { init, logged, body, id, before, after } = rejections[number];
      if (isLogged) {
        console.log(`${before}${id}${request}${after}`);
        // The response copies the headers. To set the id in the copy costs 0.03 of a request's time.
        logged.headers.set("x-request-id", `${id}${request}`);
      }
      response = new Response(body, isLogged ? logged : init);
    },
  };

  /** The buffer as it is now: a view of Wasm's memory has no length once that has grown. */
  function currentBuffer() {
    if (buffer.length === 0) buffer = rust.buffer();
    return buffer;
  }

  /**
   * Writes the request where Rust reads it; `false` if it is too long or not ASCII. Byte by byte: 0.03 of a request's
   * time less than `encodeInto`.
   */
  function writeRequest() {
    const value = authorization ?? "";
    return (
      method.length + url.length + value.length <= currentBuffer().length
      && writeAscii(method, 0)
      && writeAscii(url, method.length)
      && writeAscii(value, method.length + url.length)
    );
  }

  /** @param {string} text @param {number} start */
  function writeAscii(text, start) {
    for (let at = 0; at < text.length; at++) {
      const byte = text.charCodeAt(at);
      if (byte > 127) return false;
      buffer[start + at] = byte;
    }
    return true;
  }

  /**
   * Reads what Rust has written, in ASCII. A short text byte by byte: 0.01 of a request's time less than by `decode`.
   *
   * @param {number} length
   */
  function readAscii(length) {
    const bytes = currentBuffer();
    if (length > 100) return decoder.decode(bytes.subarray(0, length));
    let text = "";
    for (let at = 0; at < length; at++) text += String.fromCharCode(bytes[at]);
    return text;
  }

  /**
   * Sends the request on to the origin; `undefined` if it can't be said here which of its headers go on.
   *
   * @param {Request} request
   * @param {Cloudflare.Env} env
   * @param {number} began
   * @param {number} rule
   */
  function forward(request, env, began, rule) {
    const headers = new Headers(request.headers);
    for (const name of request.headers.keys()) {
      const goesOn = isForwarded(name, name === "connection" ? (headers.get(name) ?? undefined) : undefined);
      if (goesOn === undefined) return undefined;
      if (!goesOn) headers.delete(name);
    }
    // Without identity headers this throws: the origin must not take the request for a stranger's.
    for (const [name, value] of /** @type {[string, string][]} */ (identityHeaders)) headers.set(name, value);
    const path = url.indexOf("/", url.indexOf(":") + 3);
    if (path < 0) return undefined;
    sender ??= rust.sender(env);
    return sender(url.slice(path), request, headers, request.method === "HEAD", began, rule, undefined);
  }

  /**
   * Whether a header field goes on to the origin. Rust is asked once for each name, and for each value of `Connection`:
   * 0.02 of a request's time less than to ask for all names.
   *
   * @param {string} name
   * @param {string | undefined} value
   */
  function isForwarded(name, value) {
    const field = value === undefined ? name : `${name}:${value}`;
    if (field.length > 100) return rust.goes_on(name, value);
    if (!forwardedFields.has(field)) {
      if (forwardedFields.size > 200) forwardedFields.clear();
      forwardedFields.set(field, rust.goes_on(name, value));
    }
    return forwardedFields.get(field);
  }

  /**
   * Whether the worker's own code gets the request as it came. If not, Rust removes what a client may not say. Rust is
   * asked once for each name.
   *
   * @param {Request} request
   */
  function isAllTheClients(request) {
    for (const name of request.headers.keys()) {
      let isTheClients = clientsFields.get(name);
      if (isTheClients === undefined) {
        isTheClients = rust.is_the_clients(name);
        if (clientsFields.size > 200) clientsFields.clear();
        if (name.length <= 100) clientsFields.set(name, isTheClients);
      }
      if (!isTheClients) return false;
    }
    return true;
  }

  /**
   * Handles a request. No closures here: what they hold would be allocated for every request (0.01 of its time).
   *
   * @param {Request} request
   * @param {Cloudflare.Env} env
   * @param {ExecutionContext} ctx
   * @returns {Answer}
   */
  function handle(request, env, ctx) {
    let isDecided = false;
    /** @type {string | undefined} */
    let auth;
    try {
      instance(); // a fresh one, if the last was lost: it empties what is kept here
      const now = Date.now();
      method = request.method;
      authorization = request.headers.get("authorization");
      url = request.url;
      const entry = entries.get(authorization);
      let rule;
      let audience = NO_HEADERS;
      identityHeaders = undefined;
      if (entry !== undefined && now < entry.headersUntil) ({ identityHeaders, headersAudience: audience } = entry);
      const isKnown = entry?.url === url && entry.method === method && entry.from <= now && now < entry.until;
      if (isKnown && entry.body !== undefined) return new Response(entry.body, identityInit);
      if (isKnown && (entry.rule === undefined || entry.audience === audience)) {
        ({ rule, auth } = entry);
      } else if (writeRequest()) {
        entryToFill = undefined;
        // What it returns: src/edge/hot.rs.
        const verdict = rust.decide(method.length, url.length, authorization?.length, now, audience);
        if (verdict > 0 && verdict < INNER) {
          const body = readAscii(verdict);
          fill(body, undefined, undefined);
          return new Response(body, identityInit);
        }
        if (verdict === 0) return response;
        isDecided = verdict === -1;
        if (verdict >= INNER) auth = readAscii(verdict - INNER);
        else if (!isDecided) rule = -2 - verdict;
        fill(undefined, rule, auth);
      }
      if (auth !== undefined && !isAllTheClients(request)) auth = undefined;
      const forwarded = rule === undefined ? undefined : forward(request, env, now, rule);
      if (forwarded !== undefined) return forwarded.catch(internalError);
    } catch (error) {
      return internalError(error);
    }
    // An exception of that code is its own.
    if (auth !== undefined) return answerInside(request, env, ctx, auth);
    return handleInRust(request, env, ctx, isDecided);
  }

  return { begin, handle };
}
