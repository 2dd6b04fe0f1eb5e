//! Asking the operating system for parts of mapped files that are read next.
//!
//! A part that is not in memory is read from the disk when it is touched, and whoever touches it waits. Parts that are
//! asked for before are read at the same time.

use std::ops::Range;
use std::sync::OnceLock;

/// Asks for all of these parts at once, and does not wait for them. Does nothing where memory is not that of a file.
#[cold]
pub fn read<'a>(parts: impl Iterator<Item = &'a [u8]>) {
    let page = page_bytes();
    let pages_of = |part: &[u8]| {
        let Range { start, end } = part.as_ptr_range();
        start.addr() / page..end.addr().div_ceil(page)
    };
    let mut pages: Vec<usize> = parts.filter(|part| !part.is_empty()).flat_map(pages_of).collect();
    pages.sort_unstable();
    pages.dedup();
    for run in pages.chunk_by(|page, next| page + 1 == *next) {
        let start = std::ptr::without_provenance_mut(run[0] * page);
        // SAFETY: this advice changes no memory, and pages that are none of the process's are an error, which is ignored.
        unsafe { libc::madvise(start, run.len() * page, libc::MADV_WILLNEED) };
    }
}

fn page_bytes() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    // SAFETY: always safe.
    *BYTES.get_or_init(|| usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is asked for, memory stays as it is.
    #[test]
    #[cfg_attr(miri, ignore = "which has no madvise")]
    fn asking_changes_nothing() {
        let bytes: Vec<u8> = (0..100_000u32).map(|at| at as u8).collect();
        let before = bytes.clone();
        read([&bytes[..], &[], &bytes[5..6], &bytes[99_999..], &bytes[3..70_000]].into_iter());
        read(std::iter::empty());
        assert_eq!(bytes, before);
    }
}
