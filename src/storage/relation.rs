//! What is known of an open relation, and opening one without waiting for anybody.

use pgrx::pg_sys;

/// The relation's OID.
pub fn oid(relation: pg_sys::Relation) -> pg_sys::Oid {
    // SAFETY: the caller holds the relation open.
    unsafe { (*relation).rd_id }
}

fn persistence(relation: pg_sys::Relation) -> u8 {
    // SAFETY: the caller holds the relation open.
    unsafe { (*(*relation).rd_rel).relpersistence as u8 }
}

/// True for a temporary relation: only its session sees its pages.
pub fn is_temporary(relation: pg_sys::Relation) -> bool {
    persistence(relation) == pg_sys::RELPERSISTENCE_TEMP
}

/// True for an unlogged relation on a standby, which has its definition and none of its pages.
pub fn is_definition_only(relation: pg_sys::Relation) -> bool {
    persistence(relation) == pg_sys::RELPERSISTENCE_UNLOGGED && in_recovery()
}

/// True for a relation whose pages this session can read.
pub fn is_readable(relation: pg_sys::Relation) -> bool {
    // SAFETY: the caller holds the relation open.
    let is_of_others = is_temporary(relation) && unsafe { !(*relation).rd_islocaltemp };
    !is_of_others && !is_definition_only(relation)
}

/// True on a standby.
pub fn in_recovery() -> bool {
    // SAFETY: reads shared state.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// The only access to a relation. Given back when dropped; an error does so at the end of the transaction.
pub struct Alone(pg_sys::Relation);

impl Alone {
    /// Locks an open relation against everybody else, if nobody uses it just now, this session's own scans included.
    pub fn try_lock(relation: pg_sys::Relation) -> Option<Self> {
        // SAFETY: the caller holds the relation open, once. A standby hears of this lock, for which the transaction needs
        // a number; there are no new ones while parallel processes are at work.
        unsafe {
            let is_possible = (*relation).rd_refcnt == 1 && !pg_sys::IsInParallelMode();
            let locked = is_possible && pg_sys::ConditionalLockRelation(relation, pg_sys::AccessExclusiveLock as i32);
            locked.then(|| Alone(relation))
        }
    }

    /// Cuts the relation's file after so many blocks, and tells WAL.
    pub fn truncate(&self, blocks: u32) {
        // SAFETY: nobody else uses the relation.
        unsafe { pg_sys::RelationTruncate(self.0, blocks) }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: locked by us.
            unsafe { pg_sys::UnlockRelation(self.0, pg_sys::AccessExclusiveLock as i32) };
        }
    }
}

/// An open, locked relation. Closed and unlocked when dropped; an error does both at the end of the transaction.
pub struct OpenRelation {
    relation: pg_sys::Relation,
    lock: pg_sys::LOCKMODE,
}

impl OpenRelation {
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

    /// PostgreSQL's handle.
    pub fn raw(&self) -> pg_sys::Relation {
        self.relation
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
