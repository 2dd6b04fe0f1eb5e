//! At every step of what an index does, a process ends: nothing is lost, no answer is wrong, no file is left.
//!
//! A cycle brings an index to a stage of its life, arms a failure point, and lets the process that comes there end in
//! one of several ways. `ISCC_CYCLES=200` runs that many cycles at random; `ISCC_SEED` chooses which.

mod stage;

use std::collections::HashMap;
use std::thread;
use std::time::Instant;

use cluster_tests::search::{
    assert_complete, assert_complete_by, assert_no_orphans, assert_same_distances, assert_sound, each, index_client,
    nearest_by, seal, truth_client,
};
use cluster_tests::{Cluster, Random, Shutdown, number_from_environment, wait_until};
use postgres::Client;

use stage::Stage::{
    self, Chain, Free, Grow, Insert, InsertSpans, Leftover, Merge, Move, MoveSpans, Seal, Shrink, Sweep, Vacuum,
};

/// A failure point, the stages that come there, and whether the process has the metapage then, so that others wait.
struct Point(&'static str, &'static [Stage], Metapage);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Metapage {
    Free,
    Held,
}

const BUILDS: &[Stage] = &[Seal, Merge, Move];
const CHANGES: &[Stage] = &[Seal, Merge, Move, Free, Leftover, Insert];
const POINTS: &[Point] = &[
    Point("seal_after_close", &[Seal], Metapage::Free),
    Point("seal_between_shards", &[Seal], Metapage::Free),
    Point("shard_created", BUILDS, Metapage::Free),
    Point("shard_half_written", BUILDS, Metapage::Free),
    Point("shard_before_rename", BUILDS, Metapage::Free),
    Point("shard_after_rename", BUILDS, Metapage::Free),
    Point("shard_before_list", BUILDS, Metapage::Free),
    Point("shard_after_list", BUILDS, Metapage::Free),
    Point("shard_before_unlink", &[Merge, Move, Free], Metapage::Free),
    Point("shard_after_unlink", &[Merge, Move, Free], Metapage::Free),
    Point("move_after_pending", &[Move], Metapage::Free),
    Point("move_between_pages", &[Move, MoveSpans], Metapage::Free),
    Point("move_after_copy", &[Move], Metapage::Free),
    Point("move_after_free", &[Free], Metapage::Free),
    Point("shrink_after_moves", &[Shrink], Metapage::Free),
    Point("cut_before_truncate", &[Shrink], Metapage::Free),
    Point("cut_after_truncate", &[Shrink], Metapage::Free),
    Point("pending_discarded", &[Leftover], Metapage::Free),
    Point("relation_grown", &[Grow], Metapage::Held),
    Point("log_page_new", &[Insert, InsertSpans], Metapage::Held),
    Point("span_part_written", &[InsertSpans], Metapage::Held),
    Point("span_before_head", &[InsertSpans], Metapage::Held),
    Point("span_part_written", &[MoveSpans], Metapage::Free),
    Point("span_before_head", &[MoveSpans], Metapage::Free),
    Point("directory_before_change", CHANGES, Metapage::Held),
    Point("directory_after_change", CHANGES, Metapage::Held),
    Point("directory_new_page", &[Chain], Metapage::Held),
    Point("directory_before_switch", &[Chain], Metapage::Held),
    Point("directory_after_switch", &[Chain], Metapage::Held),
    Point("vacuum_between_pages", &[Vacuum], Metapage::Free),
    Point("vacuum_before_note", &[Vacuum], Metapage::Free),
    Point("vacuum_after_note", &[Vacuum], Metapage::Free),
    Point("sweep_before_unlink", &[Sweep], Metapage::Free),
    Point("sweep_after_unlink", &[Sweep], Metapage::Free),
];

/// How processes end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Way {
    /// The session that does the work is killed: the postmaster ends all others and recovers.
    Session,
    /// The background worker is killed.
    Worker,
    /// All processes are killed while a session stands at the failure point.
    Cluster,
    /// The same with the background worker standing there.
    ClusterAtWorker,
    /// No process ends: the session gets an error there.
    Error,
}

const WAYS: [Way; 5] = [
    Way::Session,
    Way::Worker,
    Way::Cluster,
    Way::ClusterAtWorker,
    Way::Error,
];

