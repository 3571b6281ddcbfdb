//! A tee in front of the daemon's ingest: relays encoders' connections byte for byte, as
//! they come, and enters in the ledger what passed.
//!
//! Each accepted connection gets one of its own to the daemon. Bytes go on as soon as they
//! are read, with no store-and-forward and the receiver's back-pressure; ends of stream
//! are passed on as such and resets as resets, so that the daemon sees what it would see
//! without the tee. One difference is unavoidable: with the daemon away an encoder is
//! accepted and then reset, instead of refused. After the encoder has closed, the daemon's
//! answers are still read (encoders such as ffmpeg do not wait for them) so that the
//! ledger knows them.
//!
//! The tee has a thread and a runtime of its own: hashing viewers cannot delay it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::ledger::Ledger;

mod observe;
use observe::Observer;

const RELAY_BYTES: usize = 64 * 1024;
const CONNECTIONS_MAX: usize = 1024;
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long the daemon may take to answer after the encoder has gone.
const LINGER_MAX: Duration = Duration::from_secs(10);
/// What may still be on its way when one direction breaks.
const BROKEN_MAX: Duration = Duration::from_millis(50);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running tee; it ends when dropped.
#[derive(Debug)]
pub struct Tee {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Tee {
    /// Starts a tee on a free port of 127.0.0.1 in front of `ingest`.
    ///
    /// # Errors
    /// No port, or no thread, can be had.
    pub fn start(ingest: SocketAddr, ledger: Arc<Ledger>) -> io::Result<Tee> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("tee".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let Ok(listener) = TcpListener::from_std(listener) else {
                        return;
                    };
                    tokio::select! {
                        () = accept(listener, ingest, ledger) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Tee {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where encoders connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the tee's thread has been reported by its own hook.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, ingest: SocketAddr, ledger: Arc<Ledger>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut relays = JoinSet::new();
    loop {
        while relays.try_join_next().is_some() {}
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        let Ok((encoder, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let ledger = ledger.clone();
        relays.spawn(async move {
            relay(encoder, ingest, ledger).await;
            drop(permit);
        });
    }
}

/// How one direction ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The sender finished, or broke off between two requests.
    Finished,
    /// The sender's connection broke.
    SourceBroke,
    /// The receiver takes nothing more.
    SinkBroke,
}

async fn relay(encoder: TcpStream, ingest: SocketAddr, ledger: Arc<Ledger>) {
    let Ok(Ok(daemon)) = timeout(CONNECT_MAX, TcpStream::connect(ingest)).await else {
        let _ = encoder.set_zero_linger();
        return;
    };
    // Each read is written at once, as its own segments: Nagle would change the timing.
    let _ = encoder.set_nodelay(true);
    let _ = daemon.set_nodelay(true);
    let (mut from_encoder, mut to_encoder) = encoder.into_split();
    let (mut from_daemon, mut to_daemon) = daemon.into_split();
    let observer = Mutex::new(Observer::new(ledger));
    let observed = || observer.lock().unwrap_or_else(PoisonError::into_inner);
    let broken = {
        let requests = async {
            let look = |bytes: &[u8]| observed().request_bytes(bytes);
            let mut end = copy_requests(&mut from_encoder, &mut to_daemon, look).await;
            // Encoders close, or even reset (when they leave answers unread), once their
            // last object is sent. Its bytes are on their way and must arrive.
            if end == End::SourceBroke && observed().between_requests() {
                end = End::Finished;
            }
            if end == End::Finished {
                let _ = to_daemon.shutdown().await;
            }
            observed().requests_ended();
            end
        };
        let look = |bytes: &[u8]| observed().answer_bytes(bytes);
        let answers = copy_answers(&mut from_daemon, &mut to_encoder, look);
        tokio::pin!(requests, answers);
        let (end, other) = tokio::select! {
            end = &mut requests => (end, timeout(pause(end), &mut answers).await),
            end = &mut answers => (end, timeout(pause(end), &mut requests).await),
        };
        end != End::Finished || other.is_ok_and(|other| other != End::Finished)
    };
    if broken {
        let _ = to_encoder.as_ref().set_zero_linger();
        let _ = to_daemon.as_ref().set_zero_linger();
        // Without this the halves would say goodbye before they are reset.
        to_encoder.forget();
        to_daemon.forget();
    }
}

/// How long the other direction may go on after one ended: to its end after a proper one,
/// for what is on its way already (the daemon may have said why) after a broken one.
fn pause(end: End) -> Duration {
    match end {
        End::Finished => LINGER_MAX,
        End::SourceBroke | End::SinkBroke => BROKEN_MAX,
    }
}

async fn copy_requests(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    look: impl Fn(&[u8]),
) -> End {
    let mut buffer = vec![0; RELAY_BYTES];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) => return End::Finished,
            Ok(bytes) => {
                look(&buffer[..bytes]);
                if to.write_all(&buffer[..bytes]).await.is_err() {
                    return End::SinkBroke;
                }
            }
            Err(_) => return End::SourceBroke,
        }
    }
}

/// As [`copy_requests`], but an encoder that no longer listens does not end it: the ledger still
/// wants the answers.
async fn copy_answers(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    look: impl Fn(&[u8]),
) -> End {
    let mut buffer = vec![0; RELAY_BYTES];
    let mut listening = true;
    loop {
        match from.read(&mut buffer).await {
            Ok(0) => {
                let _ = to.shutdown().await;
                return End::Finished;
            }
            Ok(bytes) => {
                look(&buffer[..bytes]);
                listening = listening && to.write_all(&buffer[..bytes]).await.is_ok();
            }
            Err(_) => return End::SourceBroke,
        }
    }
}
