//! Recall and latency of each system at each setting.

use std::ops::Range;
use std::time::{Duration, Instant};

use cluster_tests::Cluster;
use cluster_tests::codes::{self, Row};
use cluster_tests::embeddings::{self, Vector};
use cluster_tests::exact::{kth_distances, recall};
use postgres::{Client, Statement};

use super::in_process::InProcess;
use super::results::{Point, Results};
use super::set::{Content, Set};
use super::stored::{Stored, numbers};
use super::systems::{Setting, System};
use crate::measure::{median, milliseconds, quantile};
use crate::processors;

/// Neighbours asked for.
pub const NEIGHBOURS: usize = 10;
/// The queries are asked in so many batches; the systems take turns after each, so that a busy minute of the machine hits
/// all of them.
const BATCHES: usize = 10;
/// A slow setting answers fewer queries of a batch.
const BATCH_TIME: Duration = Duration::from_secs(1);
/// So long other batches are asked before each, not counted: others have used the processor's caches meanwhile.
const WARM_UP: Duration = Duration::from_millis(100);

/// One system at one setting, with a connection of its own.
struct Curve<'a> {
    system: &'a System,
    setting: &'a Setting,
    client: Client,
    statement: Statement,
    times: Vec<f64>,
    found: f64,
}

impl<'a> Curve<'a> {
    fn new(cluster: &Cluster, system: &'a System, setting: &'a Setting) -> Self {
        let (mut client, statement) = system.prepared(cluster, setting, 0);
        system.assert_planned(&mut client, setting);
        Curve {
            system,
            setting,
            client,
            statement,
            times: Vec::new(),
            found: 0.0,
        }
    }

    fn ask(&mut self, query: &Row) -> Vec<f64> {
        let parameter = self.system.stored.parameter(query);
        let mut rows = Vec::new();
        self.times.push(milliseconds(|| {
            rows = self.client.query(&self.statement, &[&parameter]).expect("query");
        }));
        let scale = self.system.stored.scale();
        rows.iter().map(|row| row.get::<_, f64>(1) / scale).collect()
    }

    /// Asks queries without counting them, for a while.
    fn warm_up<'q>(&mut self, queries: impl Iterator<Item = &'q Row>) {
        let started = Instant::now();
        let counted = self.times.len();
        for query in queries.take_while(|_| started.elapsed() < WARM_UP) {
            self.ask(query);
        }
        self.times.truncate(counted);
    }

    fn batch(&mut self, number: usize, set: &Set, truth: &Truth) {
        let range = batch(number, set.queries.len());
        let others = set.queries.iter().cycle().skip(range.end);
        self.warm_up(others.take(set.queries.len() - range.len()));
        let kth = &truth.kth(self.system.stored)[range.clone()];
        let started = Instant::now();
        for (query, &kth) in set.queries[range].iter().zip(kth) {
            let distances = self.ask(query);
            self.found += recall(&distances, NEIGHBOURS, kth);
            if started.elapsed() > BATCH_TIME {
                break;
            }
        }
    }

    fn point(&self) -> Point {
        Point {
            system: self.system.name.clone(),
            curve: self.setting.curve.clone(),
            setting: self.setting.name.clone(),
            recall: self.found / self.times.len() as f64,
            median: median(&self.times),
            p95: quantile(&self.times, 0.95),
        }
    }
}

/// The distance of the tenth nearest of each query; of codes, at their own lengths and at 256 bits.
pub struct Truth {
    mixed: Vec<f64>,
    full: Vec<f64>,
}

impl Truth {
    /// Compares each query with each row.
    pub fn of(set: &Set) -> Truth {
        let full = match set.content {
            Content::Vectors { .. } => {
                let vectors = |rows: &[Row]| rows.iter().map(numbers).collect::<Vec<Vector>>();
                embeddings::kth_distances(&vectors(&set.stored), &vectors(&set.queries), NEIGHBOURS)
            }
            Content::Codes | Content::MixedCodes => {
                let at_full = |rows: &[Row]| codes::cut(rows, 32);
                kth_distances(&at_full(&set.stored), &at_full(&set.queries), NEIGHBOURS)
            }
        };
        let mixed = if set.content == Content::MixedCodes {
            kth_distances(&set.stored, &set.queries, NEIGHBOURS)
        } else {
            full.clone()
        };
        Truth { mixed, full }
    }

    /// Those for what a system stores.
    pub fn kth(&self, stored: Stored) -> &[f64] {
        if stored == Stored::Mixed {
            &self.mixed
        } else {
            &self.full
        }
    }
}

/// All settings of all systems, in turns.
pub fn measure(
    cluster: &Cluster,
    systems: &[System],
    mut others: Vec<InProcess>,
    (set, truth): (&Set, &Truth),
    results: &mut Results,
) {
    let each = |system| system_curves(cluster, system);
    let mut curves: Vec<Curve> = systems.iter().flat_map(each).collect();
    curves.iter_mut().for_each(|curve| curve.warm_up(set.queries.iter()));
    let mut trip = RoundTrip::new(cluster, &systems[0].table);
    for turn in 0..BATCHES {
        trip.batch(set.queries.len() / BATCHES);
        // Neighbours in a turn have different batches: nobody finds in the processor's caches what answers his queries.
        for (nth, curve) in curves.iter_mut().enumerate() {
            curve.batch(turn + nth, set, truth);
        }
        others.iter_mut().for_each(|process| process.turn(turn, BATCHES));
    }
    results.round_trip = median(&trip.times);
    results.points = curves.iter().map(Curve::point).collect();
    for process in others {
        results.points.extend(process.points());
    }
}

/// The queries of a batch; batches are numbered in a circle.
fn batch(number: usize, queries: usize) -> Range<usize> {
    let size = queries / BATCHES;
    let first = number % BATCHES * size;
    first..first + size
}

fn system_curves<'a>(cluster: &Cluster, system: &'a System) -> Vec<Curve<'a>> {
    let all = system.settings.iter();
    all.map(|setting| Curve::new(cluster, system, setting)).collect()
}

/// What a client and ten rows cost by themselves.
struct RoundTrip {
    client: Client,
    statement: Statement,
    times: Vec<f64>,
}

impl RoundTrip {
    fn new(cluster: &Cluster, table: &str) -> Self {
        let mut client = cluster.client();
        processors::pin_backend(&mut client, 0);
        let sql = format!("SELECT id, 0::float8 FROM {table} LIMIT {NEIGHBOURS}");
        let statement = client.prepare(&sql).expect("prepare");
        RoundTrip {
            client,
            statement,
            times: Vec::new(),
        }
    }

    fn batch(&mut self, count: usize) {
        for _ in 0..count {
            self.times.push(milliseconds(|| {
                self.client.query(&self.statement, &[]).expect("query");
            }));
        }
    }
}
