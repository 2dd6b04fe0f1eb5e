//! Values of any type, as bytes: what the log and shards store of them, and what a function is called with.

use iscc_hnsw::opaque::{CHECKSUM_BYTES, Layout, checksum_of};
use iscc_log::log_page::MAX_CELL;
use pgrx::pg_sys;
use pgrx::pg_sys::Datum;

use crate::catalog;
use crate::types::bitvec::{length_word, varlena_bytes};

/// The most bytes that a value can have, its length word not counted: it must fit on a page of the log.
pub const MAX_VALUE_BYTES: usize = MAX_CELL - CHECKSUM_BYTES;

/// How values of a type are stored. None for a type that is not one of stored values, or that does not fit on a page.
pub fn layout_of(input: pg_sys::Oid) -> Option<Layout> {
    let is_pseudo = catalog::type_kind(input) as u8 == pg_sys::TYPTYPE_PSEUDO;
    let length = catalog::type_length(input);
    match (length, catalog::is_passed_by_value(input)) {
        _ if is_pseudo => None,
        (-1, false) => Some(Layout::Varying),
        (1..=8, true) => Some(Layout::Number(length as u8)),
        (1.., false) if length as usize <= MAX_VALUE_BYTES => Some(Layout::Fixed(length as u16)),
        _ => None,
    }
}

/// What is stored of a value: its bytes, behind their checksum. A varlena is stored without its length word.
///
/// # Safety
/// `datum` is a value of a type of this layout, and lives, as the current memory context does, for `'a`.
pub unsafe fn stored_bytes<'a>(layout: Layout, datum: Datum) -> &'a [u8] {
    let number = (datum.value() as u64).to_le_bytes();
    // SAFETY: as the caller says; a type of fixed length has as many bytes where its values point to.
    let value = unsafe {
        match layout {
            Layout::Varying => varlena_bytes(datum),
            Layout::Fixed(bytes) => std::slice::from_raw_parts(datum.cast_mut_ptr::<u8>(), bytes.into()),
            Layout::Number(bytes) => number.get(..bytes.into()).unwrap_or(&number),
        }
    };
    let bytes = CHECKSUM_BYTES + value.len();
    // SAFETY: as many bytes, which are ours alone until they are returned.
    let stored = unsafe { std::slice::from_raw_parts_mut(pg_sys::palloc0(bytes).cast::<u8>(), bytes) };
    let (checksum, rest) = stored.split_at_mut(CHECKSUM_BYTES);
    checksum.copy_from_slice(&checksum_of(value));
    rest.copy_from_slice(value);
    stored
}

/// An argument of a function call, and the memory that it points to.
#[derive(Default)]
pub struct Argument {
    /// Of 8 bytes each, to be aligned as any type may want.
    memory: Vec<u64>,
    datum: Option<Datum>,
}

impl Argument {
    /// The argument; null before it is filled.
    pub fn datum(&self) -> Datum {
        self.datum.unwrap_or(Datum::null())
    }

    /// Becomes the varlena that consists of these parts.
    pub fn fill_varlena(&mut self, parts: [&[u8]; 2]) {
        let bytes = pg_sys::VARHDRSZ + parts[0].len() + parts[1].len();
        self.fill_memory(bytes, |memory| {
            let (head, rest) = memory.split_at_mut(pg_sys::VARHDRSZ);
            head.copy_from_slice(&length_word(bytes));
            let (first, second) = rest.split_at_mut(parts[0].len());
            first.copy_from_slice(parts[0]);
            second.copy_from_slice(parts[1]);
        });
    }

    /// Becomes this value, whose bytes match the layout.
    pub fn fill(&mut self, layout: Layout, value: &[u8]) {
        match layout {
            Layout::Varying => self.fill_varlena([value, &[]]),
            Layout::Fixed(_) => self.fill_memory(value.len(), |memory| memory.copy_from_slice(value)),
            Layout::Number(_) => {
                let is_negative = value.last().is_some_and(|&byte| byte >> 7 == 1);
                let mut number = [if is_negative { 0xFF } else { 0 }; 8];
                number.iter_mut().zip(value).for_each(|(to, &from)| *to = from);
                self.datum = Some(Datum::from(u64::from_le_bytes(number)));
            }
        }
    }

    fn fill_memory(&mut self, bytes: usize, fill: impl FnOnce(&mut [u8])) {
        self.memory.clear();
        self.memory.resize(bytes.div_ceil(8), 0);
        // SAFETY: the vector has at least as many bytes, which are ours alone, and any bytes are numbers.
        let memory = unsafe { std::slice::from_raw_parts_mut(self.memory.as_mut_ptr().cast::<u8>(), bytes) };
        fill(memory);
        self.datum = Some(Datum::from(self.memory.as_mut_ptr()));
    }
}
