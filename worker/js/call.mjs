// What is known of a request, or of an order to an object, while it waits in Rust: it outlives the instance.
import { instance, waiting } from "./instance.mjs";

/**
 * What outlives the instance of a request, or of an order to an object, that waits in Rust. Rust calls `begin`, `end`
 * and `polling`; what it takes from `id`, `random` and `kept` is the same if the request is run again, so that commands
 * to objects are not done twice, and a request does not meet its own effects.
 */
export class Call {
  polling = false; // is it this call's future that runs just now?
  lost = undefined; // what is done if the instance is lost
  #task;
  #id;
  #random = [];
  #kept = new Map();

  /** Does the answer still depend on the instance? */
  get inRust() {
    return this.#task !== undefined;
  }
  get id() {
    return (this.#id ??= crypto.randomUUID());
  }
  random(number) {
    return (this.#random[number] ??= crypto.getRandomValues(new Uint8Array(96)));
  }

  /** What was learnt under this key before the instance was lost. */
  kept(key) {
    return this.#kept.get(key);
  }
  keep(key, text) {
    this.#kept.set(key, text);
  }

  begin(task) {
    this.#task = task;
    waiting.add(this);
  }

  end() {
    this.#task = undefined;
    waiting.delete(this);
  }

  /** The instance is lost, and the future with it. */
  detach() {
    this.#task = undefined;
  }

  /** The client has gone: the runtime will never settle what the future waits for. */
  drop() {
    if (this.inRust) instance().drop_task(this.#task);
    this.end();
  }
}
