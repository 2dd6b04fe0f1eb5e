//! Open relations: a handle for one that is held open, and opening one without waiting for a lock.

use pgrx::pg_sys;
use pgrx::pg_sys::Oid;

use crate::compat::{self, Locator};
use crate::error::corrupt_page;
use crate::nodes::{Argument, Array, Node, View, functions, views};
use crate::server;

functions! {
    fn length_of(relation: Index<'_>, fork: pg_sys::ForkNumber::Type) -> u32 = RelationGetNumberOfBlocksInFork;
    fn log_range(relation: Index<'_>, fork: pg_sys::ForkNumber::Type, from: u32, to: u32, is_standard: bool) = log_newpage_range;

    fn try_lock(relation: Index<'_>, lock: pg_sys::LOCKMODE) -> bool = ConditionalLockRelation;
    fn unlock(relation: Index<'_>, lock: pg_sys::LOCKMODE) = UnlockRelation;
    fn try_lock_oid(oid: Oid, lock: pg_sys::LOCKMODE) -> bool = ConditionalLockRelationOid;
    fn unlock_oid(oid: Oid, lock: pg_sys::LOCKMODE) = UnlockRelationOid;
    /// For a relation that no other session uses.
    fn truncate(relation: Index<'_>, blocks: u32) = RelationTruncate;
    /// Waits until nobody else makes the relation longer. An error unlocks it.
    pub fn lock_for_extension(relation: Index<'_>, lock: pg_sys::LOCKMODE) = LockRelationForExtension;
    /// Ends what `lock_for_extension` has begun.
    pub fn unlock_for_extension(relation: Index<'_>, lock: pg_sys::LOCKMODE) = UnlockRelationForExtension;
}

views! {
    RelationData {
        class_row: Node<'a, pg_sys::FormData_pg_class> = |relation| relation.rd_rel;
        index_row: Option<Node<'a, pg_sys::FormData_pg_index>> = |relation| relation.rd_index;
        /// What the relation's access method says of itself.
        index_method: Option<Node<'a, pg_sys::IndexAmRoutine>> = |relation| relation.rd_indam;
        /// Of an index's first column; empty for other relations.
        input_types: Array<'a, Oid> = |relation| (relation.rd_opcintype, 1);
        families: Array<'a, Oid> = |relation| (relation.rd_opfamily, 1);
        collations: Array<'a, Oid> = |relation| (relation.rd_indcollation, 1);
    }
    FormData_pg_class {
        name: pg_sys::NameData = |class| class.relname;
        owner: Oid = |class| class.relowner;
        kind: u8 = |class| class.relkind as u8;
        persistence: u8 = |class| class.relpersistence as u8;
        access_method: Oid = |class| class.relam;
        /// As of the last VACUUM or ANALYZE.
        rows: f32 = |class| class.reltuples;
    }
    FormData_pg_index {
        table: Oid = |index| index.indrelid;
    }
    IndexAmRoutine {
        options: pg_sys::amoptions_function = |method| method.amoptions;
    }
}

/// An open relation, nearly always one of our indexes. The code that makes the handle keeps the relation open for as
/// long as the handle lives, and locked as strongly as its use needs.
#[derive(Clone, Copy)]
pub struct Index<'a>(Node<'a, pg_sys::RelationData>);

/// A relation that PostgreSQL holds open for as long as the view lives.
impl View for Option<Index<'_>> {
    type Raw = pg_sys::Relation;

    unsafe fn view(raw: pg_sys::Relation) -> Self {
        // SAFETY: as the caller says.
        let relation: Option<Node<'_, pg_sys::RelationData>> = unsafe { View::view(raw) };
        relation.map(Index)
    }
}

impl Argument<pg_sys::Relation> for Index<'_> {
    fn to_raw(self) -> pg_sys::Relation {
        self.raw()
    }
}

impl<'a> Index<'a> {
    /// The handle of a relation that PostgreSQL has given to us.
    ///
    /// # Safety
    /// The relation is open and stays so for `'a`.
    pub unsafe fn from_raw(relation: pg_sys::Relation) -> Self {
        // SAFETY: as the caller says.
        Index(unsafe { View::view(relation) })
    }

    /// PostgreSQL's handle.
    pub fn raw(self) -> pg_sys::Relation {
        self.0.raw()
    }

    /// PostgreSQL's entry for it.
    pub fn data(self) -> &'a pg_sys::RelationData {
        // SAFETY: open for `'a`, as `from_raw` was promised. PostgreSQL keeps an entry in its place while somebody has
        // the relation open.
        unsafe { &*self.raw() }
    }

    /// Its row of `pg_class`.
    pub fn class(self) -> Node<'a, pg_sys::FormData_pg_class> {
        self.0.class_row()
    }

    /// The OID.
    pub fn oid(self) -> pg_sys::Oid {
        self.data().rd_id
    }

    /// The type of the values in an index's first column; 0 for another relation.
    pub fn input_type(self) -> Oid {
        self.0.input_types().get(0).unwrap_or_default()
    }

    /// The operator family of an index's first column; 0 for another relation.
    pub fn operator_family(self) -> Oid {
        self.0.families().get(0).unwrap_or_default()
    }

    /// The collation of an index's first column; 0 without one.
    pub fn collation(self) -> Oid {
        self.0.collations().get(0).unwrap_or_default()
    }

    /// The table of an index; 0 for another relation.
    pub fn table(self) -> Oid {
        self.0.index_row().map_or(pg_sys::InvalidOid, |index| index.table())
    }

    /// The function that reads the options of an index's access method; None for another relation.
    pub fn options_function(self) -> pg_sys::amoptions_function {
        self.0.index_method().and_then(|method| method.options())
    }

    /// The support function with this number of the operator class of an index's first column; 0 without one.
    pub fn support_function(self, number: u16) -> Oid {
        // SAFETY: the entry of an open index has as many functions as its access method takes.
        unsafe {
            let Some(method) = self.data().rd_indam.as_ref() else {
                return pg_sys::InvalidOid;
            };
            match number {
                1.. if number <= method.amsupport => *self.data().rd_support.add(usize::from(number) - 1),
                _ => pg_sys::InvalidOid,
            }
        }
    }

    /// The name, for messages.
    pub fn name(self) -> String {
        let bytes = self.class().name().data.into_iter().map(|byte| byte as u8);
        let name: Vec<u8> = bytes.take_while(|&byte| byte != 0).collect();
        String::from_utf8_lossy(&name).into_owned()
    }

    /// Where its files are.
    pub fn locator(self) -> Locator {
        compat::locator(self.data())
    }

    fn persistence(self) -> u8 {
        self.class().persistence()
    }

    /// True for a temporary relation: only its session sees its pages.
    pub fn is_temporary(self) -> bool {
        self.persistence() == pg_sys::RELPERSISTENCE_TEMP
    }

    /// True for an unlogged relation on a standby, which has its definition and none of its pages.
    pub fn is_definition_only(self) -> bool {
        self.persistence() == pg_sys::RELPERSISTENCE_UNLOGGED && in_recovery()
    }

    /// True for a relation whose pages this session can read.
    pub fn is_readable(self) -> bool {
        let is_of_others = self.is_temporary() && !self.data().rd_islocaltemp;
        !is_of_others && !self.is_definition_only()
    }

    /// Whether its changes go to WAL (`RelationNeedsWAL`).
    pub fn needs_wal(self) -> bool {
        /// PostgreSQL's `InvalidSubTransactionId`.
        const INVALID: pg_sys::SubTransactionId = 0;
        let archiving = server::wal_level() >= pg_sys::WalLevel::WAL_LEVEL_REPLICA as i32;
        let created_here = compat::first_file_subid(self.data()) != INVALID || self.data().rd_createSubid != INVALID;
        self.persistence() == pg_sys::RELPERSISTENCE_PERMANENT && (archiving || !created_here)
    }

    /// The length of the main fork in blocks.
    pub fn block_count(self) -> u32 {
        self.block_count_of(pg_sys::ForkNumber::MAIN_FORKNUM)
    }

    /// The length of a fork in blocks.
    pub fn block_count_of(self, fork: pg_sys::ForkNumber::Type) -> u32 {
        length_of(self, fork)
    }

    /// Writes all pages of a fork to WAL, which have the standard layout.
    pub fn log_all_pages(self, fork: pg_sys::ForkNumber::Type) {
        log_range(self, fork, 0, self.block_count_of(fork), true);
    }

    /// Raises the error for a block whose contents cannot be used.
    pub fn corrupt(self, block: u32, why: impl std::fmt::Display) -> ! {
        corrupt_page(&self.name(), block, why)
    }
}

pub use crate::server::{flush_wal, in_recovery};

/// The only access to a relation. Given back when dropped; an error does so at the end of the transaction.
pub struct Alone<'a>(Index<'a>);

impl<'a> Alone<'a> {
    /// Locks an open relation against all other sessions, if it is not in use just now, not even by this session's own
    /// scans.
    pub fn try_lock(index: Index<'a>) -> Option<Self> {
        // A standby hears of this lock, for which the transaction needs a number; there are no new ones while parallel
        // processes are at work.
        if server::is_parallel() || index.data().rd_refcnt != 1 {
            return None;
        }
        try_lock(index, pg_sys::AccessExclusiveLock as i32).then(|| Alone(index))
    }

    /// Cuts the relation's file after this many blocks, and tells WAL.
    pub fn truncate(&self, blocks: u32) {
        truncate(self.0, blocks);
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            unlock(self.0, pg_sys::AccessExclusiveLock as i32);
        }
    }
}

