//! The results as Markdown in `docs/scale.md`, and their plot beside it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::growth::Build;
use super::peers::Peer;
use super::queries::{Connections, OwnSearch, Threshold, Times};
use crate::compare::{python, thousands};
use crate::markdown::{machine, replace_section, table};

/// All that was measured at one size.
pub struct Size {
    pub codes: usize,
    pub build: Build,
    pub searches: Vec<OwnSearch>,
    pub thresholds: Vec<Threshold>,
    /// Rows a second.
    pub joined: f64,
    pub connections: Connections,
    pub peers: Vec<Peer>,
}

/// Prints the results, and writes them into the page where ten million codes or more were measured.
pub fn write(version: &str, sizes: &[Size]) {
    let head = format!("Codes of 256 bits. PostgreSQL {version}; {}.\n\n", machine());
    let text = [
        head,
        builds(sizes),
        searches(sizes),
        peers(sizes),
        thresholds(sizes),
        connections(sizes),
    ]
    .concat();
    println!("{text}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (docs, scratch) = (root.join("docs"), root.join("target/bench"));
    fs::create_dir_all(&scratch).expect("target/bench");
    let is_whole = sizes.iter().any(|size| size.codes >= 10_000_000);
    if is_whole {
        replace_section(&docs.join("scale.md"), "scale", &text);
    }
    let data = scratch.join("scale.json");
    fs::write(
        &data,
        json!({ "sizes": sizes.iter().map(numbers).collect::<Vec<_>>() }).to_string(),
    )
    .expect("results");
    let Some(python) = python() else {
        eprintln!("no Python: not plotted");
        return;
    };
    let plot = if is_whole { &docs } else { &scratch }.join("scale.svg");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("plot_scale.py");
    let status = Command::new(python).arg(script).arg(data).arg(plot).status();
    assert!(status.expect("start Python").success(), "not plotted");
}

/// What the plot shows.
fn numbers(size: &Size) -> Value {
    let times = |times: &Times| json!({"median": times.median, "p99": times.p99});
    let searches = size
        .searches
        .iter()
        .map(|s| (s.default.kind.to_string(), times(&s.default.times)));
    let thresholds = size.thresholds.iter().map(|t| {
        (
            t.radius.to_string(),
            json!({"default": times(&t.times), "exact": times(&t.exact)}),
        )
    });
    json!({
        "codes": size.codes,
        "searches": searches.collect::<serde_json::Map<_, _>>(),
        "thresholds": thresholds.collect::<serde_json::Map<_, _>>(),
        "build_rate": size.codes as f64 / size.build.seconds,
        "log": size.build.log_bytes as f64 / size.codes as f64,
        "shards": size.build.shard_bytes as f64 / size.codes as f64,
    })
}

fn builds(sizes: &[Size]) -> String {
    let head = [
        "codes",
        "COPY, rows/s",
        "CREATE INDEX, s",
        "rows/s",
        "rows per processor second",
        "peak memory, MB",
        "WAL, bytes per code",
        "log, bytes per code",
        "shards, bytes per code",
        "shards",
    ];
    let row = |size: &Size| {
        let (codes, build) = (size.codes as f64, &size.build);
        let each = |bytes: u64| format!("{:.0}", bytes as f64 / codes);
        vec![
            thousands(size.codes),
            format!("{:.0}", build.loaded.0 as f64 / build.loaded.1),
            format!("{:.0}", build.seconds),
            format!("{:.0}", codes / build.seconds),
            format!("{:.0}", codes / build.processor_seconds),
            format!("{:.0}", build.peak_bytes as f64 / 1e6),
            each(build.wal_bytes),
            each(build.log_bytes),
            each(build.shard_bytes),
            build.shards.to_string(),
        ]
    };
    "### Loading and building\n\n".to_string() + &table(&head, sizes.iter().map(row))
}

fn searches(sizes: &[Size]) -> String {
    let head = [
        "queries",
        "codes",
        "recall@10",
        "median, ms",
        "95 %",
        "99 %",
        "exact: median, ms",
        "99 %",
    ];
    let row = |size: &Size, OwnSearch { default: search, exact }: &OwnSearch| {
        let mut cells = vec![
            search.kind.to_string(),
            thousands(size.codes),
            format!("{:.4}", search.recall),
        ];
        cells.extend(in_order(&search.times).map(time));
        cells.extend([time(exact.median), time(exact.p99)]);
        cells
    };
    "### Ordered searches\n\n`ORDER BY code <~> $1 LIMIT 10` at default settings, and with `search_mode = exact`.\n\n"
        .to_string()
        + &table(&head, by_kind(sizes, |size| &size.searches, row))
}

/// FAISS, where it was measured.
fn peers(sizes: &[Size]) -> String {
    let head = [
        "system",
        "codes",
        "build, s",
        "queries",
        "setting",
        "recall@10",
        "median, ms",
        "95 %",
        "99 %",
    ];
    let rows: Vec<Vec<String>> = sizes
        .iter()
        .flat_map(|size| size.peers.iter().map(move |peer| (size, peer)))
        .flat_map(|(size, peer)| {
            peer.searches.iter().map(move |(setting, search)| {
                let mut cells = vec![
                    peer.system.clone(),
                    thousands(size.codes),
                    format!("{:.1}", peer.seconds),
                    search.kind.to_string(),
                    setting.clone(),
                    format!("{:.4}", search.recall),
                ];
                cells.extend(in_order(&search.times).map(time));
                cells
            })
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    "### FAISS beside it\n\nThe same codes and queries in one process, without SQL and without a round trip, one query after the other \
     on one thread; its graph with the least effort that finds 0.99 of the nearest, up to a million codes.\n\n"
        .to_string()
        + &table(&head, rows)
}

fn thresholds(sizes: &[Size]) -> String {
    let head = [
        "radius",
        "codes",
        "rows found",
        "median, ms",
        "95 %",
        "99 %",
        "comparing all: median, ms",
        "99 %",
        "times faster: median",
        "99 %",
    ];
    let row = |size: &Size, threshold: &Threshold| {
        let (own, exact) = (&threshold.times, &threshold.exact);
        let mut cells = vec![
            threshold.radius.to_string(),
            thousands(size.codes),
            format!("{:.1}", threshold.rows),
        ];
        cells.extend(in_order(own).map(time));
        cells.extend([time(exact.median), time(exact.p99)]);
        cells.extend([exact.median / own.median, exact.p99 / own.p99].map(|ratio| format!("{ratio:.1}")));
        cells
    };
    let joins = sizes
        .iter()
        .map(|size| vec![thousands(size.codes), format!("{:.0}", size.joined)]);
    "### Thresholds\n\n`nphd_within(code, $1, radius)`, complete in both columns.\n\n".to_string()
        + &table(&head, by_kind(sizes, |size| &size.thresholds, row))
        + "A join of 20,000 codes with all within 0.05 of each, in one process:\n\n"
        + &table(&["codes", "outer rows/s"], joins)
}

fn connections(sizes: &[Size]) -> String {
    let head = [
        "codes",
        "first query, ms",
        "later ones, ms",
        "memory of its own, kB",
        "open files",
    ];
    let row = |size: &Size| {
        let of = &size.connections;
        vec![
            thousands(size.codes),
            time(of.first),
            time(of.later),
            of.kilobytes.to_string(),
            of.files.to_string(),
        ]
    };
    "### Connections\n\n200 of them, open at once; each query is planned anew.\n\n".to_string()
        + &table(&head, sizes.iter().map(row))
}

/// A row for each size of each of the things measured, these in turn.
fn by_kind<T>(
    sizes: &[Size],
    all: impl Fn(&Size) -> &Vec<T>,
    row: impl Fn(&Size, &T) -> Vec<String>,
) -> Vec<Vec<String>> {
    let kinds = sizes.first().map_or(0, |size| all(size).len());
    (0..kinds)
        .flat_map(|kind| sizes.iter().map(move |size| (kind, size)))
        .map(|(kind, size)| row(size, &all(size)[kind]))
        .collect()
}

fn in_order(times: &Times) -> [f64; 3] {
    [times.median, times.p95, times.p99]
}

/// Three digits that count.
fn time(milliseconds: f64) -> String {
    match milliseconds {
        0.0..1.0 => format!("{milliseconds:.3}"),
        1.0..10.0 => format!("{milliseconds:.2}"),
        _ => format!("{milliseconds:.1}"),
    }
}
