//! Many viewers on a thread of their own, so that neither the tee nor the summary waits
//! for their hashing.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::{Followed, Ledger, Plan, Tally};

/// Viewers at work; they end when it is dropped.
#[derive(Debug)]
pub struct Audience {
    finish: watch::Sender<Option<Instant>>,
    done: Option<oneshot::Receiver<Vec<Followed>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Audience {
    /// Starts all viewers; each joins when its plan says.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(
        plans: Vec<Plan>,
        ledger: &Arc<Ledger>,
        tally: &Arc<Tally>,
    ) -> io::Result<Audience> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (finish, finishing) = watch::channel(None);
        let (stop, stopped) = oneshot::channel::<()>();
        let (report, done) = oneshot::channel();
        let (ledger, tally) = (ledger.clone(), tally.clone());
        let thread = std::thread::Builder::new()
            .name("viewers".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let mut viewers = JoinSet::new();
                    for plan in plans {
                        let finishing = finishing.clone();
                        viewers.spawn(super::watch(plan, ledger.clone(), tally.clone(), finishing));
                    }
                    tokio::select! {
                        all = viewers.join_all() => {
                            // Nobody to tell: the audience was dropped.
                            let _ = report.send(all.into_iter().flatten().collect());
                        }
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Audience {
            finish,
            done: Some(done),
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Waits for all viewers to come to the end of their playlists, at most until
    /// `deadline`; what they came to. Empty if the viewers' thread died.
    pub async fn finish(mut self, deadline: Instant) -> Vec<Followed> {
        self.finish.send_replace(Some(deadline));
        match self.done.take() {
            Some(done) => done.await.unwrap_or_default(),
            None => Vec::new(),
        }
    }
}

impl Drop for Audience {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the viewers' thread has been reported by its own hook.
            let _ = thread.join();
        }
    }
}
