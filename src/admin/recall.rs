//! How much of the exact answer the index finds at the session's settings, and how long that takes.
//!
//! Both ways see the entries of the index, rows that VACUUM has not removed yet included: so the answers are comparable
//! without a look at the table.

use std::time::Instant;

use iscc_log::log_page::{LogPage, is_alive};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::census::Census;
use super::privileges::require_all_rows;
use crate::error::report;
use crate::guc::SearchMode;
use crate::metrics::opclass::comparison_of;
use crate::metrics::value::Value;
use crate::owner::{SearchPath, as_owner};
use crate::relation::Index;
use crate::search::query::{Query, SharedFunction};
use crate::search::scan::Search;
use crate::storage::log;

const MAX_K: i32 = 10_000;
const MAX_SAMPLE: i32 = 100_000;

/// So many queries are searched exactly, then the same ones as the session would. More, and other sessions change more in
/// between; but not each by itself, as an exact search leaves a cold processor cache to the one after it.
const GROUP: usize = 64;

/// Compares searches at the session's settings with exact ones. No row when an argument but `queries` is NULL, as from a
/// STRICT function.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn usearch_recall(
    index: Option<pg_sys::Oid>,
    k: Option<i32>,
    sample: Option<i32>,
    queries: Option<Array<'_, &[u8]>>,
) -> TableIterator<
    'static,
    (
        name!(queries_run, i32),
        name!(recall, Option<f64>),
        name!(min_recall, Option<f64>),
        name!(median_ms, Option<f64>),
        name!(p95_ms, Option<f64>),
        name!(exact_median_ms, Option<f64>),
    ),
> {
    let (Some(index), Some(k), Some(sample)) = (index, k, sample) else {
        return TableIterator::empty();
    };
    require_range("k", k, MAX_K);
    require_range("sample", sample, MAX_SAMPLE);
    let opened = super::open(index, pg_sys::AccessShareLock);
    let index = opened.handle();
    require_all_rows(index, "Measuring the recall of an index");
    let measure = |queries: Vec<Query>| (queries.len(), Measured::of(index, k as usize, &queries));
    let (count, mut measured) = match queries {
        Some(codes) => measure(queries_of(index, &codes)),
        // Whoever measures need not trust the function that computes distances.
        None => as_owner(index, SearchPath::Safe, || {
            let values = sample_values(index, i64::from(sample));
            let mut function = None;
            measure(
                values
                    .iter()
                    .map(|value| query_of(index, &mut function, value))
                    .collect(),
            )
        }),
    };
    TableIterator::once((
        count as i32,
        measured.mean_recall(),
        measured.recalls.iter().copied().reduce(f64::min),
        percentile(&mut measured.times, 50),
        percentile(&mut measured.times, 95),
        percentile(&mut measured.exact_times, 50),
    ))
}

fn require_range(name: &str, value: i32, max: i32) {
    if !(1..=max).contains(&value) {
        report(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("{name} cannot be {value}"),
        )
        .detail(format!("It must be between 1 and {max}."))
        .raise();
    }
}

fn queries_of(index: Index<'_>, codes: &Array<'_, &[u8]>) -> Vec<Query> {
    if comparison_of(index).value != Value::Code {
        report(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("index \"{}\" is not one of codes", index.name()),
        )
        .hint("Omit queries to search for vectors of the index.")
        .raise();
    }
    if codes.is_empty() {
        report(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "queries cannot be empty",
        )
        .hint("Omit queries to search for codes of the index.")
        .raise();
    }
    let query = |code: Option<&[u8]>| Some(query_of(index, &mut None, code?));
    let queries: Option<Vec<Query>> = codes.iter().map(query).collect();
    queries.unwrap_or_else(|| {
        report(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            "queries cannot contain NULL",
        )
        .hint("Remove NULLs with array_remove(queries, NULL).")
        .raise()
    })
}

/// A query that lives as long as the function runs.
fn query_of(index: Index<'_>, function: &mut SharedFunction, value: &[u8]) -> Query {
    // SAFETY: the context of the statement.
    unsafe { Query::new(index, pg_sys::CurrentMemoryContext, function, value) }
}

