//! What the log holds right now, counted in one pass over its pages.

use iscc_log::directory::Segment;
use iscc_log::log_page::{Entries, is_alive};
use iscc_log::span::MAX_STRIDE;
use pgrx::JsonB;

use crate::relation::Index;
use crate::storage::directory::{self, Directory};
use crate::storage::log::{self, Mismatch};

/// Entries of an index by kind and length.
pub struct Census {
    /// All entries, dead ones and NULLs included.
    pub entries: i64,
    /// Entries with a code that VACUUM has marked dead.
    pub dead: i64,
    /// Entries without a code.
    pub nulls: i64,
    /// Entries of segments that have no shard.
    pub tail: i64,
    /// Entries alive by the length of their code in bytes.
    alive: Vec<i64>,
    /// The lengths on one page; kept for its memory.
    lengths: Vec<u16>,
}

impl Census {
    /// Reads every log page of the index once, and the directory that it belongs to. Checks for interrupts.
    pub fn take(index: Index<'_>) -> (Directory, Self) {
        loop {
            let directory = directory::read(index);
            match Self::of(index, &directory) {
                Ok(census) => return (directory, census),
                // Entries were moved meanwhile.
                Err(mismatch) => mismatch.confirm(index),
            }
        }
    }

    fn of(index: Index<'_>, directory: &Directory) -> Result<Self, Mismatch> {
        let mut census = Census {
            entries: 0,
            dead: 0,
            nulls: 0,
            tail: 0,
            alive: vec![0; MAX_STRIDE + 1],
            lengths: Vec::new(),
        };
        for segment in directory.segments() {
            census.add_segment(index, segment)?;
        }
        Ok(census)
    }

    fn add_segment(&mut self, index: Index<'_>, segment: &Segment) -> Result<(), Mismatch> {
        let before = self.entries;
        log::for_each_entries(index, segment, |page| self.add_page(page))?;
        if !segment.is_sealed() {
            self.tail += self.entries - before;
        }
        Ok(())
    }

    fn add_page(&mut self, page: &Entries<'_>) {
        page.lengths(&mut self.lengths);
        self.entries += page.len() as i64;
        for (slot, &bytes) in self.lengths.iter().enumerate() {
            if bytes == 0 {
                self.nulls += 1;
            } else if page.tid(slot).is_some_and(|tid| is_alive(&tid)) {
                // At most the page's stride, which is the segment's: the directory checked that one.
                self.alive[usize::from(bytes)] += 1;
            } else {
                self.dead += 1;
            }
        }
    }

    /// Entries alive that have a code.
    pub fn alive_codes(&self) -> i64 {
        self.alive.iter().sum()
    }

    /// Dead entries among those with a code; None when there are none of these.
    pub fn dead_share(&self) -> Option<f64> {
        share(self.dead, self.entries - self.nulls)
    }

    /// The number of live entries by the length of their codes in bits, where `before` other bytes precede each code.
    /// (jsonb orders keys by their length first, and so these as numbers.)
    pub fn code_bits(&self, before: usize) -> JsonB {
        let lengths = self.alive.iter().enumerate().filter(|&(_, &entries)| entries > 0);
        JsonB(
            lengths
                .map(|(bytes, &entries)| ((8 * bytes.saturating_sub(before)).to_string(), entries))
                .collect(),
        )
    }
}

/// `part` of `whole`; None when there is no whole.
pub fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
