//! What a shard can be searched for.

use std::borrow::Borrow;
use std::cell::Cell;

use iscc_metrics::Query;
use iscc_metrics::dense::rows::RowQuery;

use super::flat_search::{FlatPass, RowPass, ValuePass, WordPass};
use crate::opaque::Distance;
use crate::shard::Shard;
use crate::shard::pieces::piece_of;
use crate::space::{Codes, Space, ValueCentre, Values, Vectors};

/// Nodes taken for each piece that they share with the query: enough to begin at.
const MOST_SHARING: usize = 8;

/// A query that shards of its kind can be searched for. In a shard of another kind it finds nothing.
pub trait ShardQuery: Searchable {}

impl ShardQuery for Query {}
impl ShardQuery for RowQuery {}
impl<D: Distance> ShardQuery for ValueQuery<D> {}

/// A value to search for that only a function of the caller's understands.
pub struct ValueQuery<D: Distance> {
    distance: D,
    centre: ValueCentre<D::Query>,
    is_damaged: Cell<bool>,
}

impl<D: Distance> ValueQuery<D> {
    /// A value, and what measures distances from it.
    pub fn new(distance: D, value: &[u8]) -> Self {
        Self {
            centre: Values::centre_of(distance, value),
            distance,
            is_damaged: Cell::new(false),
        }
    }

    /// Whether a search has come upon a value that is not what was written.
    pub fn has_found_damage(&self) -> bool {
        self.is_damaged.get()
    }
}

/// How a query and the rows of a shard come together.
pub trait Searchable {
    /// The rows.
    type Space<'a>: Space
    where
        Self: 'a;
    /// A pass over all of them.
    type Pass<'a>: FlatPass
    where
        Self: 'a;

    /// The rows of a shard; none if they are of another kind.
    fn space<'a, B: AsRef<[u8]>>(&'a self, shard: &'a Shard<B>) -> Self::Space<'a>;

    /// The query as the centre of distances.
    fn centre<'a>(&'a self) -> impl Borrow<<Self::Space<'a> as Space>::Centre>;

    /// A pass over the rows of a shard.
    fn pass<'a, B: AsRef<[u8]>>(&'a self, shard: &'a Shard<B>) -> Self::Pass<'a>;

    /// Adds nodes that are probably near to `nodes`, if some are known without a search: it begins there, too.
    fn likely_nodes<B: AsRef<[u8]>>(&self, _: &Shard<B>, _nodes: &mut Vec<u32>) {}
}

impl Searchable for Query {
    type Space<'a> = Codes<'a>;
    type Pass<'a> = WordPass<'a>;

    fn space<'a, B: AsRef<[u8]>>(&'a self, shard: &'a Shard<B>) -> Codes<'a> {
        shard.codes(self.metric())
    }

    fn centre(&self) -> impl Borrow<&[u8]> {
        self.code()
    }

    fn pass<'a, B: AsRef<[u8]>>(&'a self, shard: &'a Shard<B>) -> WordPass<'a> {
        WordPass::new(shard.word_table(), self)
    }

    /// Codes that share a piece with the query. Among codes that are all about equally far from it there is no way for a graph
    /// to lead to the few that are near; most of these share a piece.
    fn likely_nodes<B: AsRef<[u8]>>(&self, shard: &Shard<B>, nodes: &mut Vec<u32>) {
        for (_, tables) in shard.pieces() {
            let pieces = (0..tables.len()).map_while(|piece| piece_of(self.code(), piece));
            tables.nodes_sharing(&pieces.collect::<Vec<_>>(), MOST_SHARING, nodes);
        }
    }
}

impl Searchable for RowQuery {
    type Space<'a> = Vectors<'a>;
    type Pass<'a> = RowPass<'a>;

    fn space<'a, B: AsRef<[u8]>>(&'a self, shard: &'a Shard<B>) -> Vectors<'a> {
        shard.vectors()
    }

    fn centre(&self) -> impl Borrow<RowQuery> {
        self
    }

    fn pass<'a, B: AsRef<[u8]>>(&'a self, shard: &'a Shard<B>) -> RowPass<'a> {
        RowPass::new(shard.vectors(), self)
    }
}

impl<D: Distance> Searchable for ValueQuery<D> {
    type Space<'a>
        = Values<'a, D>
    where
        Self: 'a;
    type Pass<'a>
        = ValuePass<'a, D>
    where
        Self: 'a;

    fn space<'a, B: AsRef<[u8]>>(&'a self, shard: &'a Shard<B>) -> Values<'a, D> {
        Values::new(shard.value_table(), self.distance, &self.is_damaged)
    }

    fn centre<'a>(&'a self) -> impl Borrow<<Self::Space<'a> as Space>::Centre> {
        &self.centre
    }

    fn pass<'a, B: AsRef<[u8]>>(&'a self, shard: &'a Shard<B>) -> ValuePass<'a, D> {
        ValuePass::new(self.space(shard), &self.centre)
    }
}
