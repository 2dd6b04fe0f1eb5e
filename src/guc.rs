//! Settings that users change with SET.

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};

/// How an ordered scan searches sealed shards.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PostgresGucEnum)]
pub enum SearchMode {
    /// For each shard what is cheaper: its graph, or its codes one by one.
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

/// Effort of a graph search when `ef_search` is 0: candidates kept.
pub const DEFAULT_EF_SEARCH: usize = 320;
const MAX_EF_SEARCH: i32 = 10_000;

/// `iscc_usearch.search_mode`.
pub fn search_mode() -> SearchMode {
    SEARCH_MODE.get()
}

/// The effort that `iscc_usearch.ef_search` asks for.
pub fn ef_search() -> usize {
    match EF_SEARCH.get() {
        0 => DEFAULT_EF_SEARCH,
        ef => ef as usize,
    }
}

/// Registers the settings; called when the library is loaded.
pub fn register() {
    GucRegistry::define_enum_guc(
        c"iscc_usearch.search_mode",
        c"How an ordered index scan searches sealed shards.",
        c"auto: the graph or the exact scan of each shard, whichever is cheaper; graph: always the graph; exact: every code.",
        &SEARCH_MODE,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"iscc_usearch.ef_search",
        c"Number of candidates that a graph search keeps.",
        c"More find more of the true neighbours and take longer. 0 takes the built-in default.",
        &EF_SEARCH,
        0,
        MAX_EF_SEARCH,
        GucContext::Userset,
        GucFlags::default(),
    );
    crate::compat::reserve_guc_prefix();
}
