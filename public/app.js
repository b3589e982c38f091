// The first page of Tollgate: log in, look at the token, knock at the gate.
// Data from outside enters the page through textContent only.

const LEEWAY = 10; // seconds the gate goes on accepting a token after its exp
const KEEP = 5; // answers shown
const PATIENCE = 10_000; // ms before a silent gate counts as down
const LONGEST_BODY = 4000; // characters of an answer shown

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

const $ = (id) => document.getElementById(id);

// The token lives here and nowhere else: storage would outlast the page.
let token = null;
let claims = null;
let ticker = 0;
let attempt = 0; // number of the newest log-in or log-out; an older answer that comes late is dropped

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function announce(sentence) {
  $("announce").textContent = sentence.replaceAll("`", "");
}

// Shows a sentence; what stands between backticks in it is code.
function say(node, sentence) {
  node.replaceChildren(...sentence.split("`").map((part, i) => (i % 2 ? element("code", "", part) : part)));
}

// On a narrow screen the news may land below the fold: bring it up, but never move what is in sight.
function reveal(node) {
  if (node.getBoundingClientRect().top < innerHeight - 160) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  node.scrollIntoView({ block: "center", behavior: calm ? "auto" : "smooth" });
}

// Every request of this page: no cookies, no cache, and not for ever.
function send(path, options = {}) {
  return fetch(path, { ...options, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(PATIENCE) });
}

// ---- 1. Log in ----

function loginError(message, field) {
  say($("login-error"), message);
  for (const id of ["username", "password"]) $(id).removeAttribute("aria-invalid");
  if (!field) return;
  field.setAttribute("aria-invalid", "true");
  field.focus();
}

// Whether these are the demo user's name and password, as they were made.
const isDemo = (username, password) => DEMO_USERS.includes(username) && password === DEMO_PASSWORD;

// The demo users are not what they were: offer them no longer.
function withdrawDemo() {
  $("fill-demo").hidden = true;
  for (const id of ["username", "password"]) $(id).removeAttribute("placeholder");
}

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

async function logIn(event) {
  event.preventDefault();
  const username = $("username");
  const password = $("password");
  const empty = [username, password].find((input) => input.value === "");
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
    const response = await send("/auth", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username: username.value, password: password.value }),
    });
    const answer = response.ok ? await response.json().catch(() => null) : null;
    if (mine !== attempt) return;
    if (response.status === 401 && demo) withdrawDemo();
    if (!response.ok) return loginError(refusal(response, demo));
    // Only visible ASCII can travel in a header, so nothing else is a token we could show again.
    if (typeof answer?.access_token !== "string" || !/^[\x21-\x7e]+$/.test(answer.access_token)) {
      return loginError("The gate said yes, but sent no token this page can read.");
    }
    password.value = "";
    setToken(answer.access_token);
    reveal($("countdown"));
    announce("Logged in. The token is shown under step 2.");
  } catch {
    if (mine === attempt) loginError("No answer from the gate. Is it still running, and are you online?");
  } finally {
    if (mine === attempt) $("login").removeAttribute("aria-busy");
  }
}

// Forgets the token at once, whatever the gate will answer, and asks the gate to end it.
async function logOut() {
  const { exp } = claims;
  const jwt = token;
  const mine = ++attempt; // a log-in still on its way must not bring the token back
  $("login").removeAttribute("aria-busy");
  loginError("");
  setToken(null);
  logoutResult("The token is forgotten here. Logging out at the gate…");
  $("username").focus(); // the button that had the focus is gone

  let response = null;
  try {
    response = await send("/auth/logout", { method: "POST", headers: { Authorization: `JWT ${jwt}` } });
  } catch {
    /* no answer */
  }
  if (mine === attempt) logoutResult(loggedOut(response, exp));
}

