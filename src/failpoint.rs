//! Named places where tests end a process or hold it. Compiled in by the feature `failpoints` only.
//!
//! `iscc_usearch.failpoint = 'name:kill'` makes the process that comes to that place end by SIGKILL, as in a crash;
//! `name:pause` makes it say so in the server's log and stay there; `name:lock` makes it wait there for the advisory
//! lock 42; `name:error` raises an error; `name:panic` panics. `name:kill:3` waits for the third time that the process
//! comes there. `build_meanwhile:on` makes a worker look at the tail in every build,
//! however short.

/// Marks a place by name.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::reached($name);
    };
}
pub(crate) use failpoint;

/// True when the setting is `name:on`: for what tests want to happen where it could.
macro_rules! failpoint_is_on {
    ($name:literal) => {
        cfg!(feature = "failpoints") && $crate::failpoint::is_on($name)
    };
}
pub(crate) use failpoint_is_on;

#[cfg(not(feature = "failpoints"))]
pub fn is_on(_name: &str) -> bool {
    false
}

#[cfg(feature = "failpoints")]
mod enabled {
    use std::cell::Cell;
    use std::ffi::CString;
    use std::time::Duration;

    use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
    use pgrx::{IntoDatum, pg_sys};

    /// The advisory lock that a test takes alone to hold a process at a place, and gives back to let it go on.
    const LOCK: i64 = 42;

    static FAILPOINT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

    thread_local! {
        /// How often this process has come to the place that is set.
        static TIMES: Cell<u32> = const { Cell::new(0) };
    }

    /// Registers the setting; called when the library is loaded.
    pub fn register() {
        GucRegistry::define_string_guc(
            c"iscc_usearch.failpoint",
            c"What happens at a named place, for tests.",
            c"One of name:kill, name:pause, name:lock, name:error and name:panic.",
            &FAILPOINT,
            GucContext::Suset,
            GucFlags::default(),
        );
    }

    /// True when the setting is this name and `on`.
    pub fn is_on(name: &str) -> bool {
        let setting = FAILPOINT.get();
        setting.is_some_and(|setting| setting.to_string_lossy().strip_prefix(name) == Some(":on"))
    }

    /// Does what the setting says about this place.
    pub fn reached(name: &str) {
        let Some(setting) = FAILPOINT.get() else { return };
        let setting = setting.to_string_lossy();
        let Some(what) = setting.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')) else {
            return;
        };
        let (what, wanted) = what.split_once(':').unwrap_or((what, "1"));
        TIMES.set(TIMES.get() + 1);
        if TIMES.get() < wanted.parse().unwrap_or(1) {
            return;
        }
        crate::error::log(format!("reached failpoint {name}"));
        match what {
            "kill" => {
                // SAFETY: ends this process.
                unsafe { libc::raise(libc::SIGKILL) };
            }
            "pause" => loop {
                std::thread::sleep(Duration::from_millis(10));
                crate::error::check_for_interrupts();
            },
            "lock" => {
                // SAFETY: a function of SQL with its one argument, which returns nothing.
                unsafe { pgrx::direct_function_call::<()>(pg_sys::pg_advisory_lock_shared_int8, &[LOCK.into_datum()]) };
            }
            "panic" => panic!("panic at failpoint {name}"),
            _ => crate::error::report(
                pgrx::PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
                format!("failpoint {name} was reached"),
            )
            .raise(),
        }
    }
}

#[cfg(feature = "failpoints")]
pub use enabled::{is_on, reached, register};
