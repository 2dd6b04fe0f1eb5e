//! Files of iscc-usearch.

use iscc_files::ShardFile;
use iscc_files::key::KeyKind;
use iscc_files::npy::read_keys;

/// Reads the bytes as a shard, and as an array of keys.
pub fn usearch_file(input: &[u8]) {
    let input = input.to_vec();
    for kind in [KeyKind::Number, KeyKind::Uuid] {
        let mut keys = 0;
        let count = |_| {
            keys += 1;
            Ok(())
        };
        let _ = read_keys(&input, kind, &|| {}, count);
        assert!(keys <= input.len() / 8, "more keys than bytes");
    }
    let bytes = input.len();
    let Ok(shard) = ShardFile::open(input) else { return };
    let mut rows = shard.rows();
    let mut read = 0;
    while let Ok(Some(row)) = rows.next() {
        read += 1;
        assert!(row.code.len() <= shard.description().row_bytes);
        assert!(read <= bytes / 8, "more rows than bytes");
    }
}
