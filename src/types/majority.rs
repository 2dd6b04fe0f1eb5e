//! The aggregate `majority`: the middle of a cluster of codes.

use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::bitvec::{Args, build};
use super::sql_function;
use crate::error::report;
use crate::nodes::functions;

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

functions! {
    /// 0 outside of an aggregate.
    fn look_up_context(args: Args<'_>, context: &mut pg_sys::MemoryContext) -> i32 = AggCheckCallContext;
}

sql_function!(
    /// Transition function of `majority`: `(state, code) → state`.
    bitvec_majority_count, |args| {
        let add = |counts: &mut Counts| {
            if !args.is_null(1) {
                counts.add(args.bytes(1));
            }
        };
        match state(args) {
            Some(counts) => {
                add(counts);
                args.datum(0)
            }
            None => {
                let mut counts = Counts::default();
                add(&mut counts);
                Datum::from(PgMemoryContexts::For(aggregate_context(args)).leak_and_drop_on_delete(counts))
            }
        }
    }
);

sql_function!(
    /// Final function of `majority`: NULL when there was no code.
    bitvec_majority_code, |args| {
        match state(args).filter(|counts| !counts.codes.is_empty()) {
            Some(counts) => build(counts.codes.len(), |code| counts.write(code)),
            None => args.null(),
        }
    }
);

/// The state, if there has been a row. Each function asks for it once.
fn state(args: Args<'_>) -> Option<&mut Counts> {
    // SAFETY: of type internal, so it is what the transition function has returned; no other call has it meanwhile.
    (!args.is_null(0)).then(|| unsafe { &mut *args.datum(0).cast_mut_ptr() })
}

/// Memory that lives as long as the aggregate's state; an error when the function is called by itself.
fn aggregate_context(args: Args) -> pg_sys::MemoryContext {
    let mut context = std::ptr::null_mut();
    if look_up_context(args, &mut context) == 0 {
        report(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "aggregate function called in non-aggregate context",
        )
        .raise();
    }
    context
}
