//! Reading a span's bytes, to copy them at submission and to compare them at completion.

use std::rc::Rc;

use zonecast_numa::{Regions, Span};

/// The bytes of `span`; `None` where it lies in no region.
pub(super) fn copy(regions: Option<&Regions>, span: Span) -> Option<Rc<[u8]>> {
    let pointer = regions?.pointer(span)?;
    let mut bytes = vec![0; span.len as usize];
    // SAFETY: `Regions::pointer` gives an address that is valid for `span.len` bytes as long as the
    // regions are held, which the borrow does; `bytes` is new and as long. Nobody writes to the
    // bytes meanwhile: the hold that was given with the span keeps them unchanged (its giver's
    // promise), and whoever breaks that on this thread is not running now.
    unsafe { std::ptr::copy_nonoverlapping(pointer.as_ptr(), bytes.as_mut_ptr(), bytes.len()) };
    Some(bytes.into())
}

/// Where `now` first differs from `then`, if it does.
pub(super) fn difference(then: &[u8], now: &[u8]) -> Option<usize> {
    if then == now {
        return None;
    }
    let same = then.iter().zip(now).take_while(|(then, now)| then == now);
    Some(same.count())
}
