//! Locks among those who maintain an index.
//!
//! They are advisory locks with our own class number. Unlike page locks they take part in deadlock detection, may be
//! held together with others, and exist on a standby.

use pgrx::pg_sys;

use super::process::database;
use crate::nodes::functions;

/// Distinguishes our locks from those of `pg_advisory_lock`, which have 1 and 2 here.
const CLASS: u16 = 0x15CC;

/// What is locked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// Structural changes of an index: one session at a time seals, merges and moves.
    Maintenance,
    /// The places of an index's entries. VACUUM, which must see each of them, shares it; a move has it alone.
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

/// An advisory lock that this process holds. Released when dropped; an error releases it at the end of the transaction.
pub struct AdvisoryLock {
    tag: pg_sys::LOCKTAG,
    mode: pg_sys::LOCKMODE,
    of_session: bool,
}

fn tag(subject: Subject, index: pg_sys::Oid) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        locktag_field1: database().to_u32(),
        locktag_field2: index.to_u32(),
        locktag_field3: subject as u32,
        locktag_field4: CLASS,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

functions! {
    /// An error in a mode that does not exist.
    fn acquire_lock(tag: &pg_sys::LOCKTAG, mode: i32, of_session: bool, does_not_wait: bool) -> u32 = LockAcquire;
    /// A warning if it is not held.
    fn release_lock(tag: &pg_sys::LOCKTAG, mode: i32, of_session: bool) -> bool = LockRelease;
    fn lock_has_waiters(tag: &pg_sys::LOCKTAG, mode: i32, of_session: bool) -> bool = LockHasWaiters;
    /// Despite its name, it counts those who hold the lock, too.
    fn requester_count(tag: &pg_sys::LOCKTAG) -> i32 = LockWaiterCount;
}

fn acquire(tag: pg_sys::LOCKTAG, mode: u32, of_session: bool, wait: Wait) -> Option<AdvisoryLock> {
    let mode = mode as pg_sys::LOCKMODE;
    let result = acquire_lock(&tag, mode, of_session, wait == Wait::No);
    (result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL).then(|| AdvisoryLock { tag, mode, of_session })
}

/// The right to change the structure of an index; None if another session has it and we do not wait.
pub fn maintenance(index: pg_sys::Oid, wait: Wait) -> Option<AdvisoryLock> {
    acquire(tag(Subject::Maintenance, index), pg_sys::ExclusiveLock, false, wait)
}

/// The right to move an index's entries; None while VACUUM is reading them.
pub fn places_alone(index: pg_sys::Oid) -> Option<AdvisoryLock> {
    acquire(tag(Subject::Places, index), pg_sys::ExclusiveLock, false, Wait::No)
}

/// Keeps an index's entries where they are. Waits for a move to end, which takes moments.
pub fn places_shared(index: pg_sys::Oid) -> Option<AdvisoryLock> {
    acquire(tag(Subject::Places, index), pg_sys::ShareLock, false, Wait::Yes)
}

/// The role of this database's worker, until the process ends; None if another process has it.
pub fn become_worker() -> Option<AdvisoryLock> {
    let tag = tag(Subject::Worker, pg_sys::InvalidOid);
    acquire(tag, pg_sys::ExclusiveLock, true, Wait::No)
}

/// True while no process is this database's worker.
pub fn worker_is_missing() -> bool {
    // A share lock, so that processes that ask at the same time do not block each other.
    let tag = tag(Subject::Worker, pg_sys::InvalidOid);
    acquire(tag, pg_sys::ShareLock, false, Wait::No).is_some()
}

/// True if a session wants to drop, rename or copy this database and waits for its other sessions to end.
pub fn database_is_wanted() -> bool {
    let tag = pg_sys::LOCKTAG {
        locktag_field1: 0,
        locktag_field2: pg_sys::DatabaseRelationId.to_u32(),
        locktag_field3: database().to_u32(),
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    acquire(tag, pg_sys::RowExclusiveLock, false, Wait::No).is_none()
}

/// True if a session waits for a lock on this index.
///
/// Trying a conflicting mode would not tell: from PostgreSQL 18 on, a process that holds a lock gets further modes of
/// it before those that wait.
pub fn index_is_wanted(index: pg_sys::Oid) -> bool {
    let tag = pg_sys::LOCKTAG {
        locktag_field1: database().to_u32(),
        locktag_field2: index.to_u32(),
        locktag_field3: 0,
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_RELATION as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    // Readers and writers lock without the shared table; those that have to wait are in it.
    let may_be = requester_count(&tag) > 0;
    let is_of_index = |of: &pg_sys::LOCKTAG| {
        (of.locktag_type, of.locktag_field1, of.locktag_field2)
            == (tag.locktag_type, tag.locktag_field1, tag.locktag_field2)
    };
    let waits = |lock: &pg_sys::LockInstanceData| lock.waitLockMode != pg_sys::NoLock as i32;
    may_be && all_locks().iter().any(|lock| is_of_index(&lock.locktag) && waits(lock))
}

/// Which processes maintain an index, as of now. Asking waits for no lock, and nobody waits for the answer.
pub struct Maintainers {
    /// Some process is maintaining this index.
    pub of_index: bool,
    /// This database's worker runs.
    pub worker: bool,
}

impl Maintainers {
    pub fn of(index: pg_sys::Oid) -> Self {
        // PostgreSQL counts those who hold a lock with those who wait for it, and nobody waits for one that is free.
        // Advisory locks are always in the shared table, so it need not be copied to find them.
        let is_held = |tag: pg_sys::LOCKTAG| requester_count(&tag) > 0;
        Maintainers {
            of_index: is_held(tag(Subject::Maintenance, index)),
            worker: is_held(tag(Subject::Worker, pg_sys::InvalidOid)),
        }
    }
}

/// A copy of the server's lock table.
fn all_locks() -> Vec<pg_sys::LockInstanceData> {
    // SAFETY: PostgreSQL's copy is allocated for us, has as many elements as it says, and is freed after it was copied.
    unsafe {
        let all = pg_sys::GetLockStatusData();
        let locks = std::slice::from_raw_parts((*all).locks, (*all).nelements as usize).to_vec();
        pg_sys::pfree((*all).locks.cast());
        pg_sys::pfree(all.cast());
        locks
    }
}

/// True if a session waits for the maintenance lock of this index, which the caller holds.
pub fn maintenance_is_wanted(index: pg_sys::Oid) -> bool {
    has_waiters(&tag(Subject::Maintenance, index), pg_sys::ExclusiveLock as i32, false)
}

fn has_waiters(tag: &pg_sys::LOCKTAG, mode: pg_sys::LOCKMODE, of_session: bool) -> bool {
    // An advisory lock is always in the shared table, never in a backend's own memory only. For one that this process
    // does not hold, PostgreSQL warns and says no.
    lock_has_waiters(tag, mode, of_session)
}

impl AdvisoryLock {
    /// True if a session waits for this lock.
    pub fn is_wanted(&self) -> bool {
        has_waiters(&self.tag, self.mode, self.of_session)
    }
}

impl Drop for AdvisoryLock {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            release_lock(&self.tag, self.mode, self.of_session);
        }
    }
}
