//! Handover: where it can, the kernel seals what a viewer is sent.
//!
//! The handshake's last bytes must be the socket's before the kernel is given the key: it would seal
//! them a second time. From then on a response is plaintext to the socket, its body straight from the
//! ring; alerts and KeyUpdates are records of their own. Where the kernel refuses, the connection
//! stays with our own record layer, which opens what comes in on every path.

use std::io;

use rustls::AlertDescription;
use zonecast_io::{Driver, KernelKey, Outgoing};
use zonecast_ring::Lease;

use crate::loops::Loop;
use crate::peer::{Link, PeerId, State, Step};
use crate::shared::{Listener, Sealer, Shared};
use crate::tls::{ALERT, HANDSHAKE, KEY_UPDATE_MESSAGE, Session};

/// The key for the kernel, where this listener's connections are to be its, and it can seal them.
pub(super) fn key_for_the_kernel(
    shared: &Shared,
    listener: &Listener,
    session: &mut Session,
) -> Option<Box<KernelKey>> {
    // Taken in any case: nobody keeps a key that nobody uses.
    let key = session.take_kernel_key()?;
    let (version, cipher) = session.kernel_kind()?;
    let wanted = listener.sealer >= Sealer::Kernel && shared.kernel_tls.seals(version, cipher);
    wanted.then_some(key)
}

impl<D: Driver<Hold = Lease>> Loop<D> {
    /// Goes on with the hand-over once nothing of the handshake is on its way.
    pub(crate) fn handover_step(&mut self, id: PeerId) -> Step {
        let Some(peer) = self.peers.get_mut(id) else {
            return Step::Stop;
        };
        if peer.send.is_none()
            && peer.handover.is_none()
            && let Some(key) = peer.kernel_key.take()
        {
            peer.handover = Some(self.driver.seal_in_kernel(peer.conn, key, id.token()));
        }
        Step::Stop
    }

    /// The kernel has taken a key, or has refused it.
    pub(crate) fn sealed_by_kernel(&mut self, id: PeerId, result: io::Result<()>) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.handover = None;
        match (peer.state, result) {
            (State::Closing, _) => self.teardown(id),
            (State::Handover, result) => {
                let for_cards = self.shared.listeners[peer.listener].sealer == Sealer::Card;
                match (result, &mut peer.link) {
                    (Ok(()), Link::Tls(session)) => {
                        session.kernel_seals(self.shared.kernel_tls.rekeys());
                        self.counters.kernel_handovers.add(1);
                        if for_cards {
                            self.ask_for_the_card(id);
                        }
                    }
                    (Ok(()), _) => {}
                    (Err(error), _) => self.kernel_refused(id, &error),
                }
                self.go(id, State::Request);
                self.begin_request(id);
                self.advance(id);
            }
            (_, Ok(())) => self.pump(id),
            // A KeyUpdate is out, and nothing can be sealed under the key that it promises.
            (_, Err(error)) => {
                self.kernel_refused(id, &error);
                self.cut(id);
            }
        }
    }

    /// Counts a refusal, and says the first of each loop.
    fn kernel_refused(&mut self, id: PeerId, error: &io::Error) {
        let first = self.counters.kernel_refusals.get() == 0;
        self.counters.kernel_refusals.add(1);
        let conn = self.peers.get(id).map(|peer| peer.conn);
        let peer = crate::peer::name(conn.and_then(|conn| self.driver.peer(conn)));
        if first {
            tracing::warn!(%error, peer, "the kernel does not seal a connection: userspace_tls");
        } else {
            tracing::debug!(%error, peer, "the kernel does not seal a connection");
        }
    }

    /// Sends a KeyUpdate where one is due and the kernel seals; true while that goes on.
    pub(super) fn changes_kernel_key(&mut self, id: PeerId) -> bool {
        let Some(peer) = self.peers.get_mut(id) else {
            return false;
        };
        let Link::Tls(session) = &peer.link else {
            return false;
        };
        if peer.changing_key || peer.handover.is_some() {
            return true;
        }
        if !session.kernel_key_update_due() {
            return false;
        }
        peer.changing_key = true;
        let (conn, token) = (peer.conn, id.token());
        let record = self
            .driver
            .send_record(conn, HANDSHAKE, &KEY_UPDATE_MESSAGE, token);
        peer.send = Some(record);
        true
    }

    /// A control record is the socket's, or never will be.
    pub(crate) fn record_sent(&mut self, id: PeerId, result: io::Result<()>) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.send = None;
        let changing = std::mem::take(&mut peer.changing_key);
        match (peer.state, result) {
            (State::Closing, _) => self.teardown(id),
            (_, Err(error)) => self.send_failed(id, &error),
            (State::Response, Ok(())) if changing => {
                let Link::Tls(session) = &mut peer.link else {
                    return;
                };
                match session.next_kernel_key() {
                    Ok(key) => {
                        peer.handover =
                            Some(self.driver.seal_in_kernel(peer.conn, key, id.token()));
                    }
                    Err(error) => {
                        tracing::error!(%error, "no next key for the kernel");
                        self.cut(id);
                    }
                }
            }
            _ => self.send_done(id),
        }
    }

    /// Sends an alert, by whoever seals; false where it cannot be.
    pub(crate) fn send_alert(&mut self, id: PeerId, alert: AlertDescription) -> bool {
        let Some(peer) = self.peers.get_mut(id) else {
            return false;
        };
        let Link::Tls(session) = &mut peer.link else {
            return false;
        };
        if peer.send.is_some() || peer.handover.is_some() {
            return false;
        }
        if session.is_sealed_by_kernel() {
            let Ok(message) = session.kernel_alert(alert) else {
                return false;
            };
            let (conn, token) = (peer.conn, id.token());
            peer.send = Some(self.driver.send_record(conn, ALERT, &message, token));
            return true;
        }
        let Some(mut buffer) = self.driver.buffer() else {
            return false;
        };
        let Ok(sealed) = session.seal_alert(alert, &mut buffer) else {
            return false;
        };
        buffer.set(0, sealed);
        self.send(id, Outgoing::Buffer(buffer), false);
        true
    }
}
