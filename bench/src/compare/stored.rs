//! What systems store of a row, and how.

use cluster_tests::codes::Row;
use cluster_tests::embeddings;

use crate::measure::Binary;

/// What a system stores of a row.
#[derive(Clone, Copy, PartialEq)]
pub enum Stored {
    /// A code as `bitvec`, at the length of each.
    Mixed,
    /// A code as `bitvec`, all at 256 bits.
    Full,
    /// A code as pgvector's `bit(256)`, whose distance counts bits.
    Bit,
    /// A vector of so many dimensions as `real[]`.
    Array(usize),
    /// The same as pgvector's `vector`.
    Vector(usize),
    /// The same as pgvector's `halfvec`.
    HalfVector(usize),
}

impl Stored {
    /// The bytes of a row: those of the code, or numbers of 32 bits.
    pub fn of(self, row: &Row) -> &[u8] {
        if self == Stored::Mixed { &row.code } else { &row.full }
    }

    /// The type's name, which is also part of the names of tables.
    pub fn name(self) -> &'static str {
        match self {
            Stored::Mixed | Stored::Full => "bitvec",
            Stored::Bit => "bit",
            Stored::Array(_) => "real",
            Stored::Vector(_) => "vector",
            Stored::HalfVector(_) => "halfvec",
        }
    }

    /// The type of the column.
    pub fn column(self) -> String {
        match self {
            Stored::Mixed | Stored::Full | Stored::Bit => format!("{}(256)", self.name()),
            Stored::Array(_) => "real[]".into(),
            Stored::Vector(dimensions) | Stored::HalfVector(dimensions) => format!("{}({dimensions})", self.name()),
        }
    }

    /// The operator of the distance: of NPHD, which is Hamming's distance on codes of one length, or cosine.
    pub fn operator(self) -> &'static str {
        match self {
            Stored::Mixed | Stored::Full | Stored::Bit => "<~>",
            Stored::Array(_) | Stored::Vector(_) | Stored::HalfVector(_) => "<=>",
        }
    }

    /// Its operator class in an index of type `usearch`; empty for the default one.
    pub fn usearch_class(self) -> String {
        match self {
            Stored::Mixed | Stored::Full | Stored::Bit => String::new(),
            Stored::Array(_) | Stored::Vector(_) | Stored::HalfVector(_) => format!("{}_cosine_ops", self.name()),
        }
    }

    /// Its operator class in pgvector's index.
    pub fn pgvector_class(self) -> String {
        match self {
            Stored::Mixed | Stored::Full | Stored::Bit => "bit_hamming_ops".into(),
            Stored::Array(_) | Stored::Vector(_) | Stored::HalfVector(_) => format!("{}_cosine_ops", self.name()),
        }
    }

    /// A query's parameter.
    pub fn parameter(self, row: &Row) -> Binary {
        match self {
            Stored::Mixed | Stored::Full => Binary::bitvec(self.of(row)),
            Stored::Bit => Binary::bit(&row.full),
            Stored::Array(_) => Binary::array(&numbers(row)),
            Stored::Vector(_) => Binary::vector(&numbers(row)),
            Stored::HalfVector(_) => Binary::half_vector(&numbers(row)),
        }
    }

    /// What distances must be divided by.
    pub fn scale(self) -> f64 {
        if self == Stored::Bit { 256.0 } else { 1.0 }
    }

    /// Any value as an SQL literal.
    pub fn literal(self) -> String {
        let column = self.column();
        let ones = |dimensions| embeddings::listed(&vec![1.0; dimensions]);
        match self {
            Stored::Mixed | Stored::Full => format!("'\\x{}'::{column}", "0f".repeat(32)),
            Stored::Bit => format!("'x{}'::{column}", "0f".repeat(32)),
            Stored::Array(dimensions) => format!("'{{{}}}'::{column}", ones(dimensions)),
            Stored::Vector(dimensions) | Stored::HalfVector(dimensions) => {
                format!("'[{}]'::{column}", ones(dimensions))
            }
        }
    }

    /// The value in COPY's text form.
    pub fn copied(self, row: &Row) -> String {
        let digits = || -> String { self.of(row).iter().map(|byte| format!("{byte:02x}")).collect() };
        match self {
            Stored::Mixed | Stored::Full => digits(),
            Stored::Bit => format!("x{}", digits()),
            Stored::Array(_) => format!("{{{}}}", embeddings::listed(&numbers(row))),
            Stored::Vector(_) | Stored::HalfVector(_) => format!("[{}]", embeddings::listed(&numbers(row))),
        }
    }
}

/// A row of a vector: its numbers, one after the other.
pub fn vector_row(id: i64, vector: &[f32]) -> Row {
    let full: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    Row {
        id,
        code: full.clone(),
        full,
    }
}

/// The numbers of a row of a vector.
pub fn numbers(row: &Row) -> Vec<f32> {
    let number = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    row.full.chunks_exact(4).map(number).collect()
}
