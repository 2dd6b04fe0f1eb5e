#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod code;
#[cfg(feature = "diesel")]
pub mod diesel;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlx")]
mod sqlx;

pub use code::{Bitvec, ParseBitvecError};
