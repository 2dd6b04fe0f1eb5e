//! A sample of an index's values, for the planner: it needs no statistics, and sees what was inserted just now.

use iscc_log::directory::Segment;
use iscc_log::log_page::{LogPage, is_alive};
use iscc_metrics::ball::Ball;

use crate::metrics::vector_query::VectorBall;
use crate::relation::Index;
use crate::storage::buffer::{Locked, Page, Shared};
use crate::storage::{directory, log};

/// Values of the sample that stand in for a query that is not known yet.
const QUERIES: usize = 8;
/// The most rows that are assumed to be in a ball where the sample has none.
const MOST_UNSEEN: f64 = 10.0;

/// What values are within a radius of one.
pub trait Region {
    /// The number of live entries of a page within.
    fn count_on(&self, page: &LogPage<'_>) -> u64;
}

impl Region for Ball {
    fn count_on(&self, page: &LogPage<'_>) -> u64 {
        let mut near = Vec::new();
        self.near(page.column(), &mut near);
        near.iter().filter(|&&slot| is_alive_at(page, slot as usize)).count() as u64
    }
}

impl Region for VectorBall {
    fn count_on(&self, page: &LogPage<'_>) -> u64 {
        VectorBall::count_on(self, page)
    }
}

/// Copies of some pages of the log, evenly spread.
pub struct Sample {
    pages: Vec<Box<Page>>,
    /// Log pages of the index.
    blocks: u64,
    /// Live entries on the copied pages, NULLs included.
    rows: u64,
}

impl Sample {
    /// Reads a sample of this many pages. Pages that are damaged, or have been reused meanwhile, are left out; None if
    /// no live entry remains.
    pub fn take(index: Index<'_>, pages: u64) -> Option<Self> {
        let directory = directory::try_read(index)?;
        let segments: Vec<&Segment> = directory.segments().collect();
        let blocks = segments.iter().map(|s| u64::from(s.block_count)).sum();
        let mut sample = Sample {
            pages: Vec::new(),
            blocks,
            rows: 0,
        };
        let existing = index.block_count();
        let count = pages.min(blocks);
        for part in 0..count {
            let (segment, block) = block_at(&segments, (2 * part + 1) * blocks / (2 * count))?;
            if block >= existing {
                continue;
            }
            let buffer = Locked::<Shared>::read(index, block);
            if let Ok(page) = log::parse(segment, &buffer) {
                sample.rows += (0..page.len()).filter(|&slot| is_alive_at(&page, slot)).count() as u64;
                sample.pages.push(Box::new(*buffer.page()));
            }
        }
        (sample.rows > 0).then_some(sample)
    }

    /// The share of rows within a ball, in an index of `rows` rows.
    pub fn share_within(&self, ball: &impl Region, rows: f64) -> f64 {
        let hits: u64 = self.pages.iter().map(|page| hits(page, ball)).sum();
        match hits {
            0 => self.unseen_share(1, rows),
            hits => hits as f64 / self.rows as f64,
        }
    }

    /// The share of rows within a ball around a value of the index, the value itself excluded.
    ///
    /// Similar values are often on the same page, so a value's own page says nothing about the others.
    pub fn share_of_neighbours<R: Region>(&self, ball: impl Fn(&[u8]) -> Option<R>, rows: f64) -> f64 {
        let others = self.pages.len().saturating_sub(1);
        let weight = self.blocks.saturating_sub(1) as f64 / others.max(1) as f64;
        let (mut queries, mut found) = (0, 0.0);
        for query in 0..QUERIES {
            let own = query * self.pages.len() / QUERIES;
            let Some(ball) = self.pages.get(own).and_then(|page| ball_on(page, query, &ball)) else {
                continue;
            };
            queries += 1;
            for (at, page) in self.pages.iter().enumerate() {
                let hits = hits(page, &ball) as f64;
                found += if at == own {
                    (hits - 1.0).max(0.0)
                } else {
                    hits * weight
                };
            }
        }
        if found > 0.0 {
            let total = self.rows as f64 / self.pages.len() as f64 * self.blocks as f64;
            (found / f64::from(queries) / total).min(1.0)
        } else {
            self.unseen_share(queries.max(1) as u64, rows)
        }
    }

    /// The share after `queries` queries have found nothing: as if they had found half a row of the sample.
    fn unseen_share(&self, queries: u64, rows: f64) -> f64 {
        (0.5 / (self.rows * queries) as f64).min(MOST_UNSEEN / rows.max(1.0))
    }
}

/// The `n`th block of some segments.
fn block_at<'a>(segments: &[&'a Segment], mut n: u64) -> Option<(&'a Segment, u32)> {
    for segment in segments {
        let blocks = u64::from(segment.block_count);
        if n < blocks {
            return Some((segment, segment.start_block + n as u32));
        }
        n -= blocks;
    }
    None
}

fn is_alive_at(page: &LogPage<'_>, slot: usize) -> bool {
    page.tid(slot).is_some_and(|tid| is_alive(&tid))
}

/// The number of live entries of a page within a ball.
fn hits(page: &Page, ball: &impl Region) -> u64 {
    LogPage::parse(page).map_or(0, |page| ball.count_on(&page))
}

/// A ball around one of the live values on a page, a different one for each `number`.
fn ball_on<R>(page: &Page, number: usize, ball: impl Fn(&[u8]) -> Option<R>) -> Option<R> {
    let page = LogPage::parse(page).ok()?;
    let slots = (0..page.len()).filter(|&slot| is_alive_at(&page, slot) && page.code(slot).is_some());
    let slots: Vec<usize> = slots.collect();
    let slot = *slots.get((2 * number + 1) * slots.len() / (2 * QUERIES))?;
    page.code(slot).and_then(ball)
}
