//! Arrays of keys as NumPy saves them.

use crate::error::{Result, damaged};
use crate::key::{Key, KeyKind};
use crate::source::{Cursor, Source, array_at};

/// Longest header that is read; NumPy's own have 118 bytes.
const MAX_HEADER_BYTES: u64 = 1 << 16;
/// Keys read between two pauses.
const KEYS_BETWEEN_PAUSES: u64 = 1 << 16;

/// Calls `each` with the keys of an array of one dimension, and `pause` every now and then.
///
/// # Errors
/// The array is not one of keys of this kind, or not complete, or longer than it says.
pub fn read_keys(
    source: &impl Source,
    kind: KeyKind,
    pause: &dyn Fn(),
    mut each: impl FnMut(Key) -> Result<()>,
) -> Result<()> {
    let (start, header) = read_header(source)?;
    let kinds: &[&str] = match kind {
        KeyKind::Number => &["<u8"],
        KeyKind::Uuid => &["|V16", "V16"],
    };
    let descr = text_of(&header, "descr").unwrap_or_default();
    if !kinds.contains(&descr.trim_matches(['\'', '"'])) {
        return damaged("it is not an array of keys of the same kind as those of the shards");
    }
    if text_of(&header, "fortran_order").is_none() {
        return damaged("its header is not NumPy's");
    }
    let Some(count) = count_of(&header) else {
        return damaged("it is not an array of one dimension");
    };
    let bytes = count.checked_mul(kind.bytes() as u64);
    if bytes.and_then(|bytes| bytes.checked_add(start)) != Some(source.len()) {
        return damaged("its length is not that of as many keys");
    }
    let mut cursor = Cursor::new(source, start, source.len());
    for n in 0..count {
        if n.is_multiple_of(KEYS_BETWEEN_PAUSES) {
            pause();
        }
        each(kind.read(cursor.take(kind.bytes())?))?;
    }
    Ok(())
}

/// The header, and where the data begins.
fn read_header(source: &impl Source) -> Result<(u64, String)> {
    let head: [u8; 8] = array_at(source, 0)?;
    if head[..6] != *b"\x93NUMPY" {
        return damaged("it is not in NumPy's format");
    }
    let (start, bytes) = match head[6] {
        1 => (10, u64::from(u16::from_le_bytes(array_at(source, 8)?))),
        2 | 3 => (12, u64::from(u32::from_le_bytes(array_at(source, 8)?))),
        version => return damaged(format!("version {version} of NumPy's format is unknown")),
    };
    if bytes > MAX_HEADER_BYTES {
        return damaged("its header is too long");
    }
    let mut cursor = Cursor::new(source, start, start + bytes);
    let header = String::from_utf8_lossy(cursor.take(bytes as usize)?).into_owned();
    Ok((start + bytes, header))
}

/// What follows a name in the header, up to the next comma outside of parentheses.
fn text_of<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let at = header.find(&format!("'{name}'"))?;
    let (_, value) = header[at..].split_once(':')?;
    let mut depth = 0;
    let end = value.find(|letter| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        letter == '}' || letter == ',' && depth == 0
    })?;
    Some(value[..end].trim())
}

/// The length of an array of one dimension: `(N,)`.
fn count_of(header: &str) -> Option<u64> {
    let shape = text_of(header, "shape")?;
    let count = shape.strip_prefix('(')?.strip_suffix(')')?.trim().strip_suffix(',')?;
    count.trim().parse().ok()
}
