//! Variants of real codes, which the examples store or search for.

use test_random::Random;

/// A code with each bit flipped with the same probability, which is 0.02, 0.05 or 0.1.
pub fn flip(code: &[u8], random: &mut Random) -> Vec<u8> {
    // In 65,536ths.
    let chance = [1311, 3277, 6554][random.below(3)];
    let mut nibble = || {
        let bits = random.bits();
        (0..4).fold(0, |mask, i| mask | u8::from((bits >> (16 * i)) & 0xffff < chance) << i)
    };
    code.iter().map(|byte| byte ^ nibble() ^ (nibble() << 4)).collect()
}

/// The codes of a file, which has one of 256 bits in hexadecimal at the start of each line.
pub fn read(path: &str) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(path).expect("a readable file");
    let byte = |line: &str, i: usize| u8::from_str_radix(&line[2 * i..2 * i + 2], 16).expect("hexadecimal");
    let code = |line: &str| (0..32).map(|i| byte(line, i)).collect();
    text.lines().map(code).collect()
}
