// The data centre's cache, for what the register of revocations says; and the rows of objects.

/** What was kept under a URL, if anything. */
export async function find(url) {
  const kept = await caches.default.match(url);
  return kept && kept.text();
}

/** Keeps a text under a URL for a while. */
export async function keep(url, text, seconds) {
  await caches.default.put(url, new Response(text, { headers: { "cache-control": `max-age=${seconds}` } }));
}

// An account's rows by table. Those in `notes` came later: a worker of an earlier version, which runs beside this one
// during a deployment or again after a rollback, reads the other table whole and refuses a row that it does not know.
const NOTES = ["replies", "failures"];
const tableOf = (key) => (NOTES.includes(key) ? "notes" : "rows");

/** Every row of an account's object, as JSON. An object that is only asked is not stored. */
export function read(storage) {
  const tables = storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('rows', 'notes')").toArray();
  const rows = tables.flatMap(({ name }) => storage.sql.exec(`SELECT key, value FROM ${name}`).raw().toArray());
  return JSON.stringify(Object.fromEntries(rows));
}

// When the alarm of a storage rings, as far as it was set here: to set it is to write, so one that comes early enough
// stays.
const alarms = new WeakMap();

/** Writes rows in one transaction, deletes those without a value, and sets the alarm to `wake`, all in the same turn. */
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
  if (wake !== undefined && !(alarms.get(storage) <= wake)) {
    alarms.set(storage, wake);
    storage.setAlarm(wake);
  }
}

/** The alarm of a storage has rung, so the next one must be set. */
export function rang(storage) {
  alarms.delete(storage);
}

/** Deletes everything, the alarm too. */
export function clear(storage) {
  storage.deleteAll();
}

/** Every entry of the register, as JSON: a list of `[number, entry]`. */
export function entries(storage) {
  storage.sql.exec("CREATE TABLE IF NOT EXISTS entries (number INTEGER PRIMARY KEY, entry TEXT NOT NULL)");
  const all = storage.sql.exec("SELECT number, entry FROM entries").raw().toArray();
  return `[${all.map(([number, entry]) => `[${number},${entry}]`)}]`;
}

/** Writes entries of the register in one transaction, and deletes those that are `null`. */
export function change(storage, changes) {
  storage.transactionSync(() => {
    for (const [number, entry] of JSON.parse(changes)) {
      if (entry === null) storage.sql.exec("DELETE FROM entries WHERE number = ?", number);
      else storage.sql.exec("INSERT OR REPLACE INTO entries VALUES (?, ?)", number, JSON.stringify(entry));
    }
  });
}