impl Way {
    fn by_worker(self) -> bool {
        matches!(self, Way::Worker | Way::ClusterAtWorker)
    }
}

/// Points that a process passes more than once in their stage.
const SEVERAL_TIMES: &[&str] = &[
    "move_between_pages",
    "directory_new_page",
    "vacuum_between_pages",
    "log_page_new",
    "relation_grown",
    "span_part_written",
    "span_before_head",
];

const FAILPOINT: &str = "iscc_usearch.failpoint";

/// A cluster for many cycles.
struct Victim {
    cluster: Cluster,
    random: Random,
    rows: HashMap<&'static str, Rows>,
}

/// What is known of a table: number of rows and sum of their ids.
type Rows = (i64, i64);

fn rows_of(client: &mut Client, table: &str) -> Rows {
    let sql = format!("SELECT count(*), coalesce(sum(id), 0)::bigint FROM {table}");
    let row = client.query_one(&sql, &[]).expect("count");
    (row.get(0), row.get(1))
}

impl Victim {
    fn start(seed: u64) -> Victim {
        let cluster = Cluster::with(&[("wal_consistency_checking", "generic")]);
        let mut client = cluster.client();
        let known = client.batch_execute(&format!("LOAD 'iscc_usearch'; SHOW {FAILPOINT}"));
        known.expect("the extension has failure points: build it with ISCC_FEATURES=failpoints");
        each(&mut client, stage::TABLES);
        for table in stage::CODE_TABLES {
            each(&mut client, &stage::insert(table, 2_000));
        }
        each(&mut client, &stage::insert("s", 60));
        Victim {
            cluster,
            random: Random(seed),
            rows: HashMap::new(),
        }
    }

    fn cycle(&mut self, point: &Point, stage: Stage, way: Way) {
        let mut client = self.cluster.client();
        stage.prepare(&mut client, way.by_worker(), &mut self.random);
        for table in stage::ALL_TABLES {
            self.rows.insert(table, rows_of(&mut client, table));
        }
        drop(client);
        match way {
            Way::Session => self.kill_session(point, stage),
            Way::Error => self.raise_error(point, stage),
            Way::Worker => self.kill_worker(point, stage),
            Way::Cluster => self.kill_cluster(
                point,
                Some(stage.statements()),
                "SET iscc_usearch.background_worker = off",
            ),
            Way::ClusterAtWorker => {
                self.kill_cluster(point, stage.trigger(), "SET iscc_usearch.background_worker = on");
            }
        }
        self.verify(stage);
    }

    fn kill_session(&mut self, point: &Point, stage: Stage) {
        let mut client = self.cluster.client();
        arm(&mut client, &self.armed(point, "kill"));
        self.cluster
            .one_process_ends(|| expect_failure(&mut client, point, stage));
    }

    fn raise_error(&mut self, point: &Point, stage: Stage) {
        let mut client = self.cluster.client();
        arm(&mut client, &self.armed(point, "error"));
        expect_failure(&mut client, point, stage);
    }

    /// The setting for a point; of some points it is sometimes the second time that counts.
    fn armed(&mut self, point: &Point, what: &str) -> String {
        let second = SEVERAL_TIMES.contains(&point.0) && self.random.below(2) == 1;
        format!("{}:{what}{}", point.0, if second { ":2" } else { "" })
    }

    fn kill_worker(&mut self, point: &Point, stage: Stage) {
        let mut client = self.cluster.client();
        // Only the worker is to be killed.
        arm(&mut client, "");
        each(&mut client, "SET iscc_usearch.background_worker = on");
        self.cluster
            .set_for_new_sessions(FAILPOINT, Some(&format!("{}:kill", point.0)));
        self.cluster.one_process_ends(|| {
            // The crash may come before its end or after.
            let _ = client.batch_execute(&stage.trigger().expect("a stage of the worker"));
        });
        self.cluster.set_for_new_sessions(FAILPOINT, None);
    }

