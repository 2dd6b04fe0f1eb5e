//! Locks among those who maintain an index.
//!
//! They are of the kind of advisory locks, with a class number of our own: unlike page locks they take part in deadlock
//! detection, may be held together with others, and exist on a standby.

use pgrx::pg_sys;

/// Tells our locks from `pg_advisory_lock`'s, which have 1 and 2 here.
const CLASS: u16 = 0x15CC;

/// What is locked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Structural changes of an index: one session at a time seals, merges and moves.
    Maintenance,
    /// The places of an index's entries. VACUUM, which must see each of them, shares it; who moves entries has it alone.
    Places,
    /// Being this database's background worker.
    Worker,
}

/// Whether to wait for a lock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until it is free.
    Yes,
    /// Not at all.
    No,
}

/// A lock held. Released when dropped; an error releases it at the end of the transaction.
pub struct Held {
    tag: pg_sys::LOCKTAG,
    mode: pg_sys::LOCKMODE,
    of_session: bool,
}

fn tag(subject: Subject, index: pg_sys::Oid) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: set when the backend connected to its database.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: index.to_u32(),
        locktag_field3: subject as u32,
        locktag_field4: CLASS,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

fn acquire(tag: pg_sys::LOCKTAG, mode: u32, of_session: bool, wait: Wait) -> Option<Held> {
    let mode = mode as pg_sys::LOCKMODE;
    // SAFETY: a valid tag, inside a transaction.
    let result = unsafe { pg_sys::LockAcquire(&tag, mode, of_session, wait == Wait::No) };
    (result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL).then(|| Held { tag, mode, of_session })
}

/// The right to change the structure of an index; None when somebody else has it and we do not wait.
pub fn maintenance(index: pg_sys::Oid, wait: Wait) -> Option<Held> {
    acquire(tag(Subject::Maintenance, index), pg_sys::ExclusiveLock, false, wait)
}

/// The right to move an index's entries; None when VACUUM is reading them.
pub fn move_entries(index: pg_sys::Oid) -> Option<Held> {
    acquire(tag(Subject::Places, index), pg_sys::ExclusiveLock, false, Wait::No)
}

/// Keeps an index's entries where they are. Waits for a move to end, which takes moments.
pub fn keep_places(index: pg_sys::Oid) -> Option<Held> {
    acquire(tag(Subject::Places, index), pg_sys::ShareLock, false, Wait::Yes)
}

/// The role of this database's worker, until the process ends; None when another process has it.
pub fn become_worker() -> Option<Held> {
    acquire(
        tag(Subject::Worker, pg_sys::InvalidOid),
        pg_sys::ExclusiveLock,
        true,
        Wait::No,
    )
}

/// True while no process is this database's worker.
pub fn worker_is_missing() -> bool {
    // Those who ask do not keep each other from knowing.
    let tag = tag(Subject::Worker, pg_sys::InvalidOid);
    acquire(tag, pg_sys::ShareLock, false, Wait::No).is_some()
}

/// True when somebody wants to drop, rename or copy this database and waits for its sessions to end.
pub fn database_is_wanted() -> bool {
    let tag = pg_sys::LOCKTAG {
        locktag_field1: 0,
        locktag_field2: pg_sys::DatabaseRelationId.to_u32(),
        // SAFETY: as above.
        locktag_field3: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    acquire(tag, pg_sys::RowExclusiveLock, false, Wait::No).is_none()
}

/// True when somebody waits for a lock on this index.
///
/// Trying a conflicting mode would not tell: from PostgreSQL 18 on who holds a lock gets it before those that wait.
pub fn index_is_wanted(index: pg_sys::Oid) -> bool {
    let tag = pg_sys::LOCKTAG {
        // SAFETY: as above.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: index.to_u32(),
        locktag_field3: 0,
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_RELATION as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    let waits = |lock: &pg_sys::LockInstanceData| {
        let of = &lock.locktag;
        (of.locktag_type, of.locktag_field1, of.locktag_field2)
            == (tag.locktag_type, tag.locktag_field1, tag.locktag_field2)
            && lock.waitLockMode != pg_sys::NoLock as i32
    };
    // SAFETY: a valid tag; the copy of the lock table is ours and goes when it has been read.
    unsafe {
        // Readers and writers lock without the shared table; who has to wait is in it.
        if pg_sys::LockWaiterCount(&tag) == 0 {
            return false;
        }
        let all = pg_sys::GetLockStatusData();
        let locks = std::slice::from_raw_parts((*all).locks, (*all).nelements as usize);
        let wanted = locks.iter().any(waits);
        pg_sys::pfree((*all).locks.cast());
        pg_sys::pfree(all.cast());
        wanted
    }
}

/// True when somebody waits for the maintenance lock of this index, which the caller holds.
pub fn maintenance_is_wanted(index: pg_sys::Oid) -> bool {
    // SAFETY: as in `Held::is_wanted`.
    unsafe { pg_sys::LockHasWaiters(&tag(Subject::Maintenance, index), pg_sys::ExclusiveLock as i32, false) }
}

impl Held {
    /// True when somebody waits for this lock.
    pub fn is_wanted(&self) -> bool {
        // SAFETY: the lock is held; it is none of those that PostgreSQL may keep in a backend's own memory.
        unsafe { pg_sys::LockHasWaiters(&self.tag, self.mode, self.of_session) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: the lock is held by us.
            unsafe { pg_sys::LockRelease(&self.tag, self.mode, self.of_session) };
        }
    }
}
