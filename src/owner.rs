//! Calling functions of another user with that user's rights only.

use pgrx::pg_sys;

use crate::compat;
use crate::relation::Index;

/// Where such code finds objects that it names without their schema.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SearchPath {
    /// Where REINDEX would find them: from PostgreSQL 17 on only in `pg_catalog`, before in the session's search path.
    AsReindex,
    /// Only in `pg_catalog`, and among temporary objects last.
    Safe,
}

/// Runs `work`, which calls functions of an index's definition, as the owner of the index and its table: as PostgreSQL
/// builds indexes, so that these functions cannot use the rights of the user who maintains or checks. They can neither
/// change the role nor create temporary objects, and settings that they change are set back. An error sets back user
/// and settings when it ends the transaction.
pub fn as_owner<T>(index: Index<'_>, path: SearchPath, work: impl FnOnce() -> T) -> T {
    let (mut user, mut context) = (pg_sys::InvalidOid, 0);
    // SAFETY: this backend's own state, inside a transaction. An index has the owner of its table.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        let restricted = context | pg_sys::SECURITY_RESTRICTED_OPERATION as i32;
        pg_sys::SetUserIdAndSecContext(index.class().owner(), restricted);
        let settings = pg_sys::NewGUCNestLevel();
        match path {
            SearchPath::AsReindex => compat::restrict_search_path_as_reindex(),
            SearchPath::Safe => compat::restrict_search_path(),
        }
        let result = work();
        pg_sys::AtEOXact_GUC(false, settings);
        pg_sys::SetUserIdAndSecContext(user, context);
        result
    }
}
