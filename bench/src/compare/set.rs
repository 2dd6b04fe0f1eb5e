//! What is compared on: codes to store and others to search for.

use cluster_tests::codes::{self, Row};
use cluster_tests::embeddings::{self, Vector};

use super::stored::vector_row;

/// Queries of a set, none of them stored.
const QUERIES: usize = 1000;

/// What the rows of a set are.
#[derive(Clone, Copy, PartialEq)]
pub enum Content {
    /// Codes of 256 bits.
    Codes,
    /// Codes of which some are shorter than 256 bits: those who can mix lengths show that, too.
    MixedCodes,
    /// Vectors, compared by cosine.
    Vectors {
        /// Their length.
        dimensions: usize,
    },
}

impl Content {
    /// What a row is called.
    pub fn noun(self) -> &'static str {
        match self {
            Content::Codes | Content::MixedCodes => "codes",
            Content::Vectors { .. } => "vectors",
        }
    }
}

/// Rows to store, rows to search for, and what is measured with them.
pub struct Set {
    /// Its name on the command line and on the page.
    pub name: &'static str,
    /// What it is, in words.
    pub title: String,
    /// The rows of the tables.
    pub stored: Vec<Row>,
    /// The rows to search for.
    pub queries: Vec<Row>,
    /// What they are.
    pub content: Content,
    /// Build efforts of pgvector's indexes: 128 like the others, and its own default where time allows.
    pub pgvector_efforts: &'static [u32],
    /// Whether each code's nearest are joined.
    pub joined: bool,
}

impl Set {
    /// One of `super::SETS`.
    pub fn named(name: &'static str) -> Set {
        match name {
            "text" => Set::text(),
            "simprints" => Set::simprints(),
            "variants" => Set::variants(),
            "embeddings" => Set::embeddings(),
            "embedding-variants" => Set::embedding_variants(),
            _ => Set::embedding_windows(),
        }
    }

    fn text() -> Set {
        let (mut stored, held_out) = codes::hold_out(codes::text(110_308), 21);
        stored.truncate(rows(100_000));
        Set {
            name: "text",
            title: format!("{} Text-Codes", thousands(stored.len())),
            queries: codes::sample(&held_out, QUERIES),
            stored,
            content: Content::MixedCodes,
            pgvector_efforts: &[64, 128],
            joined: true,
        }
    }

    fn simprints() -> Set {
        let stored = codes::simprint_rows(rows(1_000_000));
        let variants = codes::variants(distinct(&stored), 1);
        Set {
            name: "simprints",
            title: format!("{} simprints, many of them equal", thousands(stored.len())),
            queries: codes::sample(&variants, QUERIES),
            stored,
            content: Content::Codes,
            pgvector_efforts: &[128],
            joined: false,
        }
    }

    fn variants() -> Set {
        let count = rows(1_000_000) + QUERIES;
        let (mut stored, queries) = codes::hold_out(codes::variants(count, 2), count / QUERIES);
        stored.truncate(count - QUERIES);
        Set {
            name: "variants",
            title: format!("{} distinct variants of simprints", thousands(stored.len())),
            queries: codes::sample(&queries, QUERIES),
            stored,
            content: Content::Codes,
            pgvector_efforts: &[128],
            joined: false,
        }
    }
}

impl Set {
    fn embeddings() -> Set {
        let stored = embeddings::stored(rows(20_480));
        let title = format!("{} embeddings of 384 dimensions", thousands(stored.len()));
        Set::of_vectors("embeddings", title, &stored, &embeddings::queries(QUERIES))
    }

    fn embedding_variants() -> Set {
        let stored = embeddings::variants(rows(200_000), 3);
        let title = format!("{} variants of embeddings, 384 dimensions", thousands(stored.len()));
        Set::of_vectors("embedding-variants", title, &stored, &embeddings::queries(QUERIES))
    }

    fn embedding_windows() -> Set {
        const PARTS: usize = 4;
        let stored = embeddings::windows(&embeddings::stored(rows(20_480)), PARTS);
        let queries = embeddings::windows(&embeddings::queries(QUERIES + PARTS - 1), PARTS);
        let title = format!(
            "{} vectors of four embeddings each, 1,536 dimensions",
            thousands(stored.len())
        );
        Set::of_vectors("embedding-windows", title, &stored, &queries)
    }

    fn of_vectors(name: &'static str, title: String, stored: &[Vector], queries: &[Vector]) -> Set {
        let rows = |vectors: &[Vector]| (1..).zip(vectors).map(|(id, vector)| vector_row(id, vector)).collect();
        Set {
            name,
            title,
            content: Content::Vectors {
                dimensions: stored[0].len(),
            },
            stored: rows(stored),
            queries: rows(queries),
            pgvector_efforts: &[64, 128],
            joined: false,
        }
    }
}

/// Different rows, codes at 256 bits.
pub fn distinct(rows: &[Row]) -> usize {
    let mut codes: Vec<&[u8]> = rows.iter().map(|row| row.full.as_slice()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.len()
}

/// Rows of a set, or `ISCC_ROWS` if those are fewer: for trying things out.
fn rows(full: usize) -> usize {
    reduced().map_or(full, |rows| rows.min(full))
}

/// What `ISCC_ROWS` says.
pub fn reduced() -> Option<usize> {
    let rows = std::env::var("ISCC_ROWS").ok()?;
    Some(rows.parse().expect("ISCC_ROWS is a number"))
}

/// A number with commas.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
