//! Open relations: a handle for one that somebody holds open, and opening one without waiting for anybody.

use std::marker::PhantomData;

use pgrx::pg_sys;

use crate::compat::{self, Locator};
use crate::error::corrupt_page;
use crate::server;

/// An open relation, nearly always one of our indexes. Whoever makes the handle keeps the relation open, and locked as
/// strongly as what is done with it needs, for as long as the handle lives.
#[derive(Clone, Copy)]
pub struct Index<'a> {
    relation: pg_sys::Relation,
    open: PhantomData<&'a pg_sys::RelationData>,
}

impl<'a> Index<'a> {
    /// The handle of a relation that PostgreSQL has given to us.
    ///
    /// # Safety
    /// The relation is open and stays so for `'a`.
    pub unsafe fn from_raw(relation: pg_sys::Relation) -> Self {
        Index {
            relation,
            open: PhantomData,
        }
    }

    /// PostgreSQL's handle.
    pub fn raw(self) -> pg_sys::Relation {
        self.relation
    }

    /// PostgreSQL's entry for it.
    pub fn data(self) -> &'a pg_sys::RelationData {
        // SAFETY: open for `'a`, as `from_raw` was promised. PostgreSQL keeps an entry in its place while somebody has
        // the relation open.
        unsafe { &*self.relation }
    }

    /// Its row of `pg_class`.
    pub fn class(self) -> &'a pg_sys::FormData_pg_class {
        // SAFETY: an open relation has one, as long-lived as its entry.
        unsafe { &*self.data().rd_rel }
    }

    /// The OID.
    pub fn oid(self) -> pg_sys::Oid {
        self.data().rd_id
    }

    /// The type of the values in an index's first column.
    pub fn input_type(self) -> pg_sys::Oid {
        // SAFETY: an open index has at least one column, whose operator class PostgreSQL has looked up.
        unsafe { *self.data().rd_opcintype }
    }

    /// The name, for messages.
    pub fn name(self) -> String {
        let bytes = self.class().relname.data.iter().map(|&byte| byte as u8);
        let name: Vec<u8> = bytes.take_while(|&byte| byte != 0).collect();
        String::from_utf8_lossy(&name).into_owned()
    }

    /// Where its files are.
    pub fn locator(self) -> Locator {
        compat::locator(self.data())
    }

    fn persistence(self) -> u8 {
        self.class().relpersistence as u8
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
        // SAFETY: the relation is open.
        unsafe { pg_sys::RelationGetNumberOfBlocksInFork(self.relation, fork) }
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
    /// Locks an open relation against everybody else, if nobody uses it just now, this session's own scans included.
    pub fn try_lock(index: Index<'a>) -> Option<Self> {
        // A standby hears of this lock, for which the transaction needs a number; there are no new ones while parallel
        // processes are at work.
        if server::is_parallel() || index.data().rd_refcnt != 1 {
            return None;
        }
        // SAFETY: the relation is open.
        let locked = unsafe { pg_sys::ConditionalLockRelation(index.raw(), pg_sys::AccessExclusiveLock as i32) };
        locked.then(|| Alone(index))
    }

    /// Cuts the relation's file after this many blocks, and tells WAL.
    pub fn truncate(&self, blocks: u32) {
        // SAFETY: nobody else uses the relation.
        unsafe { pg_sys::RelationTruncate(self.0.raw(), blocks) }
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: locked by us.
            unsafe { pg_sys::UnlockRelation(self.0.raw(), pg_sys::AccessExclusiveLock as i32) };
        }
    }
}

/// A relation that we have opened and locked. Closed and unlocked when dropped; an error does both at the end of the
/// transaction.
pub struct OpenRelation {
    relation: pg_sys::Relation,
    lock: pg_sys::LOCKMODE,
}

impl OpenRelation {
    /// Opens a relation, waiting for its lock; None if there is none.
    pub fn open(oid: pg_sys::Oid, lock: u32) -> Option<Self> {
        let lock = lock as pg_sys::LOCKMODE;
        if oid == pg_sys::InvalidOid {
            return None;
        }
        // SAFETY: inside a transaction.
        let relation = unsafe { pg_sys::try_relation_open(oid, lock) };
        (!relation.is_null()).then(|| OpenRelation { relation, lock })
    }

    /// Opens a relation unless it is gone or somebody holds a conflicting lock.
    pub fn try_open(oid: pg_sys::Oid, lock: u32) -> Option<Self> {
        let lock = lock as pg_sys::LOCKMODE;
        // SAFETY: inside a transaction; the lock is released again if there is no such relation.
        unsafe {
            if !pg_sys::ConditionalLockRelationOid(oid, lock) {
                return None;
            }
            let relation = pg_sys::try_relation_open(oid, pg_sys::NoLock as i32);
            if relation.is_null() {
                pg_sys::UnlockRelationOid(oid, lock);
                return None;
            }
            Some(OpenRelation { relation, lock })
        }
    }

    /// Opens a relation on which this transaction has a lock.
    ///
    /// # Safety
    /// It has, and keeps it.
    pub unsafe fn open_locked(oid: pg_sys::Oid) -> Self {
        let lock = pg_sys::NoLock as pg_sys::LOCKMODE;
        // SAFETY: as the caller says.
        let relation = unsafe { pg_sys::relation_open(oid, lock) };
        OpenRelation { relation, lock }
    }

    /// The handle.
    pub fn handle(&self) -> Index<'_> {
        // SAFETY: open until `self` is dropped.
        unsafe { Index::from_raw(self.relation) }
    }
}

impl Drop for OpenRelation {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: opened by us.
            unsafe { pg_sys::relation_close(self.relation, self.lock) };
        }
    }
}
