//! Vectors inserted one by one, a commit each, beside the same table without index and with pgvector's.

use std::fs;

use cluster_tests::embeddings::{self, Vector};
use cluster_tests::{Cluster, search};
use postgres::Client;
use postgres::types::ToSql;

use crate::measure::{Binary, median};
use crate::processors;

const ROUNDS: usize = 3;
/// Rows of a round.
const ROWS: usize = 4000;
/// pgvector gets fewer: it is slow enough for the clock.
const ROWS_OF_PGVECTOR: usize = 1000;

/// How a statement gets a vector.
const FORMS: [&str; 2] = ["text", "binary"];

/// A column, and a vector in each form.
struct Kind {
    column: &'static str,
    class: &'static str,
    text: fn(&[f32]) -> String,
    binary: fn(&[f32]) -> Binary,
}

const ARRAY: Kind = Kind {
    column: "real[]",
    class: "real",
    text: |vector| format!("{{{}}}", embeddings::listed(vector)),
    binary: Binary::array,
};
const VECTOR: Kind = Kind {
    column: "vector(384)",
    class: "vector",
    text: |vector| format!("[{}]", embeddings::listed(vector)),
    binary: Binary::vector,
};

/// Rows a second of the session's processor time, and with that of building the shard that the rows are due for.
pub fn run() {
    let cluster = Cluster::with(&[("shared_buffers", "512MB"), ("autovacuum", "off")]);
    let mut client = cluster.client();
    let has_pgvector = client
        .batch_execute("CREATE EXTENSION iscc_usearch_vector CASCADE")
        .is_ok();
    let kind = if has_pgvector { VECTOR } else { ARRAY };
    let class = kind.class;
    let mut indexes = vec![
        ("no index", String::new(), ROWS),
        (
            "usearch",
            format!("CREATE INDEX w_v ON w USING usearch (v {class}_cosine_ops)"),
            ROWS,
        ),
    ];
    if has_pgvector {
        let index = "CREATE INDEX w_v ON w USING hnsw (v vector_cosine_ops)".into();
        indexes.push(("pgvector hnsw", index, ROWS_OF_PGVECTOR));
    }
    let vectors = embeddings::stored(ROWS);
    println!(
        "{}, 384 dimensions, one row per commit; rows per second of processor time, median of {ROUNDS}",
        kind.column
    );
    println!("| parameter | index | session | share of no index | with the shard's build |");
    println!("|---|---|---|---|---|");
    for form in FORMS {
        let mut rates = vec![(Vec::new(), Vec::new()); indexes.len()];
        for _ in 0..ROUNDS {
            for ((name, index, rows), (session, whole)) in indexes.iter().zip(&mut rates) {
                let create = format!(
                    "DROP TABLE IF EXISTS w; CREATE TABLE w (id bigint, v {}); {index}",
                    kind.column
                );
                client.batch_execute(&create).expect("table");
                client.batch_execute("CHECKPOINT").expect("checkpoint");
                let spent = insert(&mut client, &kind, form, &vectors[..*rows]);
                let built = if *name == "usearch" { seal(&mut client) } else { 0.0 };
                session.push(*rows as f64 / spent);
                whole.push(*rows as f64 / (spent + built));
            }
        }
        let none = median(&rates[0].0);
        for ((name, ..), (session, whole)) in indexes.iter().zip(&rates) {
            let (session, whole) = (median(session), median(whole));
            println!(
                "| {form} | {name} | {session:.0} | {:.2} | {whole:.0} |",
                session / none
            );
        }
    }
    println!();
    cluster.assert_no_crash();
}

/// Inserts the vectors, a commit each; the session's processor time.
fn insert(client: &mut Client, kind: &Kind, form: &str, vectors: &[Vector]) -> f64 {
    let cast = if form == "text" { "::text" } else { "" };
    let sql = format!("INSERT INTO w VALUES ($1, $2{cast}::{})", kind.column);
    let statement = client.prepare(&sql).expect("prepare");
    let pid: i32 = search::value(client, "SELECT pg_backend_pid()");
    let before = processor_seconds(pid);
    for (id, vector) in (0i64..).zip(vectors) {
        let (text, binary) = ((kind.text)(vector), (kind.binary)(vector));
        let parameter: &(dyn ToSql + Sync) = if form == "text" { &text } else { &binary };
        client.execute(&statement, &[&id, parameter]).expect("INSERT");
    }
    processor_seconds(pid) - before
}

/// Builds the shard; processor time of the session and its threads.
fn seal(client: &mut Client) -> f64 {
    let pid: i32 = search::value(client, "SELECT pg_backend_pid()");
    let before = processors::seconds(pid);
    search::seal(client, "w_v");
    processors::seconds(pid) - before
}

/// Processor time of a process so far (Linux).
fn processor_seconds(pid: i32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    let nanoseconds = stat.split(' ').next().and_then(|field| field.parse::<f64>().ok());
    nanoseconds.unwrap_or_default() / 1e9
}
