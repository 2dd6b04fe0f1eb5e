//! Storage parameters and what else an index is made with.

use std::ffi::{CStr, c_char};
use std::sync::OnceLock;

use iscc_hnsw::MAX_NODES;
use iscc_hnsw::build::estimated_file_bytes;
use iscc_hnsw::params::BuildParams;
use iscc_log::log_page::{part_of_page, slots};
use iscc_log::policy::{SEAL_BLOCKS, opaque_seal_blocks, vector_seal_blocks};
use iscc_log::span::{self, MAX_STRIDE};
use iscc_metrics::MAX_CODE_BYTES;
use iscc_metrics::dense::Scalar;
use iscc_metrics::dense::rows::RowKind;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::directory;
use super::open_segment::{Lengths, Limits};
use crate::error::report;
use crate::metrics::opclass::{Comparison, comparison_of};
use crate::metrics::value::Value;
use crate::nodes::functions;
use crate::relation::{Index, OpenRelation};
use crate::types::cast::bit_string;

/// Defaults of `m` and `ef_construction`; those of opaque values, where each distance is the call of a function.
const DEFAULTS: (u16, u16) = (16, 128);
const OPAQUE_DEFAULTS: (u16, u16) = (12, 64);
/// Stands for a parameter that is not set.
const UNSET: i32 = -1;
const DEFAULT_SHARD_KB: i32 = 1024 * 1024;
const MIN_SHARD_KB: i32 = 64;

/// The parsed reloptions, as PostgreSQL keeps them in the relation cache.
#[repr(C)]
struct RelOptions {
    vl_len: i32,
    m: i32,
    ef_construction: i32,
    shard_size_offset: i32,
    rows: i32,
}

impl RelOptions {
    /// The text of `shard_size`, which stands behind the fields.
    fn shard_size(&self) -> Option<&CStr> {
        let offset = usize::try_from(self.shard_size_offset)
            .ok()
            .filter(|&offset| offset > 0)?;
        let text = std::ptr::from_ref(self).cast::<c_char>().wrapping_add(offset);
        // SAFETY: PostgreSQL has put a C string there, into the same allocation.
        Some(unsafe { CStr::from_ptr(text) })
    }
}

/// The number of the value `auto` of `rows`; the kinds of rows follow in their own order.
const AUTO: i32 = 0;

/// The values of `rows`, as PostgreSQL wants them: the last one has no name.
fn row_values() -> *mut pg_sys::relopt_enum_elt_def {
    let names = [c"auto", c"i8", c"f16", c"f32"];
    const { assert!(RowKind::COUNT == 3 && AUTO == 0) };
    let value = |(number, name): (i32, &'static CStr)| pg_sys::relopt_enum_elt_def {
        string_val: name.as_ptr(),
        symbol_val: number,
    };
    let values = (0..).zip(names).map(value);
    let values: Vec<_> = values.chain([pg_sys::relopt_enum_elt_def::default()]).collect();
    // PostgreSQL keeps the pointer for as long as the process lives.
    values.leak().as_mut_ptr()
}

/// The kind of rows that a value of `rows` stands for; None for `auto`.
fn row_kind(value: i32) -> Option<RowKind> {
    let number = usize::try_from(value - AUTO - 1).ok()?;
    RowKind::ALL.get(number).copied()
}

/// The reloption kind, allocated once in each backend.
fn kind() -> pg_sys::relopt_kind::Type {
    static KIND: OnceLock<pg_sys::relopt_kind::Type> = OnceLock::new();
    *KIND.get_or_init(|| {
        let lock = pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE;
        // SAFETY: registers static strings.
        unsafe {
            let kind = pg_sys::add_reloption_kind();
            pg_sys::add_int_reloption(
                kind,
                c"m".as_ptr(),
                c"Number of links per graph node on each upper layer; the base layer has twice as many".as_ptr(),
                UNSET,
                2,
                100,
                lock,
            );
            pg_sys::add_int_reloption(
                kind,
                c"ef_construction".as_ptr(),
                c"Number of candidates kept while a node is linked into the graph".as_ptr(),
                UNSET,
                4,
                2000,
                lock,
            );
            pg_sys::add_string_reloption(
                kind,
                c"shard_size".as_ptr(),
                c"Maximum size of one shard file, in kB or with a unit".as_ptr(),
                std::ptr::null(),
                Some(validate_shard_size),
                lock,
            );
            pg_sys::add_enum_reloption(
                kind,
                c"rows".as_ptr(),
                c"What shards keep of each dense vector".as_ptr(),
                row_values(),
                AUTO,
                c"Valid values are \"auto\", \"i8\", \"f16\" and \"f32\".".as_ptr(),
                lock,
            );
            kind
        }
    })
}

