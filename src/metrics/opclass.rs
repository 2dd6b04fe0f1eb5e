//! What an operator class of the access method says.

use iscc_hnsw::params::ShardValues;
use iscc_metrics::Metric;
use iscc_metrics::dense::rows::RowKind;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::opaque::layout_of;
use super::type_info;
use super::value::Value;
use crate::catalog;
use crate::error::report;
use crate::relation::Index;
use crate::types::distance::{jaccard_distance, nphd_distance, prefix_hamming_distance, sorensen_distance};
use crate::types::vector::require_domain;

/// The support function of an operator class: the distance that its operator returns.
pub const DISTANCE_PROC: u16 = 1;
/// The support function that says what the values are and how they are compared.
pub const TYPE_INFO_PROC: u16 = 2;
/// The ordering operator of an operator class.
pub const ORDER_STRATEGY: u16 = 1;
/// The search operator of an operator class, if it has one: within a radius.
pub const BALL_STRATEGY: u16 = 2;
/// The same, for a search that may be approximate where the order of its rows may be.
pub const NEAR_STRATEGY: u16 = 3;

/// PostgreSQL's operator family for the order of float8, in which distances are sorted.
const FLOAT_OPS: pg_sys::Oid = pg_sys::Oid::from_u32(1970);

/// What decides how an operator class compares values; functions that it lacks are 0.
pub struct Support {
    /// The type of the values.
    pub input: pg_sys::Oid,
    /// Support function [`DISTANCE_PROC`].
    pub distance: pg_sys::Oid,
    /// Support function [`TYPE_INFO_PROC`].
    pub type_info: pg_sys::Oid,
}

impl Support {
    /// That of an index's operator class.
    fn of(index: Index<'_>) -> Self {
        Support {
            input: index.input_type(),
            distance: index.support_function(DISTANCE_PROC),
            type_info: index.support_function(TYPE_INFO_PROC),
        }
    }

    /// How values are read and compared; None for an operator class that is none of this access method's.
    pub fn comparison(&self) -> Option<Comparison> {
        if !self.has_distance_of_input() {
            return None;
        }
        let (value, metric) = match self.type_info {
            pg_sys::InvalidOid => match metric_of_address(address_of(self.distance)) {
                // Operator classes of version 0.1.0 have none, and neither have copies of them.
                Some(metric) => (Value::Code, metric),
                None => (Value::Opaque(layout_of(self.input)?), Metric::User),
            },
            function => type_info::described_by(function, self.input)?,
        };
        Some(Comparison { value, metric })
    }

    /// Whether the distance always returns the same for the same values: only then can an order be kept.
    pub fn is_immutable(&self) -> bool {
        catalog::volatility(self.distance) as u8 == pg_sys::PROVOLATILE_IMMUTABLE
    }

    /// Whether the distance is declared for the type: one for another type would take any bytes for its values.
    fn has_distance_of_input(&self) -> bool {
        if self.distance == pg_sys::InvalidOid || catalog::returns_set(self.distance) {
            return false;
        }
        let (types, result) = catalog::signature(self.distance);
        result == pg_sys::FLOAT8OID && types == [self.input; 2]
    }
}

/// How the values of an index are read and compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Comparison {
    /// What they are.
    pub value: Value,
    /// The distance that the index is ordered by.
    pub metric: Metric,
}

impl Comparison {
    /// The bytes of a value, as the log has them. Raises an error for one that cannot be compared.
    ///
    /// # Safety
    /// As for [`Value::bytes`].
    pub unsafe fn bytes<'a>(self, datum: Datum) -> &'a [u8] {
        // SAFETY: as the caller says.
        let bytes = unsafe { self.value.bytes(datum) };
        self.require_domain(bytes);
        bytes
    }

    /// Raises an error unless a value that is read is one that the metric takes.
    pub fn require_domain(self, bytes: &[u8]) {
        if let Some((scalar, metric)) = self.value.scalar().zip(self.metric.dense()) {
            require_domain(metric, scalar, bytes);
        }
    }

    /// Whether the function that computes the distance is this extension's own.
    pub const fn is_ours(self) -> bool {
        let is_added = matches!(self.metric, Metric::Pearson | Metric::JensenShannon | Metric::Haversine);
        self.value.is_ours() || is_added
    }

    /// The values of a shard to build, in cells of `stride` bytes; for vectors, with the kind of its rows.
    pub fn shard_values(&self, stride: u16, rows: Option<RowKind>) -> ShardValues {
        if let Value::Opaque(layout) = self.value {
            return ShardValues::Opaque {
                layout,
                max_bytes: stride,
            };
        }
        match self.value.scalar().zip(self.metric.dense()) {
            None => ShardValues::Codes {
                metric: self.metric,
                max_bytes: stride,
            },
            Some((scalar, metric)) => ShardValues::Dense {
                metric,
                scalar,
                dimensions: stride / scalar.bytes() as u16,
                rows,
            },
        }
    }
}

