//! Building a shard: codes in, graph and posting lists out, in memory.

use std::sync::atomic::{AtomicU32, Ordering};

use iscc_metrics::bits::{Rows, length_bytes};

use super::measure;
use crate::control::{BuildControl, CHECK_STRIDE, Cancelled};
use crate::graph::code_set::CodeSet;
use crate::graph::insert::Inserter;
use crate::graph::levels::Levels;
use crate::graph::lists::Graph;
use crate::graph::{order, repair};
use crate::params::BuildParams;
use crate::shard::Calibration;
use crate::shard::format::{self, Layout};
use crate::shard::words::{self, WordColumns};
use crate::space::{Codes, Space};

/// Nodes inserted by one thread before the others join: two nodes inserted at once do not see each other, which matters
/// while the graph is small.
const SERIAL_NODES: usize = if cfg!(miri) { 4 } else { 1024 };

/// Nodes between two updates of the progress counter.
const PROGRESS_STRIDE: u64 = 16;

/// Expected size of the file of `entries` codes, all distinct, without the entry ranges: an upper bound but for the
/// random number of upper-level links, which varies by a fraction of a percent.
pub fn estimated_file_bytes(entries: u64, params: &BuildParams) -> u64 {
    file_bytes(entries, entries, &params.clone().clamped())
}

/// Expected file size for distinct codes (`nodes`) with `entries` ordinals.
fn file_bytes(nodes: u64, entries: u64, params: &BuildParams) -> u64 {
    let max_code_bytes = u64::from(params.max_code_bytes);
    let row = max_code_bytes + length_bytes(usize::from(params.max_code_bytes)) as u64;
    let m = u64::from(params.m);
    // A node has on average 1 / (m - 1) upper lists.
    let upper = (nodes * format::upper_list_bytes(m)).div_ceil(m - 1);
    let words = words::estimated_bytes(nodes, params.max_code_bytes);
    nodes * (row + 2 + format::base_node_bytes(m) + 4) + upper + entries * 4 + words + format::FIXED_BYTES
}

/// Collects the codes of a shard.
pub struct ShardBuilder {
    params: BuildParams,
    codes: CodeSet,
    /// Ordinal and distinct code of every entry.
    entries: Vec<(u32, u32)>,
}

impl ShardBuilder {
    /// An empty builder; parameters out of range are moved to the nearest end of their range.
    pub fn new(params: BuildParams) -> Self {
        let params = params.clamped();
        let codes = CodeSet::new(usize::from(params.max_code_bytes), params.seed);
        Self {
            params,
            codes,
            entries: Vec::new(),
        }
    }

    /// Adds an entry. The code is 1 to `max_code_bytes` long: a longer one is cut, an empty one is not indexed.
    ///
    /// # Panics
    /// If there are more than [`MAX_NODES`](crate::MAX_NODES) distinct codes.
    pub fn push(&mut self, ordinal: u32, code: &[u8]) {
        let code = &code[..code.len().min(usize::from(self.params.max_code_bytes))];
        if !code.is_empty() {
            let index = self.codes.insert(code);
            self.entries.push((ordinal, index));
        }
    }

    /// Entries added so far.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Distinct codes so far: the nodes that the shard will have.
    pub fn nodes(&self) -> u32 {
        self.codes.len()
    }

    /// Expected size of the file of what was added so far, without the entry ranges.
    pub fn estimated_file_bytes(&self) -> u64 {
        file_bytes(u64::from(self.nodes()), self.entries.len() as u64, &self.params)
    }

    /// Builds the shard; blocks until done or cancelled.
    ///
    /// Starts `threads - 1` threads. They inherit the signal mask of the caller: **a process with signal handlers that
    /// are not made for other threads (a PostgreSQL backend) blocks all signals around this call**, and calls it from a
    /// thread of its own if it has to handle interrupts meanwhile.
    ///
    /// # Errors
    /// [`Cancelled`], when [`BuildControl::cancel`] was called.
    ///
    /// # Panics
    /// If a thread cannot be started for lack of resources.
    pub fn build(self, control: &BuildControl) -> Result<BuiltShard, Cancelled> {
        let Self { params, codes, entries } = self;
        let m = usize::from(params.m);
        let (code_of_node, levels) = order::number_nodes(&codes, m, params.seed, control)?;
        let rows = gather_rows(&codes, &code_of_node, control)?;
        let postings = PostingLists::new(entries, &code_of_node, control)?;
        drop(codes);
        let all_rows = Rows::new(&rows, usize::from(params.max_code_bytes));
        let graph = link_all(Codes::new(all_rows, params.metric), levels, &params, control)?;
        let columns = WordColumns::of(all_rows, control)?;
        let calibration = measure::measure(&graph, all_rows, columns.table(), &params, control)?;
        Ok(BuiltShard {
            params,
            rows,
            graph,
            postings,
            columns,
            calibration,
        })
    }
}

