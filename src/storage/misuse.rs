//! Three ways to misuse a page, none of which compiles: `scripts/check-misuse` compiles each of them and wants the
//! error that it names.

#![allow(unused_imports)]

use super::buffer::{Exclusive, Locked, Shared};
use super::update::{Logging, Update};
use crate::relation::Index;

/// Written after the record is finished: the change would be in no WAL record.
#[cfg(misuse = "written_after_commit")] // E0505
fn written_after_commit<'b>(mut update: Update<'b>, buffer: &'b mut Locked<Exclusive>) {
    let page = update.page(buffer);
    update.commit();
    page[0] = 1;
}

/// Written under a share lock: another process may be reading it.
#[cfg(misuse = "written_when_shared")] // E0308
fn written_when_shared<'b>(mut update: Update<'b>, buffer: &'b mut Locked<Shared>) {
    update.page(buffer)[0] = 1;
    update.commit();
}

/// Unlocked before the record is finished: another process may change it in between.
#[cfg(misuse = "unlocked_before_commit")] // E0505
fn unlocked_before_commit(index: Index<'_>, mut buffer: Locked<Exclusive>) {
    let mut update = Update::begin(index, Logging::EachChange);
    update.page(&mut buffer)[0] = 1;
    drop(buffer);
    update.commit();
}
