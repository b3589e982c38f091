// The hot path: what is answered, or forwarded, without a promise and mostly without Rust.
//
// What is replayed, and why that is safe: a decision that Rust has made is kept by the whole `Authorization` value. It
// is replayed for the same URL and method only, and only from and until the times that the rules gave with it
// (Gate::replayable: the token's own times, and the age of what is known of revocations). Whatever is kept is bounded,
// and gone with the instance. Nothing is decided here: what is not kept, or may not be, goes to Rust.

const decoder = new TextDecoder();

/**
 * The hot path of a worker. `instance()` is the instance in Wasm; `goOn(request, env, ctx, isDecided)` answers whatever
 * is not answered here, and `broken(error)` an exception. `begin(rust)` is to be called with each fresh instance.
 */
export function hotPath(instance, goOn, broken) {
  let rust;

  // What is kept of this instance: where requests are written for it; how rejections look; which header fields go on;
  // and, by `Authorization`, what is known of a token: what is done with one request with it from then until then (this
  // body is the answer, or it goes on to the origin under this rule), and what an origin is told.
  let buffer, init, rejections, goingOn, kept, send;
  function begin(fresh) {
    rust = fresh;
    buffer = rust.buffer();
    init = rust.identity_init();
    rejections = [];
    goingOn = new Map();
    kept = new Map();
    send = undefined;
    rust.begin(callbacks);
  }

  // The request that is being decided, and what Rust says of it: a rejection, what an origin is told, where the answer
  // is kept. Each is set for a request before it is read.
  let method, authorization, url, response, fields, keeping;

  /** What is kept for the token. Of so many, the one that came first makes room for it. */
  function remember(capacity) {
    let known = kept.get(authorization);
    if (known === undefined) {
      if (kept.size >= capacity) kept.delete(kept.keys().next().value);
      known = { method: "", url: "", from: 0, until: 0, body: undefined, rule: undefined, fields: undefined };
      kept.set(authorization, known);
    }
    return known;
  }

  // What Rust says in the middle of `decide`.
  const callbacks = {
    keep(from, until, capacity) {
      keeping = Object.assign(remember(capacity), { method, url, from, until, body: undefined, rule: undefined });
    },
    setIdentityHeaders(lines, capacity) {
      fields = lines.split("\n").map((line) => {
        const at = line.indexOf(":");
        return [line.slice(0, at), line.slice(at + 1)];
      });
      if (capacity > 0) remember(capacity).fields = fields;
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
        // The response has its own copy; to set it there costs 0.03 of a request's time.
        logged.headers.set("x-request-id", `${id}${request}`);
      }
      response = new Response(body, isLogged ? logged : init);
    },
  };

  /** The buffer itself: when the memory has grown, its old views are void. */
  function place() {
    if (buffer.length === 0) buffer = rust.buffer();
    return buffer;
  }

  /**
   * Writes the request where Rust reads it; `false` if it can't. Byte by byte: 0.03 of a request's time less than
   * `encodeInto`.
   */
  function write() {
    const rest = authorization ?? "";
    return (
      method.length + url.length + rest.length <= place().length
      && put(method, 0)
      && put(url, method.length)
      && put(rest, method.length + url.length)
    );
  }

  function put(text, start) {
    for (let at = 0; at < text.length; at++) {
      const byte = text.charCodeAt(at);
      if (byte > 127) return false;
      buffer[start + at] = byte;
    }
    return true;
  }

  /**
   * Reads what Rust has written, in ASCII: a short text byte by byte, 0.01 of a request's time less than by `decode`.
   */
  function read(length) {
    const bytes = place();
    if (length > 100) return decoder.decode(bytes.subarray(0, length));
    let text = "";
    for (let at = 0; at < length; at++) text += String.fromCharCode(bytes[at]);
    return text;
  }

  /** On to the origin; `undefined` if the hot path can't tell which headers go on. */
  function forward(request, began, rule) {
    const headers = new Headers(request.headers);
    for (const name of request.headers.keys()) {
      const goes = goesOn(name, name === "connection" ? headers.get(name) : undefined);
      if (goes === undefined) return undefined;
      if (!goes) headers.delete(name);
    }
    for (const [name, value] of fields) headers.set(name, value);
    const path = url.indexOf("/", url.indexOf(":") + 3);
    if (path < 0) return undefined;
    send ??= rust.sender();
    return send(url.slice(path), request, headers, request.method === "HEAD", began, rule, undefined);
  }

  /**
   * Whether a header field goes on. Rust is asked once for each name, and for each value of `Connection`: 0.02 of a
   * request's time less than for all names.
   */
  function goesOn(name, value) {
    const field = value === undefined ? name : `${name}:${value}`;
    if (field.length > 100) return rust.goes_on(name, value);
    if (!goingOn.has(field)) {
      if (goingOn.size > 200) goingOn.clear();
      goingOn.set(field, rust.goes_on(name, value));
    }
    return goingOn.get(field);
  }

  /** The hot path. No closures here: what they hold would be allocated for every request (0.01 of its time). */
  function handle(request, env, ctx) {
    let isDecided = false;
    try {
      instance();
      const now = Date.now();
      method = request.method;
      authorization = request.headers.get("authorization");
      url = request.url;
      const known = kept.get(authorization);
      let rule;
      fields = known?.fields;
      if (known?.url === url && known.method === method && known.from <= now && now < known.until) {
        if (known.body !== undefined) return new Response(known.body, init);
        rule = known.rule;
      } else if (write()) {
        keeping = undefined;
        const verdict = rust.decide(method.length, url.length, authorization?.length, now, fields !== undefined);
        if (verdict > 0) {
          const body = read(verdict);
          if (keeping !== undefined) keeping.body = body;
          return new Response(body, init);
        }
        if (verdict === 0) return response;
        isDecided = verdict === -1;
        if (!isDecided) rule = -2 - verdict;
        if (keeping !== undefined) keeping.rule = rule;
      }
      const forwarded = rule === undefined ? undefined : forward(request, now, rule);
      if (forwarded !== undefined) return forwarded.catch(broken);
    } catch (error) {
      return broken(error);
    }
    return goOn(request, env, ctx, isDecided);
  }

  return { begin, handle };
}
