//! The same as iscc-lib where that is right, on random input.

use iscc_codes::compose::{compose, read_normal};
use iscc_codes::{Header, Iscc, Unit, generate};
use test_random::Random;

const TYPES: [&str; 9] = [
    "META_NONE_V0",
    "SEMANTIC_TEXT_V0",
    "SEMANTIC_IMAGE_V0",
    "CONTENT_TEXT_V0",
    "CONTENT_IMAGE_V0",
    "CONTENT_MIXED_V0",
    "DATA_NONE_V0",
    "INSTANCE_NONE_V0",
    "INSTANCE_NONE_V0",
];

fn unit(unit_type: &str, random: &mut Random) -> String {
    let bits = 32 * (1 + random.below(8));
    let header = Header::of_unit(unit_type, bits).expect("a unit");
    let body: Vec<u8> = (0..bits / 8).map(|_| random.bits() as u8).collect();
    Unit { header, body: &body }.text()
}

#[test]
fn composition_and_decomposition() {
    let mut random = Random(1);
    let mut composed = 0;
    for _ in 0..50_000 {
        let count = 1 + random.below(6);
        let mut types: Vec<&str> = (0..count).map(|_| TYPES[random.below(TYPES.len())]).collect();
        if random.below(2) == 0 {
            types = vec!["DATA_NONE_V0", "INSTANCE_NONE_V0", types[0]];
            types.truncate(2 + random.below(2));
        }
        let texts: Vec<String> = types.iter().map(|unit_type| unit(unit_type, &mut random)).collect();
        let wide = random.below(2) == 0;
        let units: Vec<Iscc> = texts
            .iter()
            .map(|text| Iscc::read(text.as_bytes()).expect("a unit"))
            .collect();
        let units: Vec<Unit> = units.iter().map(Iscc::first).collect();
        let ours = compose(&units, wide).map(|code| code.text());
        let mut mains: Vec<_> = units.iter().map(|unit| unit.header.main).collect();
        mains.sort();
        mains.dedup();
        if mains.len() < units.len() {
            ours.expect_err("two units of one type");
            continue;
        }
        let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
        let theirs = iscc_lib::gen_iscc_code_v0(&borrowed, wide).ok().map(|code| code.iscc);
        assert_eq!(ours.as_ref().ok(), theirs.as_ref(), "{texts:?} {wide}");
        let Ok(code) = ours else { continue };
        composed += 1;
        let read = Iscc::read(code.as_bytes()).expect("a code");
        let units: Vec<String> = read.units().map(|unit| unit.text().split_off(5)).collect();
        assert_eq!(units, iscc_lib::iscc_decompose(&code).expect("a code"));
        let (main, sub, version, length, body) = iscc_lib::iscc_decode(&code).expect("a code");
        let header = read.header();
        assert_eq!(
            (header.main as u8, header.sub, header.version, header.length),
            (main, sub, version, length)
        );
        assert_eq!(read.first().body, body);
    }
    assert!(composed > 5_000, "{composed}");
}

/// In pieces, a text gives what it gives at once.
#[test]
fn long_texts() {
    const LETTERS: [&str; 14] = [
        "a", "B", "\u{3a3}", "e\u{301}", "\u{1100}", "\u{1161}", "\u{11a8}", "\u{210c}", "\u{fb01}", "x", "\u{2028}",
        "-", " ", "\n",
    ];
    let mut random = Random(2);
    let mut text = String::new();
    while text.len() < 1_500_000 {
        text.push_str(LETTERS[random.below(LETTERS.len())]);
        if random.below(3) == 0 {
            text.push(' ');
        }
    }
    let mut pauses = 0;
    for cut in [text.len(), 700_000, 262_144, 262_145] {
        let cut = (0..=cut)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .expect("a boundary");
        let text = &text[..cut];
        let whole = iscc_lib::gen_text_code_v0(text, 256).expect("a code").iscc;
        assert_eq!(generate::text(text, 256, || pauses += 1), Ok(whole));
    }
    assert!(pauses > 10, "{pauses}");
    // Nothing to cut at.
    let solid = "\u{3b1}".repeat(300_000);
    let whole = iscc_lib::gen_text_code_v0(&solid, 64).expect("a code").iscc;
    assert_eq!(generate::text(&solid, 64, || {}), Ok(whole));
}

#[test]
fn long_data() {
    let mut random = Random(3);
    let bytes: Vec<u8> = (0..5_000_000).map(|_| random.bits() as u8).collect();
    let data = iscc_lib::gen_data_code_v0(&bytes, 256).expect("a code").iscc;
    assert_eq!(generate::data(&bytes, 256, || {}), Ok(data));
    let instance = iscc_lib::gen_instance_code_v0(&bytes, 256).expect("a code").iscc;
    assert_eq!(generate::instance(&bytes, 256, || {}), Ok(instance));
}

/// Random text in every form, and what is near right codes: an error, or a normal form with all that this promises.
#[test]
fn any_text() {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut random = Random(4);
    let mut accepted = 0;
    for _ in 0..300_000 {
        let length = random.below(80);
        let mut text: Vec<u8> = (0..length).map(|_| DIGITS[random.below(32)]).collect();
        match random.below(4) {
            0 => text.splice(..0, *b"ISCC:").for_each(drop),
            1 => {
                let unit_type = TYPES[random.below(TYPES.len())];
                text = unit(unit_type, &mut random).into_bytes();
                let at = random.below(text.len());
                text[at] = DIGITS[random.below(32)];
            }
            2 => {
                let data = unit("DATA_NONE_V0", &mut random);
                text = iscc_lib::codec::decode_base32(&data[5..]).expect("base32");
                text.splice(..0, [0xcc, 1]);
                text = iscc_lib::encode_base64(&text).into_bytes();
                text.insert(0, b'u');
            }
            _ => text.iter_mut().for_each(|byte| *byte = random.bits() as u8),
        }
        let Ok(iscc) = read_normal(&text) else { continue };
        accepted += 1;
        let normal = iscc.text();
        assert!(Iscc::is_canonical(normal.as_bytes()), "{normal}");
        assert_eq!(read_normal(normal.as_bytes()), Ok(iscc.clone()));
        for unit in iscc.units() {
            let again = read_normal(unit.text().as_bytes()).expect("a unit");
            assert_eq!(again.bytes(), unit.bytes());
            let mut written = vec![0; unit.text_len()];
            unit.write(&mut written);
            assert_eq!(written, unit.text().into_bytes());
            let header = Header::of_unit(unit.header.unit_type(), unit.bits());
            assert_eq!(header, Ok(unit.header));
        }
    }
    assert!(accepted > 50_000, "{accepted}");
}
