//! Real embeddings (see `data/README.md`) and what is made of them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use crate::Random;
use crate::exact::on_all_processors;

/// A vector of length 1, near enough.
pub type Vector = Vec<f32>;

/// The first `count` embeddings to store, 20,480 in all.
pub fn stored(count: usize) -> Vec<Vector> {
    read("embeddings.npy.gz", count)
}

/// The first `count` embeddings to search for, 2,048 in all: of other texts.
pub fn queries(count: usize) -> Vec<Vector> {
    read("embedding_queries.npy.gz", count)
}

/// `count` vectors near the embeddings: on lines between two of them, so that they are like embeddings in all
/// dimensions.
pub fn variants(count: usize, seed: u64) -> Vec<Vector> {
    let stored = stored(20_480);
    let mut random = Random(seed);
    let mut variant = |at: usize| {
        let (first, second) = (&stored[at % stored.len()], &stored[random.below(stored.len())]);
        let share = (1 + random.below(499)) as f32 / 1000.0;
        let pairs = first.iter().zip(second);
        normalized(pairs.map(|(a, b)| (1.0 - share) * a + share * b).collect())
    };
    (0..count).map(&mut variant).collect()
}

/// Each `parts` vectors in a row as one: what a longer text might look like to a larger model.
pub fn windows(vectors: &[Vector], parts: usize) -> Vec<Vector> {
    let joined = |window: &[Vector]| normalized(window.concat());
    vectors.windows(parts).map(joined).collect()
}

fn normalized(vector: Vector) -> Vector {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.into_iter().map(|x| in_half_precision(x / length)).collect()
}

/// The nearest number that half precision has, so that every system compares the same vectors.
fn in_half_precision(number: f32) -> f32 {
    half::f16::from_f32(number).to_f32()
}

/// The array of numpy in a file.
fn read(name: &str, count: usize) -> Vec<Vector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(name);
    let file = File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).expect("gzip");
    let header_bytes = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let (header, numbers) = bytes[10..].split_at(header_bytes);
    let header = std::str::from_utf8(header).expect("a header");
    assert!(header.contains("'<f2'"), "{name}: half precision is expected");
    let shape = header.split(['(', ')']).nth(1).expect("a shape");
    let dimensions: usize = shape
        .split(", ")
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("two dimensions");
    let number = |half: &[u8]| half::f16::from_le_bytes([half[0], half[1]]).to_f32();
    let vector = |bytes: &[u8]| bytes.chunks_exact(2).map(number).collect();
    let vectors: Vec<Vector> = numbers.chunks_exact(2 * dimensions).take(count).map(vector).collect();
    assert_eq!(vectors.len(), count, "{name} has fewer rows");
    vectors
}

/// The cosine distance of the `k`-th nearest of the stored vectors from each query.
pub fn kth_distances(stored: &[Vector], queries: &[Vector], k: usize) -> Vec<f64> {
    let lengths: Vec<f64> = stored.iter().map(|vector| length(vector)).collect();
    on_all_processors(queries, |query| {
        let own = length(query);
        let distance = |(vector, length): (&Vector, &f64)| 1.0 - product(query, vector) / (own * length);
        let mut distances: Vec<f64> = stored.iter().zip(&lengths).map(distance).collect();
        *distances.select_nth_unstable_by(k - 1, f64::total_cmp).1
    })
}

fn length(vector: &[f32]) -> f64 {
    product(vector, vector).sqrt()
}

fn product(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 16;
    let mut sums = [0f64; LANES];
    let (first, second) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = first.remainder().iter().zip(second.remainder());
    let rest: f64 = rest.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    for (a, b) in first.zip(second) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += f64::from(*a) * f64::from(*b);
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// A vector as an SQL literal: `'{…}'` of real[].
pub fn array(vector: &[f32]) -> String {
    format!("'{{{}}}'", listed(vector))
}

/// Numbers with commas between them.
pub fn listed(vector: &[f32]) -> String {
    let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
    numbers.join(",")
}
