//! Codes of each kind, and what to search for among them.

use crate::Random;
use crate::codes::{self, Row};

/// A table's codes, and codes to search for.
pub struct Set {
    /// What the codes are.
    pub name: String,
    /// The codes of the table.
    pub stored: Vec<Row>,
    /// Codes to search for, by how they relate to those of the table.
    pub queries: Vec<(String, Vec<Row>)>,
}

/// `rows` codes of each kind (or as many as there are), and this many queries of each relation to them.
pub fn kinds(rows: usize, queries: usize) -> Vec<Set> {
    let simprints = codes::simprint_rows(rows);
    [
        ("META", codes::meta(rows.min(36_770))),
        ("TEXT", codes::text(rows.min(110_308))),
        ("DATA", codes::data(rows.min(110_308))),
        ("INSTANCE", codes::instance(rows.min(36_770))),
        ("simprints", simprints),
    ]
    .into_iter()
    .map(|(name, rows)| set(name, rows, queries))
    .collect()
}

fn set(name: &str, rows: Vec<Row>, count: usize) -> Set {
    let step = rows.len() / count;
    let (stored, held_out) = codes::hold_out(rows, step);
    let same = codes::sample(&stored, count);
    let mut random = Random(count as u64);
    let mut perturb = |row: &Row| {
        let code = codes::flipped(&row.code, 65_536 / 20, &mut random);
        Row { code, ..row.clone() }
    };
    let perturbed = same.iter().map(&mut perturb).collect();
    Set {
        name: name.into(),
        queries: vec![
            ("stored".into(), same),
            ("held out".into(), codes::sample(&held_out, count)),
            ("stored, 5 % of the bits flipped".into(), perturbed),
        ],
        stored,
    }
}

/// Lengths of codes in bytes.
pub const LENGTHS: [usize; 4] = [8, 16, 24, 32];

/// Text-Codes cut to one length (None: of the lengths that they have), and held-out ones of each length to search for.
pub fn of_length(bytes: Option<usize>, rows: usize, queries: usize) -> Set {
    let rows = codes::text(rows);
    let step = rows.len() / queries;
    let (mut stored, held_out) = codes::hold_out(rows, step);
    if let Some(bytes) = bytes {
        stored = codes::cut(&stored, bytes);
    }
    let held_out = codes::sample(&held_out, queries);
    Set {
        name: bytes.map_or("mixed".into(), bits),
        stored,
        queries: LENGTHS
            .map(|bytes| (bits(bytes), codes::cut(&held_out, bytes)))
            .to_vec(),
    }
}

fn bits(bytes: usize) -> String {
    (8 * bytes).to_string()
}
