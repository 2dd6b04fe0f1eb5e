//! `usearch_export(index, key_column, path)`: an index as a directory that iscc-usearch opens.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use iscc_codes::Id;
use iscc_hnsw::MAX_NODES;
use iscc_hnsw::build::{Keys, NextStep, ShardBuilder, estimated_file_bytes};
use iscc_hnsw::params::{BuildParams, ShardValues};
use iscc_metrics::{MAX_CODE_BYTES, Metric};
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;
use pgrx::prelude::*;

use super::cursor::{Field, for_each_row};
use super::staging::Staging;
use super::table::{KeyType, look_up};
use super::{io_report, require_role, server_path};
use crate::error::{check_for_interrupts, report};
use crate::maintenance::{GraphBuild, check_memory, foreground_threads};
use crate::metrics::value::Value;
use crate::storage::definition::{IndexOptions, open_index};
use crate::types::sql_function;

/// The longest code of NPHD that the package knows, in bytes.
const MAX_NPHD_BYTES: usize = 32;
/// Bytes written between two looks for interrupts.
const BYTES_BETWEEN_LOOKS: usize = 1 << 20;
/// Entries of a shard after which its memory is asked for ahead.
const FIRST_MEMORY_CHECK: usize = 1 << 16;

sql_function!(
    /// `usearch_export(index, key_column, path)`.
    usearch_export, |args| {
        require_role(pg_sys::ROLE_PG_WRITE_SERVER_FILES, "pg_write_server_files", "write files of the server");
        let path = server_path(args, 2);
        let index = pg_sys::Oid::from(args.datum(0).value() as u32);
        let column = args.text(1);
        let (name, options) = describe(index);
        let table = look_up(index, &name, column);
        let staging = Staging::create(path).unwrap_or_else(|why| io_report("create", path, &why).raise());
        let mut export = Export {
            options,
            key: table.key,
            path,
            staging,
            shard: None,
            shards: 0,
            entries: 0,
            last: None,
        };
        for_each_row(&table.rows, |[key, code]: [Option<Field<'_>>; 2]| export.add(key, code));
        Datum::from(export.finish())
    }
);

/// Name and options of an index of codes. It does not stay locked: the table is locked by the query, and all other
/// sessions lock the table before the index.
fn describe(index: pg_sys::Oid) -> (String, IndexOptions) {
    let index = open_index(index, pg_sys::AccessShareLock);
    let options = IndexOptions::of(index.handle());
    let name = index.handle().name();
    if options.comparison.value != Value::Code {
        report(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            format!("index \"{name}\" is not one of codes"),
        )
        .raise();
    }
    (name, options)
}

/// A key, as the files have it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Number(u64),
    Uuid([u8; 16]),
}

/// The keys of a shard.
enum KeyColumn {
    Numbers(Vec<u64>),
    Uuids(Vec<[u8; 16]>),
}

/// A shard whose rows are being collected.
struct Shard {
    builder: ShardBuilder,
    params: BuildParams,
    keys: KeyColumn,
    entries: usize,
    /// The largest number of entries that it can have.
    capacity: usize,
}

/// An export under way.
struct Export<'a> {
    options: IndexOptions,
    key: KeyType,
    path: &'a Path,
    staging: Staging,
    shard: Option<Shard>,
    /// Those written.
    shards: u32,
    entries: i64,
    /// The key of the row before. Rows come by key.
    last: Option<Key>,
}

