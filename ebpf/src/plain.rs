//! Structures of maps as the bytes that the kernel takes and gives.

use crate::skeleton::types;

/// A structure without padding, of which every value of its bytes is one.
///
/// # Safety
/// Both have to be so.
pub(crate) unsafe trait Plain: Copy + Default {}

macro_rules! plain {
    ($($name:ident: $bytes:literal,)*) => { $(
        const _: () = assert!(size_of::<types::$name>() == $bytes);
        // SAFETY: integers only; the sum of their sizes, which is what stands in the table, is the
        // structure's, so that there is none between them.
        unsafe impl Plain for types::$name {}
    )* };
}

plain! {
    zone_counters: 120,
    listener_key: 20,
    listener: 4,
    port: 12,
    destination_key: 16,
    destination: 4,
    affinity_key: 28,
    affinity: 16,
    zone_loops: 8,
    loop_word: 64,
    socket_tag: 8,
    peer: 48,
    live: 32,
}

// SAFETY: integers.
unsafe impl Plain for u32 {}
// SAFETY: integers.
unsafe impl Plain for u64 {}

/// Its bytes.
pub(crate) fn bytes<T: Plain>(value: &T) -> &[u8] {
    // SAFETY: the structure has no padding, and lives as long as the slice.
    unsafe { std::slice::from_raw_parts((&raw const *value).cast(), size_of::<T>()) }
}

/// From its bytes; `None` where there are too few.
pub(crate) fn of_bytes<T: Plain>(bytes: &[u8]) -> Option<T> {
    let bytes = bytes.get(..size_of::<T>())?;
    let mut value = T::default();
    // SAFETY: both have that many bytes, and any are a value.
    unsafe {
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut value).cast(), bytes.len());
    }
    Some(value)
}
