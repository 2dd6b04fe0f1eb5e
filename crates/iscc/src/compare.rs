//! Similarity, unit by unit.

use crate::header::Main;
use crate::read::{Iscc, Unit};

/// How alike two units of one type are, and how many bits were compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// The share of equal bits; of Instance-Codes, whether they are the same.
    pub similarity: f64,
    /// The bits that both have.
    pub bits: usize,
}

/// The units of `a`, in their order, that have a counterpart of the same type in `b`.
pub fn compare<'a>(a: &'a Iscc, b: &'a Iscc) -> impl Iterator<Item = (Unit<'a>, Similarity)> {
    a.units().filter_map(|unit| {
        let other = b.unit(unit.header)?;
        Some((unit, similarity(unit, other)))
    })
}

fn similarity(a: Unit, b: Unit) -> Similarity {
    let bits = a.bits().min(b.bits());
    let pairs = a.body.iter().zip(b.body);
    let differing: u32 = pairs.map(|(a, b)| (a ^ b).count_ones()).sum();
    let similarity = match a.header.main {
        Main::Instance => f64::from(u8::from(a.body == b.body)),
        _ => 1.0 - f64::from(differing) / bits as f64,
    };
    Similarity { similarity, bits }
}
