//! The exact answer, computed without PostgreSQL.

use std::thread;

use crate::codes::Row;

/// Forgives how a distance was printed or rounded to single precision; two different distances of codes of up to 256
/// bits are farther apart.
pub const EPSILON: f64 = 1e-6;

/// A code in words, padded with zeros, and its length in bytes.
struct Packed {
    words: [u64; 4],
    bytes: usize,
}

impl Packed {
    fn new(code: &[u8]) -> Packed {
        assert!(code.len() <= 32, "codes of up to 256 bits");
        let mut padded = [0; 32];
        padded[..code.len()].copy_from_slice(code);
        let word = |i: usize| u64::from_be_bytes(padded[8 * i..8 * i + 8].try_into().expect("8 bytes"));
        Packed {
            words: [word(0), word(1), word(2), word(3)],
            bytes: code.len(),
        }
    }

    /// Normalized prefix Hamming distance: different bits of the common prefix, divided by its length.
    fn nphd(&self, other: &Packed) -> f64 {
        let common = self.bytes.min(other.bytes);
        let different: u32 = (0..4)
            .map(|i| {
                let bits = (8 * common).saturating_sub(64 * i).min(64) as u32;
                let mask = !u64::MAX.checked_shr(bits).unwrap_or(0);
                ((self.words[i] ^ other.words[i]) & mask).count_ones()
            })
            .sum();
        f64::from(different) / (8 * common) as f64
    }
}

/// How far the `k`-th nearest of the stored codes is from each query.
pub fn kth_distances(stored: &[Row], queries: &[Row], k: usize) -> Vec<f64> {
    assert!(stored.len() >= k, "fewer than {k} codes");
    let stored: Vec<Packed> = stored.iter().map(|row| Packed::new(&row.code)).collect();
    on_all_processors(queries, |query| kth_distance(&stored, &Packed::new(&query.code), k))
}

/// The answers to queries, in their order, from threads on all processors.
pub(crate) fn on_all_processors<Q: Sync, A: Send>(queries: &[Q], answer: impl Fn(&Q) -> A + Sync) -> Vec<A> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let part = queries.len().div_ceil(threads).max(1);
    let answers = |queries: &[Q]| queries.iter().map(&answer).collect::<Vec<A>>();
    let answers = &answers;
    thread::scope(|scope| {
        let parts: Vec<_> = queries
            .chunks(part)
            .map(|part| scope.spawn(move || answers(part)))
            .collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().expect("thread"))
            .collect()
    })
}

fn kth_distance(stored: &[Packed], query: &Packed, k: usize) -> f64 {
    let mut nearest = vec![f64::INFINITY; k];
    for code in stored {
        let distance = code.nphd(query);
        if distance < nearest[k - 1] {
            let at = nearest.partition_point(|&d| d <= distance);
            nearest.pop();
            nearest.insert(at, distance);
        }
    }
    nearest[k - 1]
}

/// The share of the true `k` nearest that an answer has. Rows as near as the k-th of the truth count, whichever they
/// are.
pub fn recall(distances: &[f64], k: usize, kth: f64) -> f64 {
    let found = distances.iter().take(k).filter(|&&d| d <= kth + EPSILON).count();
    found as f64 / k as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_prefix_only() {
        let long = Packed::new(&[0x0f, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 1]);
        assert_eq!(long.nphd(&Packed::new(&[0x0f])), 0.0);
        assert_eq!(long.nphd(&Packed::new(&[0x0e, 0xff])), 1.0 / 16.0);
        assert_eq!(Packed::new(&[0; 9]).nphd(&long), (4.0 + 8.0 + 8.0) / 72.0);
        assert_eq!(Packed::new(&[0; 32]).nphd(&Packed::new(&[0xff; 32])), 1.0);
    }

    #[test]
    fn ties_count() {
        let row = |byte: u8| Row {
            id: 0,
            code: vec![byte],
            full: vec![byte],
        };
        let stored = [row(0), row(1), row(2), row(3), row(7)];
        assert_eq!(kth_distances(&stored, &[row(0), row(7)], 2), [0.125, 0.125]);
        assert_eq!(recall(&[0.0, 0.125], 2, 0.125), 1.0);
        assert_eq!(recall(&[0.0, 0.25], 2, 0.125), 0.5);
    }
}
