//! Collecting dense vectors: a first pass sees what they are like, a second one derives their rows.
//!
//! While the values stream by for the second time, the true neighbours of some queries are found among them, by the
//! distance that SQL knows. Whatever the rows lose shows in what the graph is then measured to find. Rows are compared
//! several times faster than values, so that only values are compared whose rows seem to be among the nearest few hundred.

use iscc_metrics::DenseMetric;
use iscc_metrics::dense::rows::{Encoding, RowKind, RowQuery, Rows, Survey};
use iscc_metrics::dense::{Query, Scalar};

use super::trial_queries::{Sample, TrialQuery, queries};
use crate::graph::row_set::{Contents, RowSet, hash_content};
use crate::shard::NEIGHBOURS;

/// Bytes of values that the queries are compared with together: about what the cache nearest to the processor holds.
const BATCH_BYTES: usize = 1 << 15;

/// The true neighbours must be among this many of the nearest rows.
const REVIEWED_ROWS: usize = 40;

/// Values are compared with a query if their row is among this many of the nearest so far. No row is so far off that a
/// true neighbour is beyond, unless many are beyond [`REVIEWED_ROWS`].
const SHORTLIST: usize = 10 * REVIEWED_ROWS;

/// The share of the true neighbours that rows of integers may miss so.
const MOST_MISSED: f64 = 0.001;

/// The share of the values whose row may be that of another value.
const MOST_COLLAPSED: f64 = 0.125;

/// The first pass.
pub(crate) struct DenseSurvey {
    metric: DenseMetric,
    survey: Survey,
    sample: Sample,
    value_bytes: usize,
    wanted: Option<RowKind>,
}

impl DenseSurvey {
    pub(crate) fn new(
        metric: DenseMetric,
        scalar: Scalar,
        dimensions: usize,
        wanted: Option<RowKind>,
        seed: u64,
    ) -> Self {
        Self {
            metric,
            survey: Survey::new(metric, scalar, dimensions),
            sample: Sample::new(seed),
            value_bytes: dimensions * scalar.bytes(),
            wanted,
        }
    }

    pub(crate) fn push(&mut self, value: &[u8]) {
        if value.len() == self.value_bytes {
            self.survey.add(value);
            self.sample.offer(value);
        }
    }

    /// What the next pass collects.
    pub(crate) fn into_rows(self, seed: u64) -> DenseRows {
        // The narrowest rows, and the next wider ones to fall back on; or those that are wanted.
        let fits_f16 = self.survey.fits_f16();
        let usual = self.metric.row_kinds().iter().copied();
        let mut kinds = usual.filter(|&kind| self.wanted.is_none_or(|wanted| kind == wanted));
        let mut next = || kinds.find(|&kind| kind != RowKind::F16 || fits_f16 || self.wanted.is_some());
        let (kind, wider) = (next().unwrap_or(RowKind::F32), next());
        let encoding = |kind| self.survey.encoding(kind).expect("dimensions are in their range");
        let prepare = encoding(RowKind::F32);
        let trials = queries(&prepare, self.sample.values(), seed);
        let trials = trials.into_iter().map(|query| Trial::new(query, &prepare)).collect();
        let fallback = wider.map(encoding);
        DenseRows::new(encoding(kind), fallback, trials, seed)
    }
}

/// A query, and its true neighbours.
pub(crate) struct Trial {
    /// The query, as the values are.
    pub(crate) value: Vec<u8>,
    query: Query,
    /// Whether a value equal to the query is stored, which must not be found; and once all rows are known, its row.
    is_stored: bool,
    pub(crate) hidden: Option<u32>,
    /// The rows that seem nearest, unless comparing them takes as long as comparing values.
    shortlist: Option<Shortlist>,
    /// The nearest rows, each with the key of its nearest value; nearest first. Until it is known which row is hidden,
    /// one more.
    nearest: Vec<(u64, u32)>,
}

impl Trial {
    fn new(TrialQuery { value, is_stored }: TrialQuery, encoding: &Encoding) -> Self {
        Self {
            query: Query::new(encoding.metric(), encoding.scalar(), &value),
            value,
            is_stored,
            hidden: None,
            shortlist: None,
            nearest: Vec::with_capacity(NEIGHBOURS + 2),
        }
    }

