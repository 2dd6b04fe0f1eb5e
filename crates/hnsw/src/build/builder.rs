//! Building a shard: values in, graph and posting lists out, in memory.

use iscc_metrics::Metric;
use iscc_metrics::bits::{Rows, length_bytes};
use iscc_metrics::dense::rows::Encoding;
use zerocopy::IntoBytes;

use super::collect_dense::{DenseRows, DenseSurvey, Reviewed, Trial};
use super::collect_values::CollectedValues;
use super::link::link_all;
use super::postings::PostingLists;
use super::size::file_bytes;
use super::{measure_codes, measure_dense};
use crate::control::{BuildControl, CHECK_STRIDE, Cancelled};
use crate::graph::levels::Levels;
use crate::graph::lists::Graph;
use crate::graph::order;
use crate::graph::row_set::{Contents, RowSet, ValueSet};
use crate::opaque::Layout;
use crate::params::{BuildParams, ShardValues};
use crate::shard::words::WordColumns;
use crate::shard::{DenseCurves, RowFormat};
use crate::space::{Codes, Vectors};

/// Collects the values of a shard, in one or more passes over all of them: how vectors are stored follows from all.
///
/// ```text
/// let collected = loop {
///     for (ordinal, value) in &values {
///         builder.push(*ordinal, value);
///     }
///     match builder.end_pass() {
///         NextStep::Pass(again) => builder = again,
///         NextStep::Build(collected) => break collected,
///         // Only if values are opaque.
///         NextStep::BuildHere(_) => unreachable!(),
///     }
/// };
/// ```
pub struct ShardBuilder {
    params: BuildParams,
    entries: Entries,
    stage: Stage,
}

/// What a pass is for.
enum Stage {
    /// To collect codes.
    Codes {
        rows: RowSet,
        metric: Metric,
        max_bytes: u16,
    },
    /// To see what vectors are like.
    Survey(Box<DenseSurvey>),
    /// To collect the rows of vectors.
    Rows(Box<DenseRows>),
    /// To collect values that only the caller understands.
    Values(ValueSet, Layout),
}

/// What to do after a pass.
pub enum NextStep {
    /// Push all values once more, in any order.
    Pass(ShardBuilder),
    /// Build the shard, on threads or in this one.
    Build(CollectedShard),
    /// Build the shard in this thread, with a distance.
    BuildHere(CollectedValues),
}

/// Ordinal and distinct row of every entry.
pub(crate) type Entries = Vec<(u32, u32)>;

impl ShardBuilder {
    /// An empty builder; parameters out of range are moved to the nearest end of their range.
    pub fn new(params: BuildParams) -> Self {
        let params = params.clamped();
        let stage = match params.values {
            ShardValues::Codes { metric, max_bytes } => Stage::Codes {
                rows: RowSet::new(length_bytes(max_bytes.into()), max_bytes.into(), params.seed),
                metric,
                max_bytes,
            },
            ShardValues::Dense {
                metric,
                scalar,
                dimensions,
                rows,
            } => Stage::Survey(Box::new(DenseSurvey::new(
                metric,
                scalar,
                dimensions.into(),
                rows,
                params.seed,
            ))),
            ShardValues::Opaque { layout, .. } => Stage::Values(ValueSet::new(params.seed), layout),
        };
        Self {
            params,
            entries: Vec::new(),
            stage,
        }
    }

    /// Adds an entry. A code longer than it may be is cut; one without bytes, a vector of other dimensions, and an
    /// opaque value that does not match its checksum, are not indexed.
    ///
    /// # Panics
    /// If there are more than [`MAX_NODES`](crate::MAX_NODES) distinct rows.
    pub fn push(&mut self, ordinal: u32, value: &[u8]) {
        let row = match &mut self.stage {
            Stage::Codes { rows, max_bytes, .. } => {
                let code = &value[..value.len().min(usize::from(*max_bytes))];
                (!code.is_empty()).then(|| rows.insert(code))
            }
            Stage::Survey(survey) => {
                survey.push(value);
                None
            }
            Stage::Rows(rows) => rows.push(value),
            Stage::Values(values, layout) => layout.unseal(value).map(|_| values.insert(value)),
        };
        if let Some(row) = row {
            self.entries.push((ordinal, row));
        }
    }

    /// Ends a pass.
    pub fn end_pass(self) -> NextStep {
        let Self { params, entries, stage } = self;
        let collect = |entries, rows, content| {
            NextStep::Build(CollectedShard {
                params: params.clone(),
                rows,
                entries,
                content,
            })
        };
        let next = match stage {
            Stage::Codes {
                rows,
                metric,
                max_bytes,
            } => return collect(entries, rows, Content::Codes { metric, max_bytes }),
            Stage::Survey(survey) => Box::new(survey.into_rows(params.seed)),
            Stage::Rows(rows) => match rows.reviewed() {
                Reviewed::Good(dense) => {
                    return collect(entries, dense.rows, Content::Dense(dense.encoding, dense.trials));
                }
                Reviewed::Poor(wider) => wider,
            },
            Stage::Values(values, layout) => {
                return NextStep::BuildHere(CollectedValues {
                    params,
                    values,
                    layout,
                    entries,
                });
            }
        };
        NextStep::Pass(Self {
            params,
            entries: Vec::new(),
            stage: Stage::Rows(next),
        })
    }
}

