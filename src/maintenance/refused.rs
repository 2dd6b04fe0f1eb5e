//! Shards that only say that their values could not be compared: the distance function has failed.
//!
//! They keep the background worker from trying again and again. Queries scan their part of the log. VACUUM and the
//! functions for maintenance try once more.

use std::io;

use iscc_hnsw::build::BuiltShard;
use iscc_hnsw::shard::ShardIdentity;

use super::context::Job;
use super::steps::ListedShard;
use crate::metrics::value::Value;
use crate::storage::directory;
use crate::storage::shard_cache::{self, MappedShard};
use crate::storage::shard_file;

/// Stands for the time at which a refused shard was built, if it must be tried again.
const TRY_AGAIN: i64 = 0;

/// Whether a shard can be used as it is. A refused one has to be built again, unless this job is to leave it alone.
pub(super) fn is_usable(shard: &MappedShard, tolerates_functions: bool) -> bool {
    !shard.is_refused() || tolerates_functions && shard.built_at() != TRY_AGAIN
}

impl Job<'_> {
    /// The shard's file if it is refused, which only happens to values that a function compares.
    fn refused(&self, (id, segments): &ListedShard) -> Option<MappedShard> {
        if !matches!(self.options.comparison.value, Value::Opaque(_)) {
            return None;
        }
        let shard = shard_cache::open(&shard_file::path(self.index.locator(), id), id, segments).ok()?;
        shard.is_refused().then_some(shard)
    }

    /// Whether a shard is refused, and this job does not try again: it is not merged with others either.
    pub(super) fn is_left_alone(&self, shard: &ListedShard) -> bool {
        self.refused(shard)
            .is_some_and(|refused| is_usable(&refused, self.tolerates_functions))
    }

    /// Whether a shard is refused and VACUUM wants it tried again. It is not once that has been done, whatever came of it.
    pub(super) fn is_to_try_again(&self, shard: &ListedShard) -> bool {
        self.refused(shard)
            .is_some_and(|refused| refused.built_at() == TRY_AGAIN)
    }

    /// Whether any of the index's shards is refused.
    pub(super) fn has_refused(&self) -> bool {
        let shards = directory::read(self.index).shards();
        shards.iter().any(|listed| self.refused(listed).is_some())
    }

    /// Has the next session that maintains the index try to build the refused shards. The caller holds the maintenance
    /// lock.
    pub(super) fn retry_refused(&self) -> io::Result<()> {
        for listed in directory::read(self.index).shards() {
            let Some(refused) = self.refused(&listed) else {
                continue;
            };
            let identity = ShardIdentity {
                id: refused.id(),
                ranges: refused.ranges(),
                built_at: TRY_AGAIN,
                lsn: refused.lsn(),
            };
            let built = BuiltShard::refused(&self.options.build_params(1, 1));
            shard_file::publish(self.index.locator(), &identity.id, |out| built.write(out, &identity))?;
        }
        Ok(())
    }
}
