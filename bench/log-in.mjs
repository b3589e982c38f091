// Measures whether the time of a rejected log-in shows that a user exists: pairs of log-ins in real workerd, one right
// after the other, with an unknown name and with a known one, both with a wrong password. A second gate has imported
// users, whose hashes cost more than a new one, and their kinds declared.
// `cargo xtask bench --only login-timing` runs this and shows the dots, one for each tenth round.
import { start } from "../tests/e2e/harness.mjs";

const ROUNDS = 60;
/** Hashes of two kinds, each of a password that nobody has. */
const IMPORTED = {
  scrypt: ["scrypt:65536:8:4", 64],
  sha512: ["pbkdf2:sha512:1000000", 64],
};

/** How long a rejected log-in takes. */
async function milliseconds(gate, name) {
  const began = performance.now();
  const answer = await gate.logIn(name, "wrong password");
  await answer.arrayBuffer();
  if (answer.status !== 401) throw new Error(`${name}: ${answer.status}`);
  return performance.now() - began;
}

/** Median and middle half of the ratios of `one` to `other`, which take turns to be first. */
async function ratio(gate, one, other) {
  await milliseconds(gate, other); // warm
  const ratios = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [first, second] = round % 2 ? [one, other] : [other, one];
    const times = { [first]: await milliseconds(gate, first) };
    times[second] = await milliseconds(gate, second);
    ratios.push(times[one] / times[other]);
    if (round % 10 === 9) process.stderr.write(".");
  }
  ratios.sort((a, b) => a - b);
  const at = (part) => Number(ratios[Math.floor(part * (ROUNDS - 1))].toFixed(3));
  return { median_ratio: at(0.5), middle_half_from: at(0.25), middle_half_to: at(0.75) };
}

const gate = await start({ sessions: false });
const kinds = Object.values(IMPORTED).map(([kind]) => kind);
const importing = await start({ sessions: false, vars: { TOLLGATE_PASSWORD_KINDS: kinds } });
for (const [name, [kind, bytes]] of Object.entries(IMPORTED)) {
  const hash = `${kind}$salt$${"00".repeat(bytes)}`;
  await importing.kv.put(`login:${name}`, JSON.stringify({ v: 1, id: name, hash, status: "active" }));
}
const rows = {
  "unknown-user": await ratio(gate, "nobody", "user1"), // unknown user ÷ known user, both with a wrong password
  "noise": await ratio(gate, "user2", "user1"), // known user ÷ another known user
};
for (const name of Object.keys(IMPORTED)) {
  rows[`unknown-${name}`] = await ratio(importing, "nobody", name); // unknown user ÷ imported user
}
console.log(JSON.stringify(rows));
await Promise.all([gate.close(), importing.close()]);