    /// Kills all processes while one stands at the failure point. Others go on until then, unless it has the metapage.
    fn kill_cluster(&mut self, point: &Point, statements: Option<String>, worker: &'static str) {
        let statements = statements.expect("a stage of the worker");
        let reached = format!("reached failpoint {}", point.0);
        let times = |cluster: &Cluster| cluster.log().matches(&reached).count();
        let before = times(&self.cluster);
        let setting = format!("{}:pause", point.0);
        let by_worker = worker.ends_with("on");
        if by_worker {
            self.cluster.set_for_new_sessions(FAILPOINT, Some(&setting));
        }
        let own = if by_worker { String::new() } else { setting };
        let connector = self.cluster.connector();
        let session = thread::spawn(move || {
            let mut client = connector.client();
            arm(&mut client, &own);
            each(&mut client, worker);
            // An error is what this is about: the server goes away.
            statements.split(';').all(|sql| client.batch_execute(sql).is_ok())
        });
        wait_until(&reached, || {
            assert!(by_worker || !session.is_finished(), "does not come to {}", point.0);
            times(&self.cluster) > before
        });
        // The rows of a worker's trigger may come any time.
        if point.2 == Metapage::Free && !by_worker {
            let mut client = self.cluster.client();
            arm(&mut client, "");
            each(&mut client, &stage::insert("t", 30));
            self.rows.insert("t", rows_of(&mut client, "t"));
            self.assert_answers("t");
        }
        self.cluster.kill9_postmaster();
        session.join().expect("session");
        self.cluster.start_server();
        if by_worker {
            self.cluster.set_for_new_sessions(FAILPOINT, None);
        }
    }

    /// All rows are there, answers are exact, the index is whole, and so it is after the next seal and sweep.
    fn verify(&mut self, stage: Stage) {
        let mut client = self.cluster.client();
        for table in stage::ALL_TABLES {
            let (now, before) = (rows_of(&mut client, table), self.rows[table]);
            match stage {
                // The trigger's rows are all there, or none.
                Seal | Sweep if table == "t" && now != before => assert_eq!(now.0, before.0 + stage::TRIGGER_ROWS),
                _ => assert_eq!(now, before, "rows of {table}"),
            }
            self.assert_answers(table);
            // Also that no shard is missing: a file goes only after the directory that does without it is durable.
            assert_sound(&mut client, &format!("{table}_code"));
        }
        let table = stage.table();
        each(&mut client, &stage::insert(table, 50));
        seal(&mut client, &format!("{table}_code"));
        assert_sound(&mut client, &format!("{table}_code"));
        assert_no_orphans(&self.cluster, &mut client);
        self.cluster.assert_no_crash();
    }

    /// Without LIMIT the index gives every row once; with it the distances of the sequential scan.
    fn assert_answers(&mut self, table: &str) {
        let mut truth = truth_client(&self.cluster);
        let mode = ["auto", "graph", "exact"][self.random.below(3)];
        let distance = stage::distance(table, &mut self.random);
        assert_complete_by(&mut index_client(&self.cluster, mode), &mut truth, table, &distance);
        let mut exact = index_client(&self.cluster, "exact");
        for _ in 0..3 {
            let distance = stage::distance(table, &mut self.random);
            let expected = nearest_by(&mut truth, table, &distance, "LIMIT 20");
            assert_same_distances(&nearest_by(&mut exact, table, &distance, "LIMIT 20"), &expected);
        }
    }
}

/// Sets a session's failure point; empty for none, whatever new sessions have.
fn arm(client: &mut Client, setting: &str) {
    each(client, &format!("LOAD 'iscc_usearch'; SET {FAILPOINT} = '{setting}'"));
}

fn expect_failure(client: &mut Client, point: &Point, stage: Stage) {
    let statements = stage.statements();
    let succeeded = statements.split(';').all(|sql| client.batch_execute(sql).is_ok());
    assert!(!succeeded, "{stage:?} does not come to {}", point.0);
}

