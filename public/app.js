// The first page of Tollgate: log in, look at the token, knock at the gate.
// Data from outside enters the page through textContent only.
import { createClient, RefusedError } from "./tollgate-client.mjs";

const LEEWAY = 10; // seconds the gate goes on accepting a token after its exp
const KEEP = 5; // answers shown
const TIMEOUT = 10_000; // ms before a silent gate counts as down
const LONGEST_BODY = 4000; // characters of an answer shown

/** @type {Record<number, string>} */
const REASONS = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  429: "Too Many Requests",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};
const DEMO_USERS = ["user1", "user2"]; // of `cargo xtask dev`; whether they are in the store, only a log-in can tell
const DEMO_PASSWORD = "abcxyz";
// The hints under the buttons while there is a token. Those without one are in the page itself.
const HINTS_WITH_TOKEN = {
  "call-with": "The gate itself says who you are",
  "call-without": "Refused: the answer asks for a token",
  "call-changed": "Refused: the signature no longer fits",
  "call-members": "A static file behind the gate",
  "call-hello": "Sent on to your app, which says what it saw",
  "call-hint":
    "Three of them send your token as it is, and pass as long as the gate accepts it. The other two are refused.",
};
const TIME_CLAIMS = { iat: "Issued", nbf: "Good from", exp: "Expires" };

/** The element with an id: each one that is named in this file is in the page. @param {string} id */
const $ = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const input = (/** @type {"username" | "password"} */ id) => /** @type {HTMLInputElement} */ ($(id));
const button = (/** @type {string} */ id) => /** @type {HTMLButtonElement} */ ($(id));

/** Claims of a token that nobody has verified: each may have any type. @typedef {Record<string, unknown>} Claims */

// The token is in this page's memory, and in that of its other tabs: storage would outlast them.
const gate = createClient({ fetch: send });
/** @type {string | null} */
let token = null;
/** @type {Claims} */
let claims = {};
let ticker = 0;
let attempt = 0; // number of the newest log-in or log-out; an older answer that comes late is dropped

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {string} [text]
 */
function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Has a screen reader say a sentence. @param {string} sentence */
function announce(sentence) {
  $("announce").textContent = sentence.replaceAll("`", "");
}

/**
 * Shows a sentence; what stands between backticks in it is code.
 *
 * @param {HTMLElement} node
 * @param {string} sentence
 */
function say(node, sentence) {
  node.replaceChildren(...sentence.split("`").map((part, i) => (i % 2 ? element("code", "", part) : part)));
}

/**
 * Scrolls to an element that a narrow screen does not show; moves nothing if it is in sight.
 *
 * @param {HTMLElement} node
 */
function reveal(node) {
  if (node.getBoundingClientRect().top < innerHeight - 160) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  node.scrollIntoView({ block: "center", behavior: calm ? "auto" : "smooth" });
}

/**
 * Sends a request, as all of this page: without cookies and cache, and with a timeout.
 *
 * @param {string | Request} request
 * @param {RequestInit} options
 */
function send(request, options = {}) {
  return fetch(request, { ...options, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(TIMEOUT) });
}

// ---- 1. Log in ----

/** @param {string} message @param {HTMLElement} [field] the one that is wrong */
function loginError(message, field) {
  say($("login-error"), message);
  for (const id of ["username", "password"]) $(id).removeAttribute("aria-invalid");
  if (!field) return;
  field.setAttribute("aria-invalid", "true");
  field.focus();
}

/** Whether these are a demo user's name and password, as `cargo xtask dev` makes them. */
const isDemo = (/** @type {string} */ username, /** @type {string} */ password) =>
  DEMO_USERS.includes(username) && password === DEMO_PASSWORD;

/** No longer offers the demo users, which were changed or removed. */
function withdrawDemo() {
  $("fill-demo").hidden = true;
  for (const id of ["username", "password"]) $(id).removeAttribute("placeholder");
}

/** Why a log-in was refused. @param {Response} response @param {boolean} isDemo */
function refusal(response, isDemo) {
  switch (response.status) {
    case 401:
      return isDemo
        ? "The demo users were changed or removed here. Log in as another user, or add one: `cargo xtask tollgate user add NAME`"
        : "The gate does not know this username and password.";
    case 429: {
      const wait = Number(response.headers.get("Retry-After"));
      return wait > 0
        ? `Too many tries. Wait ${wait} s, then try again.`
        : "Too many tries. Wait a little, then try again.";
    }
    case 503:
      return "The gate cannot reach its store of users just now. Try again in a moment.";
    default:
      return `The gate answered ${response.status}, which this page did not expect.`;
  }
}

