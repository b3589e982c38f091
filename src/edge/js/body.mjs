// Reads a body. Its parts are kept here until it is whole: Wasm's memory never shrinks.

/**
 * The body of a request, read from a copy, so that the request can be run again or forwarded; or "too_large" or
 * "interrupted". Of a body over `limit` bytes up to `courtesy` bytes more are read and discarded: a client whose
 * connection is closed while it sends may never see the answer.
 *
 * @param {Request} request
 * @param {number} limit
 * @param {number} courtesy
 * @returns {Promise<Uint8Array | "too_large" | "interrupted">}
 */
export async function readBody(request, limit, courtesy) {
  try {
    const reader = request.clone().body?.getReader();
    if (reader === undefined) return new Uint8Array();
    /** @type {Uint8Array[]} */
    let parts = [];
    let length = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > limit) parts = [];
      else parts.push(value);
      if (length > limit + courtesy) {
        reader.cancel().catch(() => {});
        break;
      }
    }
    if (length > limit) return "too_large";
    const whole = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  } catch {
    return "interrupted";
  }
}
