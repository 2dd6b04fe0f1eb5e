//! Near-duplicates of each code of a table: a LATERAL join of the table with its index.

use std::time::Duration;

use cluster_tests::{Cluster, search};
use postgres::{Client, Statement};

use super::clients::chosen;
use super::results::{Join, Results};
use super::set::Set;
use super::systems::{Setting, System};
use crate::measure::milliseconds;

/// The table is joined in so many parts, the systems in turns.
const PARTS: i64 = 20;
/// A slow system joins fewer parts.
const TIME: Duration = Duration::from_secs(40);

struct Joining<'a> {
    system: &'a System,
    setting: &'a Setting,
    client: Client,
    statement: Statement,
    rows: i64,
    milliseconds: f64,
}

impl<'a> Joining<'a> {
    fn new(cluster: &Cluster, system: &'a System, setting: &'a Setting) -> Self {
        let (mut client, _) = system.prepared(cluster, setting, 0);
        // The planner chooses; the sequential scan is the outer side.
        client.batch_execute("SET enable_seqscan = on").expect("SET");
        let table = &system.table;
        let sql = format!(
            "SELECT count(*) / 10, sum(n.distance) FROM {table} o CROSS JOIN LATERAL
               (SELECT code <~> o.code AS distance FROM {table} ORDER BY code <~> o.code LIMIT 10) n
             WHERE o.id % {PARTS} = $1"
        );
        let plan = search::explain(&mut client, &sql.replace("$1", "0"));
        assert!(plan.contains("Index Scan using"), "not by the index:\n{plan}");
        let statement = client.prepare(&sql).expect("prepare");
        Joining {
            system,
            setting,
            client,
            statement,
            rows: 0,
            milliseconds: 0.0,
        }
    }

    fn part(&mut self, part: i64) {
        if self.milliseconds > TIME.as_secs_f64() * 1000.0 {
            return;
        }
        self.milliseconds += milliseconds(|| {
            let row = self.client.query_one(&self.statement, &[&part]).expect("join");
            self.rows += row.get::<_, i64>(0);
        });
    }
}

/// Joins with the default of each system, and with what finds enough.
pub fn measure(cluster: &Cluster, systems: &[System], set: &Set, results: &mut Results) {
    let each = |system| {
        let settings = chosen(system, results).into_iter();
        settings.map(move |setting| Joining::new(cluster, system, setting))
    };
    let mut joins: Vec<Joining> = systems.iter().flat_map(each).collect();
    for part in 0..PARTS {
        joins.iter_mut().for_each(|join| join.part(part));
    }
    for join in joins {
        assert!(join.rows <= set.stored.len() as i64, "a row was joined twice");
        results.joins.push(Join {
            system: join.system.name.clone(),
            setting: join.setting.name.clone(),
            recall: results.point(&join.system.name, &join.setting.name).recall,
            rows: join.rows,
            rate: join.rows as f64 / join.milliseconds * 1000.0,
        });
    }
}
