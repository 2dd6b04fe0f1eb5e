//! The text form.

use iscc_usearch_client::Bitvec;

#[test]
fn text_form() {
    let code = Bitvec::from([0xff, 0x80]);
    assert_eq!(code.to_string(), "\\xff80");
    for text in ["\\xff80", "0xFF80", "ff80"] {
        assert_eq!(text.parse(), Ok(code.clone()));
    }
    for text in ["ff8", "xyz1", "ä", "\\x\\xff", "+f"] {
        assert!(text.parse::<Bitvec>().is_err(), "{text}");
    }
}
