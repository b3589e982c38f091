// Measures whether the time of a rejected log-in shows that a user exists: pairs of log-ins in real workerd, one right
// after the other, with an unknown name and with a known one, both with a wrong password.
// `cargo xtask bench --only login-timing` runs this and shows the dots, one for each tenth round.
import { start } from "../tests/e2e/harness.mjs";

const ROUNDS = 60;
const gate = await start();

async function milliseconds(name) {
  const began = performance.now();
  const answer = await gate.logIn(name, "wrong password");
  await answer.arrayBuffer();
  if (answer.status !== 401) throw new Error(`${name}: ${answer.status}`);
  return performance.now() - began;
}

/** Median and middle half of the ratios of `one` to `other`, which take turns to be first. */
async function ratio(one, other) {
  const ratios = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [first, second] = round % 2 ? [one, other] : [other, one];
    const times = { [first]: await milliseconds(first) };
    times[second] = await milliseconds(second);
    ratios.push(times[one] / times[other]);
    if (round % 10 === 9) process.stderr.write(".");
  }
  ratios.sort((a, b) => a - b);
  const at = (part) => Number(ratios[Math.floor(part * (ROUNDS - 1))].toFixed(3));
  return { median_ratio: at(0.5), middle_half_from: at(0.25), middle_half_to: at(0.75) };
}

await ratio("user1", "nobody"); // warm
console.log(
  JSON.stringify({
    "unknown-user": await ratio("nobody", "user1"), // unknown user ÷ known user, both with a wrong password
    "noise": await ratio("user2", "user1"), // known user ÷ another known user
  }),
);
await gate.close();
