//! Partitions on other servers, by postgres_fdw and by Citus.

use cluster_tests::codes::{self, Row};
use cluster_tests::search::{assert_same_distances, each, explain_with, hits, value};
use cluster_tests::{Cluster, wait_until};
use postgres::Client;

/// Servers that have a part of the rows each.
const PARTS: usize = 4;
const ROWS: usize = 8_000;

/// A server with a table on other ones, and the same rows in a table of its own.
struct Spread {
    parts: Vec<Cluster>,
    head: Cluster,
}

impl Spread {
    /// `None` where the installation has no postgres_fdw.
    fn new(rows: &[Row]) -> Option<Spread> {
        let head = Cluster::start();
        let mut client = head.client();
        if client.batch_execute("CREATE EXTENSION postgres_fdw").is_err() {
            eprintln!("SKIPPED: this installation has no postgres_fdw");
            return None;
        }
        codes::create_table(&mut client, "whole");
        codes::load(&mut client, "whole", rows);
        each(
            &mut client,
            "CREATE INDEX ON whole USING usearch (code);
             CREATE TABLE spread (id bigint, code bitvec(256)) PARTITION BY RANGE (id)",
        );
        let parts: Vec<Cluster> = (0..PARTS).map(|_| Cluster::start()).collect();
        for (number, (part, rows)) in parts.iter().zip(rows.chunks(rows.len().div_ceil(PARTS))).enumerate() {
            let mut remote = part.client();
            codes::create_table(&mut remote, "part");
            codes::load(&mut remote, "part", rows);
            each(&mut remote, "CREATE INDEX ON part USING usearch (code); ANALYZE part");
            let socket = value::<String>(&mut remote, "SHOW unix_socket_directories");
            let (first, last) = (rows[0].id, rows[rows.len() - 1].id);
            each(
                &mut client,
                &format!(
                    "CREATE SERVER s{number} FOREIGN DATA WRAPPER postgres_fdw
                       OPTIONS (host '{socket}', dbname 'postgres', extensions 'iscc_usearch', async_capable 'true');
                     CREATE USER MAPPING FOR postgres SERVER s{number} OPTIONS (user 'postgres');
                     CREATE FOREIGN TABLE p{number} PARTITION OF spread FOR VALUES FROM ({first}) TO ({})
                       SERVER s{number} OPTIONS (table_name 'part')",
                    last + 1
                ),
            );
        }
        each(&mut client, "ANALYZE");
        Some(Spread { parts, head })
    }

    /// The nearest of each part, which it finds by its own index and LIMIT, and of these the nearest. Without OFFSET,
    /// the parts would be merged in order, and asked one after the other.
    fn nearest(code: &str, limit: usize) -> String {
        let of = |number| {
            format!("(SELECT id, code <~> {code} AS distance FROM p{number} ORDER BY code <~> {code} LIMIT {limit})")
        };
        let parts: Vec<String> = (0..PARTS).map(of).collect();
        format!(
            "SELECT id, distance FROM ({} OFFSET 0) n ORDER BY distance LIMIT {limit}",
            parts.join(" UNION ALL ")
        )
    }
}

/// The statements that a plan sends to other servers.
fn sent(plan: &str) -> Vec<&str> {
    plan.lines()
        .filter_map(|line| line.trim().strip_prefix("Remote SQL: "))
        .collect()
}

/// Whether each of these statements is served by the index where it arrives.
fn assert_by_index(parts: &[Cluster], statements: &[&str]) {
    assert_eq!(statements.len(), parts.len());
    for (part, statement) in parts.iter().zip(statements) {
        let mut client = part.client();
        each(&mut client, "SET enable_seqscan = off");
        let plan = explain_with(&mut client, "COSTS OFF", statement);
        let is_by_index =
            plan.contains("Index Scan using part_code_idx") || plan.contains("Bitmap Index Scan on part_code_idx");
        assert!(is_by_index, "{statement}\n{plan}");
    }
}

#[test]
fn parts_on_four_servers_answer_as_one_table() {
    let rows = codes::text(ROWS);
    let Some(spread) = Spread::new(&rows) else { return };
    let mut client = spread.head.client();
    each(&mut client, "SET iscc_usearch.search_mode = exact");
    for query in codes::sample(&rows, 20) {
        let code = codes::literal(&query.code);
        let of = |table: &str| format!("SELECT id, code <~> {code} FROM {table} ORDER BY code <~> {code} LIMIT 10");
        let truth = hits(&mut client, &of("whole"));
        assert_same_distances(&hits(&mut client, &of("spread")), &truth);
        let near = |client: &mut Client, table: &str, condition: &str| {
            let mut near = hits(
                client,
                &format!("SELECT id, code <~> {code} FROM {table} WHERE {condition}"),
            );
            near.sort_by_key(|hit| hit.0);
            near
        };
        for condition in [
            format!("nphd_within(code, {code}, 0.1)"),
            format!("hamming_within(code, {code}, 9)"),
            format!("code <~> {code} < 0.1"),
        ] {
            let truth = near(&mut client, "whole", &condition);
            assert!(!truth.is_empty());
            assert_eq!(near(&mut client, "spread", &condition), truth, "{condition}");
        }
        // Approximate on each server: at defaults nearly all.
        let found = hits(&mut client, &Spread::nearest(&code, 10));
        assert!(
            cluster_tests::search::recall(&found, &truth) >= 0.9,
            "{found:?} of {truth:?}"
        );
    }
}

