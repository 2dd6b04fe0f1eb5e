//! VACUUM removes dead rows from the index in one pass, beside everything else that goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use cluster_tests::Cluster;
use cluster_tests::codes::{self, create_table, insert_sql, load};
use cluster_tests::search::{
    assert_complete, assert_each_once, assert_exact, assert_sound, assert_well_formed, each, index_client, mean_recall,
    nearest, seal, truth_client, value,
};
use postgres::Client;

const CREATE: &str = "CREATE INDEX t_code ON t USING usearch (code) WITH (shard_size = '2MB')";

/// The statistics agree with the table, all of whose dead rows VACUUM has removed.
fn assert_statistics(client: &mut Client) {
    let row = client
        .query_one(
            "SELECT entries, dead_entries, tail_entries, shards::bigint, distinct_codes FROM usearch_index_stats('t_code')",
            &[],
        )
        .expect("usearch_index_stats");
    let [entries, dead, tail, shards, distinct]: [i64; 5] = std::array::from_fn(|i| row.get(i));
    let rows: i64 = value(client, "SELECT count(*) FROM t");
    assert_eq!(entries - dead, rows, "entries {entries}, dead {dead}");
    assert!((0..=entries).contains(&tail), "tail {tail} of {entries}");
    assert!(
        (0..=entries).contains(&distinct),
        "{distinct} distinct codes in {entries} entries"
    );
    let row = client
        .query_one(
            "SELECT count(*), coalesce(sum(entries), 0)::bigint FROM usearch_shards('t_code')",
            &[],
        )
        .expect("usearch_shards");
    assert_eq!(row.get::<_, i64>(0), shards);
    // A part of the log without a live code needs no shard.
    assert!(row.get::<_, i64>(1) <= entries - tail);
}

/// A fifth of the rows goes; recall of the rest is as before.
#[test]
fn deletes() {
    let rows = codes::text(30_000);
    let queries = codes::sample(&rows, 100);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_table(&mut client, "t");
    load(&mut client, "t", &rows[..28_000]);
    client.batch_execute(CREATE).expect("CREATE INDEX");
    load(&mut client, "t", &rows[28_000..]);
    assert_statistics(&mut client);
    let mut truth = truth_client(&cluster);
    for round in 0..2 {
        each(&mut client, &format!("DELETE FROM t WHERE id % 5 = {round}"));
        // Dead, but not yet vacuumed: the heap decides.
        assert_complete(&mut index_client(&cluster, "graph"), &mut truth, "t", &queries[0].code);
        each(&mut client, "VACUUM t");
        assert_statistics(&mut client);
        assert_sound(&mut client, "t_code");
        assert_complete(&mut index_client(&cluster, "graph"), &mut truth, "t", &queries[0].code);
        assert_exact(&mut index_client(&cluster, "exact"), &mut truth, "t", &queries[..20]);
        for mode in ["auto", "graph"] {
            let mut index = index_client(&cluster, mode);
            let recall = mean_recall(&mut index, &mut truth, "t", &queries, "true", 10);
            assert!(recall >= 0.99, "{mode}: recall@10 is {recall}");
        }
        each(&mut client, "UPDATE t SET id = -id WHERE id % 5 = 3");
    }
}

/// Rows that VACUUM has removed give their heap slots to others; the index must not point an old code at a new row.
#[test]
fn reused_slots() {
    let rows = codes::text(20_000);
    let queries = codes::sample(&rows, 40);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_table(&mut client, "t");
    load(&mut client, "t", &rows[..10_000]);
    client.batch_execute(CREATE).expect("CREATE INDEX");
    for (half, rows) in [&rows[10_000..15_000], &rows[15_000..]].into_iter().enumerate() {
        each(&mut client, &format!("DELETE FROM t WHERE id % 2 = {half}; VACUUM t"));
        load(&mut client, "t", rows);
        let mut truth = truth_client(&cluster);
        for mode in ["auto", "graph", "exact"] {
            assert_complete(&mut index_client(&cluster, mode), &mut truth, "t", &queries[0].code);
        }
        assert_exact(&mut index_client(&cluster, "exact"), &mut truth, "t", &queries);
        assert_sound(&mut client, "t_code");
    }
}

