//! Text and binary input of `bitvec`.

use iscc_metrics::text::{decode, digits, text_len, write};

/// What is read as text is written as a text that means the same; any bytes are written as a text that means them.
pub fn bitvec(input: &[u8]) {
    let parse = |text: &[u8]| {
        digits(text).map(|digits| {
            let mut code = vec![0; digits.len() / 2];
            decode(digits, &mut code);
            code
        })
    };
    let print = |code: &[u8]| {
        let mut text = vec![0; text_len(code)];
        write(code, &mut text);
        text
    };
    if let Ok(code) = parse(input) {
        assert_eq!(parse(&print(&code)), Ok(code));
    }
    if !input.is_empty() {
        assert_eq!(parse(&print(input)).as_deref(), Ok(input));
    }
}