/// How the values of an index are read and compared. Looked up once, then kept in PostgreSQL's entry for the index, which
/// forgets it when the index changes.
pub fn comparison_of(index: Index<'_>) -> Comparison {
    // SAFETY: null, or what is written below; nothing else of ours is kept there.
    if let Some(known) = unsafe { index.data().rd_amcache.cast::<Comparison>().as_ref() } {
        return *known;
    }
    let found = look_up(index);
    // SAFETY: the entry is this backend's own. It frees what this points to, which has nothing to drop. The look-up may have
    // renewed what the entry points to, so that is read only now.
    unsafe {
        let entry = index.raw();
        let place = pg_sys::MemoryContextAlloc((*entry).rd_indexcxt, size_of::<Comparison>()).cast::<Comparison>();
        place.write(found);
        (*entry).rd_amcache = place.cast();
    }
    found
}

fn look_up(index: Index<'_>) -> Comparison {
    Support::of(index).comparison().unwrap_or_else(|| {
        report(
            PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
            format!("operator class of index \"{}\" is not supported", index.name()),
        )
        .detail(
            "Support function 1 must be a function of two values of its type that returns double precision, and the type \
             one whose values can be stored.",
        )
        .hint("Use an operator class of the extension, such as bitvec_nphd_ops, or one with a function of your own.")
        .raise()
    })
}

/// Raises an error unless an index can be built with its operator class. PostgreSQL does not ask when a class is created.
pub fn require_usable(index: Index<'_>) {
    if !matches!(comparison_of(index).value, Value::Opaque(_)) {
        return;
    }
    let support = Support::of(index);
    let refuse = |problem: &str| {
        report(
            PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
            format!("operator class of index \"{}\" {problem}", index.name()),
        )
    };
    if !support.is_immutable() {
        refuse("has a distance function that is not IMMUTABLE")
            .detail("An index needs a function that always returns the same distance for the same values.")
            .hint("If it does, declare it so with ALTER FUNCTION.")
            .raise();
    }
    let family = index.operator_family();
    let (function, sort_family) =
        match catalog::operator_of_family(family, support.input, support.input, ORDER_STRATEGY as i16) {
            pg_sys::InvalidOid => (pg_sys::InvalidOid, pg_sys::InvalidOid),
            operator => (
                catalog::function_of_operator(operator),
                catalog::sort_family(operator, family),
            ),
        };
    if function != support.distance || sort_family != FLOAT_OPS {
        refuse("has no ordering operator that is its distance function")
            .detail("Without one, no query could use the index.")
            .hint(
                "Create the class with OPERATOR 1 ... FOR ORDER BY float_ops, and the operator with the same function as \
                 FUNCTION 1.",
            )
            .raise();
    }
}

/// The function that a class of an operator family calls for distances between values of a type; None if they are computed
/// without one.
pub fn function_of(family: pg_sys::Oid, input: pg_sys::Oid) -> Option<pg_sys::Oid> {
    let function = |number: u16| catalog::support_function(family, input, input, number as i16);
    let support = Support {
        input,
        distance: function(DISTANCE_PROC),
        type_info: function(TYPE_INFO_PROC),
    };
    let is_opaque = || {
        support
            .comparison()
            .is_some_and(|found| matches!(found.value, Value::Opaque(_)))
    };
    is_opaque().then_some(support.distance)
}

/// The metric of one of our distance functions, recognised by its code; None for any other.
pub fn metric_of_address(address: pgrx::pg_sys::PGFunction) -> Option<Metric> {
    let address = address? as *const ();
    if std::ptr::eq(address, nphd_distance as *const ()) {
        Some(Metric::Nphd)
    } else if std::ptr::eq(address, jaccard_distance as *const ()) {
        Some(Metric::Jaccard)
    } else if std::ptr::eq(address, prefix_hamming_distance as *const ()) {
        Some(Metric::Hamming)
    } else if std::ptr::eq(address, sorensen_distance as *const ()) {
        Some(Metric::Sorensen)
    } else {
        None
    }
}

/// What a type info function states for values of a type; None for any other function.
pub fn described_by(function: pg_sys::Oid, input: pg_sys::Oid) -> Option<Comparison> {
    let (value, metric) = type_info::described_by(function, input)?;
    Some(Comparison { value, metric })
}

/// Where a function's code is. Raises an error when there is no such function.
pub fn address_of(function: pg_sys::Oid) -> pg_sys::PGFunction {
    let mut info = pg_sys::FmgrInfo::default();
    catalog::look_up_function(function, &mut info);
    info.fn_addr
}
