//! How much of the exact answer the index finds at the session's settings, and how long that takes.
//!
//! Both ways see the entries of the index, rows that VACUUM has not removed yet included: so the answers are comparable
//! without a look at the table.

use std::time::Instant;

use iscc_log::log_page::{LogPage, is_alive};
use iscc_metrics::dense::Scalar;
use pgrx::pg_sys::{self, Datum};
use pgrx::prelude::*;

use super::census::Census;
use super::privileges::require_all_rows;
use crate::catalog;
use crate::error::report;
use crate::guc::SearchMode;
use crate::metrics::opclass::comparison_of;
use crate::metrics::value::Value;
use crate::owner::{SearchPath, as_owner};
use crate::relation::Index;
use crate::search::query::{Query, SharedFunction};
use crate::search::scan::Search;
use crate::server;
use crate::storage::definition::require_bits;
use crate::storage::open_segment::length_of_vectors;
use crate::storage::{directory, log};
use crate::types::array::SqlArray;
use crate::types::vector::array_rows;

const MAX_K: i32 = 10_000;
const MAX_SAMPLE: i32 = 100_000;

/// This many queries are searched exactly, then the same ones as the session would. With larger groups, other sessions
/// would change more in between. With groups of one, each search would follow an exact one, which leaves a cold
/// processor cache.
const GROUP: usize = 64;

/// Number of the argument `vectors`, which this function did not have in version 0.1.0.
const VECTORS: i16 = 4;

/// Compares searches at the session's settings with exact ones. No row when an argument but `queries` and `vectors` is
/// NULL, as from a STRICT function.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn usearch_recall(
    index: Option<pg_sys::Oid>,
    k: Option<i32>,
    sample: Option<i32>,
    queries: Option<Array<'_, &[u8]>>,
    fcinfo: pg_sys::FunctionCallInfo,
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
    let value = comparison_of(index).value;
    let (is_codes, is_opaque) = (value == Value::Code, matches!(value, Value::Opaque(_)));
    let measure = |queries: Vec<Query>| (queries.len(), Measured::of(index, k as usize, &queries));
    let (count, mut measured) = match (queries, vectors_of(fcinfo)) {
        (Some(_), Some(_)) => refuse_argument(index, "queries and vectors exclude each other"),
        (Some(_), None) if !is_codes => refuse_argument(index, "queries are codes"),
        (None, Some(_)) if is_codes || is_opaque => refuse_argument(index, "vectors are not values of this index"),
        (Some(codes), None) => {
            let query = |code: Option<&[u8]>| Some(query_of(index, &mut None, code?));
            measure(required(codes.iter().map(query).collect(), "queries"))
        }
        (None, Some(vectors)) => measure(required(vector_queries(index, vectors), "vectors")),
        // The user who measures need not trust the function that computes distances.
        (None, None) => as_owner(index, SearchPath::Safe, || {
            let mut function = None;
            let values = sample_values(index, i64::from(sample));
            let query = |value: &Vec<u8>| query_of(index, &mut function, value);
            measure(values.iter().map(query).collect())
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

/// The argument `vectors`, if there is one.
fn vectors_of(call: pg_sys::FunctionCallInfo) -> Option<Datum> {
    // SAFETY: the information about the running call, which has as many arguments as it says.
    unsafe {
        let has_vectors = (*call).nargs > VECTORS;
        let argument = has_vectors.then(|| (*call).args.as_slice((*call).nargs as usize)[VECTORS as usize])?;
        (!argument.isnull).then_some(argument.value)
    }
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

fn refuse_argument(index: Index<'_>, why: &str) -> ! {
    report(PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH, why)
        .detail(match comparison_of(index).value {
            Value::Code => format!("Index \"{}\" is one of codes.", index.name()),
            Value::Opaque(_) => format!("Index \"{}\" is one of distances by a function.", index.name()),
            _ => format!("Index \"{}\" is one of vectors.", index.name()),
        })
        .hint("Pass codes as queries and vectors as vectors, or neither, to search for values of the index.")
        .raise()
}

/// The queries of an argument, of which none may be missing.
fn required(queries: Option<Vec<Query>>, argument: &str) -> Vec<Query> {
    match queries {
        Some(queries) if !queries.is_empty() => queries,
        Some(_) => report(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("{argument} cannot be empty"),
        )
        .hint(format!("Omit {argument} to search for values of the index."))
        .raise(),
        None => report(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            format!("{argument} cannot contain NULL"),
        )
        .hint(format!("Remove NULLs with array_remove({argument}, NULL)."))
        .raise(),
    }
}

/// Queries for an index of vectors, from an array of its type; of real[], whose arrays are of real[], too, the rows.
/// None if one is NULL.
fn vector_queries(index: Index<'_>, vectors: Datum) -> Option<Vec<Query>> {
    let comparison = comparison_of(index);
    let value = comparison.value;
    // SAFETY: SQL declares the argument as an array, which lives as long as the call.
    let array = unsafe { SqlArray::of(vectors) };
    let (input, element) = (index.input_type(), array.element_type());
    let is_same = match value {
        Value::Array => element == pg_sys::FLOAT4OID,
        _ => element == input,
    };
    if !is_same {
        let name = catalog::type_name;
        report(
            PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
            format!("vectors have type {}, not {}", name(element), name(input)),
        )
        .detail(format!(
            "Index \"{}\" has values of type {}.",
            index.name(),
            name(input)
        ))
        .hint("Cast vectors to an array of that type; for real[], to an array whose rows are the queries.")
        .raise();
    }
    let values: Vec<&[u8]> = if value == Value::Array {
        array_rows(array)
    } else {
        let bytes = |datum: Option<Datum>| {
            let datum = datum?;
            // SAFETY: a value of the index's type, which lives as long as the call.
            Some(unsafe {
                require_bits(index, datum);
                value.bytes(datum)
            })
        };
        array.elements().into_iter().map(bytes).collect::<Option<_>>()?
    };
    for vector in &values {
        require_dimensions(index, vector.len());
        comparison.require_domain(vector);
    }
    let mut function = None;
    let query = |vector| query_of(index, &mut function, vector);
    Some(values.into_iter().map(query).collect())
}

/// Raises an error unless the vectors of the index have this many bytes.
fn require_dimensions(index: Index<'_>, bytes: usize) {
    let Some(others) = length_of_vectors(&directory::read(index)).filter(|&others| others != bytes) else {
        return;
    };
    let number = comparison_of(index).value.scalar().map_or(1, Scalar::bytes);
    report(
        PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        format!("query has {} dimensions, not {}", bytes / number, others / number),
    )
    .detail(format!(
        "The vectors of index \"{}\" have {} dimensions.",
        index.name(),
        others / number
    ))
    .hint("Pass vectors with as many dimensions.")
    .raise();
}

/// A query that lives as long as the function runs.
fn query_of(index: Index<'_>, function: &mut SharedFunction, value: &[u8]) -> Query {
    // SAFETY: the context of the statement.
    unsafe { Query::new(index, server::memory_context(), function, value) }
}

/// Up to `wanted` values of live entries, evenly spread over the log; the same ones as long as the log is the same.
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

/// The nearest-rank percentile; None without values.
fn percentile(values: &mut [f64], percent: usize) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.checked_sub(1)?).copied()
}
