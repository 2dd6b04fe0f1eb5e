//! What a server's log says about crashes and panics.

/// The prefix of each line. It has the SQLSTATE, as a panic in Rust reaches the log as an error with XX000 and the
/// panic's own text, which may be anything.
pub(crate) const PREFIX: &str = "%m [%p] %b %e ";

/// What errors with XX000 say that are no panics: those of the core server that a test may cause, and the failure
/// points.
const INTERNAL_ERRORS: [&str; 4] = [
    // Another session drops what this one looks at.
    "could not open relation with OID ",
    "cache lookup failed for ",
    "tuple concurrently ",
    "failpoint ",
];

/// The first line that tells of a crash or a panic, apart from `kills` processes that the test has killed itself.
pub(crate) fn crash(log: &str, mut kills: usize) -> Option<&str> {
    log.lines().find(|line| {
        if line.contains("was terminated by signal") {
            let by_the_test = kills > 0 && line.contains("was terminated by signal 9");
            kills -= usize::from(by_the_test);
            return !by_the_test;
        }
        ["PANIC:", "TRAP:", "panicked at", "AddressSanitizer"]
            .iter()
            .any(|text| line.contains(text))
            || internal_error(line).is_some_and(|text| !INTERNAL_ERRORS.iter().any(|known| text.starts_with(known)))
    })
}

/// The message of an error with SQLSTATE XX000.
fn internal_error(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(" XX000 ")?;
    ["ERROR:  ", "FATAL:  "]
        .iter()
        .find_map(|severity| rest.strip_prefix(severity))
}

#[cfg(test)]
mod tests {
    use super::crash;

    #[test]
    fn crashes() {
        for line in [
            "2026-01-01 00:00:00 UTC [7] postmaster 00000 LOG:  server process (PID 8) was terminated by signal 11: Segmentation fault",
            "2026-01-01 00:00:00 UTC [7] client backend XX000 ERROR:  index out of bounds: the len is 4 but the index is 7",
            "2026-01-01 00:00:00 UTC [7] iscc_usearch worker XX000 FATAL:  attempt to add with overflow",
            "2026-01-01 00:00:00 UTC [7] checkpointer XX000 PANIC:  could not write",
            "thread '<unnamed>' (9) panicked at crates/hnsw/src/build/builder.rs:7:7:",
            "TRAP: failed Assert(\"false\"), File: \"bufmgr.c\"",
        ] {
            let log = format!("a line\n{line}\nanother one");
            assert_eq!(crash(&log, 0), Some(line));
        }
    }

    #[test]
    fn no_crashes() {
        let log = "2026-01-01 00:00:00 UTC [7] client backend XX000 ERROR:  failpoint shard_created was reached
2026-01-01 00:00:00 UTC [7] client backend XX000 STATEMENT:  SELECT usearch_seal('t_code')
2026-01-01 00:00:00 UTC [7] client backend XX001 ERROR:  invalid page in block 7
2026-01-01 00:00:00 UTC [7] client backend XX000 ERROR:  could not open relation with OID 77
2026-01-01 00:00:00 UTC [7] client backend 22P02 ERROR:  invalid input syntax for type bitvec: \"panic\"";
        assert_eq!(crash(log, 0), None);
    }

    #[test]
    fn kills_of_the_test() {
        let log = "server process (PID 8) was terminated by signal 9: Killed";
        assert_eq!(crash(log, 1), None);
        assert_eq!(crash(log, 0), Some(log));
        let twice = format!("{log}\n{log}");
        assert_eq!(crash(&twice, 1), Some(log));
        assert!(crash("server process (PID 8) was terminated by signal 6: Aborted", 1).is_some());
    }
}