/// The values of a shard, ready to be built.
pub struct CollectedShard {
    params: BuildParams,
    rows: RowSet,
    entries: Entries,
    content: Content,
}

/// What the rows are.
enum Content {
    Codes { metric: Metric, max_bytes: u16 },
    Dense(Encoding, Vec<Trial>),
}

impl CollectedShard {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Distinct rows: the nodes that the shard will have.
    pub fn nodes(&self) -> u32 {
        self.rows.len()
    }

    /// Expected size of the file, without the entry ranges.
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
        let Self {
            params,
            rows,
            entries,
            content,
        } = self;
        let (row_of_node, levels) = order::number_nodes(&rows, usize::from(params.m), params.seed, control)?;
        let node_of_row = inverted(&row_of_node);
        let ordered = gather_rows(&rows, &row_of_node, control)?;
        drop(rows);
        let postings = PostingLists::new(entries, &node_of_row, control)?;
        let parts = match content {
            Content::Codes { metric, max_bytes } => {
                let codes = Codes::new(Rows::new(&ordered, max_bytes.into()), metric);
                link_codes(codes, max_bytes, levels, &params, control)?
            }
            Content::Dense(encoding, trials) => {
                let vectors = Vectors::new(&encoding, &ordered);
                let graph = link_all(vectors, levels, &params, control)?;
                let curves =
                    measure_dense::measure(&graph, vectors, &encoding, &trials, &node_of_row, &params, control)?;
                Parts::of_vectors(encoding, graph, &curves)
            }
        };
        Ok(BuiltShard {
            params,
            rows: ordered,
            postings,
            parts,
        })
    }
}

/// Which node each row became.
pub(crate) fn inverted(row_of_node: &[u32]) -> Vec<u32> {
    let mut node_of_row = vec![0u32; row_of_node.len()];
    for (node, &row) in (0..).zip(row_of_node) {
        node_of_row[row as usize] = node;
    }
    node_of_row
}

/// Copies the rows into the order of the nodes.
fn gather_rows(rows: &RowSet, row_of_node: &[u32], control: &BuildControl) -> Result<Vec<u8>, Cancelled> {
    let mut ordered = Vec::with_capacity(row_of_node.len() * rows.stride());
    for chunk in row_of_node.chunks(CHECK_STRIDE) {
        control.check()?;
        chunk
            .iter()
            .for_each(|&index| ordered.extend_from_slice(rows.row(index)));
    }
    Ok(ordered)
}

/// The parts of a shard that depend on what its rows are.
pub(crate) struct Parts {
    pub(crate) format: RowFormat,
    pub(crate) graph: Graph,
    /// The sections of these names; the words of opaque values are the values.
    pub(crate) details: Vec<u8>,
    pub(crate) words: Vec<u8>,
    pub(crate) calibration: Vec<u8>,
}

fn link_codes(
    codes: Codes<'_>,
    max_bytes: u16,
    levels: Levels,
    params: &BuildParams,
    control: &BuildControl,
) -> Result<Parts, Cancelled> {
    let graph = link_all(codes, levels, params, control)?;
    // What is within a radius is asked by NPHD.
    let columns = WordColumns::of(codes.rows(), codes.metric() == Metric::Nphd, control)?;
    let calibration = measure_codes::measure(&graph, codes, columns.table(), params, control)?;
    Ok(Parts {
        format: RowFormat::Codes {
            metric: codes.metric(),
            max_bytes,
            has_pieces: columns.has_pieces(),
        },
        graph,
        details: columns.groups.as_bytes().to_vec(),
        words: columns.bytes,
        calibration: calibration.as_bytes().to_vec(),
    })
}

impl Parts {
    fn of_vectors(encoding: Encoding, graph: Graph, curves: &DenseCurves) -> Self {
        let scales = encoding.scales().iter();
        Self {
            details: scales.flat_map(|scale| scale.to_le_bytes()).collect(),
            format: RowFormat::Dense(encoding),
            graph,
            words: Vec::new(),
            calibration: curves.as_bytes().to_vec(),
        }
    }

    pub(crate) fn of_values(layout: Layout, graph: Graph, values: Vec<u8>, curves: &DenseCurves) -> Self {
        Self {
            format: RowFormat::Opaque(layout),
            graph,
            details: Vec::new(),
            words: values,
            calibration: curves.as_bytes().to_vec(),
        }
    }
}

/// A finished shard in memory; [`BuiltShard::write`] makes it a file.
pub struct BuiltShard {
    pub(crate) params: BuildParams,
    pub(crate) rows: Vec<u8>,
    pub(crate) postings: PostingLists,
    pub(crate) parts: Parts,
}

impl BuiltShard {
    /// Distinct rows.
    pub fn nodes(&self) -> u32 {
        self.levels().nodes()
    }

    /// Entries, those with equal rows counted each.
    pub fn entries(&self) -> u32 {
        self.postings.ordinals.len() as u32
    }

    pub(crate) fn levels(&self) -> &Levels {
        self.parts.graph.levels()
    }
}
