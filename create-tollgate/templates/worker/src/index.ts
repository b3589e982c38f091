import { tollgate } from "tollgate";
export { Account, Revocations } from "tollgate";

export default tollgate({
  async fetch(request, env, ctx, auth) {
    return Response.json({ hello: auth.subject });
  },
});
