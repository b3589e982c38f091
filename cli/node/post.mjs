// One request of the command to the gate: read from standard input, so that its secret is no argument.
import { text } from "node:stream/consumers";

/** @param {{ url: string, secret: string, body: string, timeout: number, max_bytes: number }} question */
async function post({ url, secret, body, timeout, max_bytes: maxBytes }) {
  const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json", "user-agent": "tollgate" };
  try {
    const signal = AbortSignal.timeout(timeout);
    const response = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal });
    const parts = [];
    let length = 0;
    for await (const part of response.body ?? []) {
      length += part.length;
      if (length > maxBytes) return { error: `the answer is longer than ${maxBytes} bytes` };
      parts.push(part);
    }
    return { answered: { status: response.status, body: Buffer.concat(parts).toString() } };
  } catch (error) {
    const { name, cause, message } = /** @type {Error & { cause?: Error }} */ (error);
    if (name === "TimeoutError") return "timed_out";
    return { error: cause?.message || message };
  }
}

process.stdout.write(JSON.stringify(await post(JSON.parse(await text(process.stdin)))));