/// Each failure point once for each way; or, if asked, many cycles at random.
#[test]
fn every_point_in_every_way() {
    let seed = number_from_environment("ISCC_SEED").unwrap_or(1);
    let mut victim = Victim::start(seed);
    let mut cycles: Vec<(&Point, Stage, Way)> = Vec::new();
    for point in POINTS {
        for (at, way) in [Way::Session, Way::Worker, Way::Cluster, Way::Error]
            .into_iter()
            .enumerate()
        {
            let stages = stages_of(point, way);
            if !stages.is_empty() {
                cycles.push((point, stages[at % stages.len()], way));
            }
        }
    }
    if let Some(count) = number_from_environment("ISCC_CYCLES") {
        cycles.clear();
        while cycles.len() < count as usize {
            let point = &POINTS[victim.random.below(POINTS.len())];
            let way = WAYS[victim.random.below(WAYS.len())];
            let stages = stages_of(point, way);
            if !stages.is_empty() {
                cycles.push((point, stages[victim.random.below(stages.len())], way));
            }
        }
    }
    let started = Instant::now();
    let mut ways: HashMap<Way, usize> = HashMap::new();
    for (number, &(point, stage, way)) in cycles.iter().enumerate() {
        // Shown when the test fails.
        println!("cycle {number}: {} in {stage:?}, {way:?}", point.0);
        victim.cycle(point, stage, way);
        *ways.entry(way).or_default() += 1;
    }
    let mut client = victim.cluster.client();
    each(&mut client, "VACUUM t; SELECT usearch_compact('t_code')");
    assert_sound(&mut client, "t_code");
    victim.assert_answers("t");
    let seconds = started.elapsed().as_secs_f64();
    eprintln!(
        "failpoints: {} cycles in {seconds:.0} s (seed {seed}, {ways:?}): 0 rows lost, 0 wrong answers, 0 other crashes, \
         0 orphans",
        cycles.len()
    );
}

/// The stages in which a process of that kind comes to the point.
fn stages_of(point: &Point, way: Way) -> Vec<Stage> {
    let stages = point.1.iter().copied();
    match way.by_worker() {
        true => stages.filter(|stage| stage.trigger().is_some()).collect(),
        false => stages.collect(),
    }
}

/// A merge has changed the directory, but not made that durable; a sweep comes, then the power fails. The files that
/// the old directory lists must still be there.
#[test]
fn sweep_before_a_change_is_durable() {
    let mut victim = Victim::start(3);
    // Nobody else makes WAL durable meanwhile.
    victim.cluster.stop(Shutdown::Fast);
    victim.cluster.set("wal_writer_delay", "10s");
    victim.cluster.start_server();
    let mut client = victim.cluster.client();
    Merge.prepare(&mut client, false, &mut victim.random);
    let mut session = victim.cluster.client();
    arm(&mut session, "shard_after_list:pause");
    let merge = thread::spawn(move || session.batch_execute(&Merge.statements()).is_ok());
    wait_until("the merge has changed the directory", || {
        victim.cluster.log().contains("reached failpoint shard_after_list")
    });
    each(&mut client, "SELECT usearch_sweep()");
    victim.cluster.kill9_postmaster();
    merge.join().expect("merge");
    victim.cluster.start_server();
    assert_sound(&mut victim.cluster.client(), "t_code");
    assert_no_orphans(&victim.cluster, &mut victim.cluster.client());
}

/// The tail is worth several shards. While the worker builds the first, it seals the tail beside that build, and with
/// it what was to be the next ones: each segment is listed once all the same.
#[test]
fn the_tail_is_sealed_beside_a_seal_of_several_shards() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    each(&mut client, stage::TABLES);
    for _ in 0..24 {
        // A seal that fails at once leaves a small closed segment.
        each(&mut client, &stage::insert("t", 150));
        arm(&mut client, "seal_after_close:error");
        expect_failure(&mut client, &POINTS[0], Seal);
    }
    arm(&mut client, "");
    assert_eq!(cluster.psql("SELECT shards FROM usearch_index_stats('t_code')"), "0");
    cluster.set_for_new_sessions(FAILPOINT, Some("build_meanwhile:on"));
    each(&mut client, "SET iscc_usearch.background_worker = on");
    each(&mut client, &stage::insert("t", stage::TRIGGER_ROWS));
    wait_until("the worker is done", || {
        cluster.psql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'iscc_usearch worker'") == "0"
            && cluster.psql("SELECT shards > 3 FROM usearch_index_stats('t_code')") == "t"
    });
    cluster.set_for_new_sessions(FAILPOINT, None);
    assert_sound(&mut cluster.client(), "t_code");
    let mut truth = truth_client(&cluster);
    assert_complete(&mut index_client(&cluster, "auto"), &mut truth, "t", &[7; 32]);
}
