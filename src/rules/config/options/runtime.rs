//! The store, the token cache and the log of an instance.

use super::{Family, OptionSpec};

pub(super) const TOLLGATE: &[OptionSpec] = &Family::Tollgate.options([
    OptionSpec::duration("TOLLGATE_STORE_TIMEOUT", |raw| &mut raw.store_timeout)
        .default("5")
        .schema(r##"{"allOf": [{"$ref": "#/definitions/positive-duration"}, {"maximum": 600}]}"##)
    .meaning("How long KV may take to answer; then 503."),
    OptionSpec::number("TOLLGATE_TOKEN_CACHE", |raw| &mut raw.token_cache).kind("0 to 65534").default("1024").schema(r##"{"anyOf": [{"type": "integer", "minimum": 0, "maximum": 65534}, {"$ref": "#/definitions/digits"}]}"##)
    .meaning(
        "How many verified tokens each instance remembers, so that the next request with one costs no cryptography; \
         their times are checked all the same. While the cache is full, a token is stored only when it comes for the \
         second time. Each takes about twice its own length of memory, at most 18 KiB; an isolate has room for at \
         most 21845. `0` disables the cache.",
    ),
    OptionSpec::text("TOLLGATE_LOG", |raw| &mut raw.log)
        .kind("`off`, `error`, `info` or `debug`")
        .default("info")
        .schema(r##"{"enum": ["off", "error", "info", "debug"]}"##)
    .meaning(
            "`error`: only what an operator must act on. `info`: log-ins and refusals too. `debug`: passing requests \
             too.",
        ),
    OptionSpec::number("TOLLGATE_LOG_REFUSALS", |raw| &mut raw.log_refusals)
        .kind("0 to 1000000")
        .default("100")
        .schema(r##"{"anyOf": [{"type": "integer", "minimum": 0, "maximum": 1000000}, {"$ref": "#/definitions/digits"}]}"##)
    .meaning(
            "How many refusals for one reason each instance logs one by one in a second; for all reasons together it \
             is three times as many, and the first for each. Those beyond are counted, and told by a line \
             `refused_more` for each reason, with their `count`, when the second is over: a flood of forged tokens \
             makes no flood of lines. `0` counts all.",
        ),
]);
