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
    notified: bool,
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
            notified: false,
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

    /// Has the next record sealed with another key, and the loop's too (TLS 1.3).
    pub(crate) fn update_keys(&mut self) {
        if let Some(tls) = &mut self.tls
            && !tls.is_handshaking()
        {
            // TLS 1.2 has no such thing.
            let _ = tls.refresh_traffic_keys();
        }
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
        self.take_in(fresh)?;
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
            End::Finished if self.tls.is_none() || self.notified => Some(Ended::Complete),
            End::Finished | End::Reset => Some(Ended::Cut),
        }
    }
}
