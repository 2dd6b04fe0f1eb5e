//! Tables, conditions and limits of many sizes, for what the planner chooses: the index or a sort.

use postgres::Client;

use crate::codes::{Row, create_table, literal, load};
use crate::search::each;

/// A condition leaves one row of this many; 1 is no condition.
pub const SHARES: [u32; 6] = [1, 2, 10, 100, 1_000, 10_000];
/// Rows that are asked for.
pub const LIMITS: [&str; 5] = ["1", "10", "100", "1000", "ALL"];

/// A table `t` and the number of its rows, with columns to filter by: `i` and `n` with each share as their suffix, of
/// which those named `i` have a btree index. Its name.
pub fn create(client: &mut Client, rows: &[Row]) -> String {
    let table = format!("t{}", rows.len());
    let plain = format!("plain_{table}");
    create_table(client, &plain);
    load(client, &plain, rows);
    let columns: Vec<_> = SHARES[1..]
        .iter()
        .flat_map(|share| ["i", "n"].map(|name| (format!("{name}{share}"), share)))
        .map(|(name, share)| format!("(hashint8extended(id, {share}) & 1048575)::int % {share} AS {name}"))
        .collect();
    each(
        client,
        &format!("CREATE TABLE {table} AS SELECT *, {} FROM {plain}", columns.join(", ")),
    );
    for share in &SHARES[1..] {
        each(client, &format!("CREATE INDEX ON {table} (i{share})"));
    }
    each(
        client,
        &format!("CREATE INDEX ON {table} USING usearch (code); DROP TABLE {plain}"),
    );
    // The number of rows, without statistics of columns: since 18 CREATE INDEX leaves it unknown where autovacuum is
    // off.
    each(client, &format!("VACUUM {table}"));
    table
}

/// The columns to filter by; `all` stands for no condition.
pub fn columns() -> Vec<String> {
    let of = |&share: &u32| match share {
        1 => vec!["all".into()],
        _ => vec![format!("i{share}"), format!("n{share}")],
    };
    SHARES.iter().flat_map(of).collect()
}

/// The nearest rows to a code that a column leaves. The only row of the answer is small, so that its way to the client
/// does not count.
pub fn statement(table: &str, column: &str, limit: &str, query: &Row) -> String {
    let condition = match column {
        "all" => "true".into(),
        column => format!("{column} = 0"),
    };
    let q = literal(&query.code);
    format!("SELECT sum(id) FROM (SELECT id FROM {table} WHERE {condition} ORDER BY code <~> {q} LIMIT {limit}) AS x")
}
