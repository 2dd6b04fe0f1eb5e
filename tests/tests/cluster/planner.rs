//! The planner takes the index where it helps and leaves it where it cannot.

use cluster_tests::Cluster;
use cluster_tests::codes::{self, create_table, literal, load};
use cluster_tests::search::explain;

/// 100,000 rows, default settings, first without statistics of the column, then with them.
#[test]
fn choices() {
    let rows = codes::text(100_000);
    let q = literal(&rows[0].code);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_table(&mut client, "t");
    load(&mut client, "t", &rows);
    client
        .batch_execute(
            "CREATE INDEX t_code ON t USING usearch (code);
             PREPARE prepared(bitvec) AS SELECT id FROM t ORDER BY code <~> $1 LIMIT 10;
             SET plan_cache_mode = force_generic_plan",
        )
        .expect("CREATE INDEX");
    let by_index = [
        format!("SELECT id FROM t ORDER BY code <~> {q} LIMIT 10"),
        format!("SELECT id, code <~> {q} FROM t ORDER BY code <~> {q} LIMIT 1"),
        format!("SELECT id FROM t ORDER BY {q} <~> code LIMIT 10"),
        format!("SELECT id FROM t WHERE id % 2 = 0 ORDER BY code <~> {q} LIMIT 10"),
        format!("SELECT id FROM t WHERE code IS NOT NULL ORDER BY code <~> {q} LIMIT 10"),
        format!("SELECT * FROM (VALUES ({q})) v(q), LATERAL (SELECT id FROM t ORDER BY code <~> q LIMIT 5) x"),
        format!("SELECT id FROM t ORDER BY code <~> (SELECT {q}) LIMIT 10"),
        format!("EXECUTE prepared({q})"),
    ];
    let otherwise = [
        "SELECT count(*) FROM t".to_string(),
        "SELECT id FROM t LIMIT 10".to_string(),
        format!("SELECT id FROM t WHERE code = {q}"),
        "SELECT id FROM t ORDER BY code LIMIT 10".to_string(),
        format!("SELECT id FROM t ORDER BY code <~> {q} DESC LIMIT 10"),
        format!("SELECT id FROM t ORDER BY code <%> {q} LIMIT 10"),
        // A unique row needs no search, nor does a handful of them.
        format!("SELECT id FROM t WHERE id = 5 ORDER BY code <~> {q} LIMIT 10"),
    ];
    for analyzed in [false, true] {
        for sql in &by_index {
            let plan = explain(&mut client, sql);
            assert!(plan.contains("using t_code"), "analyzed: {analyzed}, {sql}\n{plan}");
        }
        for sql in &otherwise {
            let plan = explain(&mut client, sql);
            assert!(!plan.contains("t_code"), "analyzed: {analyzed}, {sql}\n{plan}");
        }
        client.batch_execute("ANALYZE t").expect("ANALYZE");
    }
}