/** @param {SubmitEvent} event */
async function logIn(event) {
  event.preventDefault();
  const username = input("username");
  const password = input("password");
  const empty = [username, password].find((field) => field.value === "");
  if (empty) {
    return loginError(
      $("fill-demo").hidden
        ? "Type a username and a password."
        : "Type a username and a password, or fill in the demo user.",
      empty,
    );
  }

  const mine = ++attempt;
  const demo = isDemo(username.value, password.value);
  loginError("");
  logoutResult("");
  $("login").setAttribute("aria-busy", "true");
  try {
    await gate.logIn(username.value, password.value);
    if (mine !== attempt) return;
    password.value = "";
    reveal($("countdown"));
    announce("Logged in. The token is shown under step 2.");
  } catch (error) {
    if (mine !== attempt) return;
    if (!(error instanceof RefusedError))
      return loginError("No answer from the gate. Is it still running, and are you online?");
    const { response } = error;
    if (response.ok) return loginError("The gate said yes, but sent no token this page can read.");
    if (response.status === 401 && demo) withdrawDemo();
    loginError(refusal(response, demo));
  } finally {
    if (mine === attempt) $("login").removeAttribute("aria-busy");
  }
}

/** Forgets the token at once, whatever the gate will answer, and asks the gate to end it. */
async function logOut() {
  const { exp } = claims;
  const mine = ++attempt; // a log-in still on its way must not bring the token back
  $("login").removeAttribute("aria-busy");
  loginError("");
  const ending = gate.logOut(); // which forgets the token
  logoutResult("The token is forgotten here. Logging out at the gate…");
  $("username").focus(); // the button that had the focus is gone

  let response = null;
  try {
    response = await ending;
  } catch {
    // No answer.
  }
  if (mine === attempt) logoutResult(loggedOut(response, exp));
}

/**
 * What a log-out did, by the gate's answer to it.
 *
 * @param {Response | null} response
 * @param {unknown} exp the token's
 */
function loggedOut(response, exp) {
  const forgotten = "The token is forgotten here";
  const expired = isTime(exp) && exp + LEEWAY < Date.now() / 1000;
  const until = isTime(exp)
    ? `until it expires, at ${new Date(exp * 1000).toLocaleTimeString()}`
    : "without end: it names no time at which it expires";
  const still = expired ? "and has expired." : `but stays good ${until}.`;
  const perhaps = expired ? "and has expired." : `but may stay good ${until}.`;
  if (response === null) return `No answer from the gate. ${forgotten}, ${perhaps}`;
  switch (response.status) {
    case 200:
      return "Logged out at the gate. It refuses this token within the revocation bound: 10 seconds, unless `TOLLGATE_REVOCATION_BOUND` says otherwise.";
    case 401:
      return `The gate did not take this token (401) and ended nothing. ${forgotten}.`;
    case 404:
    case 405:
    case 501:
      return `This gate can’t end this token (${response.status}). ${forgotten}, ${still}`;
    default:
      return `The gate could not log you out (${response.status}). ${forgotten}, ${perhaps}`;
  }
}

/** @param {string} sentence */
function logoutResult(sentence) {
  say($("logout-result"), sentence);
  $("logout-result").hidden = sentence === "";
  if (sentence) announce(sentence);
}

// ---- 2. The token, taken apart ----

/**
 * One part of a JWT as a JSON value, or undefined if it is anything else.
 *
 * @param {string} part
 * @returns {unknown}
 */
