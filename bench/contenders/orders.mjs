// Orders from the benchmark straight to the gate's objects, as the gate sends them: a hundred thousand revocations
// can't be made one by one. `POST /BINDING` with `[[name, order], …]`, both texts; the replies in the same order.
export default {
  async fetch(request, env) {
    const objects = env[new URL(request.url).pathname.slice(1)];
    const orders = await request.json();
    return Response.json(await Promise.all(orders.map(([name, order]) => objects.getByName(name).ask(order))));
  },
};
