// The stock worker's entry (the library's JavaScript is in src/edge/js). It hands requests to the rules in Wasm and
// survives their panics; it decides nothing.
import { hotPath } from "./js/hot.mjs";
import { broken, instance, withEachInstance } from "./js/instance.mjs";
import { goOn } from "./js/requests.mjs";

export { Account, Revocations } from "./js/objects.mjs";

const { begin, handle } = hotPath(instance, goOn, broken);
withEachInstance(begin);

export default {
  fetch: handle,
};
