//! What is compared on: codes to store and others to search for.

use cluster_tests::codes::{self, Row};

/// Queries of a set, none of them stored.
const QUERIES: usize = 1000;

/// Codes to store, codes to search for, and what is measured with them.
pub struct Set {
    /// Its name on the command line and on the page.
    pub name: &'static str,
    /// What it is, in words.
    pub title: String,
    /// The codes of the tables.
    pub stored: Vec<Row>,
    /// The codes to search for.
    pub queries: Vec<Row>,
    /// True when some codes are shorter than 256 bits: then those who can mix lengths show that, too.
    pub mixed: bool,
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
            _ => Set::variants(),
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
            mixed: true,
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
            mixed: false,
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
            mixed: false,
            pgvector_efforts: &[128],
            joined: false,
        }
    }
}

/// Different codes among the rows, at 256 bits.
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
