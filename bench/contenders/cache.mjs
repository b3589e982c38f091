// The data centre's cache as workerd asks for it: a PUT's body is the whole answer with its head, a GET wants to have
// it.
const kept = new Map();
const LINES = new TextEncoder().encode("\r\n\r\n");

export default {
  async fetch(request) {
    if (request.method === "PUT") {
      const whole = new Uint8Array(await request.arrayBuffer());
      const at = whole.findIndex((_, at) => LINES.every((byte, next) => whole[at + next] === byte));
      const [, seconds] = new TextDecoder().decode(whole.subarray(0, at)).match(/max-age=(\d+)/i) ?? [0, 0];
      kept.set(request.url, { body: whole.subarray(at + LINES.length), until: Date.now() + seconds * 1000 });
      return new Response(null, { status: 204 });
    }
    await scheduler.wait(1); // it is elsewhere: meanwhile other requests come in
    const found = kept.get(request.url);
    if (found === undefined || found.until < Date.now()) {
      kept.delete(request.url);
      return new Response(null, { status: 504, headers: { "cf-cache-status": "MISS" } });
    }
    return new Response(found.body, { headers: { "cf-cache-status": "HIT" } });
  },
};
