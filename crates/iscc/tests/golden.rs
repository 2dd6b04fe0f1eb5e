//! Vectors made by iscc-core 1.5.0 from real codes and chosen corner cases.

use flate2::read::GzDecoder;
use iscc_codes::compose::{compose, read_normal};
use iscc_codes::{Header, Id, Iscc, Result, Unit, compare, explain, generate, sequence};
use serde_json::Value;

fn cases(name: &str) -> Vec<Value> {
    let golden: &[u8] = include_bytes!("golden.json.gz");
    let mut golden: Value = serde_json::from_reader(GzDecoder::new(golden)).expect("JSON");
    match golden[name].take() {
        Value::Array(cases) if !cases.is_empty() => cases,
        _ => panic!("no {name}"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn number(value: &Value) -> i64 {
    value.as_i64().expect("a number")
}

fn read(value: &Value) -> Iscc {
    Iscc::read(text(value).as_bytes()).expect("an ISCC")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = text(value);
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex");
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[test]
fn decomposes() {
    for case in cases("decompose") {
        let code = read(&case[0]);
        let units = code.units().map(|unit| {
            let text = unit.text().split_off(5);
            serde_json::json!([unit.header.unit_type(), unit.bits(), hex(unit.body), text])
        });
        assert_eq!(units.collect::<Value>(), case[1], "{}", case[0]);
        let units: Vec<Unit> = code.units().collect();
        let is_wide = units[0].bits() == 128;
        assert_eq!(compose(&units, is_wide).expect("a code"), code, "{}", case[0]);
    }
}

#[test]
fn decodes_and_encodes() {
    for case in cases("decode") {
        let code = read(&case[0]);
        let Header { main, sub, version, .. } = code.header();
        assert_eq!(code.header().unit_type(), text(&case[1]));
        assert_eq!(
            serde_json::json!([main as u8, sub, version]),
            serde_json::json!([case[2], case[3], case[4]])
        );
        assert_eq!(code.first().bits() as i64, number(&case[5]));
        assert_eq!(hex(code.first().body), text(&case[6]));
        let header = Header::of_unit(text(&case[1]), code.first().bits()).expect("a unit");
        let body = bytes(&case[6]);
        assert_eq!(Unit { header, body: &body }.text(), text(&case[0]));
    }
}

#[test]
fn explains() {
    for case in cases("explain") {
        let code = read(&case[0]);
        assert_eq!(explain::type_of(&code), text(&case[1]));
        assert_eq!(explain::explain(&code), text(&case[2]));
    }
}

#[test]
fn composes() {
    for case in cases("compose") {
        let units: Vec<Iscc> = case[0].as_array().expect("units").iter().map(read).collect();
        let units: Vec<Unit> = units.iter().map(Iscc::first).collect();
        let code = compose(&units, case[1] == true).ok().map(|code| code.text());
        assert_eq!(code.as_deref(), case[2].as_str(), "{case}");
    }
}

#[test]
fn normalizes() {
    let normal = |input: &str| read_normal(input.as_bytes()).map(|code| code.text());
    for case in cases("normalize") {
        assert_eq!(normal(text(&case[0])).as_deref(), Ok(text(&case[1])), "{}", case[0]);
        assert_eq!(normal(text(&case[1])).as_deref(), Ok(text(&case[1])));
    }
    for case in cases("reject") {
        normal(text(&case[0])).expect_err(text(&case[0]));
        assert!(!Iscc::is_canonical(text(&case[0]).as_bytes()), "{case}");
    }
    for case in cases("valid") {
        assert_eq!(Iscc::is_canonical(text(&case[0]).as_bytes()), case[1] == true, "{case}");
    }
}

#[test]
fn identifiers() {
    for case in cases("id") {
        let id = Id::read(text(&case[0]).as_bytes()).expect("an identifier");
        assert_eq!(
            serde_json::json!([id.realm(), id.micros(), id.hub()]),
            serde_json::json!([case[1], case[2], case[3]])
        );
        assert_eq!(hex(&id.body().to_be_bytes()), text(&case[4]));
        assert_eq!(explain::explain(&read(&case[0])), text(&case[5]));
        assert_eq!(Id::new(id.realm(), id.micros(), id.hub()), Ok(id));
        assert_eq!(id.text(), text(&case[0]));
    }
    for case in cases("id_reject") {
        Id::read(text(&case).as_bytes()).expect_err(text(&case));
    }
}

#[test]
fn sequences() {
    for case in cases("seq") {
        let sequence = sequence::decode(&bytes(&case[0]));
        let Some(expected) = case[1].as_array() else {
            sequence.expect_err(text(&case[0]));
            continue;
        };
        let mut built = Vec::new();
        for unit in expected {
            let unit = Iscc::read_unit(text(unit).as_bytes()).expect("a unit");
            sequence::push(&mut built, unit.first()).expect("short");
        }
        let sequence = sequence.expect("a sequence");
        assert_eq!(sequence.bytes(), built);
        assert_eq!(sequence.units().map(|unit| unit.text()).collect::<Value>(), case[1]);
    }
}

#[test]
fn compares() {
    for case in cases("compare") {
        let (a, b) = (read(&case[0]), read(&case[1]));
        let found: serde_json::Map<_, _> = compare::compare(&a, &b)
            .map(|(unit, similarity)| (unit.header.unit_type().to_string(), similarity.similarity.into()))
            .collect();
        assert_eq!(Value::Object(found), case[2], "{case}");
    }
}

#[test]
fn generates() {
    let check = |code: Result<String>, expected: &Value| assert_eq!(code.ok().as_deref(), expected.as_str());
    let bits = |value: &Value| number(value) as i32;
    for case in cases("gen_text") {
        check(generate::text(text(&case[0]), bits(&case[1]), || {}), &case[2]);
    }
    for case in cases("gen_meta") {
        let code = generate::meta(text(&case[0]), case[1].as_str(), case[2].as_str(), bits(&case[3]));
        check(code, &case[4]);
    }
    for case in cases("gen_data") {
        let input = input(&case);
        check(generate::data(&input, bits(&case[2]), || {}), &case[3]);
    }
    for case in cases("gen_instance") {
        let input = input(&case);
        check(generate::instance(&input, bits(&case[2]), || {}), &case[3]);
    }
    for case in cases("gen_mixed") {
        let codes: Vec<Iscc> = case[0].as_array().expect("codes").iter().map(read).collect();
        check(generate::mixed(&codes, bits(&case[1])), &case[2]);
    }
}

/// The bytes of a case: zeros, or from a generator with a seed.
fn input(case: &Value) -> Vec<u8> {
    let (length, seed) = (number(&case[0]) as usize, number(&case[1]) as u32);
    if seed == 0 {
        return vec![0; length];
    }
    let word = |k: u32| seed.wrapping_mul(2_654_435_761).wrapping_add(k.wrapping_mul(40_503));
    (0..).flat_map(|k| word(k).to_be_bytes()).take(length).collect()
}
