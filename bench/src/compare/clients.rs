//! Several clients at once, and what a connection costs.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use cluster_tests::{Cluster, search};
use postgres::Client;

use super::results::{Connection, Results, Throughput};
use super::set::Set;
use super::systems::{Setting, System};
use crate::measure::{median, milliseconds, private_kilobytes};
use crate::processors;

/// Numbers of clients.
pub const CLIENTS: [usize; 3] = [1, 2, 4];
/// Each number of clients at each setting has so many turns.
const ROUNDS: usize = 3;
const TURN: Duration = Duration::from_millis(700);
/// Recall at which systems are compared.
pub const RECALL: f64 = 0.99;
/// New connections that are looked at.
const CONNECTIONS: usize = 20;

/// Settings of a system to look at closer: its default, and the fastest that finds enough or, if none does, most.
pub fn chosen<'a>(system: &'a System, results: &Results) -> Vec<&'a Setting> {
    let default = &system.settings[0];
    let good = results.fastest_or_best(&system.name, RECALL);
    let good = system.setting(&good.setting).expect("its setting");
    if good.name == default.name {
        vec![default]
    } else {
        vec![default, good]
    }
}

/// Queries a second with several clients.
pub fn throughput(cluster: &Cluster, systems: &[System], set: &Set, results: &mut Results) {
    let settings: Vec<(&System, &Setting)> = systems
        .iter()
        .flat_map(|system| {
            chosen(system, results)
                .into_iter()
                .map(move |setting| (system, setting))
        })
        .collect();
    let mut rates = vec![vec![Vec::new(); CLIENTS.len()]; settings.len()];
    for _ in 0..ROUNDS {
        for (at, clients) in CLIENTS.into_iter().enumerate() {
            for ((system, setting), rates) in settings.iter().zip(&mut rates) {
                rates[at].push(rate(cluster, system, setting, set, clients));
            }
        }
    }
    for ((system, setting), rates) in settings.into_iter().zip(rates) {
        results.throughputs.push(Throughput {
            system: system.name.clone(),
            setting: setting.name.clone(),
            recall: results.point(&system.name, &setting.name).recall,
            rates: rates.iter().map(|rates| median(rates)).collect(),
        });
    }
}

/// Queries a second of so many clients together.
fn rate(cluster: &Cluster, system: &System, setting: &Setting, set: &Set, clients: usize) -> f64 {
    let stop = AtomicBool::new(false);
    let start = Barrier::new(clients + 1);
    let work = |number: usize| {
        processors::pin_thread(number);
        let (mut client, statement) = system.prepared(cluster, setting, number);
        let queries: Vec<_> = set.queries.iter().map(|row| system.stored.parameter(row)).collect();
        let mut next = number * queries.len() / clients;
        let mut ask = || {
            next = (next + 1) % queries.len();
            client.query(&statement, &[&queries[next]]).expect("query");
        };
        (0..20).for_each(|_| ask());
        start.wait();
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            ask();
            count += 1;
        }
        count
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|number| scope.spawn(move || work(number))).collect();
        start.wait();
        let mut count = 0;
        let elapsed = milliseconds(|| {
            thread::sleep(TURN);
            stop.store(true, Ordering::Relaxed);
            count = threads.into_iter().map(|thread| thread.join().expect("client")).sum();
        });
        f64::from(count) / elapsed * 1000.0
    })
}

/// First and later queries of new connections, and a backend's memory, at default settings.
pub fn connections(cluster: &Cluster, systems: &[System], set: &Set, results: &mut Results) {
    let mut times = vec![(Vec::new(), Vec::new()); systems.len()];
    for query in &set.queries[..CONNECTIONS] {
        for (system, (first, later)) in systems.iter().zip(&mut times) {
            let mut client = begun(cluster, system);
            let (sql, parameter) = (system.query(), system.stored.parameter(query));
            let mut ask = || milliseconds(|| drop(client.query(&sql, &[&parameter]).expect("query")));
            first.push(ask());
            let again: Vec<f64> = (0..9).map(|_| ask()).collect();
            later.push(median(&again));
        }
    }
    for (system, (first, later)) in systems.iter().zip(&times) {
        let (before, after) = memory(cluster, system, set);
        results.connections.push(Connection {
            system: system.name.clone(),
            first: median(first),
            later: median(later),
            before,
            after,
        });
    }
}

/// A connection that has read the catalog, but not asked for codes.
fn begun(cluster: &Cluster, system: &System) -> Client {
    let mut client = system.connect(cluster, 0);
    client.query_one("SELECT count(*) FROM pg_class", &[]).expect("query");
    client
}

/// Private kilobytes of a backend before its first query, and after one of each.
fn memory(cluster: &Cluster, system: &System, set: &Set) -> (i64, i64) {
    let mut client = begun(cluster, system);
    let pid: i32 = search::value(&mut client, "SELECT pg_backend_pid()");
    let before = private_kilobytes(pid);
    let statement = client.prepare(&system.query()).expect("prepare");
    for query in &set.queries {
        let parameter = system.stored.parameter(query);
        client.query(&statement, &[&parameter]).expect("query");
    }
    (before, private_kilobytes(pid))
}
