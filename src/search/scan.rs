//! What a scan returns, in order: the rows of its streams, then those without a code.
//!
//! Every row comes once, the nearest first and NULL codes last. It resumes for as long as the executor asks: first what
//! the searches of shards find, then the rest of each shard by exact scan of the log.
//!
//! Graphs are asked only where the plan's [`Demand`] allows to miss a neighbour. What they have missed is found when the
//! scan goes on beyond their answer; it still comes in its place as long as no farther row has left the scan's node, and
//! otherwise after all others, when the statement has found too few.

use iscc_log::log_page::Tid;

use super::counters::Counters;
use super::demand::{Demand, MOST_ROWS};
use super::log_stream::{Found, LogWalk, Want, block_of};
use super::plan::{Ordered, Plan};
use super::query::{Query, SharedFunction};
use super::returned::Returned;
use super::streams::Streams;
use crate::guc::{SearchMode, SearchSettings};
use crate::relation::Index;
use crate::storage::directory;
use crate::storage::log::Mismatch;
use crate::storage::table::TableExtent;

/// A scan of an index: its plan, and where it is.
pub struct Scan {
    /// What rows the table can have.
    table: TableExtent,
    plan: Plan,
    /// Since the first row was asked for.
    run: Option<Run>,
    streams: Streams,
    /// All rows that the streams have given: they are not to come again from another stream.
    returned: Returned,
    /// Of all queries of the scan.
    pub function: SharedFunction,
}

impl Default for Scan {
    fn default() -> Self {
        Scan {
            table: TableExtent::default(),
            plan: Plan::Nothing,
            run: None,
            streams: Streams::default(),
            returned: Returned::default(),
            function: None,
        }
    }
}

/// A scan whose rows are wanted.
struct Run {
    /// Captured with the first row: what is SET later does not change the scan.
    settings: SearchSettings,
    /// Entries in no order: NULLs at the end, or all when there is nothing to order by.
    unordered: Option<LogWalk>,
    /// Key of the last row returned, and of the last one that has left the scan's node.
    last_key: u64,
    left_key: u64,
    /// Entries found too late, when a farther row had left.
    late: Vec<Found>,
}

impl Scan {
    /// What was counted since the scan was made.
    pub fn counters(&self) -> Counters {
        self.streams.counters()
    }

    /// Begins again with another plan, keeping the buffers.
    pub fn reset(&mut self, plan: Plan) {
        self.streams.reset();
        self.returned.clear();
        self.run = None;
        self.plan = plan;
    }

    /// Whether [`Scan::begin`] was called for this plan.
    pub fn has_begun(&self) -> bool {
        self.run.is_some()
    }

    /// Prepares to return rows.
    pub fn begin(&mut self, index: Index<'_>, settings: SearchSettings) {
        self.run = Some(Run {
            settings,
            unordered: None,
            last_key: 0,
            left_key: 0,
            late: Vec::new(),
        });
        self.open(index);
    }

    /// Copies the directory and opens the streams: at the start, and again when blocks of the copy have been used
    /// again. What was returned before is left out then.
    fn open(&mut self, index: Index<'_>) {
        let Some(run) = &mut self.run else { return };
        run.unordered = match &self.plan {
            Plan::Nothing => None,
            Plan::Unordered => {
                let segments = directory::read(index).segments().copied().collect();
                Some(LogWalk::new(segments, Want::All))
            }
            Plan::Ordered(plan) => {
                let directory = self.streams.open(index, plan, run.settings, self.returned.len());
                // A NULL meets no condition.
                let wants_nulls = plan.restriction.is_none();
                wants_nulls.then(|| LogWalk::new(directory.segments().copied().collect(), Want::Nulls))
            }
        };
    }

    /// Notes that the row returned last has passed the conditions above the scan.
    pub fn row_has_left(&mut self) {
        if let Some(run) = &mut self.run {
            run.left_key = run.last_key;
        }
    }

    /// The next row's TID, one that the table can have.
    pub fn next(&mut self, index: Index<'_>) -> Option<Tid> {
        let (tid, block) = self.with_fresh_directory(index, |scan| scan.advance(index))?;
        self.table.require(index, &tid, block);
        Some(tid)
    }

    /// Takes a step, again with a fresh directory when blocks have been used again meanwhile.
    fn with_fresh_directory<T>(&mut self, index: Index<'_>, step: impl Fn(&mut Self) -> Result<T, Mismatch>) -> T {
        loop {
            match step(self) {
                Ok(result) => return result,
                Err(mismatch) => {
                    mismatch.confirm(index);
                    self.open(index);
                }
            }
        }
    }

    /// The next row's TID, and the block of the log that has it.
    fn advance(&mut self, index: Index<'_>) -> Result<Option<(Tid, u32)>, Mismatch> {
        if let Some(found) = self.advance_in_order(index)? {
            return Ok(Some((found.tid, block_of(found.position))));
        }
        let Some(walk) = self.run.as_mut().and_then(|run| run.unordered.as_mut()) else {
            return Ok(None);
        };
        while let Some((tid, block)) = walk.next(index)? {
            if self.returned.insert(&tid) {
                return Ok(Some((tid, block)));
            }
        }
        Ok(None)
    }

    /// The next entry that has a distance.
    fn advance_in_order(&mut self, index: Index<'_>) -> Result<Option<Found>, Mismatch> {
        let (Plan::Ordered(plan), Some(run)) = (&self.plan, &mut self.run) else {
            return Ok(None);
        };
        let found = run.next(index, plan, &mut self.streams, &mut self.returned)?;
        if let Some(found) = &found {
            run.last_key = found.key;
            if !plan.is_filtered() {
                run.left_key = found.key;
            }
        }
        Ok(found)
    }
}

impl Run {
    /// The next entry that is not nearer than a row that has left; those last.
    fn next(
        &mut self,
        index: Index<'_>,
        plan: &Ordered,
        streams: &mut Streams,
        returned: &mut Returned,
    ) -> Result<Option<Found>, Mismatch> {
        while let Some(found) = streams.next(index, plan, returned)? {
            if found.key >= self.left_key {
                return Ok(Some(found));
            }
            self.late.push(found);
        }
        let nearest = (0..self.late.len()).min_by_key(|&at| (self.late[at].key, self.late[at].position));
        Ok(nearest.map(|at| self.late.swap_remove(at)))
    }
}

/// A search without executor and table, to measure the index: it gives entries of the index, so it needs no snapshot and
/// counts as no scan.
#[derive(Default)]
pub struct Search {
    scan: Scan,
    /// Overrides the session's setting.
    mode: Option<SearchMode>,
}

impl Search {
    /// A search in this mode; [`Search::default`] is one in the mode that the session has set.
    pub fn in_mode(mode: SearchMode) -> Self {
        Search {
            scan: Scan::default(),
            mode: Some(mode),
        }
    }

    /// Fills `keys` with the keys ([`Query::key`]) of the first `count` entries that a scan would return; fewer if the
    /// index has fewer codes.
    pub fn nearest(&mut self, index: Index<'_>, query: &Query, count: usize, keys: &mut Vec<u64>) {
        keys.clear();
        let rows = count.min(MOST_ROWS.into()) as u16;
        let mut settings = SearchSettings::of_session();
        settings.mode = self.mode.unwrap_or(settings.mode);
        let plan = Plan::new(Some(query.clone()), Demand::Nearest(rows), None);
        self.scan.reset(plan);
        self.scan.begin(index, settings);
        while keys.len() < count
            && let Some(found) = self
                .scan
                .with_fresh_directory(index, |scan| scan.advance_in_order(index))
        {
            keys.push(found.key);
        }
    }
}
