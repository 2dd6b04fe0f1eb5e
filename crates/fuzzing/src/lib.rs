//! What is done with bytes that may be anything: shard files, files of iscc-usearch, pages, and the input of the type
//! `bitvec` and of what reads ISCCs. None of it may panic, read out of bounds or go on for ever.
//!
//! `fuzz/` has a fuzzer for each target. The tests of this crate run them over the corpora that the fuzzers have found,
//! and over changes of these.

#![deny(unsafe_code)]

mod files;
mod iscc;
mod pages;
mod shard;
mod text;

/// A name, which is that of the corpus and of the fuzzer, and what is done with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 6] = [
    ("shard_file", shard::shard_file),
    ("usearch_file", files::usearch_file),
    ("log_page", pages::log_page),
    ("directory", pages::directory),
    ("bitvec", text::bitvec),
    ("iscc", iscc::iscc),
];

/// Gives an input to the target with this name.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.0 == name);
    target.expect("a known target").1(input);
}
