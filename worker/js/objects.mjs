// The classes of the Durable Objects. What an object does with an order, Rust says; the class outlives its instance.
import { DurableObject } from "cloudflare:workers";
import { Call } from "./call.mjs";
import { crash, instance, isTrap } from "./instance.mjs";

/** An order to an object. If the instance is lost meanwhile, so is the order: the caller may repeat it. */
async function inObject(order) {
  const call = new Call();
  const lost = new Promise((_, reject) => {
    call.lost = () => reject(new Error("the instance was lost"));
  });
  lost.catch(() => {}); // if it comes before anything waits for it
  try {
    return await Promise.race([order(instance(), call), lost]);
  } catch (error) {
    if (isTrap(error)) crash();
    throw error;
  }
}

// One for each account, and for each name that somebody tries to log in with.
export class Account extends DurableObject {
  #turn = Promise.resolve();
  async ask(order) {
    const { storage } = this.ctx;
    const { reply, is_left_to_tell, promises_an_end } = await inObject((rust) => rust.step_account(storage, order));
    if (!is_left_to_tell) return reply;
    const told = this.#inTurn((rust, call) => rust.deliver_account(storage, this.env, call)).catch(() => false);
    if (!promises_an_end) this.ctx.waitUntil(told);
    else if (!(await told)) throw new Error("the register can't be reached");
    return reply;
  }
  alarm() {
    return this.#inTurn((rust, call) => rust.wake_account(this.ctx.storage, this.env, call));
  }
  #inTurn(order) {
    const mine = this.#turn.then(() => inObject(order));
    this.#turn = mine.catch(() => {});
    return mine;
  }
}

// The one register of revocations.
export class Revocations extends DurableObject {
  #isFirst = true;
  async ask(order) {
    const reply = await inObject((rust) => rust.ask_register(this.ctx.storage, this.#isFirst, order));
    this.#isFirst = false;
    return reply;
  }
}
