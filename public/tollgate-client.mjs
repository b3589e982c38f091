// A client of the gate, for pages and servers: logs in, sends requests with the token, renews it, logs out. The npm
// package has it as tollgate/client, the gate of this repository serves it to its pages.
//
// What always holds: tokens are in memory only, and in that of the page's other tabs; they are sent to the gate's
// origin and nowhere else. One tab renews for all (Web Locks), the others get the new tokens from it
// (BroadcastChannel).

/** @typedef {import("../worker/client.d.mts").ClientOptions} ClientOptions */
/**
 * `since` is the time of their log-in, which renewed ones keep, `received` their own: both of this machine's clock.
 *
 * @typedef {{ access: string, refresh: string | undefined, since: number, received: number }} Tokens
 */

const DIALECTS = {
  "flask-jwt": { scheme: "JWT", refreshes: false },
  "flask-jwt-extended": { scheme: "Bearer", refreshes: true },
};
const PATHS = { logIn: "/auth", refresh: "/auth/refresh", logOut: "/auth/logout" };
/** Texts of a token that has expired, or whose claims have changed: the dialects' own. */
const EXPIRED = ["Token has expired", "Signature has expired"];
/** Methods that need no CSRF value. */
const SAFE = ["GET", "HEAD", "OPTIONS"];
/** A token is renewed when this part of its life is left, but at most so many seconds before its end. */
const EARLY = { part: 0.1, seconds: 10 };
/** Milliseconds in which another tab answers. */
const TAB_TIMEOUT = 200;

/** The gate has refused a log-in. */
export class RefusedError extends Error {
  /** @param {string} message @param {Response} response */
  constructor(message, response) {
    super(message);
    this.name = "RefusedError";
    this.status = response.status;
    this.response = response;
    const after = Number(response.headers.get("Retry-After"));
    this.retryAfter = after > 0 ? after : undefined;
  }
}

/** @param {ClientOptions} [options] */
export const createClient = (options) => new Client(options);

class Client {
  #options;
  #url;
  /** @type {Tokens | null} */
  #tokens = null;
  /** CSRF values that came in a body, for pages that can't read the cookies. @type {Record<string, string>} */
  #csrf = {};
  /** The renewal on its way. @type {Promise<boolean> | null} */
  #renewal = null;
  /** @type {BroadcastChannel | null} */
  #channel = null;
  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** Counts log-ins and log-outs: only the last one counts. */
  #attempt = 0;
  /** The time of the last log-in or log-out, in any tab: what belongs to an earlier log-in comes too late. */
  #since = 0;
  /** Called when another tab has sent tokens. @type {(() => void) | null} */
  #heard = null;
  #asked;

