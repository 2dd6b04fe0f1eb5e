//! `make bench`: what `docs/numbers.md` and `docs/benchmark.md` say about speed, memory and recall, measured again.
//!
//! Everything is a ratio or a pair measured in one run on one private server: machines differ, and
//! shared ones differ from minute to minute.

mod cold;
mod commits;
mod compare;
mod endurance;
mod iscc;
mod markdown;
mod measure;
mod plans;
mod processors;
mod reads;
mod recall;
mod scale;
mod servers;
mod writes;

use cluster_tests::codes::{self, Row};
use cluster_tests::{Cluster, search};

/// Codes in the tables.
const ROWS: usize = 100_000;
/// Parts that look at one table of Text-Codes.
const TABLE: [&str; 7] = ["recall", "latency", "filter", "first_query", "memory", "copy", "vacuum"];
/// Others, each with tables of its own.
const PARTS: [&str; 8] = [
    "plans",
    "endurance",
    "commits",
    "iscc",
    "scale",
    "cold",
    "servers",
    "compare",
];
/// Codes that `scale` measures, in millions, unless another number is given.
const MILLIONS: usize = 10;

fn main() {
    // `scripts/bench latency copy` runs these parts only, `scripts/bench compare text` one set of a part.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (sets, parts): (Vec<_>, Vec<_>) = arguments.into_iter().partition(|a| compare::SETS.contains(&a.as_str()));
    // `scripts/bench scale 10` measures ten million codes, `scripts/bench cold 3000000` three.
    let (numbers, parts): (Vec<_>, Vec<_>) = parts.into_iter().partition(|a| a.parse::<usize>().is_ok());
    let known = |part: &String| TABLE.contains(&part.as_str()) || PARTS.contains(&part.as_str());
    if let Some(unknown) = parts.iter().find(|part| !known(part)) {
        eprintln!(
            "no part {unknown}: {TABLE:?}, {PARTS:?}, the last of {:?}",
            compare::SETS
        );
        std::process::exit(1);
    }
    let wanted = |part: &str| parts.is_empty() && sets.is_empty() || parts.iter().any(|p| p == part);
    if TABLE.into_iter().any(wanted) {
        one_table(wanted);
    }
    if wanted("recall") {
        recall::run();
    }
    if wanted("plans") {
        plans::matrix();
    }
    if wanted("endurance") {
        endurance::run(&text_codes().0);
    }
    if wanted("commits") {
        commits::run();
    }
    if wanted("iscc") {
        iscc::run();
    }
    let number = numbers.first().and_then(|number| number.parse().ok());
    if parts.iter().any(|part| part == "scale") {
        scale::run(number.unwrap_or(MILLIONS));
    }
    if parts.iter().any(|part| part == "cold") {
        cold::run(number.unwrap_or(cold::ROWS));
    }
    if parts.iter().any(|part| part == "servers") {
        servers::run();
    }
    if wanted("compare") || !sets.is_empty() {
        compare::run(&sets);
    }
}

/// Codes to store, versions held out, and codes of files that have no version among the others.
fn text_codes() -> (Vec<Row>, Vec<Row>, Vec<Row>) {
    let mut all = codes::text(110_308);
    let foreign = all.split_off(105_000);
    let (mut stored, held_out) = codes::hold_out(all, 21);
    stored.truncate(ROWS);
    (stored, held_out, foreign)
}

fn one_table(wanted: impl Fn(&str) -> bool) {
    let cluster = Cluster::with(&[("shared_buffers", "512MB"), ("maintenance_work_mem", "1GB")]);
    let mut client = cluster.client();
    let version: String = search::value(&mut client, "SHOW server_version");
    let (stored, held_out, foreign) = text_codes();
    println!("PostgreSQL {version}, {ROWS} real text codes of 64 to 256 bits\n");

    codes::create_table(&mut client, "mixed");
    codes::load(&mut client, "mixed", &stored);
    let build = measure::milliseconds(|| {
        client
            .batch_execute("CREATE INDEX mixed_code ON mixed USING usearch (code)")
            .expect("index");
    });
    client.batch_execute("VACUUM ANALYZE mixed").expect("vacuum");
    println!("CREATE INDEX: {:.0} codes/s\n", ROWS as f64 / build * 1000.0);

    let kinds: [(&str, &[Row]); 3] = [
        ("stored codes", &stored),
        ("held-out versions", &held_out),
        ("unrelated codes", &foreign),
    ];
    if wanted("recall") {
        reads::recall(&cluster, &kinds);
    }
    if wanted("latency") {
        reads::latency(&cluster, &stored, &held_out);
    }
    if wanted("filter") {
        reads::filter(&cluster, &stored);
        plans::worst_filter(&cluster, &codes::sample(&held_out, 20));
    }
    if wanted("first_query") {
        reads::first_query(&cluster, &stored);
    }
    if wanted("memory") {
        reads::memory(&cluster, &stored);
    }
    if wanted("copy") {
        writes::copy(&cluster, &stored);
    }
    if wanted("vacuum") {
        writes::vacuum(&cluster, &stored);
    }
    cluster.assert_no_crash();
}