/// Updates that change the code and updates that do not, with VACUUM in between.
#[test]
fn churn() {
    let rows = codes::text(8_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_table(&mut client, "t");
    client
        .batch_execute("ALTER TABLE t ADD hits int DEFAULT 0; CREATE INDEX ON t (hits)")
        .expect("ALTER TABLE");
    load(&mut client, "t", &rows);
    client.batch_execute(CREATE).expect("CREATE INDEX");
    let mut truth = truth_client(&cluster);
    let mut index = index_client(&cluster, "auto");
    for round in 0..6 {
        each(
            &mut client,
            &format!(
                "UPDATE t SET hits = hits + 1 WHERE id % 3 = {round} % 3;
                 UPDATE t SET code = (SELECT code FROM t o WHERE o.id <> t.id ORDER BY o.id LIMIT 1)
                  WHERE id % 50 = {round};
                 VACUUM t"
            ),
        );
        if round % 2 == 1 {
            seal(&mut client, "t_code");
        }
        assert_statistics(&mut client);
        assert_complete(&mut index, &mut truth, "t", &rows[round].code);
        assert_exact(
            &mut index_client(&cluster, "exact"),
            &mut truth,
            "t",
            &codes::sample(&rows, 10),
        );
    }
    assert_sound(&mut client, "t_code");
}

/// Nothing left but the index: VACUUM copes with the last row, and the index with new ones.
#[test]
fn empty() {
    let rows = codes::text(5_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_table(&mut client, "t");
    client.batch_execute(CREATE).expect("CREATE INDEX");
    for rows in rows.chunks(2_500) {
        assert_eq!(nearest(&mut index_client(&cluster, "auto"), "t", &rows[0].code, ""), []);
        load(&mut client, "t", rows);
        seal(&mut client, "t_code");
        assert_complete(
            &mut index_client(&cluster, "graph"),
            &mut truth_client(&cluster),
            "t",
            &rows[0].code,
        );
        each(&mut client, "DELETE FROM t; VACUUM t; VACUUM t");
        assert_statistics(&mut client);
    }
}

/// Queries beside DELETE, VACUUM, INSERT and seals: full answers of rows that exist, exact ones in order.
#[test]
fn beside_queries() {
    let rows = codes::text(16_000);
    let cluster = Cluster::start();
    let mut client = cluster.client();
    create_table(&mut client, "t");
    load(&mut client, "t", &rows[..8_000]);
    client.batch_execute(CREATE).expect("CREATE INDEX");
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = ["auto", "graph", "exact"]
        .into_iter()
        .map(|mode| {
            let (mut client, stop, queries) = (index_client(&cluster, mode), stop.clone(), codes::sample(&rows, 100));
            thread::spawn(move || {
                for query in queries.iter().cycle() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let answer = nearest(&mut client, "t", &query.code, "LIMIT 50");
                    // Where most of a shard is dead, a graph search goes on for long and may find a row late.
                    match mode {
                        "exact" => assert_well_formed(&answer),
                        _ => assert_each_once(&answer),
                    }
                    assert_eq!(answer.len(), 50, "{mode}: too few rows");
                }
            })
        })
        .collect();
    for (round, batch) in rows[8_000..].chunks(2_000).enumerate() {
        client.batch_execute(&insert_sql("t", batch)).expect("INSERT");
        each(&mut client, &format!("DELETE FROM t WHERE id % 4 = {round} % 4"));
        each(&mut client, "VACUUM t");
        seal(&mut client, "t_code");
    }
    stop.store(true, Ordering::Relaxed);
    readers.into_iter().for_each(|reader| reader.join().expect("reader"));
    assert_complete(
        &mut index_client(&cluster, "graph"),
        &mut truth_client(&cluster),
        "t",
        &rows[0].code,
    );
    assert_sound(&mut client, "t_code");
}