/// A relation that we have opened and locked. Closed and unlocked when dropped; an error does both at the end of the
/// transaction.
pub struct OpenRelation {
    /// Lent only for as long as this lives.
    relation: Index<'static>,
    lock: pg_sys::LOCKMODE,
}

/// Opens a relation, which nobody closes but for the drop of an [`OpenRelation`].
fn try_relation_open(oid: Oid, lock: pg_sys::LOCKMODE) -> Option<Index<'static>> {
    // SAFETY: inside a transaction; None for a relation that does not exist.
    unsafe { View::view(pg_sys::try_relation_open(oid, lock)) }
}

impl OpenRelation {
    /// Opens a relation, waiting for its lock; None if there is none.
    pub fn open(oid: pg_sys::Oid, lock: u32) -> Option<Self> {
        let lock = lock as pg_sys::LOCKMODE;
        if oid == pg_sys::InvalidOid {
            return None;
        }
        try_relation_open(oid, lock).map(|relation| OpenRelation { relation, lock })
    }

    /// Opens a relation unless it is gone or another session holds a conflicting lock.
    pub fn try_open(oid: pg_sys::Oid, lock: u32) -> Option<Self> {
        let lock = lock as pg_sys::LOCKMODE;
        if !try_lock_oid(oid, lock) {
            return None;
        }
        let relation = try_relation_open(oid, pg_sys::NoLock as i32);
        if relation.is_none() {
            unlock_oid(oid, lock);
        }
        relation.map(|relation| OpenRelation { relation, lock })
    }

    /// Opens a relation on which this transaction has a lock.
    ///
    /// # Safety
    /// It has, and keeps it.
    pub unsafe fn open_locked(oid: pg_sys::Oid) -> Self {
        let lock = pg_sys::NoLock as pg_sys::LOCKMODE;
        // SAFETY: as the caller says. Raises an error if the relation does not exist.
        let relation = unsafe { Index::from_raw(pg_sys::relation_open(oid, lock)) };
        OpenRelation { relation, lock }
    }

    /// The handle.
    pub fn handle(&self) -> Index<'_> {
        self.relation
    }

    /// Leaves the lock to the end of the transaction.
    pub fn keep_lock(&mut self) {
        self.lock = pg_sys::NoLock as pg_sys::LOCKMODE;
    }
}

impl Drop for OpenRelation {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: opened by us.
            unsafe { pg_sys::relation_close(self.relation.raw(), self.lock) };
        }
    }
}
