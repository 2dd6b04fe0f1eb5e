//! New values in PostgreSQL's current memory context.

use pgrx::pg_sys;

/// New memory of `len` bytes, aligned for any value; `fill` writes it, and finds zeros there.
pub fn allocate(len: usize, fill: impl FnOnce(&mut [u8])) -> *mut u8 {
    // SAFETY: the allocation is zeroed, has as many bytes, and is ours alone until it is returned.
    let memory = unsafe { std::slice::from_raw_parts_mut(pg_sys::palloc0(len).cast::<u8>(), len) };
    fill(memory);
    memory.as_mut_ptr()
}

/// A struct, moved to new memory.
pub fn store<T: Copy>(value: T) -> *mut T {
    const { assert!(align_of::<T>() <= align_of::<u64>()) };
    // SAFETY: the allocation has the struct's size, and is aligned for any value.
    unsafe {
        let place = pg_sys::palloc(size_of::<T>()).cast::<T>();
        place.write(value);
        place
    }
}
