//! What is uploaded, and how long it takes to start.

use crate::{
    contender::{Contender, Workshop, modules, run},
    report::Row,
    statistics::Spread,
};
use anyhow::{Context, Result};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use std::{fs, io::Write, time::Duration};

/// Whose size is measured.
pub const CONTENDERS: [Contender; 5] =
    [Contender::Hono, Contender::HonoJwt, Contender::Jose, Contender::WorkersRs, Contender::Tollgate];

/// About how long the start-up takes to measure.
pub const STARTUP_TAKES: Duration = Duration::from_secs(12);

/// All modules, as they are and compressed, as `wrangler deploy` tells it.
///
/// # Errors
/// If a module can't be read.
pub fn measure(workshop: &Workshop, contender: Contender) -> Result<Row> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let mut bytes = 0;
    for module in modules(&workshop.folder(contender))? {
        let module = fs::read(module)?;
        bytes += module.len();
        gzip.write_all(&module)?;
    }
    Ok(Row::of(
        format!("size/{contender}"),
        &[("kib", bytes as f64 / 1024.0), ("gzip_kib", gzip.finish()?.len() as f64 / 1024.0)],
    ))
}

/// What the profile of `wrangler check startup` holds: all that is not idle.
///
/// # Errors
/// If wrangler fails.
pub fn measure_startup(workshop: &Workshop, times: usize) -> Result<Row> {
    let profile = workshop.target().join("startup.cpuprofile");
    let active = (0..times)
        .map(|_| {
            run(workshop.npm("wrangler").args(["check", "startup", "--outfile"]).arg(&profile))?;
            active_ms(&serde_json::from_slice(&fs::read(&profile)?)?).context("a profile without samples")
        })
        .collect::<Result<Vec<_>>>()?;
    let spread = Spread::of(active);
    Ok(Row::of(
        "startup/tollgate",
        &[("active_ms", spread.median), ("least_ms", spread.least), ("greatest_ms", spread.greatest)],
    ))
}

/// The milliseconds of a V8 profile's samples that are not idle.
fn active_ms(profile: &Value) -> Option<f64> {
    let idle = profile["nodes"]
        .as_array()?
        .iter()
        .filter(|node| matches!(node["callFrame"]["functionName"].as_str(), Some("(idle)" | "(program)" | "(root)")));
    let idle: Vec<&Value> = idle.map(|node| &node["id"]).collect();
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