    /// The same query, of which nothing is known yet.
    fn anew(self, encoding: &Encoding) -> Self {
        let Self { value, is_stored, .. } = self;
        Self::new(TrialQuery { value, is_stored }, encoding)
    }

    /// Neighbours that are kept.
    fn kept(&self) -> usize {
        NEIGHBOURS + usize::from(self.is_stored)
    }

    /// Leaves out the row of the query's own value.
    fn hide(&mut self, own: Option<u32>) {
        self.hidden = own;
        self.nearest.retain(|&(_, row)| Some(row) != own);
        self.nearest.truncate(NEIGHBOURS);
    }

    /// Values from this key on are not near.
    fn bound(&self) -> u64 {
        match self.nearest.get(self.kept() - 1) {
            Some(&(key, _)) => key,
            None => u64::MAX,
        }
    }

    /// Takes a value that is near, whose row has this number.
    fn take(&mut self, key: u64, row: u32) {
        if key >= self.bound() {
            return;
        }
        if let Some(known) = self.nearest.iter().position(|&(_, other)| other == row) {
            if self.nearest[known].0 <= key {
                return;
            }
            self.nearest.remove(known);
        }
        let at = self.nearest.partition_point(|&(other, _)| other <= key);
        self.nearest.insert(at, (key, row));
        self.nearest.truncate(self.kept());
    }

    /// Numbers of the nearest rows.
    pub(crate) fn neighbours(&self) -> impl ExactSizeIterator<Item = u32> {
        self.nearest.iter().map(|&(_, row)| row)
    }
}

/// How near the rows come to a query that seem nearest.
struct Shortlist {
    query: RowQuery,
    /// Keys of the nearest rows, at most twice [`SHORTLIST`].
    keys: Vec<u32>,
    /// Rows from this key on are not among them.
    bound: u32,
}

impl Shortlist {
    fn new(query: RowQuery) -> Self {
        Self {
            query,
            keys: Vec::with_capacity(2 * SHORTLIST),
            bound: u32::MAX,
        }
    }

    /// Takes the key of a row that is near.
    fn take(&mut self, key: u32) {
        self.keys.push(key);
        if self.keys.len() >= 2 * SHORTLIST {
            self.trim(SHORTLIST);
        }
    }

    /// Leaves this many.
    fn trim(&mut self, count: usize) {
        if self.keys.len() >= count {
            let (_, farthest, _) = self.keys.select_nth_unstable(count - 1);
            self.bound = *farthest;
            self.keys.truncate(count);
        }
    }
}

/// The second pass, and the third if the rows of the second turn out not to be good enough.
pub(crate) struct DenseRows {
    encoding: Encoding,
    fallback: Option<Encoding>,
    rows: RowSet,
    trials: Vec<Trial>,
    seed: u64,
    batch: Batch,
    /// Of each row, while there is something to fall back on: a hash of the value that it was first derived from.
    origins: Vec<u32>,
    /// Values that were pushed, and those of them that are not what their row was first derived from.
    pushed: u32,
    collapsed: u32,
    near_values: Vec<(u64, u32)>,
    near_rows: Vec<(u32, u32)>,
}

/// Values that no query was compared with so far.
#[derive(Default)]
struct Batch {
    values: Vec<u8>,
    /// Their rows.
    rows: Vec<u8>,
    /// The numbers of these, and whether they are new.
    numbers: Vec<(u32, bool)>,
}

impl Batch {
    fn clear(&mut self) {
        self.values.clear();
        self.rows.clear();
        self.numbers.clear();
    }
}

/// What the passes have collected.
pub(crate) struct Collected {
    pub(crate) rows: RowSet,
    pub(crate) encoding: Encoding,
    pub(crate) trials: Vec<Trial>,
}

/// What becomes of collected rows.
pub(crate) enum Reviewed {
    /// They are to be built.
    Good(Collected),
    /// They are not good enough: these collect wider ones, in another pass.
    Poor(Box<DenseRows>),
}

impl DenseRows {
    fn new(encoding: Encoding, fallback: Option<Encoding>, mut trials: Vec<Trial>, seed: u64) -> Self {
        if encoding.kind() == RowKind::I8 || fallback.is_some() {
            for trial in &mut trials {
                trial.shortlist = Some(Shortlist::new(encoding.query(&trial.value)));
            }
        }
        Self {
            rows: RowSet::new(0, encoding.row_bytes(), seed),
            encoding,
            fallback,
            trials,
            seed,
            batch: Batch::default(),
            origins: Vec::new(),
            pushed: 0,
            collapsed: 0,
            near_values: Vec::new(),
            near_rows: Vec::new(),
        }
    }