/// Copies the rows into the order of the nodes.
fn gather_rows(codes: &CodeSet, code_of_node: &[u32], control: &BuildControl) -> Result<Vec<u8>, Cancelled> {
    let mut rows = Vec::with_capacity(code_of_node.len() * codes.stride());
    for chunk in code_of_node.chunks(CHECK_STRIDE) {
        control.check()?;
        chunk.iter().for_each(|&index| rows.extend_from_slice(codes.row(index)));
    }
    Ok(rows)
}

/// The graph of all rows: inserts each, then makes sure that it can be reached.
fn link_all<S: Space + Sync>(
    space: S,
    levels: Levels,
    params: &BuildParams,
    control: &BuildControl,
) -> Result<Graph, Cancelled> {
    control.set_total(u64::from(levels.nodes()));
    let graph = Graph::new(levels, usize::from(params.m));
    if levels.nodes() == 0 {
        return Ok(graph);
    }
    let order = order::insertion_order(&levels, params.seed);
    let new_inserter = || Inserter::new(&graph, space, usize::from(params.ef_construction));
    // Node 0 is the graph's start: it is there without being inserted.
    control.add_done(1);
    let (serial, parallel) = order[1..].split_at((order.len() - 1).min(SERIAL_NODES));
    let mut inserter = new_inserter();
    insert_from(&mut inserter, serial, &AtomicU32::new(0), control);
    let next = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 1..params.threads {
            scope.spawn(|| insert_from(&mut new_inserter(), parallel, &next, control));
        }
        insert_from(&mut inserter, parallel, &next, control);
    });
    control.check()?;
    repair::link_unreachable(&mut inserter, control)?;
    Ok(graph)
}

/// Inserts the nodes of `order` that no other thread took, until none is left or the build is cancelled.
fn insert_from<S: Space>(inserter: &mut Inserter<'_, S>, order: &[u32], next: &AtomicU32, control: &BuildControl) {
    let mut unreported = 0;
    while let Some(&node) = order.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
        if control.is_cancelled() {
            break;
        }
        inserter.insert(node);
        unreported += 1;
        if unreported == PROGRESS_STRIDE {
            control.add_done(unreported);
            unreported = 0;
        }
    }
    control.add_done(unreported);
}

/// The ordinals of each node.
pub(crate) struct PostingLists {
    /// Node `n` has `ordinals[offsets[n]..offsets[n + 1]]`.
    pub(crate) offsets: Vec<u32>,
    /// Ascending within a node.
    pub(crate) ordinals: Vec<u32>,
}

impl PostingLists {
    /// Distributes the entries (ordinal, code) over the nodes.
    fn new(mut entries: Vec<(u32, u32)>, code_of_node: &[u32], control: &BuildControl) -> Result<Self, Cancelled> {
        let mut node_of_code = vec![0u32; code_of_node.len()];
        for (node, &code) in code_of_node.iter().enumerate() {
            node_of_code[code as usize] = node as u32;
        }
        // One entry more than offsets: the second pass moves each offset to the end of its list, where the next begins.
        let mut ends = vec![0u32; code_of_node.len() + 2];
        for chunk in entries.chunks_mut(CHECK_STRIDE) {
            control.check()?;
            for (_, code) in chunk {
                *code = node_of_code[*code as usize];
                ends[*code as usize + 2] += 1;
            }
        }
        for node in 1..ends.len() {
            ends[node] += ends[node - 1];
        }
        let mut ordinals = vec![0u32; entries.len()];
        for chunk in entries.chunks(CHECK_STRIDE) {
            control.check()?;
            for &(ordinal, node) in chunk {
                let end = &mut ends[node as usize + 1];
                ordinals[*end as usize] = ordinal;
                *end += 1;
            }
        }
        ends.pop();
        for (start, end) in ends.iter().zip(&ends[1..]) {
            let list = &mut ordinals[*start as usize..*end as usize];
            if !list.is_sorted() {
                list.sort_unstable();
            }
        }
        Ok(Self {
            offsets: ends,
            ordinals,
        })
    }
}

/// A finished shard in memory; [`BuiltShard::write`] makes it a file.
pub struct BuiltShard {
    pub(crate) params: BuildParams,
    pub(crate) rows: Vec<u8>,
    pub(crate) graph: Graph,
    pub(crate) postings: PostingLists,
    pub(crate) columns: WordColumns,
    pub(crate) calibration: Calibration,
}

impl BuiltShard {
    /// Distinct codes.
    pub fn nodes(&self) -> u32 {
        self.levels().nodes()
    }

    /// Entries, equal codes counted each.
    pub fn entries(&self) -> u32 {
        self.postings.ordinals.len() as u32
    }

    pub(crate) fn levels(&self) -> &Levels {
        self.graph.levels()
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.levels(), self.params.m, self.params.max_code_bytes)
    }
}
