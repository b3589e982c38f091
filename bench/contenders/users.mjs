// A KV namespace as workerd asks for it, with the demo users in it.
export default {
  fetch(request, { RECORDS }) {
    const key = decodeURIComponent(new URL(request.url).pathname.slice(1));
    const record = RECORDS.find((record) => record.key === key);
    return record ? new Response(record.value) : new Response("not found", { status: 404 });
  },
};
