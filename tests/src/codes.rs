//! Real ISCC codes (see `data/README.md`) and how they get into a table.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use flate2::read::GzDecoder;
use postgres::{Client, GenericClient};

use crate::Random;

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

/// The first `count` Data-Codes: near-duplicates at larger distances, 110,308 in all.
pub fn data(count: usize) -> Vec<Row> {
    read("data.tsv.gz", count)
}

/// The first `count` Instance-Codes: random bits, 36,770 in all.
pub fn instance(count: usize) -> Vec<Row> {
    read("instance.tsv.gz", count)
}

/// The 104,889 distinct simprints, of 256 bits each, and how many rows have each: 1,000,000 in all.
pub fn simprints() -> Vec<(Row, usize)> {
    lines("simprints.tsv.gz").zip(1..).map(parse_counted).collect()
}

/// `count` rows of simprints: the first ones with all their rows, in random order.
pub fn simprint_rows(count: usize) -> Vec<Row> {
    let mut rows: Vec<Row> = simprints()
        .into_iter()
        .flat_map(|(row, times)| std::iter::repeat_n(row, times))
        .take(count)
        .collect();
    assert_eq!(rows.len(), count, "there are fewer simprints");
    let mut random = Random(count as u64);
    for i in (1..rows.len()).rev() {
        rows.swap(i, random.below(i + 1));
    }
    rows.iter_mut().zip(1..).for_each(|(row, id)| row.id = id);
    rows
}

/// `count` distinct codes near the simprints: of each in turn, its bits are flipped with probability 0.02, 0.05 or 0.1.
pub fn variants(count: usize, seed: u64) -> Vec<Row> {
    let simprints: Vec<Row> = simprints().into_iter().map(|(row, _)| row).collect();
    let mut seen = HashSet::with_capacity(count);
    let distinct = variants_of(&simprints, seed).filter(|row| seen.insert(row.code.clone()));
    (1..)
        .zip(distinct.take(count))
        .map(|(id, row)| Row { id, ..row })
        .collect()
}

/// Codes near these without end, a few of them equal: of each in turn, its bits are flipped with probability 0.02, 0.05
/// or 0.1.
pub fn variants_of(codes: &[Row], seed: u64) -> impl Iterator<Item = Row> {
    // In 65,536ths.
    const CHANCES: [u64; 3] = [1311, 3277, 6554];
    let mut random = Random(seed);
    (1..).zip(codes.iter().cycle()).map(move |(id, row)| {
        let code = flipped(&row.full, CHANCES[random.below(CHANCES.len())], &mut random);
        Row {
            id,
            full: code.clone(),
            code,
        }
    })
}

/// A code with each bit flipped with a chance in 65,536ths.
pub fn flipped(code: &[u8], chance: u64, random: &mut Random) -> Vec<u8> {
    let mut nibble = || {
        let bits = random.bits();
        (0..4).fold(0, |mask, i| mask | u8::from((bits >> (16 * i)) & 0xffff < chance) << i)
    };
    code.iter().map(|byte| byte ^ nibble() ^ (nibble() << 4)).collect()
}

/// The same codes with this length, in bytes.
pub fn cut(rows: &[Row], bytes: usize) -> Vec<Row> {
    let cut = |row: &Row| Row {
        code: row.full[..bytes].to_vec(),
        ..row.clone()
    };
    rows.iter().map(cut).collect()
}

fn read(name: &str, count: usize) -> Vec<Row> {
    let rows: Vec<Row> = lines(name).take(count).zip(1..).map(parse).collect();
    assert_eq!(rows.len(), count, "{name} has fewer rows");
    rows
}

fn lines(name: &str) -> impl Iterator<Item = String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(name);
    let file = File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    BufReader::new(GzDecoder::new(file))
        .lines()
        .map(|line| line.expect("gzip"))
}

/// A line with id, bits, and code.
fn parse((line, id): (String, i64)) -> Row {
    let mut fields = line.split('\t').skip(1);
    let mut next = || fields.next().expect("three columns");
    let bits: usize = next().parse().expect("bits");
    let full = bytes(next());
    Row {
        id,
        code: full[..bits / 8].to_vec(),
        full,
    }
}

/// A line with code and number of rows.
fn parse_counted((line, id): (String, i64)) -> (Row, usize) {
    let (digits, rows) = line.split_once('\t').expect("two columns");
    let full = bytes(digits);
    let code = full.clone();
    (Row { id, code, full }, rows.parse().expect("a number"))
}

fn bytes(digits: &str) -> Vec<u8> {
    (0..digits.len() / 2)
        .map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).expect("hex"))
        .collect()
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