function decodePart(part) {
  try {
    const binary = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/** @param {unknown} value @returns {value is Claims} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @param {unknown} value @returns {value is number} */
const isTime = (value) => Number.isFinite(value);

const pretty = (/** @type {unknown} */ value) =>
  value === undefined ? "This part is not readable as JSON." : JSON.stringify(value, null, 2);

/** @param {string | null} next */
function setToken(next) {
  token = next;
  clearInterval(ticker);

  const parts = token === null ? [] : token.split(".");
  const decoded = parts.slice(0, 2).map(decodePart);
  claims = isObject(decoded[1]) ? decoded[1] : {};

  $("token").replaceChildren(
    ...parts.flatMap((part, i) => {
      const coloured = element("span", `p${Math.min(i + 1, 3)}`, part);
      return i === 0 ? [coloured] : [".", coloured];
    }),
  );
  $("token-header").textContent = token === null ? "" : pretty(decoded[0]);
  $("token-claims").textContent = token === null ? "" : pretty(decoded[1]);
  $("times").replaceChildren(...timeRows());

  const none = token === null;
  $("token-none").hidden = !none;
  $("token-some").hidden = none;
  showHints(none);
  button("call-with").disabled = none;
  button("call-changed").disabled = none;

  delete $("life").dataset.state;
  $("countdown").textContent = "";
  $("way").classList.toggle("open", !none);
  if (none) return;
  tick();
  ticker = setInterval(tick, 250); // four times a second, so that no second is skipped
}

// The hints are true of the requests that the buttons would send now.
const hintOf = (/** @type {string} */ id) => $(id).querySelector("small") ?? $(id);
const HINTS_WITHOUT_TOKEN = Object.fromEntries(Object.keys(HINTS_WITH_TOKEN).map((id) => [id, hintOf(id).textContent]));

/** @param {boolean} none whether there is no token */
function showHints(none) {
  for (const [id, hint] of Object.entries(none ? HINTS_WITHOUT_TOKEN : HINTS_WITH_TOKEN)) hintOf(id).textContent = hint;
}

/** A row for each time that the token names. */
function timeRows() {
  const words = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
  return Object.entries(TIME_CLAIMS)
    .filter(([name]) => Object.hasOwn(claims, name))
    .map(([name, label]) => {
      const row = element("div");
      const term = element("dt", "", `${label} `);
      term.append(element("code", "", name));
      const seconds = claims[name];
      const date = new Date(typeof seconds === "number" ? seconds * 1000 : NaN);
      const detail = element("dd");
      if (Number.isNaN(date.getTime())) {
        detail.textContent = "not a time this page can read";
      } else {
        const time = element("time", "", words.format(date));
        time.dateTime = date.toISOString();
        detail.append(time);
      }
      row.append(term, detail);
      return row;
    });
}

/** @param {number} seconds */
function duration(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

function tick() {
  const bar = /** @type {HTMLProgressElement} */ ($("countdown-bar"));
  const { exp, iat } = claims;
  bar.hidden = !isTime(exp);
  if (!isTime(exp)) {
    $("countdown").textContent = "This token names no time at which it expires.";
    clearInterval(ticker);
    return;
  }

  const left = Math.ceil(exp - Date.now() / 1000);
  const state = left > 0 ? "live" : left > -LEEWAY ? "leeway" : "expired";
  const text = {
    live: `${duration(left)} left`,
    leeway: `expired – the gate still accepts it for ${left + LEEWAY} s of leeway`,
    expired: "expired",
  }[state];

  bar.max = state === "leeway" ? LEEWAY : isTime(iat) && exp > iat ? exp - iat : 300;
  bar.value = { live: left, leeway: left + LEEWAY, expired: 0 }[state];
  if ($("countdown").textContent !== text) $("countdown").textContent = text;

  const before = $("life").dataset.state;
  if (state === before) return;
  $("life").dataset.state = state;
  $("way").classList.toggle("open", state !== "expired");
  if (state === "expired") clearInterval(ticker);
  // Say the turning points aloud, not every second.
  if (before) announce(state === "leeway" ? `The token is ${text}.` : "The token has expired.");
}

async function copyToken() {
  const copy = $("copy");
  try {
    await navigator.clipboard.writeText(token ?? "");
    copy.textContent = "Copied";
    announce("Token copied.");
  } catch {
    // The clipboard may be forbidden; a selection is one key away from a copy.
    getSelection()?.selectAllChildren($("token"));
    copy.textContent = "Selected: now press copy";
    announce("Token selected.");
  }
  setTimeout(() => {
    copy.textContent = "Copy token";
  }, 2000);
}

// ---- 3. Knock ----

/**
 * Changes one character of the signature. Not the last one: its lowest bits are padding, so the changed text could
 * stand for the same bytes.
 *
 * @param {string} jwt
 */
function changeOneLetter(jwt) {
  const signature = jwt.lastIndexOf(".") + 1;
  const at = Math.max(signature, jwt.length - 4);
  const letter = jwt[at] === "A" ? "B" : "A";
  return { jwt: jwt.slice(0, at) + letter + jwt.slice(at + 1), at };
}

/**
 * The request as it went, with the token shortened and a changed character marked.
 *
 * @param {string} path
 * @param {string | null} jwt
 * @param {number} [changedAt]
 */
function requestText(path, jwt, changedAt) {
  const pre = element("pre", "answer-request", `GET ${path}`);
  if (jwt === null) {
    pre.append("\n(no Authorization header)");
    return pre;
  }
  const head = jwt.length > 24 ? `${jwt.slice(0, 10)}…` : "";
  const start = head ? jwt.length - 8 : 0;
  pre.append(`\nAuthorization: JWT ${head}`);
  if (changedAt === undefined) pre.append(jwt.slice(start));
  else pre.append(jwt.slice(start, changedAt), element("mark", "", jwt[changedAt]), jwt.slice(changedAt + 1));
  return pre;
}

/** @param {string} body */
function bodyText(body) {
  let text = body;
  try {
    text = JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    // Not JSON: shown as it is.
  }
  return text.length > LONGEST_BODY ? `${text.slice(0, LONGEST_BODY)}…` : text || "(empty)";
}

/**
 * Calls the gate and shows the answer.
 *
 * @param {string} path
 * @param {string | null} jwt
 * @param {number} [changedAt] where the token was changed
 */
async function knock(path, jwt, changedAt) {
  const request = requestText(path, jwt, changedAt);
  const start = performance.now();
  let response = null;
  let body = "The request got no answer. Is the gate still running, and are you online?";
  try {
    const isToken = jwt !== null && jwt === gate.token;
    response = isToken
      ? await gate.fetch(path)
      : await send(path, { headers: jwt === null ? {} : { Authorization: `JWT ${jwt}` } });
    body = await response.text();
  } catch {
    response = null; // also when the answer broke off half-way
  }
  showAnswer(path, request, response, body, Math.round(performance.now() - start));
}

const isApp = (/** @type {string} */ path) => path.startsWith("/api/");

/** @param {string} path @param {Response | null} response */
function verdict(path, response) {
  if (!response) return "";
  if (response.ok) return isApp(path) ? "The gate opened, and your app answered." : "The gate opened.";
  if (response.status === 401)
    return isApp(path) ? "The gate stayed shut. Your app saw nothing." : "The gate stayed shut.";
  if (isApp(path) && [502, 504].includes(response.status)) return "The gate opened, but your app did not answer.";
  return "Not an answer this page expected.";
}

/** What to do about an answer, if there is something. @param {string} path @param {Response | null} response */
function advice(path, response) {
  if (!isApp(path)) return "";
  switch (response?.status) {
    case 502:
    case 504:
      return "Start an app at the address in `ORIGIN` (wrangler.toml). In the checkout of Tollgate `node examples/origin/app.mjs` starts a small one on port 5000; `cargo xtask dev` does so itself if that port is free when it starts.";
    case 404:
      return "Your own app, it seems, has no `/api/hello`. The one in `examples/origin/app.mjs` has.";
    default:
      return "";
  }
}

/**
 * @param {string} path
 * @param {HTMLElement} request
 * @param {Response | null} response
 * @param {string} body
 * @param {number} ms
 */
function showAnswer(path, request, response, body, ms) {
  const article = element("article", "answer");
  article.dataset.kind = response?.ok ? "good" : "bad";
  const status = response
    ? `${response.status} ${response.statusText || REASONS[response.status] || ""}`.trim()
    : "No answer";

  const line = element("div", "answer-line");
  line.append(
    element("span", "answer-status", status),
    element("span", "answer-verdict", verdict(path, response)),
    element("span", "answer-ms", `${ms} ms`),
  );
  article.setAttribute("aria-label", `GET ${path}: ${status}`);
  article.append(line, request);

  const challenge = response?.headers.get("WWW-Authenticate");
  if (challenge) article.append(element("pre", "answer-challenge", `WWW-Authenticate: ${challenge}`));
  article.append(element("pre", "answer-body", bodyText(body)));
  const help = advice(path, response);
  if (help) {
    const paragraph = element("p", "answer-advice");
    say(paragraph, help);
    article.append(paragraph);
  }

  $("answers-none").hidden = true;
  $("answers").prepend(article);
  while ($("answers").children.length > KEEP) $("answers").lastElementChild?.remove();
  reveal(article);
  announce(`${status}, after ${ms} milliseconds. ${verdict(path, response)} ${help}`);
}

// ---- Wiring ----

gate.onChange(() => setToken(gate.token));
$("login-form").addEventListener("submit", logIn);
$("fill-demo").addEventListener("click", () => {
  [input("username").value] = DEMO_USERS;
  input("password").value = DEMO_PASSWORD;
  loginError("");
  $("login").focus();
});
$("logout").addEventListener("click", logOut);
$("copy").addEventListener("click", copyToken);
$("call-with").addEventListener("click", () => knock("/protected", token));
$("call-without").addEventListener("click", () => knock("/protected", null));
$("call-changed").addEventListener("click", () => {
  const { jwt, at } = changeOneLetter(token ?? ""); // disabled without one
  knock("/protected", jwt, at);
});
$("call-members").addEventListener("click", () => knock("/members/welcome.txt", token));
$("call-hello").addEventListener("click", () => knock("/api/hello", token));
