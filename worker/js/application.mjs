// The application behind the gate, as Rust sees it: src/edge/javascript.rs. There is one in a worker.
/** @typedef {{ hasInner: boolean, users: import("./users.mjs").JsUsers | undefined }} Application */

/** @type {Application} */
let present = { hasInner: false, users: undefined };

export const application = () => present;

/** @param {Application} next */
export function setApplication(next) {
  present = next;
}
