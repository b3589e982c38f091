// Hands requests to the `#[event(fetch)]`, as the entry does that `worker-build` makes.
import module from "./tollgate_bg.wasm";
import * as rust from "glue/tollgate.js"; // that of `bench/contenders/workers-rs/`

rust.initSync({ module });

export default { fetch: (request, env, context) => rust.fetch(request, env, context) };
