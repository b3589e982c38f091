//! The size of what is uploaded, and the time that it takes to start.

use crate::{
    compare::rounds,
    contender::Contender,
    report::{Row, Spread},
    workshop::{Workshop, run},
};
use anyhow::{Context, Result};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use std::{fs, io::Write};

/// The contenders whose size is measured.
pub const CONTENDERS: [Contender; 5] =
    [Contender::Hono, Contender::HonoJwt, Contender::Jose, Contender::WorkersRs, Contender::Tollgate];

/// The size of all modules, plain and compressed, as `wrangler deploy` reports it.
pub fn measure(workshop: &Workshop, contender: Contender) -> Result<Row> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let mut bytes = 0;
    for module in workshop.modules(&contender.to_string())? {
        let module = fs::read(module)?;
        bytes += module.len();
        gzip.write_all(&module)?;
    }
    Ok(Row::new(format!("size/{contender}"))
        .with("kib", bytes as f64 / 1024.0)
        .with("gzip_kib", gzip.finish()?.len() as f64 / 1024.0))
}

/// How often the start-up is measured.
const STARTS: usize = 3;

/// The time of start-up that is not idle, in the profile of `wrangler check startup`.
pub fn measure_startup(workshop: &Workshop) -> Result<Row> {
    let profile = workshop.target.join("startup.cpuprofile");
    let active = rounds(STARTS, |_| {
        run(workshop.npm("wrangler")?.args(["check", "startup", "--outfile"]).arg(&profile))?;
        active_ms(&serde_json::from_slice(&fs::read(&profile)?)?).context("a profile without samples")
    })?;
    let spread = Spread::of(active);
    Ok(Row::new("startup/tollgate")
        .with("active_ms", spread.median)
        .with("least_ms", spread.least)
        .with("greatest_ms", spread.greatest))
}

/// The milliseconds of a V8 profile's samples that are not idle.
fn active_ms(profile: &Value) -> Option<f64> {
    let is_idle =
        |node: &&Value| matches!(node["callFrame"]["functionName"].as_str(), Some("(idle)" | "(program)" | "(root)"));
    let idle: Vec<&Value> = profile["nodes"].as_array()?.iter().filter(is_idle).map(|node| &node["id"]).collect();
    let samples = profile["samples"].as_array()?.iter().zip(profile["timeDeltas"].as_array()?);
    let active = samples.filter(|(node, _)| !idle.contains(node)).filter_map(|(_, delta)| delta.as_f64());
    Some(active.sum::<f64>() / 1e3)
}

#[cfg(test)]
mod tests {
    use super::active_ms;
    use serde_json::json;

    #[test]
    fn idle_samples_do_not_count() {
        let node = |id: u32, name: &str| json!({"id": id, "callFrame": {"functionName": name}});
        let profile = json!({
            "nodes": [node(1, "(root)"), node(2, "initSync"), node(3, "(idle)")],
            "samples": [2, 3, 2],
            "timeDeltas": [1500, 10000, 500],
        });
        assert_eq!(active_ms(&profile), Some(2.0));
    }
}
