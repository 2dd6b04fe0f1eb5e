//! The systems that speak SQL: their tables, indexes and settings.

use std::io::Write;

use cluster_tests::codes::Row;
use cluster_tests::{Cluster, search};
use postgres::{Client, Statement};

use super::set::{Content, Set};
use super::stored::Stored;
use crate::processors;

/// Candidates that a search keeps: one sweep for all systems.
const EFFORTS: [u32; 13] = [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024];

/// Recalls that the index is asked for; 0.99 is the default.
const TARGETS: [f64; 5] = [0.9, 0.95, 0.99, 0.995, 0.999];
/// The setting that is the sequential scan.
const NO_INDEX: &str = "no index";

/// A table with an index of its own.
pub struct System {
    /// Its name on the page.
    pub name: String,
    /// The table, with the columns id and code.
    pub table: String,
    /// The statement that builds the index.
    pub index: String,
    /// A statement for the index's size in bytes.
    pub size: String,
    /// What it has of each row.
    pub stored: Stored,
    /// The ways to search; the first is the default.
    pub settings: Vec<Setting>,
}

/// A way to search.
pub struct Setting {
    /// The line or mark on the plot that it belongs to.
    pub curve: String,
    /// Its name on the page.
    pub name: String,
    /// What sets it.
    pub sql: String,
}

impl System {
    /// Creates and fills the table.
    pub fn load(&self, client: &mut Client, rows: &[Row]) {
        let (table, column) = (&self.table, self.stored.column());
        client
            .batch_execute(&format!("CREATE TABLE {table} (id bigint, code {column})"))
            .expect("CREATE TABLE");
        let mut writer = client.copy_in(&format!("COPY {table} FROM STDIN")).expect("COPY");
        for row in rows {
            let line = format!("{}\t{}\n", row.id, self.stored.copied(row));
            writer.write_all(line.as_bytes()).expect("COPY");
        }
        writer.finish().expect("COPY");
    }

    /// A connection at a setting with its backend on a processor, and the query prepared.
    pub fn prepared(&self, cluster: &Cluster, setting: &Setting, processor: usize) -> (Client, Statement) {
        let mut client = self.connect(cluster, processor);
        client.batch_execute(&setting.sql).expect("SET");
        let statement = client.prepare(&self.query()).expect("prepare");
        (client, statement)
    }

    /// A new connection with its backend on a processor.
    pub fn connect(&self, cluster: &Cluster, processor: usize) -> Client {
        let mut client = cluster.client();
        processors::pin_backend(&mut client, processor);
        client
            .batch_execute("SET enable_seqscan = off; SET max_parallel_workers_per_gather = 0")
            .expect("SET");
        client
    }

    /// The statement for the ten nearest.
    pub fn query(&self) -> String {
        let (table, operator) = (&self.table, self.stored.operator());
        format!("SELECT id, code {operator} $1 FROM {table} ORDER BY code {operator} $1 LIMIT 10")
    }

    /// Panics unless this setting uses the index, or the one without index does not.
    pub fn assert_planned(&self, client: &mut Client, setting: &Setting) {
        let plan = search::explain(client, &self.query().replace("$1", &self.stored.literal()));
        let by_index = plan.contains("Index Scan");
        assert_eq!(by_index, setting.name != NO_INDEX, "{}:\n{plan}", setting.name);
    }

    /// The setting with this name.
    pub fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.name == name)
    }
}

/// The systems that take part on this set.
pub fn all(set: &Set, pgvector: bool) -> Vec<System> {
    let mut systems = Vec::new();
    let dimensions = match set.content {
        Content::Vectors { dimensions } => dimensions,
        Content::MixedCodes => {
            systems.push(usearch("iscc_usearch, mixed lengths", "usearch_mixed", Stored::Mixed));
            0
        }
        Content::Codes => 0,
    };
    let pgvector_types = if dimensions > 0 {
        systems.push(usearch(
            "iscc_usearch, real[]",
            "usearch_real",
            Stored::Array(dimensions),
        ));
        vec![Stored::Vector(dimensions), Stored::HalfVector(dimensions)]
    } else {
        systems.push(usearch("iscc_usearch", "usearch_full", Stored::Full));
        vec![Stored::Bit]
    };
    if !pgvector {
        return systems;
    }
    if dimensions > 0 {
        let ours = |stored: &Stored| {
            let name = stored.name();
            usearch(&format!("iscc_usearch, {name}"), &format!("usearch_{name}"), *stored)
        };
        systems.extend(pgvector_types.iter().map(ours));
    }
    for stored in pgvector_types {
        systems.extend(
            set.pgvector_efforts
                .iter()
                .map(|&effort| pgvector_built_at(effort, stored)),
        );
    }
    systems
}

fn usearch(name: &str, table: &str, stored: Stored) -> System {
    let setting = |curve: &str, setting: String, sql: String| Setting {
        curve: format!("{name}{curve}"),
        name: setting,
        sql,
    };
    let mut settings = vec![setting("", "default".into(), "".into())];
    settings.extend(TARGETS.map(|target| {
        let sql = format!("SET iscc_usearch.target_recall = {target}");
        setting("", format!("target_recall {target}"), sql)
    }));
    settings.extend(EFFORTS.map(|effort| {
        let sql = format!("SET iscc_usearch.ef_search = {effort}");
        setting(", ef_search", format!("ef_search {effort}"), sql)
    }));
    let exact = "SET iscc_usearch.search_mode = exact";
    settings.push(setting(", exact", "search_mode exact".into(), exact.into()));
    settings.push(Setting {
        curve: name.replacen("iscc_usearch", "sequential scan", 1),
        name: NO_INDEX.into(),
        sql: "SET enable_indexscan = off; SET enable_seqscan = on".into(),
    });
    System {
        name: name.into(),
        table: table.into(),
        index: format!(
            "CREATE INDEX {table}_code ON {table} USING usearch (code {})",
            stored.usearch_class()
        ),
        size: format!("SELECT usearch_total_size('{table}_code')"),
        stored,
        settings,
    }
}

fn pgvector_built_at(build_effort: u32, stored: Stored) -> System {
    let kind = stored.name();
    let table = format!("pgvector_{kind}_{build_effort}");
    let name = match stored {
        Stored::Bit => format!("pgvector, ef_construction {build_effort}"),
        _ => format!("pgvector {kind}, ef_construction {build_effort}"),
    };
    let setting = |setting: String, sql: String| Setting {
        curve: name.clone(),
        name: setting,
        sql,
    };
    let mut settings = vec![setting("default".into(), "".into())];
    let efforts = EFFORTS.into_iter().filter(|&effort| effort <= 1000).chain([1000]);
    settings.extend(efforts.map(|effort| {
        let sql = format!("SET hnsw.ef_search = {effort}");
        setting(format!("ef_search {effort}"), sql)
    }));
    System {
        index: format!(
            "CREATE INDEX {table}_code ON {table} USING hnsw (code {})
             WITH (m = 16, ef_construction = {build_effort})",
            stored.pgvector_class()
        ),
        size: format!("SELECT pg_relation_size('{table}_code')"),
        name,
        table,
        stored,
        settings,
    }
}
