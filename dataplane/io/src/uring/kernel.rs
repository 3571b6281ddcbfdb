//! Handing the sending side of a connection to the kernel (kTLS), and its control records.
//!
//! Two socket options hand a connection over; on a direct descriptor both are socket commands, linked
//! so that the second is not tried where the first fails. A further key is the second option alone.

use std::io;

use io_uring::{cqueue, opcode, squeue, types};

use crate::driver::{Completion, Conn, Event, OpId, RECORD_MESSAGE_MAX, Token};
use crate::egress::Epoch;
use crate::kernel_tls::{KernelKey, SOL_TLS, TCP_ULP, TLS_SET_RECORD_TYPE, TLS_TX, ULP};
use crate::socket_option::set_option;

use super::UringDriver;
use super::connections::{Target, on_target};
use super::leaving::Departures;
use super::operations::Operation;

/// A connection that is being handed over.
pub(super) struct Handover {
    /// Read by the kernel, and wiped afterwards.
    key: Box<KernelKey>,
    /// When the hand-over began.
    seen: Epoch,
    /// Completions that are still to come.
    left: u8,
    /// What failed first.
    failed: Option<i32>,
}

/// One control message with a byte in it, laid out as CMSG_SPACE(1) bytes.
#[repr(C)]
struct Control {
    length: usize,
    level: i32,
    kind: i32,
    record_type: u8,
}

/// A control record on its way, with what describes it to the kernel.
pub(super) struct ControlRecord {
    message: [u8; RECORD_MESSAGE_MAX],
    control: Control,
    iovec: libc::iovec,
    header: libc::msghdr,
}

impl ControlRecord {
    fn new(record_type: u8, bytes: &[u8]) -> Box<ControlRecord> {
        let mut message = [0; RECORD_MESSAGE_MAX];
        message[..bytes.len()].copy_from_slice(bytes);
        let mut made = Box::new(ControlRecord {
            message,
            control: Control {
                length: std::mem::offset_of!(Control, record_type) + 1,
                level: SOL_TLS as i32,
                kind: TLS_SET_RECORD_TYPE,
                record_type,
            },
            iovec: libc::iovec {
                iov_base: std::ptr::null_mut(),
                iov_len: bytes.len(),
            },
            // SAFETY: all zeros is a header that describes nothing.
            header: unsafe { std::mem::zeroed() },
        });
        made.iovec.iov_base = (&raw mut made.message).cast();
        made.header.msg_iov = &raw mut made.iovec;
        made.header.msg_iovlen = 1;
        made.header.msg_control = (&raw mut made.control).cast();
        made.header.msg_controllen = size_of::<Control>();
        made
    }
}

impl<H> UringDriver<H> {
    pub(super) fn handover_submitted(
        &mut self,
        conn: Conn,
        key: Box<KernelKey>,
        token: Token,
    ) -> OpId {
        let first = !self.connections.kernel_seals(conn);
        let target = self.connections.begin(conn);
        let (value, length) = (key.bytes().as_ptr().cast(), key.bytes().len() as u32);
        // Before the key is set: a device that goes down from here on has been down since.
        let seen = self.departures.as_mut().map(Departures::now);
        let handover = Box::new(Handover {
            key,
            seen: seen.unwrap_or_default(),
            left: 1 + u8::from(first),
            failed: None,
        });
        let id = self
            .operations
            .insert(token, Operation::SealInKernel { conn, handover });
        let Target::Direct(index) = target else {
            self.hand_over_now(id, first);
            return id;
        };
        let fd = types::Fixed(index);
        if first {
            let (level, name) = (libc::IPPROTO_TCP as u32, ULP.as_ptr().cast());
            let entry = opcode::SetSockOpt::new(fd, level, TCP_ULP, name, ULP.len() as u32).build();
            let entry = entry.flags(squeue::Flags::IO_LINK);
            // SAFETY: the entry points at a static.
            unsafe { self.queue.push(entry.user_data(id.to_user_data())) };
        }
        let entry = opcode::SetSockOpt::new(fd, SOL_TLS, TLS_TX, value, length).build();
        // SAFETY: the key is in a box of its own, in the slab until its completion is reaped.
        unsafe { self.queue.push(entry.user_data(id.to_user_data())) };
        id
    }

