// The least that a worker in front of an origin can do, in the fastest form of all that were tried.
export default {
  fetch(request, { ORIGIN }) {
    const { url } = request;
    request.headers.get("authorization");
    return fetch(ORIGIN + url.slice(url.indexOf("/", 8)), {
      method: request.method,
      headers: new Headers(request.headers),
      body: request.body,
      redirect: "manual",
    });
  },
};