impl Export<'_> {
    fn add(&mut self, key: Option<Field<'_>>, code: Option<Field<'_>>) {
        // The query leaves out codes that are NULL.
        let Some(code) = code else { return };
        let key = self.read_key(key);
        if self.last.replace(key) == Some(key) {
            refuse(
                PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION,
                format!("key {} is not unique", display(key)),
                "An index of iscc-usearch has one code per key.",
            );
        }
        let code = code.bytes();
        let mut shard = match self.shard.take() {
            Some(shard) => shard,
            None => Shard::new(&self.options, self.key, code.len()),
        };
        shard.check_length(code.len(), key);
        shard.push(key, code);
        self.entries += 1;
        if shard.entries == shard.capacity {
            self.write(shard);
        } else {
            self.shard = Some(shard);
        }
    }

    fn read_key(&self, key: Option<Field<'_>>) -> Key {
        let Some(key) = key else {
            refuse(
                PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
                "a row with a code has no key".into(),
                "Every exported row needs a key.",
            )
        };
        let read = match self.key {
            KeyType::Uuid => Key::Uuid(key.fixed()),
            KeyType::IsccId => Key::Number(Id::from_stored(key.fixed()).body()),
            KeyType::Integer(of) => {
                let value = match of {
                    pg_sys::INT2OID => i64::from(key.number() as i16),
                    pg_sys::INT4OID => i64::from(key.number() as i32),
                    _ => key.number(),
                };
                Key::Number(u64::try_from(value).unwrap_or_else(|_| {
                    refuse(
                        PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
                        format!("key {value} is negative"),
                        "Keys of iscc-usearch are unsigned.",
                    )
                }))
            }
        };
        if matches!(read, Key::Number(u64::MAX)) || read == Key::Uuid([0xff; 16]) {
            refuse(
                PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
                format!("key {} is reserved", display(read)),
                "iscc-usearch does not find a key whose bits are all one.",
            );
        }
        read
    }

    /// Builds and writes a shard.
    fn write(&mut self, shard: Shard) {
        let Shard { builder, keys, .. } = shard;
        let NextStep::Build(collected) = builder.end_pass() else {
            unreachable!("codes take one pass")
        };
        let built = GraphBuild::start(collected, false).map(GraphBuild::wait);
        let result = built.and_then(|built| {
            let file = self.staging.create_file(&format!("shard_{:03}.usearch", self.shards))?;
            let mut out = BufWriter::with_capacity(BYTES_BETWEEN_LOOKS, Interruptible(&file));
            match &keys {
                KeyColumn::Numbers(keys) => built.write_usearch(&mut out, Keys::Numbers(keys))?,
                KeyColumn::Uuids(keys) => built.write_usearch(&mut out, Keys::Uuids(keys))?,
            }
            out.flush()?;
            drop(out);
            Staging::sync(&file)
        });
        result.unwrap_or_else(|why| self.raise(&why));
        self.shards += 1;
    }

    fn finish(mut self) -> i64 {
        match self.shard.take() {
            Some(shard) => self.write(shard),
            // So that the directory says what the codes are.
            None if self.shards == 0 => self.write(Shard::new(&self.options, self.key, MAX_NPHD_BYTES)),
            None => {}
        }
        let (path, entries) = (self.path, self.entries);
        self.staging
            .publish()
            .unwrap_or_else(|why| io_report("create", path, &why).raise());
        entries
    }

    fn raise(&self, why: &io::Error) -> ! {
        io_report("write", self.path, why).raise()
    }
}

impl Shard {
    /// `code_bytes`: those of the first code, which all others have, too, where the metric is not NPHD.
    fn new(options: &IndexOptions, key: KeyType, code_bytes: usize) -> Self {
        let max_bytes = match options.comparison.metric {
            Metric::Nphd => MAX_NPHD_BYTES,
            _ => code_bytes.min(MAX_CODE_BYTES),
        };
        let params = options.build_params(max_bytes as u16, foreground_threads());
        const SAMPLE: u64 = 1 << 16;
        // Keys and slots take a little more than in our own files, and all else less.
        let entry_bytes = estimated_file_bytes(SAMPLE, &params).div_ceil(SAMPLE) + 8 + 2 * u64::from(options.m);
        Shard {
            builder: ShardBuilder::new(params.clone()),
            params,
            keys: match key {
                KeyType::Uuid => KeyColumn::Uuids(Vec::new()),
                _ => KeyColumn::Numbers(Vec::new()),
            },
            entries: 0,
            capacity: (options.shard_bytes / entry_bytes).clamp(1, u64::from(MAX_NODES)) as usize,
        }
    }

    fn check_length(&self, bytes: usize, key: Key) {
        let ShardValues::Codes { metric, max_bytes } = self.params.values else {
            return;
        };
        let max_bytes = usize::from(max_bytes);
        let detail = match metric {
            Metric::Nphd if bytes > max_bytes => "Codes in an NPHD index of iscc-usearch have at most 256 bits.",
            Metric::Nphd => return,
            _ if bytes != max_bytes => "Codes in an index of iscc-usearch with this metric have the same length.",
            _ => return,
        };
        refuse(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("the code of key {} has {} bits", display(key), bytes * 8),
            detail,
        );
    }

    fn push(&mut self, key: Key, code: &[u8]) {
        // Twice as many may come.
        if self.entries >= FIRST_MEMORY_CHECK && self.entries.is_power_of_two() {
            check_memory(2 * self.entries as u64, &self.params).unwrap_or_else(|_| {
                report(
                    PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY,
                    "not enough memory to build a shard of the export",
                )
                .hint(
                    "Building a shard takes about twice the size of its file. Use an index with a smaller shard_size.",
                )
                .raise()
            });
        }
        self.builder.push(self.entries as u32, code);
        match (&mut self.keys, key) {
            (KeyColumn::Numbers(keys), Key::Number(key)) => keys.push(key),
            (KeyColumn::Uuids(keys), Key::Uuid(key)) => keys.push(key),
            _ => unreachable!("keys of one type"),
        }
        self.entries += 1;
    }
}

fn display(key: Key) -> String {
    match key {
        Key::Number(key) => key.to_string(),
        Key::Uuid(bytes) => pgrx::Uuid::from_bytes(bytes).to_string(),
    }
}

fn refuse(code: PgSqlErrorCode, message: String, detail: &str) -> ! {
    report(code, message).detail(detail).raise()
}

/// A file whose writing ends with an error of PostgreSQL's when the statement has been cancelled.
struct Interruptible<W>(W);

impl<W: Write> Write for Interruptible<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        check_for_interrupts();
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