    fn value_bytes(&self) -> usize {
        self.encoding.dimensions() * self.encoding.scalar().bytes()
    }

    /// The number of the value's row; `None` for a value of other dimensions.
    pub(crate) fn push(&mut self, value: &[u8]) -> Option<u32> {
        if value.len() != self.value_bytes() {
            return None;
        }
        let start = self.batch.rows.len();
        self.encoding.encode(value, &mut self.batch.rows);
        let known = self.rows.len();
        let row = self.rows.insert(&self.batch.rows[start..]);
        self.batch.numbers.push((row, row == known));
        self.batch.values.extend_from_slice(value);
        self.pushed += 1;
        if self.fallback.is_some() {
            let origin = hash_content(value, self.seed) as u32;
            match self.origins.get(row as usize) {
                Some(&first) => self.collapsed += u32::from(first != origin),
                None => self.origins.push(origin),
            }
        }
        if self.batch.values.len() >= BATCH_BYTES {
            self.compare_batch();
        }
        Some(row)
    }

    /// Compares the queries with the batch.
    fn compare_batch(&mut self) {
        let (value_bytes, batch) = (self.value_bytes(), &self.batch);
        let rows = Rows::new(&batch.rows, self.encoding.row_bytes());
        for trial in &mut self.trials {
            let Some(shortlist) = &mut trial.shortlist else {
                self.near_values.clear();
                let bound = trial.bound();
                trial
                    .query
                    .near(&batch.values, value_bytes, bound, &mut self.near_values);
                for &(key, at) in &self.near_values {
                    trial.take(key, batch.numbers[at as usize].0);
                }
                continue;
            };
            self.near_rows.clear();
            let all = 0..rows.count();
            shortlist
                .query
                .near_rows(rows, all, shortlist.bound, &mut self.near_rows);
            let is_new = |&&(_, at): &&(u32, u32)| batch.numbers[at as usize].1;
            self.near_rows
                .iter()
                .filter(is_new)
                .for_each(|&(key, _)| shortlist.take(key));
            for &(_, at) in &self.near_rows {
                let value = &batch.values[at as usize * value_bytes..][..value_bytes];
                trial.take(trial.query.key(value), batch.numbers[at as usize].0);
            }
        }
        self.batch.clear();
    }

    /// What was collected; or another pass, for wider rows, if these are not good enough.
    pub(crate) fn reviewed(mut self) -> Reviewed {
        self.compare_batch();
        self.hide_own_rows();
        match self.fallback.take() {
            Some(wider) if !self.are_rows_good() => {
                let trials = self.trials.into_iter().map(|trial| trial.anew(&wider));
                let wider = Self::new(wider.clone(), None, trials.collect(), self.seed);
                Reviewed::Poor(Box::new(wider))
            }
            _ => Reviewed::Good(Collected {
                rows: self.rows,
                encoding: self.encoding,
                trials: self.trials,
            }),
        }
    }

    /// Leaves out of the neighbours of stored values these values themselves.
    fn hide_own_rows(&mut self) {
        let mut row = Vec::new();
        for trial in self.trials.iter_mut().filter(|trial| trial.is_stored) {
            row.clear();
            self.encoding.encode(&trial.value, &mut row);
            trial.hide(self.rows.find(&row));
        }
    }

    /// Whether the true neighbours are among the rows that seem nearest, and most values have a row of their own.
    fn are_rows_good(&mut self) -> bool {
        if f64::from(self.collapsed) > MOST_COLLAPSED * f64::from(self.pushed) {
            return false;
        }
        let all = Rows::new(self.rows.rows_from(0), self.rows.stride());
        let (mut missed, mut expected) = (0, 0);
        for trial in &mut self.trials {
            let Some(mut shortlist) = trial.shortlist.take() else {
                continue;
            };
            shortlist.trim(REVIEWED_ROWS);
            let is_missed = |row: &u32| shortlist.query.key(all, *row) > shortlist.bound;
            missed += trial.neighbours().filter(is_missed).count();
            expected += trial.neighbours().len();
        }
        missed as f64 <= MOST_MISSED * expected as f64
    }
}
