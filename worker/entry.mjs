// The stock worker's entry (the library's JavaScript is in src/edge/js). It hands requests to the rules in Wasm and
// survives their panics; it decides nothing.
import { hotPath } from "./js/hot.mjs";
import { instance, internalError, onInstance } from "./js/instance.mjs";
import { handleInRust } from "./js/requests.mjs";

export { Account, Revocations } from "./js/objects.mjs";

const { begin, handle } = hotPath(instance, handleInRust, internalError);
onInstance(begin);

export default {
  fetch: handle,
};
