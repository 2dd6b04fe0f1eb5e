//! Values of array types.

use std::ffi::c_char;

use pgrx::pg_sys::{self, Datum, Oid};

use super::bitvec::varlena_bytes;
use crate::catalog;
use crate::nodes::{Node, View, functions, views};

/// An array, whole, and valid as PostgreSQL makes them.
#[derive(Clone, Copy)]
pub struct SqlArray<'a>(Node<'a, pg_sys::ArrayType>);

functions! {
    fn contains_nulls(array: Node<'_, pg_sys::ArrayType>) -> bool = array_contains_nulls;
    fn look_up_layout(of: Oid, length: &mut i16, by_value: &mut bool, align: &mut c_char) = get_typlenbyvalalign;
}

views! {
    ArrayType {
        dimensions: i32 = |array| array.ndim;
        /// Where the elements are, if the array may have NULLs; otherwise 0.
        offset: i32 = |array| array.dataoffset;
        element_type: Oid = |array| array.elemtype;
    }
}

impl<'a> SqlArray<'a> {
    /// The array that a Datum is.
    ///
    /// # Safety
    /// It is of an array type, and lives, as the current memory context does (where copies may have to be made), for
    /// `'a`.
    pub unsafe fn of(datum: Datum) -> Self {
        // SAFETY: the caller vouches for the pointer; detoasting gives an aligned array with a long header.
        SqlArray(unsafe { View::view(pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast()) })
    }

    /// The type of the elements.
    pub fn element_type(self) -> Oid {
        self.0.element_type()
    }

    /// How many elements it has along each dimension; without elements, there is no dimension.
    pub fn lengths(self) -> &'a [i32] {
        let dimensions = self.0.dimensions().max(0) as usize;
        // SAFETY: the lengths of the dimensions follow the fields of a valid array.
        unsafe { std::slice::from_raw_parts(self.0.raw().add(1).cast(), dimensions) }
    }

    /// Whether an element is NULL.
    pub fn has_nulls(self) -> bool {
        contains_nulls(self.0)
    }

    /// The elements of an array of type real[], row after row; None for another type, or if one is NULL.
    pub fn numbers(self) -> Option<&'a [u8]> {
        if self.element_type() != pg_sys::FLOAT4OID || self.has_nulls() {
            return None;
        }
        let lengths = self.lengths();
        let count = match lengths {
            [] => 0,
            _ => lengths.iter().map(|&length| length as usize).product(),
        };
        // Behind the fields and, for each dimension, its length and lower bound; or behind the bitmap of NULLs.
        let offset = match self.0.offset() {
            0 => (size_of::<pg_sys::ArrayType>() + 2 * size_of_val(lengths)).next_multiple_of(align_of::<u64>()),
            offset => offset as usize,
        };
        // SAFETY: a valid array without NULLs has that many elements of 4 bytes there.
        Some(unsafe { std::slice::from_raw_parts(self.0.raw().cast::<u8>().add(offset), count * size_of::<f32>()) })
    }

    /// The elements, None for NULL. Raises an error if there is no such type as theirs.
    pub fn elements(self) -> Vec<Option<Datum>> {
        let of = self.element_type();
        let (mut length, mut by_value, mut align) = (0, false, 0);
        look_up_layout(of, &mut length, &mut by_value, &mut align);
        let (mut datums, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        // SAFETY: a valid array of this type; the results are arrays of as many elements in memory of their own.
        unsafe {
            let (datums, nulls) = (&mut datums, &mut nulls);
            pg_sys::deconstruct_array(
                self.0.raw(),
                of,
                length.into(),
                by_value,
                align,
                datums,
                nulls,
                &mut count,
            );
            (0..count as usize)
                .map(|at| (!*nulls.add(at)).then(|| *datums.add(at)))
                .collect()
        }
    }

    /// The bytes of each element, None for NULL; none at all if the type's values have a fixed length.
    pub fn varlenas(self) -> Vec<Option<&'a [u8]>> {
        if catalog::type_length(self.element_type()) != -1 {
            return Vec::new();
        }
        let elements = self.elements().into_iter();
        // SAFETY: of a varlena type, and parts of the array, which lives as long as a copy of an element does.
        elements
            .map(|element| element.map(|element| unsafe { varlena_bytes(element) }))
            .collect()
    }
}
