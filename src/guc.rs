//! Settings that users change with SET.

use std::time::Duration;

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};

/// How an ordered scan searches sealed shards.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, PostgresGucEnum)]
pub enum SearchMode {
    /// For each shard what reaches the recall at less cost: its graph, or its codes one by one.
    #[default]
    #[name = c"auto"]
    Auto,
    /// Always the graph, where the shard's file is usable.
    #[name = c"graph"]
    Graph,
    /// Never the graph: every code, from the log.
    #[name = c"exact"]
    Exact,
}

static SEARCH_MODE: GucSetting<SearchMode> = GucSetting::<SearchMode>::new(SearchMode::Auto);
static EF_SEARCH: GucSetting<i32> = GucSetting::<i32>::new(0);
static BACKGROUND_WORKER: GucSetting<bool> = GucSetting::<bool>::new(true);
static WORKER_THREADS: GucSetting<i32> = GucSetting::<i32>::new(0);
static LAUNCHER_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(60);

static TARGET_RECALL: GucSetting<f64> = GucSetting::<f64>::new(0.99);

const MAX_EF_SEARCH: i32 = 10_000;

fn search_mode() -> SearchMode {
    SEARCH_MODE.get()
}

/// What a search goes by, as it was when the search began: SET changes nothing for an open cursor.
#[derive(Clone, Copy, Default)]
pub struct SearchSettings {
    /// `iscc_usearch.search_mode`.
    pub mode: SearchMode,
    /// The effort that `iscc_usearch.ef_search` asks for; None when it leaves that to the calibration.
    pub ef: Option<usize>,
    /// `iscc_usearch.target_recall`.
    pub recall: f64,
}

impl SearchSettings {
    /// The session's settings now.
    pub fn of_session() -> Self {
        SearchSettings {
            mode: search_mode(),
            ef: ef_search(),
            recall: target_recall(),
        }
    }
}

/// The effort that `iscc_usearch.ef_search` asks for; None when it leaves that to the calibration.
pub fn ef_search() -> Option<usize> {
    match EF_SEARCH.get() {
        0 => None,
        ef => Some(ef as usize),
    }
}

fn target_recall() -> f64 {
    TARGET_RECALL.get()
}

const MAX_WORKER_THREADS: i32 = 64;
const SECONDS_A_DAY: i32 = 86_400;

/// `iscc_usearch.background_worker`.
pub fn background_worker() -> bool {
    BACKGROUND_WORKER.get()
}

/// The threads that `iscc_usearch.worker_threads` gives to a background build: by default half of the processors.
pub fn worker_threads() -> usize {
    match WORKER_THREADS.get() {
        0 => std::thread::available_parallelism().map_or(1, |n| n.get()).div_ceil(2),
        threads => threads as usize,
    }
}

/// `iscc_usearch.launcher_interval`.
pub fn launcher_interval() -> Duration {
    Duration::from_secs(LAUNCHER_INTERVAL.get() as u64)
}

/// Registers the settings; called when the library is loaded.
pub fn register() {
    GucRegistry::define_enum_guc(
        c"iscc_usearch.search_mode",
        c"How an ordered index scan searches sealed shards.",
        c"auto: for each shard its graph or all its codes, as its calibration says; graph: always the graph; exact: every code, from the log.",
        &SEARCH_MODE,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"iscc_usearch.ef_search",
        c"Number of candidates that a graph search keeps.",
        c"Larger values find more true neighbours but take longer. 0 means whatever target_recall needs.",
        &EF_SEARCH,
        0,
        MAX_EF_SEARCH,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_float_guc(
        c"iscc_usearch.target_recall",
        c"Fraction of the true ten nearest neighbours that a search should find on average.",
        c"Each shard is measured when it is built. A search uses the least effort that reached this recall, or compares all codes.",
        &TARGET_RECALL,
        0.0,
        1.0,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"iscc_usearch.background_worker",
        c"Whether inserts, VACUUM and standbys start a background worker that builds shards.",
        c"If this is off, VACUUM does the work.",
        &BACKGROUND_WORKER,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"iscc_usearch.worker_threads",
        c"Number of threads that the background worker builds a shard with.",
        c"0 means half of the processors.",
        &WORKER_THREADS,
        0,
        MAX_WORKER_THREADS,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"iscc_usearch.launcher_interval",
        c"Interval at which the launcher starts the background worker of each database.",
        c"The launcher runs if iscc_usearch is in shared_preload_libraries.",
        &LAUNCHER_INTERVAL,
        1,
        SECONDS_A_DAY,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    #[cfg(feature = "failpoints")]
    crate::failpoint::register();
    crate::compat::reserve_guc_prefix(c"iscc_usearch");
}
