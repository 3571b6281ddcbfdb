//! A peer's end of a connection: plain, or a rustls client over it.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection};
use zonecast_io::sim::{End, SimPeer};

/// How the loop's direction has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// In order: with close_notify, where there is TLS.
    Complete,
    /// With a reset, or without close_notify.
    Cut,
}

/// See the module's description.
pub(crate) struct Wire {
    pub(crate) peer: SimPeer,
    tls: Option<Box<ClientConnection>>,
    /// What the socket has not taken yet.
    out: Vec<u8>,
    /// What has come and nobody has taken.
    pub(crate) incoming: Vec<u8>,
    /// Bytes that ever came.
    pub(crate) received: u64,
    /// Bytes that came out of records, since that was asked last.
    opened: u64,
    notified: bool,
    /// It has said that nothing more follows.
    silent: bool,
    /// It has sent what no client sends.
    spoiled: bool,
    /// It has got what it does not understand, having sent such things.
    broken: bool,
    finishing: bool,
    /// The own direction is finished.
    finished: bool,
}

impl Wire {
    pub(crate) fn new(peer: SimPeer, tls: Option<&Arc<ClientConfig>>) -> Self {
        let tls = tls.map(|config| {
            let name = "localhost".try_into().expect("a name");
            Box::new(ClientConnection::new(config.clone(), name).expect("a good configuration"))
        });
        Self {
            peer,
            tls,
            out: Vec::new(),
            incoming: Vec::new(),
            received: 0,
            opened: 0,
            notified: false,
            silent: false,
            spoiled: false,
            broken: false,
            finishing: false,
            finished: false,
        }
    }

    /// Hands `bytes` over; they go as the socket takes them.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        match &mut self.tls {
            None => self.out.extend_from_slice(bytes),
            Some(tls) => {
                tls.set_buffer_limit(None);
                tls.writer().write_all(bytes).expect("no limit");
            }
        }
    }

    /// Sends bytes beside all order.
    pub(crate) fn spoil(&mut self, bytes: &[u8]) {
        self.spoiled = true;
        self.out.extend_from_slice(bytes);
    }

    /// Changes the key more often than any client would; false where that cannot be.
    pub(crate) fn flood(&mut self) -> bool {
        if !self.update_keys() {
            return false;
        }
        self.spoiled = true;
        (0..100).all(|_| self.update_keys())
    }

    pub(crate) fn is_spoiled(&self) -> bool {
        self.spoiled
    }

    /// Has the next record sealed with another key, and the loop's too; false where that cannot
    /// be (in TLS 1.2).
    pub(crate) fn update_keys(&mut self) -> bool {
        let tls = self.tls.as_mut().filter(|tls| !tls.is_handshaking());
        tls.is_some_and(|tls| tls.refresh_traffic_keys().is_ok())
    }

    /// Says that nothing more follows, and goes on reading.
    pub(crate) fn say_goodbye(&mut self) -> bool {
        let tls = self.tls.as_mut().filter(|tls| !tls.is_handshaking());
        self.silent = tls.map(|tls| tls.send_close_notify()).is_some();
        self.silent
    }

    /// Whether nothing more can be asked for.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent || self.spoiled
    }

    /// Bytes that came out of records since the last call.
    pub(crate) fn take_opened(&mut self) -> u64 {
        std::mem::take(&mut self.opened)
    }

    /// Bytes that are not with the socket yet, or cannot be sent yet.
    pub(crate) fn is_busy(&self) -> bool {
        let tls = self.tls.as_ref();
        !self.out.is_empty() || tls.is_some_and(|tls| tls.wants_write() || tls.is_handshaking())
    }

    /// Ends the own direction once all is sent.
    pub(crate) fn finish(&mut self) {
        self.finishing = true;
    }

    /// Moves what can be moved, both ways.
    ///
    /// # Errors
    /// When what came is no TLS.
    pub(crate) fn turn(&mut self) -> Result<(), String> {
        let fresh = self.peer.take_received();
        self.received += fresh.len() as u64;
        match self.take_in(fresh) {
            Err(_) if self.spoiled => self.broken = true,
            taken => taken?,
        }
        self.put_out();
        if self.finishing && !self.finished && !self.is_busy() {
            self.finished = true;
            if let Some(tls) = &mut self.tls {
                tls.send_close_notify();
            }
            self.put_out();
            self.peer.finish();
        }
        Ok(())
    }

    fn take_in(&mut self, fresh: Vec<u8>) -> Result<(), String> {
        if self.broken {
            return Ok(());
        }
        let Some(tls) = &mut self.tls else {
            self.incoming.extend(fresh);
            return Ok(());
        };
        let mut rest = &fresh[..];
        while !rest.is_empty() {
            if self.notified {
                return Err(format!("{} bytes after close_notify", rest.len()));
            }
            tls.read_tls(&mut rest).map_err(|e| e.to_string())?;
            let state = tls.process_new_packets().map_err(|e| format!("TLS: {e}"))?;
            self.notified |= state.peer_has_closed();
            let from = self.incoming.len();
            self.incoming
                .resize(from + state.plaintext_bytes_to_read(), 0);
            let room = &mut self.incoming[from..];
            self.opened += room.len() as u64;
            tls.reader().read_exact(room).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn put_out(&mut self) {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.out).expect("a vector takes it all");
            }
        }
        let taken = self.peer.write(&self.out);
        self.out.drain(..taken);
    }

    /// How the loop's direction has ended, once everything before that has been taken in.
    pub(crate) fn ended(&self) -> Option<Ended> {
        let all_in = self.peer.received_len() == 0;
        match self.peer.received_end() {
            End::Open => None,
            _ if !all_in => None,
            _ if self.broken => Some(Ended::Cut),
            End::Finished if self.tls.is_none() || self.notified => Some(Ended::Complete),
            End::Finished | End::Reset => Some(Ended::Cut),
        }
    }
}
