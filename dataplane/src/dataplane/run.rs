//! A loop's thread: pinned, with a driver of its own, until it is drained.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use zonecast_io::{Descriptors, UringConfig, UringDriver, Waker};
use zonecast_numa::pin;
use zonecast_numa::zones::LoopPlace;
use zonecast_ring::Lease;

use super::LoopFailure;
use crate::loops::{Loop, Mailbox};
use crate::peer::Role;
use crate::shared::{Sealer, Shared};

/// Where the kernel's files are.
pub(super) const SYS: &str = "/sys";

/// A listening socket of one loop.
pub(super) struct Socket {
    /// Index among all listeners.
    pub(super) listener: usize,
    pub(super) role: Role,
    pub(super) sealer: Sealer,
    pub(super) fd: OwnedFd,
}

/// What a loop's thread is given.
pub(super) struct Seat {
    pub(super) place: LoopPlace,
    pub(super) driver: UringConfig,
    pub(super) sockets: Vec<Socket>,
    /// See [`Limits::nic_drain`](crate::config::Limits::nic_drain).
    pub(super) nic_drain: Duration,
    /// Viewers' connections are asked by which device they leave.
    pub(super) asks: bool,
    /// Where it says that it has a driver, or why not.
    pub(super) ready: Sender<(usize, std::io::Result<Ready>)>,
    /// From where it gets what needs every loop's driver.
    pub(super) go: Receiver<(Arc<Shared>, Arc<[Mailbox]>)>,
}

/// What a loop has to say before it goes.
pub(super) struct Ready {
    pub(super) waker: Waker,
    pub(super) notes: Vec<String>,
}

/// The thread's life.
pub(super) fn run(mut seat: Seat) -> Result<(), LoopFailure> {
    let id = seat.place.id;
    let failure = |error| LoopFailure {
        loop_id: id.0,
        error,
    };
    let at = usize::from(id.0);
    let (driver, listeners) = match prepare(&mut seat) {
        Ok((driver, listeners, notes)) => {
            let waker = zonecast_io::Driver::waker(&driver);
            drop(seat.ready.send((at, Ok(Ready { waker, notes }))));
            (driver, listeners)
        }
        Err(error) => {
            drop(seat.ready.send((at, Err(error))));
            return Ok(());
        }
    };
    // Without an answer the start has failed elsewhere.
    let Ok((shared, boxes)) = seat.go.recv() else {
        return Ok(());
    };
    let mut this = Loop::new(driver, id, shared, boxes, listeners);
    while this.turn().map_err(failure)? {}
    Ok(())
}

type Prepared = (
    UringDriver<Lease>,
    Vec<(usize, zonecast_io::ListenerId)>,
    Vec<String>,
);

/// Takes the seat's sockets.
fn prepare(seat: &mut Seat) -> std::io::Result<Prepared> {
    let place = &seat.place;
    let mut notes = Vec::new();
    if let Err(error) = pin::pin_current_thread(place.cpu) {
        notes.push(format!(
            "loop {}: not pinned to CPU {}: {error}",
            place.id, place.cpu
        ));
    }
    let mut driver = UringDriver::new(seat.driver.clone())?;
    notes.extend(
        driver
            .step_downs()
            .iter()
            .map(|s| format!("loop {}: {s}", place.id)),
    );
    if seat.asks
        || seat
            .sockets
            .iter()
            .any(|socket| socket.sealer == Sealer::Card)
    {
        driver.watch_egress(SYS.as_ref())?;
        if !seat.nic_drain.is_zero()
            && let Err(error) = driver.lend_pages(seat.nic_drain)
        {
            notes.push(format!(
                "loop {}: bytes for cards are copied: {error}",
                place.id
            ));
        }
    }
    let mut listeners = Vec::new();
    for socket in std::mem::take(&mut seat.sockets) {
        let descriptors = match socket.role {
            // Its connections are asked for their addresses.
            Role::Viewer if seat.asks || socket.sealer == Sealer::Card => Descriptors::Plain,
            Role::Viewer => Descriptors::Direct,
            // Few, and their addresses are wanted in the log.
            Role::Encoder => Descriptors::Plain,
        };
        listeners.push((
            socket.listener,
            driver.add_listener(socket.fd, descriptors)?,
        ));
    }
    Ok((driver, listeners, notes))
}
