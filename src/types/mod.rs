//! The SQL types `bitvec` and `bitvec_ball`: input and output, comparison, distances, casts.

pub mod array;
pub mod ball;
mod ball_order;
mod bits;
pub mod bitvec;
pub mod cast;
pub mod compare;
pub mod dense_ball;
pub mod distance;
pub mod io;
mod majority;
pub mod vector;

/// Defines a function that SQL calls by the version-1 convention, under its own name.
///
/// The body gets the call's [`Args`](crate::types::bitvec::Args) and returns a Datum. Functions
/// declared STRICT in SQL may assume that no argument is NULL.
macro_rules! sql_function {
    ($(#[$meta:meta])* $name:ident, |$args:ident| $body:expr) => {
        $(#[$meta])*
        #[pgrx::pg_guard]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(
            fcinfo: pgrx::pg_sys::FunctionCallInfo,
        ) -> pgrx::pg_sys::Datum {
            // SAFETY: PostgreSQL calls this as SQL declares it.
            let $args = unsafe { $crate::types::bitvec::Args::new(&fcinfo) };
            $body
        }

        const _: () = {
            #[unsafe(export_name = concat!("pg_finfo_", stringify!($name)))]
            extern "C" fn finfo() -> *const pgrx::pg_sys::Pg_finfo_record {
                static RECORD: pgrx::pg_sys::Pg_finfo_record =
                    pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
                &RECORD
            }
        };
    };
}
pub(crate) use sql_function;
