//! Timing, memory, and parameters in binary form.

use std::error::Error;
use std::fs;
use std::time::Instant;

use postgres::types::private::BytesMut;
use postgres::types::{IsNull, ToSql, Type};

/// A value already in its type's binary form.
#[derive(Debug)]
pub struct Binary(pub Vec<u8>);

impl Binary {
    /// A `bitvec`: its bytes.
    pub fn bitvec(code: &[u8]) -> Self {
        Binary(code.to_vec())
    }

    /// A `bit(n)`: the number of bits, then the bytes.
    pub fn bit(code: &[u8]) -> Self {
        let mut value = (code.len() as i32 * 8).to_be_bytes().to_vec();
        value.extend_from_slice(code);
        Binary(value)
    }

    /// A `real[]`: one dimension, no NULLs, the type's OID, length and lower bound, then each number with its length.
    pub fn array(numbers: &[f32]) -> Self {
        const FLOAT4: i32 = 700;
        let head = [1, 0, FLOAT4, numbers.len() as i32, 1]
            .into_iter()
            .flat_map(i32::to_be_bytes);
        let number = |number: &f32| [4i32.to_be_bytes(), number.to_be_bytes()].concat();
        Binary(head.chain(numbers.iter().flat_map(number)).collect())
    }

    /// A `vector`: the number of dimensions, two zero bytes, and the numbers.
    pub fn vector(numbers: &[f32]) -> Self {
        Self::of_pgvector(numbers, |number| number.to_be_bytes().to_vec())
    }

    /// A `halfvec`: the same with numbers in half precision.
    pub fn half_vector(numbers: &[f32]) -> Self {
        Self::of_pgvector(numbers, |number| half::f16::from_f32(number).to_be_bytes().to_vec())
    }

    fn of_pgvector(numbers: &[f32], bytes: impl Fn(f32) -> Vec<u8>) -> Self {
        let head = [numbers.len() as u16, 0].into_iter().flat_map(u16::to_be_bytes);
        Binary(head.chain(numbers.iter().flat_map(|&number| bytes(number))).collect())
    }
}

impl ToSql for Binary {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    postgres::types::to_sql_checked!();
}

/// Milliseconds that `work` takes.
pub fn milliseconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1000.0
}

/// The middle value; the 95th of a hundred with `share` 0.95.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// The median.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// Memory of this process that is no file's, in kilobytes: pages of a mapped file are not its own, even while no other
/// process has mapped them. What it shares with others since it was forked counts in parts.
pub fn private_kilobytes(pid: i32) -> i64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("smaps_rollup");
    text.lines()
        .filter(|line| line.starts_with("Pss_Anon"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<i64>().ok())
        .sum()
}
