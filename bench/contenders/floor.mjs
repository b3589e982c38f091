// The least that a worker can do: it reads the header that a gate must read, verifies nothing, and answers. The
// constant Headers object is the fastest form of all that were tried.
const headers = new Headers({ "content-type": "application/json" });
const GOOD = { headers };
const BAD = { status: 401, headers };

export default {
  fetch(request) {
    return request.headers.get("authorization")
      ? new Response('{"ok":true}', GOOD)
      : new Response('{"error":"unauthorized"}', BAD);
  },
};
