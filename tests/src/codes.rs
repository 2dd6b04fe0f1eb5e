//! Real ISCC codes (see `data/README.md`) and how they get into a table.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use flate2::read::GzDecoder;
use postgres::{Client, GenericClient};

/// One asset's code.
#[derive(Clone)]
pub struct Row {
    /// Its line in the file, from 1 on.
    pub id: i64,
    /// The code at the length to store: 8, 16, 24 or 32 bytes.
    pub code: Vec<u8>,
    /// All 32 bytes of it.
    pub full: Vec<u8>,
}

/// The first `count` Text-Codes: near-duplicates, 110,308 in all.
pub fn text(count: usize) -> Vec<Row> {
    read("text.tsv.gz", count)
}

/// The first `count` Meta-Codes: thousands of equal ones, 36,770 in all.
pub fn meta(count: usize) -> Vec<Row> {
    read("meta.tsv.gz", count)
}

fn read(name: &str, count: usize) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(name);
    let file = File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let rows: Vec<Row> = BufReader::new(GzDecoder::new(file))
        .lines()
        .take(count)
        .zip(1..)
        .map(|(line, id)| parse(id, &line.expect("gzip")))
        .collect();
    assert_eq!(rows.len(), count, "{name} has fewer rows");
    rows
}

fn parse(id: i64, line: &str) -> Row {
    let mut fields = line.split('\t').skip(1);
    let mut next = || fields.next().expect("three columns");
    let bits: usize = next().parse().expect("bits");
    let digits = next();
    let full: Vec<u8> = (0..digits.len() / 2)
        .map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).expect("hex"))
        .collect();
    Row {
        id,
        code: full[..bits / 8].to_vec(),
        full,
    }
}

/// Splits off every `step`-th row as a query to which the table has near-duplicates, but not the row itself.
pub fn hold_out(rows: Vec<Row>, step: usize) -> (Vec<Row>, Vec<Row>) {
    let (held_out, kept): (Vec<_>, Vec<_>) = rows.into_iter().enumerate().partition(|(i, _)| i % step == step / 2);
    let strip = |rows: Vec<(usize, Row)>| rows.into_iter().map(|(_, row)| row).collect();
    (strip(kept), strip(held_out))
}

/// `count` rows spread evenly over `rows`.
pub fn sample(rows: &[Row], count: usize) -> Vec<Row> {
    rows.iter()
        .step_by((rows.len() / count).max(1))
        .take(count)
        .cloned()
        .collect()
}

/// A code as the type's text form, without quotes.
pub fn hex(code: &[u8]) -> String {
    let digits: String = code.iter().map(|b| format!("{b:02x}")).collect();
    format!("\\x{digits}")
}

/// A code as an SQL literal.
pub fn literal(code: &[u8]) -> String {
    format!("'{}'::bitvec", hex(code))
}

/// `CREATE TABLE table (id bigint PRIMARY KEY, code bitvec(256))`.
pub fn create_table(client: &mut Client, table: &str) {
    let sql = format!("CREATE TABLE {table} (id bigint PRIMARY KEY, code bitvec(256))");
    client.batch_execute(&sql).expect("CREATE TABLE");
}

/// A table `t` with an index `t_code` of several shards, and a tail: the last fifth of the rows came after the build.
pub fn create_indexed(client: &mut Client, rows: &[Row]) {
    let built = rows.len() / 5 * 4;
    create_table(client, "t");
    load(client, "t", &rows[..built]);
    client
        .batch_execute("CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '256kB')")
        .expect("CREATE INDEX");
    load(client, "t", &rows[built..]);
}

/// Copies rows into a table with the columns id and code.
pub fn load(client: &mut impl GenericClient, table: &str, rows: &[Row]) {
    let mut writer = client
        .copy_in(&format!("COPY {table} (id, code) FROM STDIN"))
        .expect("COPY");
    let mut text = String::new();
    for row in rows {
        text.push_str(&format!("{}\t\\{}\n", row.id, hex(&row.code)));
    }
    writer.write_all(text.as_bytes()).expect("COPY data");
    assert_eq!(writer.finish().expect("COPY"), rows.len() as u64);
}

/// `INSERT` statement for some rows.
pub fn insert_sql(table: &str, rows: &[Row]) -> String {
    let values: Vec<_> = rows
        .iter()
        .map(|r| format!("({}, {})", r.id, literal(&r.code)))
        .collect();
    format!("INSERT INTO {table} (id, code) VALUES {}", values.join(", "))
}