functions! {
    fn parse_int(text: &CStr, number: &mut i32, unit: i32, hint: &mut *const c_char) -> bool = parse_int;
    fn look_up_column(relation: pg_sys::Oid, column: i16, of: &mut pg_sys::Oid, modifier: &mut i32, collation: &mut pg_sys::Oid)
        = get_atttypetypmodcoll;
}

/// Parses a size with PostgreSQL's units; the value is in kB.
fn parse_kilobytes(text: &CStr) -> Option<i32> {
    let mut kilobytes = 0;
    let mut hint = std::ptr::null();
    let ok = parse_int(text, &mut kilobytes, pg_sys::GUC_UNIT_KB as i32, &mut hint);
    (ok && kilobytes >= MIN_SHARD_KB).then_some(kilobytes)
}

#[pg_guard]
unsafe extern "C-unwind" fn validate_shard_size(value: *const c_char) {
    if value.is_null() {
        return;
    }
    // SAFETY: PostgreSQL passes a C string.
    let text = unsafe { CStr::from_ptr(value) };
    if parse_kilobytes(text).is_none() {
        report(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!(
                "invalid value for storage parameter shard_size: \"{}\"",
                text.to_string_lossy()
            ),
        )
        .detail(format!("The size must be between {MIN_SHARD_KB}kB and {}kB.", i32::MAX))
        .hint("Valid units are \"B\", \"kB\", \"MB\", \"GB\" and \"TB\".")
        .raise();
    }
}

/// Parses the WITH clause.
#[pg_guard]
pub unsafe extern "C-unwind" fn amoptions(reloptions: Datum, validate: bool) -> *mut pg_sys::bytea {
    use std::mem::offset_of;
    // PostgreSQL 18 has one more field.
    #[allow(clippy::needless_update)]
    let element = |name: &'static CStr, opttype, offset: usize| pg_sys::relopt_parse_elt {
        optname: name.as_ptr(),
        opttype,
        offset: offset as i32,
        ..Default::default()
    };
    use pg_sys::relopt_type::{RELOPT_TYPE_ENUM, RELOPT_TYPE_INT, RELOPT_TYPE_STRING};
    let table = [
        element(c"m", RELOPT_TYPE_INT, offset_of!(RelOptions, m)),
        element(
            c"ef_construction",
            RELOPT_TYPE_INT,
            offset_of!(RelOptions, ef_construction),
        ),
        element(
            c"shard_size",
            RELOPT_TYPE_STRING,
            offset_of!(RelOptions, shard_size_offset),
        ),
        element(c"rows", RELOPT_TYPE_ENUM, offset_of!(RelOptions, rows)),
    ];
    // SAFETY: the table describes RelOptions.
    unsafe {
        pg_sys::build_reloptions(
            reloptions,
            validate,
            kind(),
            size_of::<RelOptions>(),
            table.as_ptr(),
            table.len() as i32,
        )
        .cast()
    }
}

/// What an index is made with.
#[derive(Clone, Copy, Debug)]
pub struct IndexOptions {
    /// How values are read and compared.
    pub comparison: Comparison,
    /// Storage parameter `m`.
    pub m: u16,
    /// Storage parameter `ef_construction`.
    pub ef_construction: u16,
    /// Storage parameter `shard_size`, in bytes.
    pub shard_bytes: u64,
    /// Storage parameter `rows`: what shards keep of dense vectors. None: whatever turns out to be good enough.
    pub rows: Option<RowKind>,
    /// The same as it was set, perhaps by an ALTER INDEX, to what this index cannot have.
    asked_rows: Option<RowKind>,
    /// Bytes of a value that the column's type declares, at most for codes; None where it declares nothing.
    pub declared_bytes: Option<u16>,
}