/// What is computed elsewhere: order, LIMIT and thresholds, at the same time.
#[test]
fn order_limit_and_thresholds_are_sent_to_the_parts() {
    let rows = codes::text(ROWS);
    let Some(spread) = Spread::new(&rows) else { return };
    let mut client = spread.head.client();
    let code = codes::literal(&rows[100].code);
    let ordered = explain_with(
        &mut client,
        "VERBOSE, COSTS OFF",
        &format!("SELECT id FROM spread ORDER BY code <~> {code} LIMIT 10"),
    );
    assert!(ordered.contains("Merge Append"), "{ordered}");
    let statements = sent(&ordered);
    assert!(statements.iter().all(|sql| sql.contains(" ORDER BY ")), "{ordered}");
    assert_by_index(&spread.parts, &statements);

    let limited = explain_with(&mut client, "VERBOSE, COSTS OFF", &Spread::nearest(&code, 10));
    let statements = sent(&limited);
    assert!(
        statements
            .iter()
            .all(|sql| sql.contains(" ORDER BY ") && sql.contains(" LIMIT 10")),
        "{limited}"
    );
    assert_eq!(limited.matches("Async Foreign Scan").count(), PARTS, "{limited}");
    assert_by_index(&spread.parts, &statements);

    for condition in [
        "nphd_within(code, $, 0.1)",
        "hamming_within(code, $, 9)",
        "code <@ nphd_ball($, 0.1)",
    ] {
        let condition = condition.replace('$', &code);
        let within = explain_with(
            &mut client,
            "VERBOSE, COSTS OFF",
            &format!("SELECT id FROM spread WHERE {condition}"),
        );
        assert_eq!(within.matches("Async Foreign Scan").count(), PARTS, "{within}");
        let statements = sent(&within);
        assert!(statements.iter().all(|sql| sql.contains(" WHERE ")), "{within}");
        assert_by_index(&spread.parts, &statements);
    }
}

/// A server that is gone is the statement's error; rows written through the parent are found.
#[test]
fn parts_take_rows_and_may_fail() {
    let rows = codes::text(ROWS);
    let Some(mut spread) = Spread::new(&rows) else { return };
    let mut client = spread.head.client();
    let code = codes::literal(&[0x5a; 32]);
    let nearest = Spread::nearest(&code, 1);
    each(
        &mut client,
        &format!("UPDATE spread SET code = {code} WHERE id = {}", rows[5].id),
    );
    assert_eq!(hits(&mut client, &nearest), [(rows[5].id, Some(0.0))]);
    each(
        &mut client,
        &format!("BEGIN; DELETE FROM spread WHERE id = {}; ROLLBACK", rows[5].id),
    );
    assert_eq!(hits(&mut client, &nearest), [(rows[5].id, Some(0.0))]);
    spread.parts[2].stop(cluster_tests::Shutdown::Immediate);
    assert!(client.query(&nearest, &[]).is_err());
    spread.parts[2].start_server();
    wait_until("the part is back", || client.query(&nearest, &[]).is_ok());
    assert_eq!(hits(&mut client, &nearest), [(rows[5].id, Some(0.0))]);
}

/// A table that Citus distributes, on one node, which is its own worker.
#[test]
fn citus() {
    let settings = [("shared_preload_libraries", "citus"), ("wal_level", "logical")];
    let plain = Cluster::start();
    let is_there = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citus')";
    if !value::<bool>(&mut plain.client(), is_there) {
        eprintln!("SKIPPED: this installation has no Citus");
        return;
    }
    let cluster = Cluster::with(&settings);
    let mut client = cluster.client();
    each(
        &mut client,
        "CREATE EXTENSION citus; SELECT citus_set_coordinator_host('localhost');
         SELECT citus_set_node_property('localhost', current_setting('port')::int, 'shouldhaveshards', true);
         CREATE TABLE spread (id bigint PRIMARY KEY, code bitvec(256));
         CREATE INDEX spread_code ON spread USING usearch (code);
         SELECT create_distributed_table('spread', 'id', shard_count => 4)",
    );
    let rows = codes::text(ROWS);
    codes::load(&mut client, "spread", &rows);
    codes::create_table(&mut client, "whole");
    codes::load(&mut client, "whole", &rows);
    for query in codes::sample(&rows, 10) {
        let code = codes::literal(&query.code);
        let nearest =
            |table: &str| format!("SELECT id, code <~> {code} FROM {table} ORDER BY code <~> {code} LIMIT 10");
        assert_same_distances(
            &hits(&mut client, &nearest("spread")),
            &hits(&mut client, &nearest("whole")),
        );
        let near = |table: &str| {
            format!("SELECT id, code <~> {code} FROM {table} WHERE nphd_within(code, {code}, 0.1) ORDER BY id")
        };
        assert_eq!(hits(&mut client, &near("spread")), hits(&mut client, &near("whole")));
    }
    each(&mut client, "DROP TABLE spread");
}
