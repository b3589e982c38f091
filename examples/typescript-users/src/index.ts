// Users in a database of your own (D1), behind the gate's limits on guessing.
import { checkPassword, hashPassword, tollgate } from "tollgate";

export { Account, Revocations } from "tollgate";

interface Env {
  DB: D1Database;
}

interface Person {
  id: number;
  name: string;
  role: string;
  hash: string;
  password_set: number;
}

export default tollgate<Env>({
  users: {
    async authenticate({ username, password }, { DB }) {
      const found = await DB.prepare("select * from people where name = ?").bind(username).first<Person>();
      // With no hash it takes as long: nobody learns from the time which names exist.
      return checkPassword(found?.hash, password) ? found && userOf(found) : null;
    },

    async identity({ subject }, { DB }) {
      const found = await DB.prepare("select * from people where id = ?").bind(subject).first<Person>();
      return found && userOf(found);
    },

    async setPassword({ subject }, passwords, { DB }) {
      const found = await DB.prepare("select * from people where id = ?").bind(subject).first<Person>();
      if (passwords.old !== undefined && !checkPassword(found?.hash, passwords.old)) return { outcome: "wrong" };
      if (found === null) return { outcome: "wrong" };
      const version = Math.max(Date.now(), found.password_set + 1);
      const update = DB.prepare("update people set hash = ?, password_set = ? where id = ? and password_set = ?");
      const { meta } = await update.bind(hashPassword(passwords.new), version, subject, found.password_set).run();
      // Another request has set it meanwhile, so this one's old password is the wrong one.
      return meta.changes === 1 ? { outcome: "stored", version } : { outcome: "wrong" };
    },
  },
});

function userOf({ id, role, name, password_set }: Person) {
  return { id, attributes: { username: name, role }, passwordVersion: password_set };
}
