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

/// What only this process has in memory and cannot be dropped: pages of a mapped file are not its own, even while no
/// other process has mapped them.
pub fn private_kilobytes(pid: i32) -> i64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("smaps_rollup");
    text.lines()
        .filter(|line| line.starts_with("Private_Dirty"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<i64>().ok())
        .sum()
}
