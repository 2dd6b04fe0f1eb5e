//! Answers are complete, and approximate ones are good, on real codes of mixed lengths.

use cluster_tests::Cluster;
use cluster_tests::codes::{self, Row, create_table, load};
use cluster_tests::search::{
    assert_complete, assert_exact, assert_sound, explain, index_client, mean_recall, nearest, truth_client,
};
use postgres::Client;

/// A table with an index, 200 of its codes and 200 codes that are not in it.
struct Fixture {
    cluster: Cluster,
    stored: Vec<Row>,
    held_out: Vec<Row>,
}

impl Fixture {
    fn new(rows: Vec<Row>, options: &str) -> Fixture {
        let (kept, held_out) = codes::hold_out(rows.clone(), rows.len() / 200);
        let cluster = Cluster::start();
        let mut client = cluster.client();
        create_table(&mut client, "t");
        load(&mut client, "t", &kept);
        // On one thread the graph is the same in each run, and so is the recall.
        client
            .batch_execute("SET max_parallel_maintenance_workers = 0")
            .expect("SET");
        client
            .batch_execute(&format!(
                "CREATE INDEX t_code ON t USING usearch (code) {options}; ANALYZE t"
            ))
            .expect("CREATE INDEX");
        Fixture {
            cluster,
            stored: codes::sample(&kept, 200),
            held_out: codes::sample(&held_out, 200),
        }
    }

    fn client(&self, mode: &str) -> Client {
        index_client(&self.cluster, mode)
    }

    fn truth(&self) -> Client {
        truth_client(&self.cluster)
    }

    /// Recall of both ways to search approximately, and exactness of the exact one.
    fn assert_recall(&self) {
        let mut truth = self.truth();
        for mode in ["auto", "graph"] {
            let mut index = self.client(mode);
            for (kind, queries) in [("stored", &self.stored), ("held out", &self.held_out)] {
                for (k, least) in [(1, 0.999), (10, 0.99)] {
                    let recall = mean_recall(&mut index, &mut truth, "t", queries, "true", k);
                    assert!(recall >= least, "{mode}, {kind}: recall@{k} is {recall}");
                }
            }
        }
        let mut index = self.client("exact");
        assert_exact(&mut index, &mut truth, "t", &codes::sample(&self.stored, 50));
        assert_exact(&mut index, &mut truth, "t", &codes::sample(&self.held_out, 50));
        assert_sound(&mut truth, "t_code");
    }
}

/// Default settings serve near-duplicates; filters and large limits get their rows from the same index.
#[test]
fn text_codes() {
    let fixture = Fixture::new(codes::text(100_000), "");
    let plan = explain(
        &mut fixture.client("auto"),
        "SELECT id FROM t ORDER BY code <~> '\\xff00ff00ff00ff00' LIMIT 10",
    );
    assert!(plan.contains("Index Scan using t_code"), "{plan}");
    fixture.assert_recall();

    let mut truth = fixture.truth();
    for mode in ["auto", "graph"] {
        let mut index = fixture.client(mode);
        // The filter leaves 1 % of the rows, so the scan must go on far beyond the first ef candidates.
        let recall = mean_recall(&mut index, &mut truth, "t", &fixture.held_out, "id % 100 = 7", 10);
        assert!(recall >= 0.95, "{mode}: recall@10 with a filter is {recall}");
        let recall = mean_recall(&mut index, &mut truth, "t", &fixture.held_out[..40], "true", 1000);
        assert!(recall >= 0.95, "{mode}: recall@1000 is {recall}");
    }
    assert_complete(&mut fixture.client("graph"), &mut truth, "t", &fixture.held_out[0].code);
}

/// The shortest stored length as query: a graph built on whole codes knows least about prefixes.
#[test]
fn short_queries() {
    let fixture = Fixture::new(codes::text(50_000), "");
    let mut truth = fixture.truth();
    let mut queries = codes::sample(&fixture.held_out, 100);
    queries.iter_mut().for_each(|query| query.code.truncate(8));
    let mut index = fixture.client("auto");
    let recall = mean_recall(&mut index, &mut truth, "t", &queries, "true", 10);
    assert!(recall >= 0.99, "recall@10 of 64-bit queries is {recall}");
    assert_exact(&mut fixture.client("exact"), &mut truth, "t", &queries[..20]);
}

/// Thousands of equal codes neither hide other rows nor one another.
#[test]
fn meta_codes() {
    Fixture::new(codes::meta(30_000), "").assert_recall();
}

/// Many small shards answer as one large one does.
#[test]
fn several_shards() {
    let fixture = Fixture::new(codes::text(60_000), "WITH (shard_size = '2MB')");
    let shards = fixture.cluster.psql("SELECT count(*) FROM usearch_shards('t_code')");
    assert!(shards.parse::<i64>().expect("a number") > 1, "{shards} shards");
    fixture.assert_recall();
}

/// Without LIMIT every row comes once; NULL codes come last; rows of the tail and of shards are merged.
#[test]
fn no_limit() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_table(&mut client, "t");
    let rows = codes::text(3_000);
    load(&mut client, "t", &rows[..2_000]);
    client
        .batch_execute(
            "INSERT INTO t SELECT -i, NULL FROM generate_series(1, 50) i;
             CREATE INDEX t_code ON t USING usearch (code)",
        )
        .expect("CREATE INDEX");
    load(&mut client, "t", &rows[2_000..]);
    client
        .batch_execute("INSERT INTO t VALUES (-51, NULL)")
        .expect("INSERT");

    let mut truth = truth_client(&cluster);
    for mode in ["auto", "graph", "exact"] {
        let mut index = index_client(&cluster, mode);
        for query in codes::sample(&rows, 5) {
            assert_complete(&mut index, &mut truth, "t", &query.code);
            let answer = nearest(&mut index, "t", &query.code, "");
            assert!(
                answer[3_000..].iter().all(|hit| hit.0 < 0 && hit.1.is_none()),
                "NULL codes are last"
            );
        }
    }
}

/// `ef_search` overrides what the calibration says; more effort never finds less than the least effort.
#[test]
fn effort() {
    let fixture = Fixture::new(codes::text(30_000), "");
    let mut truth = fixture.truth();
    let mut index = fixture.client("graph");
    let mut recall_at = |ef: u32| {
        index
            .batch_execute(&format!("SET iscc_usearch.ef_search = {ef}"))
            .expect("SET");
        mean_recall(&mut index, &mut truth, "t", &fixture.held_out, "true", 10)
    };
    let (least, most) = (recall_at(20), recall_at(800));
    assert!(
        most >= 0.99 && most >= least,
        "recall@10 is {least} at ef 20 and {most} at ef 800"
    );
}
