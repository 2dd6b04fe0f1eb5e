//! What was measured on a set.

use super::set::{Content, Set, distinct};

/// All that was measured on a set.
pub struct Results {
    /// The set's name.
    pub name: &'static str,
    /// What it is, in words.
    pub title: String,
    /// What the rows are.
    pub content: Content,
    /// Rows in each table.
    pub rows: usize,
    /// Different ones among them, codes at 256 bits.
    pub distinct: usize,
    /// Rows that were searched for.
    pub queries: usize,
    /// Programs and their versions.
    pub software: Vec<String>,
    /// What the indexes cost.
    pub builds: Vec<Build>,
    /// What they find.
    pub points: Vec<Point>,
    /// Milliseconds of a prepared statement that returns ten rows.
    pub round_trip: f64,
    /// Queries a second.
    pub throughputs: Vec<Throughput>,
    /// What a connection costs.
    pub connections: Vec<Connection>,
    /// The join of each code with its nearest.
    pub joins: Vec<Join>,
}

/// What an index costs.
pub struct Build {
    /// Whose.
    pub system: String,
    /// Time to build it.
    pub seconds: f64,
    /// All of it on disk.
    pub bytes: u64,
}

/// One system at one setting.
pub struct Point {
    /// Whose index; empty in process.
    pub system: String,
    /// The line or mark on the plot.
    pub curve: String,
    /// The setting.
    pub setting: String,
    /// Share of the ten nearest that were found.
    pub recall: f64,
    /// Milliseconds.
    pub median: f64,
    /// Milliseconds that 95 % stay below.
    pub p95: f64,
}

/// Queries a second, by number of clients.
pub struct Throughput {
    /// Whose.
    pub system: String,
    /// At which setting.
    pub setting: String,
    /// With that much recall.
    pub recall: f64,
    /// With 1, 2 and 4 clients.
    pub rates: Vec<f64>,
}

/// What a connection costs.
pub struct Connection {
    /// Whose.
    pub system: String,
    /// Milliseconds of its first query.
    pub first: f64,
    /// Milliseconds of a later one.
    pub later: f64,
    /// Private kilobytes before the first query.
    pub before: i64,
    /// Private kilobytes after 1,000 queries.
    pub after: i64,
}

/// The ten nearest of each code.
pub struct Join {
    /// Whose.
    pub system: String,
    /// At which setting.
    pub setting: String,
    /// With that much recall of held-out codes.
    pub recall: f64,
    /// Codes joined.
    pub rows: i64,
    /// Codes joined in a second.
    pub rate: f64,
}

impl Results {
    /// Nothing measured yet.
    pub fn new(set: &Set) -> Results {
        Results {
            name: set.name,
            title: set.title.clone(),
            content: set.content,
            rows: set.stored.len(),
            distinct: distinct(&set.stored),
            queries: set.queries.len(),
            software: vec![],
            builds: vec![],
            points: vec![],
            round_trip: 0.0,
            throughputs: vec![],
            connections: vec![],
            joins: vec![],
        }
    }

    /// Adds a program with its version.
    pub fn add_software(&mut self, name: String) {
        if !self.software.contains(&name) {
            self.software.push(name);
        }
    }

    /// The curves in the order in which they were measured.
    pub fn curves(&self) -> Vec<&str> {
        let mut curves: Vec<&str> = Vec::new();
        for point in &self.points {
            if !curves.contains(&point.curve.as_str()) {
                curves.push(&point.curve);
            }
        }
        curves
    }

    /// The fastest point of a curve that finds as much.
    pub fn fastest(&self, curve: &str, recall: f64) -> Option<&Point> {
        let good = self.points.iter().filter(|p| p.curve == curve && p.recall >= recall);
        good.min_by(|a, b| a.median.total_cmp(&b.median))
    }

    /// The fastest point of a system that finds as much, or the one that finds most.
    pub fn fastest_or_best(&self, system: &str, recall: f64) -> &Point {
        let all = || self.points.iter().filter(|p| p.system == system);
        let good = all().filter(|p| p.recall >= recall);
        let fastest = good.min_by(|a, b| a.median.total_cmp(&b.median));
        let best = || all().max_by(|a, b| a.recall.total_cmp(&b.recall));
        fastest.or_else(best).expect("a point")
    }

    /// What was measured of a system at a setting.
    pub fn point(&self, system: &str, setting: &str) -> &Point {
        let mut all = self.points.iter();
        all.find(|p| p.system == system && p.setting == setting)
            .expect("a measured setting")
    }
}
