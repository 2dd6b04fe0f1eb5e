//! Variants of real codes, which the examples store or search for.

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A code with each bit flipped with the same probability, which is 0.02, 0.05 or 0.1.
    pub fn flip(&mut self, code: &[u8]) -> Vec<u8> {
        // In 65,536ths.
        let chance = [1311, 3277, 6554][(self.next() % 3) as usize];
        let mut nibble = || {
            let bits = self.next();
            (0..4).fold(0, |mask, i| mask | u8::from((bits >> (16 * i)) & 0xffff < chance) << i)
        };
        code.iter().map(|byte| byte ^ nibble() ^ (nibble() << 4)).collect()
    }
}

/// The codes of a file, which has one of 256 bits in hexadecimal at the start of each line.
pub fn read(path: &str) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(path).expect("a readable file");
    let byte = |line: &str, i: usize| u8::from_str_radix(&line[2 * i..2 * i + 2], 16).expect("hexadecimal");
    let code = |line: &str| (0..32).map(|i| byte(line, i)).collect();
    text.lines().map(code).collect()
}
