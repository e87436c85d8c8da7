//! The work that nobody asked for: purge, key rotation and refresh, on a tick.
//!
//! What ended is followed by the store itself, every second. Nothing here is needed for a right answer: a server without it refuses what
//! is past, it only keeps the rows.

use std::time::Duration;

use tokio::{sync::watch, task::JoinHandle};
use tracing::{info, warn};

use crate::{App, store::PurgeReport};

/// How often: the finest thing that is done here is to pick up keys that another replica made.
const EVERY: Duration = Duration::from_secs(10);
/// A purge every this many ticks.
const PURGE_EVERY: u32 = 6;
/// Slices in one purge: 50,000 rows of each kind a minute, more than a busy server makes, and stopping waits for two seconds at most.
const PURGE_SLICES_MAX: u32 = 100;
/// Between two slices.
const PURGE_PAUSE: Duration = Duration::from_millis(15);

/// The running work; ends when asked, never in the middle.
#[derive(Debug)]
pub struct Background {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    /// Apart, because a provider that gives no answer takes seconds to give none.
    upstreams: JoinHandle<()>,
}

impl Background {
    pub(crate) fn start(app: App) -> Self {
        let (stop, mut asked) = watch::channel(false);
        let upstreams = tokio::spawn(tend_upstreams(app.clone(), stop.subscribe()));
        let task = tokio::spawn(async move {
            let mut ticks = 0_u32;
            let mut tick = tokio::time::interval(EVERY);
            loop {
                tokio::select! {
                    _ = asked.changed() => return,
                    () = app.keys.unknown_key() => {
                        tend_keys(&app).await;
                        continue;
                    }
                    _ = tick.tick() => {}
                }
                ticks = ticks.wrapping_add(1);
                tend_keys(&app).await;
                if ticks.is_multiple_of(PURGE_EVERY) {
                    purge(&app).await;
                }
            }
        });
        Self { stop, task, upstreams }
    }

    /// Everything once.
    pub(crate) async fn round(app: &App) {
        tend_keys(app).await;
        purge(app).await;
        app.upstreams.tend().await;
    }

    /// Lets the round in hand finish, then ends.
    pub async fn stop(self) {
        // The task may have ended already; then there is nobody to tell.
        let _ = self.stop.send(true);
        let _ = self.task.await;
        let _ = self.upstreams.await;
    }
}

/// Reads what identity providers publish, ahead of who signs in. A call that waits for one is dropped when we are asked to stop.
async fn tend_upstreams(app: App, mut asked: watch::Receiver<bool>) {
    if app.upstreams.is_empty() {
        return;
    }
    let mut tick = tokio::time::interval(EVERY);
    let rounds = async {
        loop {
            tick.tick().await;
            app.upstreams.tend().await;
        }
    };
    tokio::select! {
        _ = asked.changed() => {}
        () = rounds => {}
    }
}

async fn tend_keys(app: &App) {
    if let Err(error) = app.keys.tend().await {
        warn!(event = "keys.unattended", error = %error, "could not look after the signing keys; trying again");
    }
}

async fn purge(app: &App) {
    for _ in 0..PURGE_SLICES_MAX {
        let more = match app.store.purge(app.clock.now()).await {
            Ok(report) => {
                if report != (PurgeReport { more: report.more, ..PurgeReport::default() }) {
                    info!(event = "store.purged", ?report, "removed what is past");
                }
                report.more
            }
            Err(error) => {
                warn!(event = "store.unpurged", error = %error, "could not remove what is past; trying again");
                false
            }
        };
        if !more {
            break;
        }
        // The writer has others to serve.
        tokio::time::sleep(PURGE_PAUSE).await;
    }
    if let Err(error) = app.ephemeral.purge().await {
        warn!(event = "ephemeral.unpurged", error = %error, "could not remove flows that are past; trying again");
    }
}
