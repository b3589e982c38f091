// The classes of the Durable Objects. Rust says what an object does with an order; the class outlives its instance.
import { DurableObject } from "cloudflare:workers";
import { runInRust } from "./orders.mjs";

/** One for each account, and for each name that somebody tries to log in with. */
export class Account extends DurableObject {
  /** The end of the queue: deliveries and alarms run one after the other. @type {Promise<unknown>} */
  #last = Promise.resolve();

  /** @param {string} order */
  async ask(order) {
    const { storage } = this.ctx;
    const { reply, is_left_to_tell, promises_an_end } = await runInRust((rust) => rust.step_account(storage, order));
    if (!is_left_to_tell) return reply;
    const told = this.#enqueue((rust, call) => rust.deliver_account(storage, this.env, call)).catch(() => false);
    if (!promises_an_end) this.ctx.waitUntil(told);
    else if (!(await told)) throw new Error("the register can't be reached");
    return reply;
  }

  alarm() {
    return this.#enqueue((rust, call) => rust.wake_account(this.ctx.storage, this.env, call));
  }

  /**
   * @template T
   * @param {(rust: typeof import("./glue.mjs"), call: import("./call.mjs").Call) => Promise<T>} order
   */
  #enqueue(order) {
    const done = this.#last.then(() => runInRust(order));
    this.#last = done.catch(() => {});
    return done;
  }
}

/** The one register of revocations. */
export class Revocations extends DurableObject {
  #isFirst = true;

  /** @param {string} order */
  async ask(order) {
    const reply = await runInRust((rust) => rust.ask_register(this.ctx.storage, this.#isFirst, order));
    this.#isFirst = false;
    return reply;
  }
}