impl IndexOptions {
    /// Reads them from an open index.
    pub fn of(index: Index<'_>) -> Self {
        // SAFETY: amoptions made what is there.
        let options = unsafe { index.data().rd_options.cast::<RelOptions>().as_ref() };
        let (m, ef_construction, kilobytes, rows) = match options {
            None => (UNSET, UNSET, DEFAULT_SHARD_KB, None),
            Some(options) => {
                let kilobytes = options.shard_size().and_then(parse_kilobytes);
                (
                    options.m,
                    options.ef_construction,
                    kilobytes.unwrap_or(DEFAULT_SHARD_KB),
                    row_kind(options.rows),
                )
            }
        };
        let comparison = comparison_of(index);
        let defaults = match comparison.value {
            Value::Opaque(_) => OPAQUE_DEFAULTS,
            _ => DEFAULTS,
        };
        IndexOptions {
            comparison,
            m: u16::try_from(m).unwrap_or(defaults.0),
            ef_construction: u16::try_from(ef_construction).unwrap_or(defaults.1),
            shard_bytes: kilobytes as u64 * 1024,
            rows: rows.filter(|rows| {
                comparison
                    .metric
                    .dense()
                    .is_some_and(|metric| metric.row_kinds().contains(rows))
            }),
            asked_rows: rows,
            declared_bytes: declared_bytes(index, comparison),
        }
    }

    /// Raises an error for what an index cannot be made with: `rows` that its shards cannot have, and bit strings that have
    /// no declared length or are too long.
    pub fn require_sound(&self, index: Index<'_>) {
        self.require_declared_bits(index);
        let Some(asked) = self.asked_rows.filter(|_| self.rows.is_none()) else {
            return;
        };
        let refuse = |of: &str| {
            report(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                format!(
                    "storage parameter rows cannot be \"{}\" for an index of {of}",
                    asked.name()
                ),
            )
            .hint("Leave rows out, or RESET it.")
        };
        if let Some(metric) = self.comparison.metric.dense() {
            let kinds: Vec<&str> = metric.row_kinds().iter().map(|kind| kind.name()).collect();
            refuse(&format!("the metric \"{}\"", metric.name()))
                .detail(format!(
                    "The shards of such an index can have rows of kind {}.",
                    kinds.join(" or ")
                ))
                .raise();
        }
        let (of, what) = match self.comparison.value {
            Value::Opaque(_) => ("values with a distance function", "values"),
            _ => ("codes", "codes"),
        };
        refuse(of)
            .detail(format!(
                "The shards of index \"{}\" keep the {what} themselves.",
                index.name()
            ))
            .raise()
    }

    fn require_declared_bits(&self, index: Index<'_>) {
        if self.comparison.value != Value::Bits {
            return;
        }
        match type_modifier(index) {
            None => report(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                "indexed column does not have a number of bits",
            )
            .detail("All bit strings of an index have the same length.")
            .hint("Declare it, as in bit(256), or index an expression with a cast to such a type.")
            .raise(),
            Some(bits) if bits > 8 * MAX_CODE_BYTES => report(
                PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                format!("usearch index cannot have bit strings of {bits} bits"),
            )
            .detail(format!("The maximum is {} bits.", 8 * MAX_CODE_BYTES))
            .raise(),
            Some(_) => {}
        }
    }

    /// How many blocks of codes of `stride` bytes make a shard of `shard_size` at most.
    fn segment_blocks(&self, stride: u16) -> u32 {
        // All codes distinct is the worst case; estimate by the slope, because of the fixed part.
        const SAMPLE: u64 = 1 << 20;
        let params = self.build_params(stride, 1);
        let size = |entries| estimated_file_bytes(entries, &params);
        let per_entry = (size(2 * SAMPLE) - size(SAMPLE)) as f64 / SAMPLE as f64;
        let fixed = size(1) as f64;
        // The levels of nodes are random; leave room for more than the average.
        let entries = (self.shard_bytes as f64 * 0.98 - fixed) / per_entry;
        let entries = entries.clamp(1.0, f64::from(MAX_NODES)) as u32;
        (entries / u32::from(slots(stride))).max(1) * span::blocks(stride)
    }

    /// Parameters for building a shard of values in cells of `stride` bytes.
    pub fn build_params(&self, stride: u16, threads: usize) -> BuildParams {
        BuildParams {
            values: self.comparison.shard_values(stride, self.rows),
            m: self.m,
            ef_construction: self.ef_construction,
            threads,
            // Any fixed value: builds on one thread are reproducible.
            seed: 0x1_5CC,
        }
    }

