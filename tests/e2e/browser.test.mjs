// The configuration reader says of each cookie what a browser does with it (src/rules/browser.rs). Chromium does the
// same: the table is tests/browser-cookies.json, which the unit test of the rules reads too.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { after, before, test } from "node:test";
import { browse, portOf, root } from "./harness.mjs";

const cases = JSON.parse(await readFile(`${root}tests/browser-cookies.json`, "utf8"));
/** Browsers open every host of .dev with HTTPS (the list that Chromium is built with). */
const isHttpsOnly = (host) => host.endsWith(".dev");
let servers, browser, setCookie, seen;
before(async () => {
  function answer(request, response) {
    const { pathname } = new URL(request.url, "http://x");
    if (pathname === "/auth/login") response.setHeader("Set-Cookie", setCookie);
    else seen.set(pathname, request.headers.cookie ?? "");
    response.setHeader("Content-Type", "text/html");
    response.end("<link rel=icon href=data:,>");
  }
  const [key, cert] = await Promise.all(
    ["rsa.pem", "certificate.pem"].map((name) => readFile(`${root}tests/keys/${name}`)),
  );
  servers = { http: createServer(answer), https: createTlsServer({ key, cert }, answer) };
  for (const server of Object.values(servers)) await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  browser = await browse("--host-resolver-rules=MAP *.example.com 127.0.0.1, MAP *.workers.dev 127.0.0.1");
});
after(async () => {
  await browser?.close();
  for (const server of Object.values(servers ?? {})) server.close();
});

const header = ({ name, value_bytes = 1, domain, path = "/", secure, same_site }) =>
  [
    `${name}=${"x".repeat(value_bytes)}`,
    domain && `Domain=${domain}`,
    path && `Path=${path}`,
    secure && "Secure",
    same_site && `SameSite=${same_site}`,
  ]
    .filter(Boolean)
    .join("; ");

for (const known of cases) {
  test(`Chromium ${known.kept ? "keeps" : "drops"} ${header(known).replace(/x{9,}/, "…")} of ${known.host}${known.value_bytes ? ` (${known.value_bytes} bytes)` : ""}`, async () => {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    try {
      const page = await context.newPage();
      const scheme = isHttpsOnly(known.host) ? "https" : "http";
      const site = `${scheme}://${known.host}:${portOf(servers[scheme])}`;
      setCookie = header(known);
      seen = new Map();
      await page.goto(`${site}/auth/login`);
      const kept = (await context.cookies()).some(({ name }) => name === known.name);
      assert.equal(kept, known.kept);
      for (const [paths, isSent] of [
        [known.sent ?? [], true],
        [known.not_sent ?? [], false],
      ]) {
        for (const path of paths) {
          await page.goto(site + path);
          assert.equal(seen.get(path).includes(`${known.name}=`), isSent, path);
        }
      }
    } finally {
      await context.close();
    }
  });
}
