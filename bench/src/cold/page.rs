//! The results as Markdown in `docs/larger-than-memory.md`.

use std::path::Path;

use super::systems::System;
use super::{Measured, ROWS};
use crate::compare::thousands;
use crate::markdown::{machine, replace_section, table};
use crate::measure::{median, quantile};

/// Prints the results, and writes them into the page where as many codes as usual were measured.
pub fn write(version: &str, rows: usize, systems: &[System], limits: &[(&str, u64)], measured: &[Measured]) {
    let megabytes = |bytes: u64| format!("{:.0} MB", bytes as f64 / f64::from(1 << 20));
    let sizes = systems
        .iter()
        .map(|s| format!("index of {}: {}", s.name, megabytes(s.bytes)));
    let limits = limits
        .iter()
        .map(|(name, bytes)| format!("{name}: {}", megabytes(*bytes)));
    let text = format!(
        "{} codes of 256 bits. PostgreSQL {version}; {}; {}. Memory of the whole server, {}.\n\n",
        thousands(rows),
        machine(),
        sizes.collect::<Vec<_>>().join(", "),
        limits.collect::<Vec<_>>().join(", "),
    );
    let line = |of: &Measured| {
        let recall = if of.recall.is_nan() {
            String::new()
        } else {
            format!("{:.3}", of.recall)
        };
        let times = [median(&of.times), quantile(&of.times, 0.95), quantile(&of.times, 0.99)];
        let numbers = [of.faults, of.bytes / 1024.0].map(|number| format!("{number:.0}"));
        let cells = [of.system.clone(), of.state.clone(), recall].into_iter();
        cells.chain(times.map(digits)).chain(numbers).collect()
    };
    let head = [
        "index",
        "in memory",
        "recall@10",
        "median, ms",
        "95 %",
        "99 %",
        "major faults per query",
        "kB read per query",
    ];
    let text = text + &table(&head, measured.iter().map(line));
    println!("{text}");
    if rows == ROWS {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/larger-than-memory.md");
        replace_section(&page, "cold", &text);
    }
}

/// Three digits that matter.
fn digits(number: f64) -> String {
    let decimals = (2.0 - number.max(1e-3).log10().floor()).clamp(0.0, 3.0);
    format!("{number:.*}", decimals as usize)
}