/// Values of entries alive, so many if there are, evenly spread over the log; the same ones as long as the log is the same.
fn sample_values(index: Index<'_>, wanted: i64) -> Vec<Vec<u8>> {
    loop {
        let (directory, census) = Census::take(index);
        let alive = census.alive_codes();
        let mut sample = Sample {
            alive,
            wanted: wanted.min(alive),
            seen: 0,
            values: Vec::new(),
        };
        let mut segments = directory.segments();
        match segments.try_for_each(|segment| log::for_each_page(index, segment, |_, page| sample.add_page(page))) {
            Ok(()) => return sample.values,
            // Entries were moved meanwhile.
            Err(mismatch) => mismatch.confirm(index),
        }
    }
}

/// Values taken on a way through the log.
struct Sample {
    /// Entries alive with a value.
    alive: i64,
    /// How many of them to take, no more than there are.
    wanted: i64,
    seen: i64,
    values: Vec<Vec<u8>>,
}

impl Sample {
    fn add_page(&mut self, page: &LogPage<'_>) {
        for slot in 0..page.len() {
            let is_alive = page.tid(slot).is_some_and(|tid| is_alive(&tid));
            let Some(code) = page.code(slot).filter(|_| is_alive) else {
                continue;
            };
            if self.next() == Some(self.seen) {
                self.values.push(code.to_vec());
            }
            self.seen += 1;
        }
    }

    /// The number of the entry to take next: the middle one of each of `wanted` parts of equal size.
    fn next(&self) -> Option<i64> {
        let part = self.values.len() as i64;
        (part < self.wanted).then(|| (2 * part + 1) * self.alive / (2 * self.wanted))
    }
}

/// What the queries gave, one number each.
#[derive(Default)]
struct Measured {
    /// Of the queries that have an answer.
    recalls: Vec<f64>,
    /// Milliseconds.
    times: Vec<f64>,
    /// Milliseconds of the exact searches.
    exact_times: Vec<f64>,
}

impl Measured {
    fn of(index: Index<'_>, k: usize, queries: &[Query]) -> Self {
        let (mut search, mut exact) = (Search::default(), Search::in_mode(SearchMode::Exact));
        let mut keys = Vec::new();
        // Opens shards and fills buffers.
        if let Some(first) = queries.first() {
            timed(&mut search, index, first, k, &mut keys);
            timed(&mut exact, index, first, k, &mut keys);
        }
        let mut measured = Measured::default();
        for group in queries.chunks(GROUP) {
            let mut answers = Vec::with_capacity(group.len());
            for query in group {
                let time = timed(&mut exact, index, query, k, &mut keys);
                measured.exact_times.push(time);
                answers.push(Answer::of(&keys));
            }
            for (query, answer) in group.iter().zip(answers) {
                let time = timed(&mut search, index, query, k, &mut keys);
                measured.times.push(time);
                measured.recalls.extend(answer.map(|answer| answer.recall(&keys)));
            }
        }
        measured
    }

    fn mean_recall(&self) -> Option<f64> {
        let queries = self.recalls.len() as f64;
        (queries > 0.0).then(|| self.recalls.iter().sum::<f64>() / queries)
    }
}

/// Fills `keys` with those of the `k` nearest entries; returns how many milliseconds that took.
fn timed(search: &mut Search, index: Index<'_>, query: &Query, k: usize, keys: &mut Vec<u64>) -> f64 {
    pgrx::check_for_interrupts!();
    let start = Instant::now();
    search.nearest(index, query, k, keys);
    start.elapsed().as_nanos() as f64 / 1e6
}

/// An exact answer, as far as it is needed.
struct Answer {
    rows: usize,
    /// Key of the farthest row.
    farthest: u64,
}

impl Answer {
    /// None when there is no row.
    fn of(keys: &[u64]) -> Option<Self> {
        let farthest = *keys.iter().max()?;
        Some(Answer {
            rows: keys.len(),
            farthest,
        })
    }

    /// The share of the rows that another search has found: rows as near count, whichever they are.
    fn recall(&self, keys: &[u64]) -> f64 {
        let found = keys.iter().filter(|&&key| key <= self.farthest).count();
        // There are more when other sessions have inserted some meanwhile.
        found.min(self.rows) as f64 / self.rows as f64
    }
}

/// The least value that so many per cent do not exceed; None without values.
fn percentile(values: &mut [f64], percent: usize) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.checked_sub(1)?).copied()
}
