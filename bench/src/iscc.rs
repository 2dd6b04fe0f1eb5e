//! ISCCs: taking codes apart beside the crate that does it, and generated columns beside ready bodies.

use std::hint::black_box;
use std::io::Write;

use cluster_tests::codes;
use cluster_tests::{Cluster, search};
use postgres::Client;

use crate::measure::{median, milliseconds};

/// Codes with three units each.
const CODES: usize = 100_000;
const ROUNDS: usize = 7;
const COPIES: usize = 3;

/// All of it, in one session of one server.
pub fn run() {
    let cluster = Cluster::with(&[
        ("shared_buffers", "512MB"),
        ("max_parallel_workers_per_gather", "0"),
        ("jit", "off"),
    ]);
    let mut client = cluster.client();
    let isccs = create(&mut client);
    rates(&mut client, &isccs);
    copies(&mut client);
}

/// The table `asset` of codes made of the units of real files. Returns the codes.
fn create(client: &mut Client) -> Vec<String> {
    for (table, rows) in [("text", codes::text(CODES)), ("data", codes::data(CODES))] {
        codes::create_table(client, table);
        codes::load(client, table, &rows);
    }
    let sql = "CREATE TABLE asset AS SELECT iscc_compose(ARRAY[
                   iscc_encode('CONTENT_TEXT_V0', t.code), iscc_encode('DATA_NONE_V0', d.code),
                   iscc_encode('INSTANCE_NONE_V0', sha256(d.code)::bitvec)]) AS iscc
                 FROM text t JOIN data d USING (id) ORDER BY id";
    search::each(client, &format!("{sql}; VACUUM ANALYZE asset"));
    let rows = client.query("SELECT iscc FROM asset", &[]).expect("codes");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Codes per second, as a part of what the crate does in this process in the same minute.
fn rates(client: &mut Client, isccs: &[String]) {
    let statements = [
        ("iscc_decompose", "SELECT count(*) FROM asset, iscc_decompose(iscc)"),
        (
            "iscc_unit_body",
            "SELECT count(iscc_unit_body(iscc, 'CONTENT_TEXT_V0')) FROM asset",
        ),
        ("iscc_is_valid", "SELECT count(*) FROM asset WHERE iscc_is_valid(iscc)"),
    ];
    let mut times = vec![Vec::new(); statements.len() + 1];
    // They take turns, so that a busy minute of the machine hits all of them.
    for _ in 0..ROUNDS {
        times[0].push(milliseconds(|| {
            for iscc in isccs {
                black_box(iscc_lib::iscc_decompose(black_box(iscc)).expect("units"));
            }
        }));
        for (at, (_, sql)) in statements.iter().enumerate() {
            times[at + 1].push(milliseconds(|| {
                search::value::<i64>(client, sql);
            }));
        }
    }
    let crate_time = median(&times[0]);
    println!("{} codes of three units, one session, median of {ROUNDS}", isccs.len());
    println!("| what | codes/s | of the crate's rate |\n|---|---|---|");
    let names = ["iscc-lib 0.7.0, iscc_decompose"]
        .into_iter()
        .chain(statements.iter().map(|(name, _)| *name));
    for (name, times) in names.zip(&times) {
        let time = median(times);
        println!(
            "| {name} | {:.0} | {:.2} |",
            isccs.len() as f64 / time * 1000.0,
            crate_time / time
        );
    }
    println!();
}

/// COPY into a table with three generated columns and their indexes, and into one that gets ready bodies.
fn copies(client: &mut Client) {
    const UNITS: [(&str, &str); 3] = [
        ("content", "CONTENT_TEXT_V0"),
        ("data", "DATA_NONE_V0"),
        ("instance", "INSTANCE_NONE_V0"),
    ];
    let generated = UNITS
        .map(|(name, unit)| format!("{name} bitvec(256) GENERATED ALWAYS AS (iscc_unit_body(iscc, '{unit}')) STORED"));
    let ready = UNITS.map(|(name, _)| format!("{name} bitvec(256)"));
    let bodies = UNITS.map(|(_, unit)| format!("iscc_unit_body(iscc, '{unit}')"));
    let lines = |client: &mut Client, columns: &str| -> String {
        let rows = client
            .query(&format!("SELECT concat_ws(E'\\t', {columns}) FROM asset"), &[])
            .expect("rows");
        // COPY wants a backslash twice.
        rows.iter()
            .map(|row| row.get::<_, String>(0).replace('\\', "\\\\") + "\n")
            .collect()
    };
    let only_codes = lines(client, "iscc");
    let with_bodies = lines(client, &format!("iscc, {}", bodies.join(", ")));
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..COPIES {
        let kinds = [
            (&generated, "iscc", &only_codes),
            (&ready, "iscc, content, data, instance", &with_bodies),
        ];
        for (at, (columns, copied, text)) in kinds.into_iter().enumerate() {
            let indexes = UNITS.map(|(name, _)| format!("CREATE INDEX ON filled USING usearch ({name})"));
            let sql = format!(
                "DROP TABLE IF EXISTS filled; CREATE TABLE filled (iscc text, {}); {}; CHECKPOINT",
                columns.join(", "),
                indexes.join("; ")
            );
            search::each(client, &sql);
            times[at].push(milliseconds(|| {
                let mut writer = client
                    .copy_in(&format!("COPY filled ({copied}) FROM STDIN"))
                    .expect("COPY");
                writer.write_all(text.as_bytes()).expect("rows");
                writer.finish().expect("the end of COPY");
            }));
        }
    }
    let [generated, ready] = times.map(|times| median(&times));
    println!("COPY of {CODES} rows into a table with three indexes, median of {COPIES}");
    println!("| columns | ms | of the rate with ready bodies |\n|---|---|---|");
    println!("| three generated | {generated:.0} | {:.2} |", ready / generated);
    println!("| three ready bodies | {ready:.0} | 1.00 |\n");
}
