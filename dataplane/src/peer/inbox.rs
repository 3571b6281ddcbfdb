//! What a peer has sent and nobody has taken yet.
//!
//! A viewer's bytes are few: they are kept in a small vector only while a record or a
//! request head is partial. An encoder that may upload receives into a pool buffer of its
//! own; its records are opened in place there, and body bytes go from there into the ring,
//! once.
//!
//! Layout: `[plain (opened, not taken)] … [start..end (as received, not opened)]`.

use std::ops::Range;

use zonecast_io::{BUFFER_BYTES, Buffer};

/// Room of the memory that is lent for whole requests.
pub(crate) const SCRATCH_BYTES: usize = 32 << 10;

/// Where the bytes lie.
#[derive(Debug)]
enum Store {
    /// Few bytes, for as long as they are partial.
    Carry(Vec<u8>),
    /// An encoder's buffer; `None` while the driver receives into it.
    Own(Option<Buffer>),
}

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Inbox {
    store: Store,
    /// Opened plaintext that nobody has taken.
    plain: Range<usize>,
    /// Received bytes that are not opened.
    start: usize,
    end: usize,
}

impl Inbox {
    /// For a connection that has not been authorised to upload.
    pub(crate) fn carry() -> Self {
        Self {
            store: Store::Carry(Vec::new()),
            plain: 0..0,
            start: 0,
            end: 0,
        }
    }

    /// From now on bytes are received into `buffer`, and records opened in place there.
    pub(crate) fn take_over(&mut self, mut buffer: Buffer) {
        self.compact();
        let Store::Carry(carry) = &self.store else {
            return;
        };
        buffer[..carry.len()].copy_from_slice(carry);
        self.store = Store::Own(Some(buffer));
    }

    /// Whether bytes are received into a buffer of its own.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.store, Store::Own(_))
    }

    /// Bytes that nobody has taken.
    pub(crate) fn len(&self) -> usize {
        self.plain.len() + (self.end - self.start)
    }

    /// Lends `scratch` as the store while the carry is empty, so that whole requests need no
    /// memory of the viewer's own; [`Inbox::give_back`] ends that.
    pub(crate) fn borrow(&mut self, scratch: &mut Vec<u8>) {
        if let Store::Carry(own) = &mut self.store
            && own.is_empty()
        {
            *own = std::mem::take(scratch);
        }
    }

    /// Takes `scratch` back; what is left of it moves into memory of the viewer's own.
    pub(crate) fn give_back(&mut self, scratch: &mut Vec<u8>) {
        if self.is_own() && scratch.capacity() == 0 {
            *scratch = Vec::with_capacity(SCRATCH_BYTES);
        }
        if self.is_away() {
            return;
        }
        self.compact();
        if let Store::Carry(own) = &mut self.store {
            if scratch.capacity() == 0 {
                std::mem::swap(own, scratch);
                *own = scratch.as_slice().into();
                scratch.clear();
            } else if own.is_empty() {
                *own = Vec::new();
            }
        }
    }

    /// Appends what came in a buffer of the driver's.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        let end = self.end;
        match &mut self.store {
            Store::Carry(carry) => carry.extend_from_slice(bytes),
            Store::Own(Some(buffer)) => buffer[end..end + bytes.len()].copy_from_slice(bytes),
            Store::Own(None) => return,
        }
        self.end += bytes.len();
    }

    /// Puts back what a handshake has left over: the inbox is empty.
    pub(crate) fn refill(&mut self, bytes: &[u8]) {
        self.clear();
        if let Store::Carry(carry) = &mut self.store {
            carry.extend_from_slice(bytes);
        } else {
            self.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        }
        self.end = bytes.len();
    }

    /// Hands the own buffer to the driver, with the offset to receive at; `None` while it is
    /// with the driver already, or full.
    pub(crate) fn take_buffer(&mut self) -> Option<(Buffer, usize)> {
        if self.len() == 0 || self.end == BUFFER_BYTES {
            self.compact();
        }
        if self.end == BUFFER_BYTES {
            return None;
        }
        match &mut self.store {
            Store::Own(buffer) => buffer.take().map(|b| (b, self.end)),
            Store::Carry(_) => None,
        }
    }

    /// Takes the own buffer back with `received` more bytes in it.
    pub(crate) fn put_buffer(&mut self, buffer: Buffer, received: usize) {
        if let Store::Own(own) = &mut self.store {
            *own = Some(buffer);
            self.end += received;
        }
    }

    /// Whether the driver has the own buffer just now.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self.store, Store::Own(None))
    }

    /// Opened plaintext that nobody has taken.
    pub(crate) fn plain(&self) -> &[u8] {
        &self.bytes()[self.plain.clone()]
    }

    /// Received bytes that are not opened.
    pub(crate) fn sealed_mut(&mut self) -> &mut [u8] {
        let range = self.start..self.end;
        &mut self.bytes_mut()[range]
    }

    /// The first `consumed` sealed bytes are opened; `plain` (in them) is what they carried.
    pub(crate) fn opened(&mut self, consumed: usize, plain: Range<usize>) {
        debug_assert!(
            self.plain.is_empty(),
            "plaintext is taken before the next record is opened"
        );
        self.plain = self.start + plain.start..self.start + plain.end;
        self.start += consumed;
    }

    /// The first `n` bytes of the plaintext are taken.
    pub(crate) fn take_plain(&mut self, n: usize) {
        self.plain.start += n;
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        if let Store::Carry(carry) = &mut self.store {
            carry.clear();
        }
        (self.plain, self.start, self.end) = (0..0, 0, 0);
    }

    /// Moves what is left to the front.
    fn compact(&mut self) {
        let plain = self.plain.clone();
        let sealed = self.start..self.end;
        let (plain_len, sealed_len) = (plain.len(), sealed.len());
        let bytes = self.bytes_mut();
        bytes.copy_within(plain, 0);
        bytes.copy_within(sealed, plain_len);
        if let Store::Carry(carry) = &mut self.store {
            carry.truncate(plain_len + sealed_len);
        }
        self.plain = 0..plain_len;
        (self.start, self.end) = (plain_len, plain_len + sealed_len);
    }

    fn bytes(&self) -> &[u8] {
        match &self.store {
            Store::Carry(carry) => carry,
            Store::Own(Some(buffer)) => buffer,
            Store::Own(None) => &[],
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.store {
            Store::Carry(carry) => carry,
            Store::Own(Some(buffer)) => buffer,
            Store::Own(None) => &mut [],
        }
    }
}