  /** @param {ClientOptions} [options] */
  constructor(options = {}) {
    const isPage = typeof document !== "undefined";
    const url = options.url ?? globalThis.location?.origin;
    if (url === undefined) throw new TypeError("url is missing: where the gate is");
    const dialect = options.dialect ?? "flask-jwt";
    if (!Object.hasOwn(DIALECTS, dialect)) throw new TypeError(`no dialect ${dialect}`);
    if (options.cookies && (!isPage || dialect === "flask-jwt"))
      throw new TypeError("cookies are for pages, and of the dialect flask-jwt-extended");
    this.#url = new URL(url);
    const { protocol, pathname, search, hash } = this.#url;
    if (!/^https?:$/.test(protocol)) throw new TypeError("url is wrong: write http:// or https:// and the gate's host");
    if (pathname + search + hash !== "/") throw new TypeError("url is the gate's origin: paths are options");
    this.#options = {
      ...DIALECTS[dialect],
      cookies: options.cookies ?? false,
      paths: { ...PATHS, ...options.paths },
      fields: { username: "username", password: "password", ...options.fields },
      csrfHeader: options.csrfHeader ?? "X-CSRF-TOKEN",
      fetch: options.fetch ?? ((/** @type {Request} */ request) => globalThis.fetch(request)),
    };
    this.#asked = (options.share ?? isPage) && !this.#options.cookies ? this.#openChannel() : undefined;
  }

  /** The access token, if there is one in memory. */
  get token() {
    return this.#tokens?.access ?? null;
  }

  /** The claims of the access token, which nobody has verified here. */
  get claims() {
    return this.#tokens === null ? null : claimsOf(this.#tokens.access);
  }

  /** Settled when another tab has given its tokens, or has none. */
  get ready() {
    return this.#asked ?? Promise.resolve();
  }

  /** Calls `listener` when the token changes, here or in another tab. Returns how to stop that. @param {() => void} listener */
  onChange(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** @param {string} username @param {string} password */
  async logIn(username, password) {
    const { paths, fields } = this.#options;
    const body = JSON.stringify({ [fields.username]: username, [fields.password]: password });
    const headers = { "Content-Type": "application/json" };
    this.#attempt += 1;
    const attempt = this.#attempt;
    // No redirect takes the password elsewhere.
    const request = this.#request(paths.logIn, { method: "POST", headers, body, redirect: "error" });
    const response = await this.#options.fetch(request);
    const answer = await jsonOf(response.clone());
    if (attempt !== this.#attempt)
      throw new DOMException("another log-in or log-out came after this one", "AbortError");
    if (!response.ok) throw new RefusedError(textOf(answer) ?? `the gate answered ${response.status}`, response);
    this.#since = Date.now();
    if (!this.#take(answer, this.#since)) throw new RefusedError("the gate sent no token", response);
  }

  /**
   * As the runtime's `fetch`, with the token. The URL may be relative to the gate's.
   *
   * @param {string | URL | Request} input
   * @param {RequestInit} [init]
   */
  async fetch(input, init) {
    await this.ready;
    await this.#renewIfDue();
    const used = this.#proof();
    const response = await this.#sendWith(used, input, init);
    if (response.status !== 401 || !isRepeatable(input, init)) return response;
    if (!EXPIRED.includes(textOf(await jsonOf(response.clone())) ?? "") || !(await this.#renew(used))) return response;
    return this.#sendWith(this.#proof(), input, init);
  }

  /** Forgets the tokens at once; returns the gate's answer. */
  logOut() {
    this.#attempt += 1;
    this.#since = Date.now();
    const used = this.#proof();
    this.#csrf = {};
    this.#channel?.postMessage({ ended: this.#since });
    this.#set(null);
    return this.#sendWith(used, this.#options.paths.logOut, { method: "POST", redirect: "error" });
  }

  /** Takes no more part in what the tabs tell each other. */
  close() {
    this.#channel?.close();
    this.#channel = null;
  }

  // ---- Sending ----

  /**
   * A request to the gate, and to nothing else.
   *
   * @param {string | URL | Request} input
   * @param {RequestInit} [init]
   */
  #request(input, init) {
    const url = new URL(input instanceof Request ? input.url : input, this.#url);
    if (url.origin !== this.#url.origin)
      throw new TypeError(`${url.origin} is not the gate's origin, and gets no token: use fetch itself`);
    const credentials = this.#options.cookies ? { credentials: /** @type {const} */ ("include") } : {};
    return new Request(input instanceof Request ? input : url, { ...init, ...credentials });
  }

  /**
   * Sends a request with the proof of who it is from: the access token, or in a page with cookies their CSRF value.
   *
   * @param {string | null} proof
   * @param {string | URL | Request} input
   * @param {RequestInit} [init]
   */
  #sendWith(proof, input, init) {
    const { cookies, scheme, csrfHeader } = this.#options;
    let request = this.#request(input, init);
    if (proof !== null && !cookies) request.headers.set("Authorization", `${scheme} ${proof}`);
    if (proof !== null && cookies && !SAFE.includes(request.method)) {
      // Runtimes take Authorization from a request that is redirected to another origin, but not this field.
      if (init?.redirect === undefined && request.redirect === "follow")
        request = new Request(request, { redirect: "error" });
      request.headers.set(csrfHeader, proof);
    }
    return this.#options.fetch(request);
  }

  /** The access token; in a page with cookies the CSRF value that goes with it, which changes with the token. */
  #proof() {
    return this.#options.cookies ? this.#csrfValue("csrf_access_token") : (this.#tokens?.access ?? null);
  }

  /** @param {string} name */
  #csrfValue(name) {
    const cookie = document.cookie.split("; ").find((cookie) => cookie.startsWith(`${name}=`));
    const inCookie = cookie?.slice(name.length + 1);
    // A page of another origin may have a cookie of this name of its own.
    const isOwn = globalThis.location?.origin === this.#url.origin;
    return (isOwn ? (inCookie ?? this.#csrf[name]) : (this.#csrf[name] ?? inCookie)) ?? null;
  }

  // ---- Renewing ----

  /** Renews a token that is about to expire, by the time since it was received: clocks may differ. */
  async #renewIfDue() {
    if (this.#tokens?.refresh === undefined) return;
    const { iat, exp } = claimsOf(this.#tokens.access) ?? {};
    if (typeof iat !== "number" || typeof exp !== "number") return;
    const left = exp - iat - (Date.now() - this.#tokens.received) / 1000;
    if (left < Math.min(EARLY.seconds, EARLY.part * (exp - iat))) await this.#renew(this.#tokens.access);
  }

  /**
   * Whether there is a newer token than this: one renewal for all requests, and for all tabs.
   *
   * @param {string | null} used
   */
  #renew(used) {
    if (!this.#options.refreshes || used === null) return Promise.resolve(false);
    this.#renewal ??= this.#locked(() => this.#renewNow(used)).finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  /** @param {() => Promise<boolean>} renew */
  async #locked(renew) {
    const { locks } = globalThis.navigator ?? {};
    const name = `tollgate ${this.#url.origin}`;
    if (typeof document === "undefined" || !locks) return renew();
    const isFree = await locks.request(name, { ifAvailable: true }, async (lock) => lock && { is: await renew() });
    if (isFree) return isFree.is;
    // Another tab renews: what it gets comes by the channel.
    const before = this.token;
    return locks.request(name, async () => {
      if (this.#channel && this.token === before) await this.#listen();
      return renew();
    });
  }

  /** @param {string} used @returns {Promise<boolean>} */
  async #renewNow(used) {
    const now = this.#proof();
    if (now !== used) return now !== null;
    const refresh = this.#options.cookies ? this.#csrfValue("csrf_refresh_token") : this.#tokens?.refresh;
    if (!refresh) return false;
    const [attempt, before] = [this.#attempt, this.#tokens];
    const init = /** @type {const} */ ({ method: "POST", redirect: "error" });
    const response = await this.#sendWith(refresh, this.#options.paths.refresh, init);
    const answer = response.ok ? await jsonOf(response) : undefined;
    // After a log-in or a log-out meanwhile, here or in another tab, this answer is of another session.
    if (attempt !== this.#attempt || before !== this.#tokens) return ![null, used].includes(this.#proof());
    if (response.ok) return this.#take(answer, before?.since ?? 0, before?.refresh);
    // The session is over. Any other answer, such as 503, may be a better one next time.
    if ([401, 422].includes(response.status)) {
      this.#channel?.postMessage({ over: before?.since });
      this.#set(null);
    }
    return false;
  }

  // ---- Tokens ----

  /**
   * Keeps the tokens of an answer.
   *
   * @param {any} answer
   * @param {number} since the time of the log-in
   * @param {string} [refresh] the present one, where the answer has none
   */
  #take(answer, since, refresh) {
    if (this.#options.cookies) {
      const { csrf_access_token, csrf_refresh_token } = answer ?? {};
      this.#csrf = {
        ...this.#csrf,
        ...(csrf_access_token && { csrf_access_token }),
        ...(csrf_refresh_token && { csrf_refresh_token }),
      };
      this.#set(null);
      return true;
    }
    const { access_token: access, refresh_token: next } = answer ?? {};
    // Only visible ASCII can travel in a header.
    if (typeof access !== "string" || !/^[!-~]+$/.test(access)) return false;
    this.#set({ access, refresh: typeof next === "string" ? next : refresh, since, received: Date.now() });
    this.#channel?.postMessage({ tokens: this.#tokens });
    return true;
  }

  /** @param {Tokens | null} tokens */
  #set(tokens) {
    this.#tokens = tokens;
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        queueMicrotask(() => {
          throw error; // the application's own, which must not spoil a log-in
        });
      }
    }
  }

  // ---- Other tabs ----

  /** Asks the other tabs for their tokens, and gives them this one's from now on. */
  #openChannel() {
    if (typeof BroadcastChannel === "undefined") return undefined;
    this.#channel = new BroadcastChannel(`tollgate ${this.#url.origin}`);
    this.#channel.onmessage = ({ data: { asks, tokens, ended, over } }) => {
      if (asks && this.#tokens !== null) this.#channel?.postMessage({ tokens: this.#tokens });
      if (ended > this.#since) {
        this.#since = ended;
        this.#attempt += 1;
        this.#set(null);
      }
      if (over !== undefined && over === this.#tokens?.since) this.#set(null);
      if (tokens !== undefined && this.#isNewer(tokens)) {
        if (tokens.since > this.#since) this.#attempt += 1;
        this.#since = tokens.since;
        this.#set(tokens);
      }
      if (!asks) this.#heard?.();
    };
    this.#channel.postMessage({ asks: true });
    return this.#listen();
  }

  /** Whether these are of a later log-in than the last that is known of, or renewed ones of the same. @param {Tokens} tokens */
  #isNewer({ since, received }) {
    if (since !== this.#since) return since > this.#since;
    return this.#tokens !== null && received > this.#tokens.received;
  }

  /** Waits until another tab has sent tokens, but not long. @returns {Promise<void>} */
  #listen() {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, TAB_TIMEOUT);
      this.#heard = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Whether a request can be sent twice: its body is no stream. @param {string | URL | Request} input @param {RequestInit} [init] */
const isRepeatable = (input, init) =>
  !(init?.body instanceof ReadableStream) && !(input instanceof Request && input.body !== null);

/** The claims in a token; null if they can't be read. @param {string} token @returns {Record<string, unknown> | null} */
function claimsOf(token) {
  try {
    const binary = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(binary, (char) => char.charCodeAt(0))));
  } catch {
    return null;
  }
}

/** @param {Response} response */
const jsonOf = (response) => response.json().catch(() => undefined);

/** What a refusal says, in either dialect. @param {any} answer @returns {string | undefined} */
const textOf = (answer) => [answer?.description, answer?.msg].find((text) => typeof text === "string");
