// Storage of the Durable Objects, and the data centre's cache of what the register of revocations says. What the rows
// hold: docs/storage.md.

/** The text that is cached under a URL, if there is one. @param {string} url */
export async function find(url) {
  const kept = await caches.default.match(url);
  return kept?.text();
}

/** Caches a text under a URL for some seconds. @param {string} url @param {string} text @param {number} seconds */
export async function keep(url, text, seconds) {
  await caches.default.put(url, new Response(text, { headers: { "cache-control": `max-age=${seconds}` } }));
}

// An account's rows are in two tables. The keys in `notes` came later: a worker of an earlier version, which runs
// beside this one during a deployment or again after a rollback, reads `rows` whole and refuses a row that it does not
// know.
const NOTES = ["replies", "failures", "attributes"];
const tableOf = (/** @type {string} */ key) => (NOTES.includes(key) ? "notes" : "rows");

/** Every row of an account's object, as JSON. Reads only: it makes no table. @param {DurableObjectStorage} storage */
export function read(storage) {
  const tables = storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('rows', 'notes')").toArray();
  const rows = tables.flatMap(({ name }) => [...storage.sql.exec(`SELECT key, value FROM ${name}`).raw()]);
  return JSON.stringify(Object.fromEntries(rows));
}

// When the alarm of a storage rings, as far as it was set here. To set it is to write, so an alarm that comes early
// enough is left as it is.
/** @type {WeakMap<DurableObjectStorage, number>} */
const alarms = new WeakMap();

/**
 * Writes rows in one transaction, deletes those without a value, and sets the alarm to `wake` (milliseconds since
 * 1970), all before anything else runs in the object.
 *
 * @param {DurableObjectStorage} storage
 * @param {string} changes a list of `[key, value or null]`, as JSON
 * @param {number | undefined} wake
 */
export function write(storage, changes, wake) {
  storage.transactionSync(() => {
    for (const table of ["rows", "notes"]) {
      storage.sql.exec(`CREATE TABLE IF NOT EXISTS ${table} (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`);
    }
    for (const [key, value] of JSON.parse(changes)) {
      if (value === null) storage.sql.exec(`DELETE FROM ${tableOf(key)} WHERE key = ?`, key);
      else storage.sql.exec(`INSERT OR REPLACE INTO ${tableOf(key)} VALUES (?, ?)`, key, value);
    }
  });
  if (wake !== undefined && !((alarms.get(storage) ?? Infinity) <= wake)) {
    alarms.set(storage, wake);
    storage.setAlarm(wake);
  }
}

/**
 * To be called when the alarm of a storage has rung, so that the next one is set.
 *
 * @param {DurableObjectStorage} storage
 */
export function rang(storage) {
  alarms.delete(storage);
}

/** Deletes everything, the alarm too. @param {DurableObjectStorage} storage */
export function clear(storage) {
  storage.deleteAll();
}

/** Every entry of the register, as JSON: a list of `[number, entry]`. @param {DurableObjectStorage} storage */
export function entries(storage) {
  storage.sql.exec("CREATE TABLE IF NOT EXISTS entries (number INTEGER PRIMARY KEY, entry TEXT NOT NULL)");
  const all = [...storage.sql.exec("SELECT number, entry FROM entries").raw()];
  return `[${all.map(([number, entry]) => `[${number},${entry}]`)}]`;
}

/**
 * Writes entries of the register in one transaction, and deletes those that are `null`.
 *
 * @param {DurableObjectStorage} storage
 * @param {string} changes a list of `[number, entry or null]`, as JSON
 */
export function change(storage, changes) {
  storage.transactionSync(() => {
    for (const [number, entry] of JSON.parse(changes)) {
      if (entry === null) storage.sql.exec("DELETE FROM entries WHERE number = ?", number);
      else storage.sql.exec("INSERT OR REPLACE INTO entries VALUES (?, ?)", number, JSON.stringify(entry));
    }
  });
}