    /// The number that stands for the metric in the metapage; 0 is none, 255 a user's function.
    pub fn metric_code(&self) -> u8 {
        self.comparison.metric.number().saturating_add(1)
    }

    /// What bounds new segments of the index, whose metapage is there.
    pub fn limits(&self, index: Index<'_>) -> Limits {
        let lengths = Lengths::of(self.comparison.value, self.declared_bytes);
        let stored_bytes = || directory::read_header(index).stride;
        let (seal_blocks, stride) = match lengths {
            // Without a declared length, that of most codes: longer ones make fewer entries a block.
            Lengths::UpTo(declared) => (SEAL_BLOCKS, declared.unwrap_or(32)),
            Lengths::Equal => {
                let stride = self.declared_bytes.unwrap_or_else(stored_bytes);
                (vector_seal_blocks(stride), stride)
            }
            Lengths::Exactly(bytes) => (opaque_seal_blocks(bytes), bytes),
            Lengths::Any => {
                let stride = stored_bytes().max(part_of_page(1));
                (opaque_seal_blocks(stride), stride)
            }
        };
        let max_blocks = self.segment_blocks(stride);
        Limits {
            max_blocks,
            seal_blocks: seal_blocks.min(max_blocks),
            lengths,
        }
    }
}

/// The indexed column's type modifier; None without one.
fn type_modifier(index: Index<'_>) -> Option<usize> {
    let (mut typid, mut typmod, mut collation) = (pg_sys::InvalidOid, -1, pg_sys::InvalidOid);
    // The index has one column, as amcanmulticol is false.
    look_up_column(index.oid(), 1, &mut typid, &mut typmod, &mut collation);
    usize::try_from(typmod).ok().filter(|&declared| declared > 0)
}

/// Raises an error unless a value has as many bits as the column of the index declares. For values of type bit only.
///
/// # Safety
/// `value` is one of the index's type.
pub unsafe fn require_bits(index: Index<'_>, value: Datum) {
    if comparison_of(index).value != Value::Bits {
        return;
    }
    // SAFETY: as the caller says.
    let (bits, _) = unsafe { bit_string(value) };
    let Some(declared) = type_modifier(index).filter(|&declared| declared != bits) else {
        return;
    };
    report(
        PgSqlErrorCode::ERRCODE_DATA_EXCEPTION,
        format!(
            "bit string has {bits} bits, but those in index \"{}\" have {declared}",
            index.name()
        ),
    )
    .hint("All bit strings of an index have the same length, that of the column's type.")
    .raise();
}

/// The bytes of a value that the indexed column's type modifier allows; None without one.
fn declared_bytes(index: Index<'_>, comparison: Comparison) -> Option<u16> {
    let declared = type_modifier(index)?;
    match comparison.value {
        Value::Code | Value::Bits => Some(declared.div_ceil(8).min(MAX_CODE_BYTES) as u16),
        Value::Array | Value::Opaque(_) => None,
        Value::Vector | Value::HalfVector => {
            let bytes = comparison.value.scalar().map_or(1, Scalar::bytes);
            Some((declared * bytes).min(MAX_STRIDE) as u16)
        }
    }
}

/// True for an index of this access method.
pub fn is_usearch_index(relation: Index<'_>) -> bool {
    let options = relation.options_function();
    relation.class().kind() == pg_sys::RELKIND_INDEX
        && options.is_some_and(|f| std::ptr::fn_addr_eq(f, amoptions as unsafe extern "C-unwind" fn(_, _) -> _))
}

/// Opens an index by OID that may have no pages; raises an error for any other kind of relation.
pub fn open_index(oid: pg_sys::Oid, lock: u32) -> OpenRelation {
    let index = OpenRelation::open(oid, lock).unwrap_or_else(|| {
        report(
            PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
            format!("index with OID {} does not exist", oid.to_u32()),
        )
        .raise()
    });
    if !is_usearch_index(index.handle()) {
        report(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            format!("\"{}\" is not a usearch index", index.handle().name()),
        )
        .hint("Name an index created with USING usearch. For a partitioned index, name the index of one partition.")
        .raise();
    }
    index
}
