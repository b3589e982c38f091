// The types of public/tollgate-client.mjs, which the npm package exports as tollgate/client.

/** Where the gate is, and how it is set up. */
export interface ClientOptions {
  /** The gate's address; in a page its own origin by default. */
  url?: string;
  /** `TOLLGATE_WIRE`; `flask-jwt` by default. Only Flask-JWT-Extended's dialect has refresh tokens. */
  dialect?: "flask-jwt" | "flask-jwt-extended";
  /** Whether tokens are in cookies (`JWT_TOKEN_LOCATION`): for pages, in Flask-JWT-Extended's dialect. */
  cookies?: boolean;
  /** Paths of the endpoints: `/auth`, `/auth/refresh` and `/auth/logout` by default. */
  paths?: { logIn?: string; refresh?: string; logOut?: string };
  /** Members of the log-in's body: `username` and `password` by default. */
  fields?: { username?: string; password?: string };
  /** The header field for a CSRF value beside cookies: `X-CSRF-TOKEN` by default. */
  csrfHeader?: string;
  /** Whether the page's tabs share their tokens; true by default in a page. */
  share?: boolean;
  /** In place of the runtime's `fetch`. */
  fetch?: (request: Request) => Promise<Response>;
}

/** The gate has refused a log-in. The message is the gate's text. */
export class RefusedError extends Error {
  private constructor();
  readonly status: number;
  /** The answer, whose body is not read yet. */
  readonly response: Response;
  /** Seconds after which another attempt may succeed (status 429). */
  readonly retryAfter?: number;
}

/**
 * A client of the gate. Tokens are in memory only: a page that is loaded again gets them from another tab, or its user logs
 * in again; with cookies the browser keeps them.
 */
export interface Client {
  /** The access token, or null: before a log-in, and with cookies, which no page can read. */
  readonly token: string | null;
  /** The claims of the access token, which nobody has verified here: for the page's looks, not for decisions. */
  readonly claims: Record<string, unknown> | null;
  /** Settled when another tab has given its tokens, or none has any. */
  readonly ready: Promise<void>;
  /**
   * Logs in.
   *
   * @throws {RefusedError} if the gate refuses; {DOMException} with the name AbortError if another log-in, or a log-out,
   * has begun meanwhile.
   */
  logIn(username: string, password: string): Promise<void>;
  /**
   * As the runtime's `fetch`, with the token, or with cookies and their CSRF value. A token that is about to expire, or
   * that the gate calls expired, is renewed once for all requests and tabs; the request is then sent again, unless its
   * body is a stream.
   *
   * A write with cookies is not redirected, unless `init.redirect` says so: the CSRF value would go along.
   *
   * @throws {TypeError} for another origin than the gate's, which must not get the token.
   */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** Forgets the tokens at once, in all tabs. Resolves to the gate's answer: 200 if it has ended the session. */
  logOut(): Promise<Response>;
  /** Takes no more part in what the tabs tell each other. */
  close(): void;
  /** Calls `listener` when the token changes, here or in another tab. Returns a function that stops that. */
  onChange(listener: () => void): () => void;
}

/** Makes a client. */
export function createClient(options?: ClientOptions): Client;
