//! The pages of a `usearch` index, as bytes: nothing here reads a buffer, takes a lock or writes WAL.
//!
//! | module | job |
//! |---|---|
//! | [`page`] | what all pages have in common |
//! | [`log_page`] | pages of entries: code and heap TID |
//! | [`span`] | values that span pages |
//! | `segment` | a range of log blocks, as a value and as a record; its names are [`directory`]'s |
//! | [`directory`] | the metapage and the pages of the segment directory |
//! | [`allocation`] | free blocks, neighbouring segments |
//! | [`policy`] | what maintenance is due |

#![deny(unsafe_code)]

pub mod allocation;
pub mod directory;
pub mod log_page;
pub mod page;
pub mod policy;
mod segment;
pub mod span;
