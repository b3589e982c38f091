// What is known of a request, or of an order to an object, while it waits in Rust. It outlives the instance.
import { instance, waitingCalls } from "./instance.mjs";

/**
 * A request, or an order to an object, as Rust sees it: `Progress` in src/edge/tasks.rs. Rust calls `begin`, `end` and
 * `polling`. What it gets from `id`, `random` and `kept` is the same when the request is run again in a fresh instance,
 * so that no command reaches an object twice, and the request does not meet its own effects.
 */
export class Call {
  /** Whether this call's future is running now: if the instance is lost meanwhile, it is to blame. */
  polling = false;
  /** Called when the instance is lost. @type {(() => void) | undefined} */
  onLost = undefined;
  /** @type {number | undefined} */
  #task;
  /** @type {string | undefined} */
  #id;
  /** @type {Uint8Array[]} */
  #random = [];
  /** @type {Map<string, string>} */
  #kept = new Map();

  /** Whether the answer still depends on the instance. */
  get isInRust() {
    return this.#task !== undefined;
  }

  get id() {
    this.#id ??= crypto.randomUUID();
    return this.#id;
  }

  /** @param {number} number */
  random(number) {
    this.#random[number] ??= crypto.getRandomValues(new Uint8Array(96));
    return this.#random[number];
  }

  /** What was kept under this key before the instance was lost. @param {string} key */
  kept(key) {
    return this.#kept.get(key);
  }

  /** @param {string} key @param {string} text */
  keep(key, text) {
    this.#kept.set(key, text);
  }

  /** The future of this number runs for the call from now on. @param {number} task */
  begin(task) {
    this.#task = task;
    waitingCalls.add(this);
  }

  end() {
    this.#task = undefined;
    waitingCalls.delete(this);
  }

  /** The instance is lost, and the future with it. */
  detach() {
    this.#task = undefined;
  }

  /** The client has gone: the runtime will never settle what the future waits for. */
  drop() {
    if (this.#task !== undefined) instance().drop_task(this.#task);
    this.end();
  }
}