    /// On a plain descriptor, without the ring.
    fn hand_over_now(&mut self, id: OpId, first: bool) {
        let Some(Operation::SealInKernel { conn, handover }) = self.operations.get_mut(id) else {
            unreachable!("it was inserted by the caller")
        };
        let descriptor = self.connections.descriptor(*conn);
        let set = |level, option, value: &[u8]| {
            let descriptor = descriptor.ok_or(io::ErrorKind::NotConnected)?;
            set_option(descriptor, level, option, value)
        };
        let upper = if first {
            set(libc::IPPROTO_TCP as u32, TCP_ULP, &ULP)
        } else {
            Ok(())
        };
        let result = upper.and_then(|()| set(SOL_TLS, TLS_TX, handover.key.bytes()));
        let mut ready = std::mem::take(&mut self.ready);
        self.handed_over(id, result, &mut ready);
        self.ready = ready;
    }

    pub(super) fn handover_done(
        &mut self,
        id: OpId,
        entry: &cqueue::Entry,
        out: &mut Vec<Completion<H>>,
    ) {
        let Some(Operation::SealInKernel { handover, .. }) = self.operations.get_mut(id) else {
            unreachable!("the caller has seen that it is a hand-over")
        };
        if entry.result() < 0 {
            handover.failed.get_or_insert(-entry.result());
        }
        handover.left -= 1;
        if handover.left == 0 {
            let failed = handover.failed;
            let result = failed.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)));
            self.handed_over(id, result, out);
        }
    }

    fn handed_over(&mut self, id: OpId, result: io::Result<()>, out: &mut Vec<Completion<H>>) {
        let (token, Operation::SealInKernel { conn, handover }) = self.operations.remove(id) else {
            unreachable!("the caller has seen that it is a hand-over")
        };
        self.connections.end(conn);
        if result.is_ok() {
            self.connections.set_kernel_seals(conn, handover.seen);
        }
        let event = Event::SealedByKernel(result);
        out.push(Completion { token, event });
    }

    /// The kernel may keep the end of what was sent before until the socket has room, and a shutdown
    /// would cut it off. So a worker sends this, which waits until the socket has all of it.
    pub(super) fn record_submitted(
        &mut self,
        conn: Conn,
        record_type: u8,
        message: &[u8],
        token: Token,
    ) -> OpId {
        assert!(
            message.len() <= RECORD_MESSAGE_MAX,
            "an alert, or a KeyUpdate"
        );
        self.lending_is_over(conn);
        let target = self.connections.begin(conn);
        self.copying_begins(conn);
        let record = ControlRecord::new(record_type, message);
        let header = &raw const record.header;
        let id = self.operations.insert(
            token,
            Operation::Record {
                conn,
                _message: record,
            },
        );
        let flags = libc::MSG_NOSIGNAL as u32;
        let entry = on_target!(target, fd => opcode::SendMsg::new(fd, header).flags(flags).build());
        let entry = entry.flags(squeue::Flags::ASYNC);
        // SAFETY: the header and all that it points at are in one box, in the slab until the completion
        // is reaped.
        unsafe { self.queue.push(entry.user_data(id.to_user_data())) };
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows that a control message is laid out as the C library's macros would.
    #[test]
    fn a_control_message_is_laid_out_as_c_does() {
        let record = ControlRecord::new(21, &[1, 0]);
        // SAFETY: it computes a size, and touches no memory.
        assert_eq!(record.control.length, unsafe { libc::CMSG_LEN(1) } as usize);
        // SAFETY: as above.
        assert_eq!(record.header.msg_controllen, unsafe {
            libc::CMSG_SPACE(1) as usize
        });
        assert_eq!(record.message[..2], [1, 0]);
        assert_eq!(record.iovec.iov_len, 2);
    }
}
