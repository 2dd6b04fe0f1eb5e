//! ISCCs as text in any form, and as bytes.

use iscc_codes::compose::{compose, read_normal};
use iscc_codes::explain::explain;
use iscc_codes::{Header, Id, Iscc, Unit, sequence};

/// What is read has a normal form that is valid and its own normal form, and units that can be encoded again.
pub fn iscc(input: &[u8]) {
    if let Ok(id) = Id::read(input) {
        assert_eq!(Id::new(id.realm(), id.micros(), id.hub()), Ok(id));
    }
    if let Ok(sequence) = sequence::decode(input) {
        let mut again = Vec::new();
        for unit in sequence.units() {
            sequence::push(&mut again, unit).expect("no longer than it was");
        }
        assert_eq!(again, input);
    }
    // As text, and as the bytes that a text would stand for.
    let text = Iscc::from_bytes(input.to_vec()).map(|iscc| iscc.text());
    for text in [Some(input), text.as_ref().ok().map(String::as_bytes)]
        .into_iter()
        .flatten()
    {
        let Ok(normal) = read_normal(text) else {
            assert!(!Iscc::is_canonical(text));
            continue;
        };
        let canonical = normal.text();
        assert!(Iscc::is_canonical(canonical.as_bytes()));
        assert_eq!(read_normal(canonical.as_bytes()), Ok(normal.clone()));
        assert!(explain(&normal).is_ascii());
        let units: Vec<Unit> = normal.units().collect();
        for unit in &units {
            let header = Header::of_unit(unit.header.unit_type(), unit.bits());
            assert_eq!(header, Ok(unit.header));
            assert_eq!(
                read_normal(unit.text().as_bytes()).expect("a unit").bytes(),
                unit.bytes()
            );
        }
        if units.len() > 1 {
            assert_eq!(compose(&units, units[0].bits() == 128), Ok(normal));
        }
    }
}
