//! What the rows of a shard are.

use iscc_metrics::bits::length_bytes;
use iscc_metrics::dense::Scalar;
use iscc_metrics::dense::rows::{Encoding, RowKind};
use iscc_metrics::{DenseMetric, MAX_CODE_BYTES, Metric, Values};
use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::F32;

use super::format::{CODES_VERSION, DENSE_VERSION, DenseHead, Footer, OPAQUE_VERSION, PIECES_VERSION};
use super::reader::ShardError;
use crate::opaque::Layout;
use crate::space::LOCATOR_BYTES;

/// What the rows of a shard are.
#[derive(Clone, Debug)]
pub(crate) enum RowFormat {
    /// Codes, and whether some have tables of their pieces.
    Codes {
        metric: Metric,
        max_bytes: u16,
        has_pieces: bool,
    },
    /// Rows derived from dense vectors.
    Dense(Encoding),
    /// Where values are that only the caller's function understands.
    Opaque(Layout),
}

impl RowFormat {
    /// What a footer says, and the section of details that it points to.
    pub(crate) fn read(footer: &Footer, details: &[u8]) -> Result<Self, ShardError> {
        let metric = Metric::of_number(footer.metric).ok_or(ShardError::Field("metric"))?;
        match (footer.version.get(), metric.values()) {
            (CODES_VERSION | PIECES_VERSION, Values::Codes(_)) => Self::read_codes(metric, footer),
            (DENSE_VERSION, Values::Dense(metric)) => Self::read_dense(metric, footer, details),
            (OPAQUE_VERSION, Values::Opaque) => Layout::of_numbers(footer.row_kind, footer.width.get())
                .map(Self::Opaque)
                .ok_or(ShardError::Field("row_kind")),
            (_, _) => Err(ShardError::Field("metric")),
        }
    }

    fn read_codes(metric: Metric, footer: &Footer) -> Result<Self, ShardError> {
        let max_bytes = footer.width.get();
        if (1..=MAX_CODE_BYTES).contains(&usize::from(max_bytes)) {
            Ok(Self::Codes {
                metric,
                max_bytes,
                has_pieces: footer.version.get() == PIECES_VERSION,
            })
        } else {
            Err(ShardError::Field("max_code_bytes"))
        }
    }

    fn read_dense(metric: DenseMetric, footer: &Footer, scales: &[u8]) -> Result<Self, ShardError> {
        if crc32c::crc32c(scales) != footer.details.crc.get() {
            return Err(ShardError::Section("scales"));
        }
        let scalars = [Scalar::F32, Scalar::F16];
        let scalar = scalars.into_iter().find(|scalar| *scalar as u8 == footer.scalar);
        let kind = RowKind::ALL.into_iter().find(|kind| *kind as u8 == footer.row_kind);
        let scales = <[F32]>::ref_from_bytes(scales).map_err(|_| ShardError::Section("scales"))?;
        let scales: Vec<f32> = scales.iter().map(|scale| scale.get()).collect();
        let encoding = Encoding::from_parts(
            metric,
            scalar.ok_or(ShardError::Field("scalar"))?,
            kind.ok_or(ShardError::Field("row_kind"))?,
            footer.width.get().into(),
            &scales,
        );
        encoding.map(Self::Dense).ok_or(ShardError::Section("scales"))
    }

    pub(crate) fn version(&self) -> u32 {
        match self {
            Self::Codes { has_pieces: true, .. } => PIECES_VERSION,
            Self::Codes { has_pieces: false, .. } => CODES_VERSION,
            Self::Dense(_) => DENSE_VERSION,
            Self::Opaque(_) => OPAQUE_VERSION,
        }
    }

    pub(crate) fn metric(&self) -> Metric {
        match self {
            Self::Codes { metric, .. } => *metric,
            Self::Dense(encoding) => encoding.metric().metric(),
            Self::Opaque(_) => Metric::User,
        }
    }

    /// Longest code in bytes, or dimensions, or length of values.
    pub(crate) fn width(&self) -> u16 {
        match self {
            Self::Codes { max_bytes, .. } => *max_bytes,
            Self::Dense(encoding) => encoding.dimensions() as u16,
            Self::Opaque(layout) => layout.numbers().1,
        }
    }

    /// The numbers of the scalar of the values and of the kind of the rows.
    pub(crate) fn numbers(&self) -> (u8, u8) {
        match self {
            Self::Codes { .. } => (0, 0),
            Self::Dense(encoding) => (encoding.scalar() as u8, encoding.kind() as u8),
            Self::Opaque(layout) => (0, layout.numbers().0),
        }
    }

    /// Bytes of a row.
    pub(crate) fn stride(&self) -> usize {
        match self {
            Self::Codes { max_bytes, .. } => length_bytes((*max_bytes).into()) + usize::from(*max_bytes),
            Self::Dense(encoding) => encoding.row_bytes(),
            Self::Opaque(_) => LOCATOR_BYTES,
        }
    }

    /// What the section of details is called.
    pub(crate) fn details_name(&self) -> &'static str {
        match self {
            Self::Codes { .. } => "groups",
            Self::Dense(_) => "scales",
            Self::Opaque(_) => "details",
        }
    }

    /// USearch's description.
    pub(crate) fn head(&self, nodes: u32) -> DenseHead {
        let (scalar, dimensions) = match self {
            Self::Codes { .. } => (1, self.stride() * 8),
            Self::Dense(encoding) => {
                let scalar = match encoding.kind() {
                    RowKind::I8 => 23,
                    RowKind::F16 => 12,
                    RowKind::F32 => 11,
                };
                (scalar, encoding.dimensions())
            }
            // A scalar that USearch does not know, either.
            Self::Opaque(_) => (0, self.stride() * 8),
        };
        DenseHead::new(self.metric(), nodes, scalar, dimensions as u64)
    }
}
