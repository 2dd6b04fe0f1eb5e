//! The planner's choice between the index and a sort, for tables, conditions and limits of many sizes: the one that
//! `scripts/bench plans` has found to be fast, wherever the other one is several times as slow.
//!
//! Conditions leave 50 % to 0.01 % of the rows, on columns with a btree index and on others; statistics are there or
//! not.

use cluster_tests::Cluster;
use cluster_tests::codes;
use cluster_tests::plans::{LIMITS, columns, create, statement};
use cluster_tests::search::{each, explain};

/// A column, and for each limit the choice without and with statistics: `i` the index, `s` a sort, `?` either, as both
/// are about as fast or nobody can know.
type Line = (&'static str, &'static str, &'static str);

const TEN_THOUSAND: &[Line] = &[
    ("all", "iii??", "iii??"),
    ("i2", "????s", "iii??"),
    ("n2", "i???s", "iii?s"),
    ("i10", "??sss", "???ss"),
    ("n10", "i??ss", "ii?ss"),
    ("i100", "?ssss", "?ssss"),
    ("n100", "??sss", "??sss"),
    ("i1000", "sssss", "sssss"),
    ("n1000", "?ss?s", "?ssss"),
    ("i10000", "sssss", "sssss"),
    ("n10000", "?ssss", "sss?s"),
];
const HUNDRED_THOUSAND: &[Line] = &[
    ("all", "iiii?", "iiii?"),
    ("i2", "i???s", "iiiis"),
    ("n2", "ii??s", "iiiis"),
    ("i10", "i???s", "ii??s"),
    ("n10", "ii??s", "ii??s"),
    ("i100", "??sss", "??sss"),
    ("n100", "ii?ss", "ii?ss"),
    ("i1000", "?ssss", "sssss"),
    ("n1000", "i?sss", "i?sss"),
    ("i10000", "?ssss", "sssss"),
    ("n10000", "??sss", "?ssss"),
];

#[test]
fn choices_are_fast() {
    let rows = codes::text(100_001);
    let query = &rows[100_000];
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let mut wrong = Vec::new();
    for (count, expected) in [(10_000, TEN_THOUSAND), (100_000, HUNDRED_THOUSAND)] {
        let table = create(&mut client, &rows[..count]);
        for statistics in [false, true] {
            for column in columns() {
                let plan = |limit: &&str| {
                    let plan = explain(&mut client, &statement(&table, &column, limit, query));
                    if plan.contains("_code_idx") { 'i' } else { 's' }
                };
                let choices: String = LIMITS.iter().map(plan).collect();
                let line = expected.iter().find(|line| line.0 == column);
                let wanted = line.map(|line| if statistics { line.2 } else { line.1 });
                let agree = |(choice, wanted): (char, char)| choice == wanted || wanted == '?';
                if !wanted.is_some_and(|wanted| choices.chars().zip(wanted.chars()).all(agree)) {
                    wrong.push(format!(
                        "{table} {column}, statistics {statistics}: {choices}, not {wanted:?}"
                    ));
                }
            }
            each(&mut client, &format!("ANALYZE {table}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
