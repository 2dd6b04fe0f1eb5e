//! The metrics: one table, a row each.
//!
//! All metrics look at the common prefix only: `m` is the smaller of the two lengths in bytes. Over codes of mixed
//! lengths none is a metric in the mathematical sense (a short code is at distance 0 from every code that it is a
//! prefix of), so no search prunes by the triangle inequality.
//!
//! A new metric needs a row here, its distance in [`distance`](mod@crate::distance), and its kernel in `bits::measure`. One
//! whose distances are neither fractions nor numbers of bits also needs a kind of keys of its own, `Keys`.

/// How two codes are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Metric {
    /// Normalized prefix Hamming distance: differing bits over the common prefix, divided by its bits.
    Nphd = 0,
    /// Jaccard distance of the sets of one bits, over the common prefix.
    Jaccard = 1,
    /// Number of differing bits over the common prefix.
    Hamming = 2,
}

/// How a metric makes keys of its distances.
#[derive(Clone, Copy)]
pub(crate) enum Keys {
    /// Of a fraction from 0 to 1: the fraction.
    Fraction,
    /// Of a number of bits, which has no upper bound: a fraction that grows with it.
    Count,
}

/// What there is to know about a metric.
struct Row {
    metric: Metric,
    name: &'static str,
    /// USearch's letter for it in a file.
    letter: u8,
    keys: Keys,
}

const TABLE: [Row; 3] = [
    Row {
        metric: Metric::Nphd,
        name: "nphd",
        letter: b'n',
        keys: Keys::Fraction,
    },
    Row {
        metric: Metric::Jaccard,
        name: "jaccard",
        letter: b't',
        keys: Keys::Fraction,
    },
    Row {
        metric: Metric::Hamming,
        name: "hamming",
        letter: b'b',
        keys: Keys::Count,
    },
];

impl Metric {
    /// Number of metrics.
    pub const COUNT: usize = TABLE.len();

    /// All metrics, by number.
    pub fn all() -> impl Iterator<Item = Metric> {
        TABLE.iter().map(|row| row.metric)
    }

    /// The number that stands for the metric on disk, from 0.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The metric with this number.
    pub fn of_number(number: u8) -> Option<Metric> {
        TABLE.get(usize::from(number)).map(|row| row.metric)
    }

    /// The name in SQL.
    pub const fn name(self) -> &'static str {
        TABLE[self as usize].name
    }

    /// The letter that USearch has for it; NPHD is none of its metrics.
    pub const fn letter(self) -> u8 {
        TABLE[self as usize].letter
    }

    pub(crate) const fn keys(self) -> Keys {
        TABLE[self as usize].keys
    }
}

// Rows stand in the order of their numbers.
const _: () = {
    let mut number = 0;
    while number < TABLE.len() {
        assert!(TABLE[number].metric as usize == number);
        number += 1;
    }
};
