// A KV namespace as workerd asks for it, with the users of tests/e2e in it, and with as many more as are asked for by
// their number.
export default {
  fetch(request, { RECORDS }) {
    const key = decodeURIComponent(new URL(request.url).pathname.slice(1));
    const record = RECORDS.find((record) => record.key === key);
    if (record) return new Response(record.value);
    const [, id] = key.match(/^user:(\d+)$/) ?? [];
    return id
      ? Response.json({ v: 1, id: Number(id), name: `user${id}`, status: "active" })
      : new Response("not found", { status: 404 });
  },
};
