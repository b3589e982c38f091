// Log in, read, change, log out: all with cookies. Data from outside enters the page through textContent only.

const CSRF_COOKIE = "__Host-csrf_access_token";
const KEEP = 8; // answers shown

const $ = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const input = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ ($(id));

/** Read anew for each request: with a new token the gate sends a new value. */
function csrfValue() {
  const start = `${CSRF_COOKIE}=`;
  return (
    document.cookie
      .split("; ")
      .find((cookie) => cookie.startsWith(start))
      ?.slice(start.length) ?? ""
  );
}

/** @param {string} method @param {string} path @param {{ headers?: Record<string, string>, body?: string }} options */
async function send(method, path, { headers = {}, body } = {}) {
  try {
    const response = await fetch(path, { method, headers, body, cache: "no-store" });
    const said = await response.json();
    tell(`${method} ${path}`, response.status, JSON.stringify(said));
    return { status: response.status, said };
  } catch {
    tell(`${method} ${path}`, 0, "no answer");
    return { status: 0, said: {} };
  } finally {
    $("csrf").textContent = csrfValue();
  }
}

/** Shows an answer, of status 0 if there was none. @param {string} what @param {number} status @param {string} text */
function tell(what, status, text) {
  const line = document.createElement("li");
  line.className = status >= 400 ? "bad" : "good";
  const code = document.createElement("code");
  code.textContent = text;
  line.append(status ? `${what}: ${status} ` : `${what} `, code);
  $("answers").prepend(line);
  while ($("answers").children.length > KEEP) $("answers").lastElementChild?.remove();
}

/** @param {string | null} name */
function show(name) {
  $("login-form").hidden = name !== null;
  $("account").hidden = name === null;
  $("who").textContent = name === null ? "" : `Hello, ${name}`;
}

/** Shows who is logged in: the cookies may be there from an earlier visit. */
async function read() {
  const { status, said } = await send("GET", "/account");
  if (status === 200) show(said.username);
  else if (status === 401) show(null);
}

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ username: input("username").value, password: input("password").value });
  const { status } = await send("POST", "/auth", { headers: { "content-type": "application/json" }, body });
  input("password").value = "";
  if (status === 200) await read();
});
$("read").addEventListener("click", read);
$("write").addEventListener("click", () => send("POST", "/account", { headers: { "x-csrf-token": csrfValue() } }));
$("write-bare").addEventListener("click", () => send("POST", "/account"));
$("logout").addEventListener("click", async () => {
  const { status } = await send("POST", "/auth/logout");
  if (status === 200) await read();
});

await read();