// What a log-out did, by the gate's answer to it.
function loggedOut(response, exp) {
  const forgotten = "The token is forgotten here";
  const expired = Number.isFinite(exp) && exp + LEEWAY < Date.now() / 1000;
  const until = Number.isFinite(exp)
    ? `until it expires, at ${new Date(exp * 1000).toLocaleTimeString()}`
    : "without end: it names no time at which it expires";
  const still = expired ? "and has expired." : `but stays good ${until}.`;
  const perhaps = expired ? "and has expired." : `but may stay good ${until}.`;
  switch (response?.status) {
    case undefined:
      return `No answer from the gate. ${forgotten}, ${perhaps}`;
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

function logoutResult(sentence) {
  say($("logout-result"), sentence);
  $("logout-result").hidden = sentence === "";
  if (sentence) announce(sentence);
}

// ---- 2. The token, taken apart ----

// One part of a JWT as a JSON value, or undefined if it is anything else.
function decodePart(part) {
  try {
    const binary = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

const pretty = (value) => (value === undefined ? "This part is not readable as JSON." : JSON.stringify(value, null, 2));

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
  $("call-with").disabled = none;
  $("call-changed").disabled = none;

  delete $("life").dataset.state;
  $("countdown").textContent = "";
  $("way").classList.toggle("open", !none);
  if (none) return;
  tick();
  ticker = setInterval(tick, 250); // four times a second, so that no second is skipped
}

// The hints are true of the requests that the buttons would send now.
const hintOf = (id) => $(id).querySelector("small") ?? $(id);
const HINTS_WITHOUT_TOKEN = Object.fromEntries(Object.keys(HINTS_WITH_TOKEN).map((id) => [id, hintOf(id).textContent]));

function showHints(none) {
  for (const [id, hint] of Object.entries(none ? HINTS_WITHOUT_TOKEN : HINTS_WITH_TOKEN)) hintOf(id).textContent = hint;
}

function timeRows() {
  const words = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
  return Object.keys(TIME_CLAIMS)
    .filter((name) => Object.hasOwn(claims, name))
    .map((name) => {
      const row = element("div");
      const term = element("dt", "", `${TIME_CLAIMS[name]} `);
      term.append(element("code", "", name));
      const date = new Date(typeof claims[name] === "number" ? claims[name] * 1000 : NaN);
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

function duration(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

function tick() {
  const bar = $("countdown-bar");
  const { exp, iat } = claims;
  bar.hidden = !Number.isFinite(exp);
  if (bar.hidden) {
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

  bar.max = state === "leeway" ? LEEWAY : Number.isFinite(iat) && exp > iat ? exp - iat : 300;
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
  const button = $("copy");
  try {
    await navigator.clipboard.writeText(token);
    button.textContent = "Copied";
    announce("Token copied.");
  } catch {
    // The clipboard may be forbidden; a selection is one key away from a copy.
    getSelection().selectAllChildren($("token"));
    button.textContent = "Selected: now press copy";
    announce("Token selected.");
  }
  setTimeout(() => {
    button.textContent = "Copy token";
  }, 2000);
}

// ---- 3. Knock ----

// Change one letter of the signature. Not the last one: its lowest bits are padding,
// so the changed text could stand for the same bytes.
function changeOneLetter(jwt) {
  const signature = jwt.lastIndexOf(".") + 1;
  const at = Math.max(signature, jwt.length - 4);
  const letter = jwt[at] === "A" ? "B" : "A";
  return { jwt: jwt.slice(0, at) + letter + jwt.slice(at + 1), at };
}

// The request as it went, with the token shortened and a changed letter marked.
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

function bodyText(body) {
  let text = body;
  try {
    text = JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    /* not JSON: shown as it is */
  }
  return text.length > LONGEST_BODY ? `${text.slice(0, LONGEST_BODY)}…` : text || "(empty)";
}

async function knock(path, jwt, changedAt) {
  const request = requestText(path, jwt, changedAt);
  const start = performance.now();
  let response = null;
  let body = "The request got no answer. Is the gate still running, and are you online?";
  try {
    response = await send(path, { headers: jwt === null ? {} : { Authorization: `JWT ${jwt}` } });
    body = await response.text();
  } catch {
    response = null; // also when the answer broke off half-way
  }
  showAnswer(path, request, response, body, Math.round(performance.now() - start));
}

const isApp = (path) => path.startsWith("/api/");

function verdict(path, response) {
  if (!response) return "";
  if (response.ok) return isApp(path) ? "The gate opened, and your app answered." : "The gate opened.";
  if (response.status === 401)
    return isApp(path) ? "The gate stayed shut. Your app saw nothing." : "The gate stayed shut.";
  if (isApp(path) && [502, 504].includes(response.status)) return "The gate opened, but your app did not answer.";
  return "Not an answer this page expected.";
}

// What to do about an answer, if there is something.
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
  article.setAttribute("aria-label", `${request.firstChild.data}: ${status}`);
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
  while ($("answers").children.length > KEEP) $("answers").lastElementChild.remove();
  reveal(article);
  announce(`${status}, after ${ms} milliseconds. ${verdict(path, response)} ${help}`);
}

// ---- Wiring ----

$("login-form").addEventListener("submit", logIn);
$("fill-demo").addEventListener("click", () => {
  [$("username").value] = DEMO_USERS;
  $("password").value = DEMO_PASSWORD;
  loginError("");
  $("login").focus();
});
$("logout").addEventListener("click", logOut);
$("copy").addEventListener("click", copyToken);
$("call-with").addEventListener("click", () => knock("/protected", token));
$("call-without").addEventListener("click", () => knock("/protected", null));
$("call-changed").addEventListener("click", () => {
  const { jwt, at } = changeOneLetter(token);
  knock("/protected", jwt, at);
});
$("call-members").addEventListener("click", () => knock("/members/welcome.txt", token));
$("call-hello").addEventListener("click", () => knock("/api/hello", token));
