// What workerd has and @cloudflare/workers-types does not say.

/** wrangler compiles it. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

/** An exception that nothing caught. */
declare function addEventListener(type: "error", listener: (event: ErrorEvent) => void): void;
