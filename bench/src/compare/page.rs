//! The results as Markdown in `docs/benchmark.md`, and their plot beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::clients::CLIENTS;
use super::in_process::python;
use super::results::{Point, Results};
use super::set::{reduced, thousands};
use crate::markdown::{machine, replace_section, table};

/// Recalls at which latencies are compared.
const RECALLS: [f64; 6] = [0.9, 0.95, 0.98, 0.99, 0.995, 0.999];

/// What the page says of a set.
fn section(results: &Results) -> String {
    let mut text = head(results);
    text.push_str(&at_recall(results));
    text.push_str(&builds(results));
    text.push_str(&throughputs(results));
    text.push_str(&connections(results));
    if !results.joins.is_empty() {
        text.push_str(&joins(results));
    }
    text.push_str(&sweeps(results));
    text
}

fn head(results: &Results) -> String {
    format!(
        "{} rows ({} distinct {}), {} queries that are not among them.\n{}; {}.\n\
         The round trip of a prepared statement that returns ten rows takes {:.3} ms.\n\n\
         ![Recall and latency](benchmark-{}.svg)\n\n",
        thousands(results.rows),
        thousands(results.distinct),
        results.content.noun(),
        thousands(results.queries),
        machine(),
        results.software.join(", "),
        results.round_trip,
        results.name
    )
}

fn at_recall(results: &Results) -> String {
    let names: Vec<String> = RECALLS.iter().map(|recall| recall.to_string()).collect();
    let mut head = vec!["at recall@10 of at least"];
    head.extend(names.iter().map(String::as_str));
    let cell = |point: Option<&Point>| point.map_or("never".into(), |p| latency(p.median) + &effort(&p.setting));
    let row = |curve: &str| {
        let cells = RECALLS.map(|recall| cell(results.fastest(curve, recall)));
        [vec![curve.to_string()], cells.to_vec()].concat()
    };
    let rows: Vec<_> = results.curves().into_iter().map(row).collect();
    "Median latency in milliseconds, at the fastest setting that reaches the recall:\n\n".to_string()
        + &table(&head, rows)
}

/// Three digits that count.
fn latency(milliseconds: f64) -> String {
    let digits = if milliseconds < 1.0 { 3 } else { 2 };
    format!("{milliseconds:.digits$}")
}

/// What tells a setting from others of its curve: the number that it ends with, or that it is the default.
fn effort(setting: &str) -> String {
    let last = setting.rsplit(' ').next().unwrap_or_default();
    if last == "default" || last.parse::<f64>().is_ok() {
        format!(" ({last})")
    } else {
        String::new()
    }
}

fn builds(results: &Results) -> String {
    let row = |build: &super::results::Build| {
        vec![
            build.system.clone(),
            format!("{:.1}", build.seconds),
            thousands((results.rows as f64 / build.seconds) as usize),
            format!("{:.0}", build.bytes as f64 / results.rows as f64),
        ]
    };
    table(
        &["index", "build time, s", "rows/s", "bytes per row"],
        results.builds.iter().map(row),
    )
}

fn throughputs(results: &Results) -> String {
    let names = CLIENTS.map(|clients| match clients {
        1 => "1 client".into(),
        more => format!("{more} clients"),
    });
    let mut head = vec!["queries per second", "setting", "recall@10"];
    head.extend(names.iter().map(String::as_str));
    let row = |line: &super::results::Throughput| {
        let mut cells = vec![line.system.clone(), line.setting.clone(), format!("{:.4}", line.recall)];
        cells.extend(line.rates.iter().map(|&rate| thousands(rate as usize)));
        cells
    };
    table(&head, results.throughputs.iter().map(row))
}

fn connections(results: &Results) -> String {
    let row = |c: &super::results::Connection| {
        vec![
            c.system.clone(),
            format!("{:.2}", c.first),
            format!("{:.2}", c.later),
            thousands(c.before as usize),
            thousands(c.after as usize),
        ]
    };
    let head = [
        "one connection at default settings",
        "first query, ms",
        "later query, ms",
        "private kB before",
        "after 1,000 queries",
    ];
    table(&head, results.connections.iter().map(row))
}

fn joins(results: &Results) -> String {
    let row = |join: &super::results::Join| {
        vec![
            join.system.clone(),
            join.setting.clone(),
            format!("{:.4}", join.recall),
            thousands(join.rows as usize),
            thousands(join.rate as usize),
        ]
    };
    let head = [
        "join of each code with its ten nearest, one backend",
        "setting",
        "recall@10",
        "codes joined",
        "codes/s",
    ];
    table(&head, results.joins.iter().map(row))
}

fn sweeps(results: &Results) -> String {
    let row = |point: &Point| {
        vec![
            point.curve.clone(),
            point.setting.clone(),
            format!("{:.4}", point.recall),
            latency(point.median),
            latency(point.p95),
        ]
    };
    let head = ["", "setting", "recall@10", "median, ms", "95th percentile, ms"];
    let all = table(&head, results.points.iter().map(row));
    format!("<details><summary>All settings</summary>\n\n{all}</details>\n")
}

/// Writes the page's section and the plot: to `docs`, or to `target/bench` when `ISCC_ROWS` has made the set smaller.
pub fn write(results: &Results) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (docs, scratch) = (root.join("docs"), root.join("target/bench"));
    fs::create_dir_all(&scratch).expect("target/bench");
    let (text, output) = (section(results), if reduced().is_some() { &scratch } else { &docs });
    println!("{text}");
    if reduced().is_some() {
        fs::write(scratch.join(format!("{}.md", results.name)), text).expect("the section");
    } else {
        replace_section(&docs.join("benchmark.md"), results.name, &text);
    }
    plot(
        results,
        &scratch,
        &output.join(format!("benchmark-{}.svg", results.name)),
    );
    eprintln!("written to {}", output.canonicalize().expect("the directory").display());
}

fn plot(results: &Results, scratch: &Path, target: &Path) {
    let points = results
        .points
        .iter()
        .map(|p| json!({"system": p.curve, "setting": p.setting, "recall": p.recall, "median": p.median}));
    let data = json!({"title": results.title, "points": points.collect::<Vec<_>>()});
    let file = scratch.join(format!("{}.json", results.name));
    fs::write(&file, data.to_string()).expect("results");
    let Some(python) = python() else {
        eprintln!("no Python: not plotted");
        return;
    };
    let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("plot.py");
    let status = Command::new(python).arg(script).arg(file).arg(target).status();
    assert!(status.expect("start Python").success(), "not plotted");
}
