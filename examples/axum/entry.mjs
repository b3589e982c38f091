// Hands requests to the `#[event(fetch)]` in src/lib.rs. (`worker-build` makes such an entry by itself.)
import * as rust from "./build/tollgate.js";
import module from "./build/tollgate_bg.wasm";

rust.initSync({ module });

export default { fetch: (request, env, context) => rust.fetch(request, env, context) };
