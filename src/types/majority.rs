//! The aggregate `majority`: the middle of a cluster of codes.

use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::bitvec::{Args, build};
use super::sql_function;
use crate::error::report;

/// For each bit how many codes have it, and how many have it set.
#[derive(Default)]
struct Counts {
    /// Of a byte: its eight bits belong to the same codes.
    codes: Vec<u64>,
    set: Vec<u64>,
}

impl Counts {
    fn add(&mut self, code: &[u8]) {
        if self.codes.len() < code.len() {
            self.codes.resize(code.len(), 0);
            self.set.resize(8 * code.len(), 0);
        }
        for (at, byte) in code.iter().enumerate() {
            self.codes[at] += 1;
            for (bit, set) in self.set[8 * at..8 * at + 8].iter_mut().enumerate() {
                *set += u64::from(byte >> (7 - bit) & 1);
            }
        }
    }

    /// The bits set in more than half of the codes that have them.
    fn write(&self, code: &mut [u8]) {
        for (at, byte) in code.iter_mut().enumerate() {
            let is_set = |set: &u64| 2 * set > self.codes[at];
            let bits = self.set[8 * at..8 * at + 8].iter().map(is_set);
            *byte = bits.fold(0, |byte, bit| byte << 1 | u8::from(bit));
        }
    }
}

sql_function!(
    /// Transition function of `majority`: `(state, code) → state`.
    bitvec_majority_count, |args| {
        // SAFETY: the state is what this function returned for an earlier row; nobody else has it meanwhile.
        let state = unsafe { state(args) };
        let counts = match state {
            Some(counts) => counts,
            None => PgMemoryContexts::For(aggregate_context(args))
                .leak_and_drop_on_delete(Counts::default()),
        };
        if !args.is_null(1) {
            // SAFETY: as above.
            unsafe { (*counts).add(args.bytes(1)) };
        }
        Datum::from(counts)
    }
);

sql_function!(
    /// Final function of `majority`: NULL when there was no code.
    bitvec_majority_code, |args| {
        // SAFETY: as in the transition function.
        let counts = unsafe { state(args).map(|counts| &*counts) };
        match counts.filter(|counts| !counts.codes.is_empty()) {
            Some(counts) => build(counts.codes.len(), |code| counts.write(code)),
            None => args.null(),
        }
    }
);

unsafe fn state(args: Args) -> Option<*mut Counts> {
    (!args.is_null(0)).then(|| args.datum(0).cast_mut_ptr())
}

/// Memory that lives as long as the aggregate's state; an error when the function is called by itself.
fn aggregate_context(args: Args) -> pg_sys::MemoryContext {
    let mut context = std::ptr::null_mut();
    // SAFETY: a call's own information.
    if unsafe { pg_sys::AggCheckCallContext(args.raw(), &mut context) } == 0 {
        report(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "aggregate function called in non-aggregate context",
        )
        .raise();
    }
    context
}
