//! What an ISCC is, in words.

use crate::header::{Main, WITH_CONTENT, WITH_META, WITH_SEMANTIC};
use crate::id::Id;
use crate::read::Iscc;

/// The type: `ISCC-TEXT-V0-MSCDI`, `DATA-NONE-V0-256`.
pub fn type_of(iscc: &Iscc) -> String {
    let header = iscc.header();
    let length = match header.main {
        Main::Iscc => {
            let letter = |flag: u8, letter| if header.length & flag != 0 { letter } else { "" };
            let meta = letter(WITH_META, "M");
            let semantic = letter(WITH_SEMANTIC, "S");
            let content = letter(WITH_CONTENT, "C");
            format!("{meta}{semantic}{content}DI")
        }
        _ => (header.body_bytes() * 8).to_string(),
    };
    format!(
        "{}-{}-V{}-{length}",
        header.main.name(),
        header.sub_name(),
        header.version
    )
}

/// The type and what the body says.
pub fn explain(iscc: &Iscc) -> String {
    let body = iscc.first().body;
    let said = match (iscc.header().main, iscc.header().version) {
        (Main::Id, 1) => match Id::from_bytes(iscc.bytes()) {
            Ok(id) => format!("{}-HUB_{}", time(id.micros()), id.hub()),
            Err(_) => hex(body),
        },
        (Main::Id, _) => match body.split_at_checked(8) {
            Some((hash, counter)) if !counter.is_empty() => {
                // Seven bits a byte, least significant first.
                let counter = counter
                    .iter()
                    .rev()
                    .fold(0u64, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
                format!("{}-{counter}", hex(hash))
            }
            _ => hex(body),
        },
        _ => hex(body),
    };
    format!("{}-{said}", type_of(iscc))
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Microseconds since 1970 as ISO 8601.
fn time(micros: i64) -> String {
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// The date this many days after 1 January 1970.
fn date(mut days: i64) -> (i64, i64, i64) {
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    loop {
        let length = 365 + i64::from(is_leap(year));
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = 28 + i64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}
