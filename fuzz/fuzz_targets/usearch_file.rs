#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| iscc_fuzzing::run("usearch_file", input));
