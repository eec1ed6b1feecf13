//! The way down: asked to stop, passes end, the lease is released. IO.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Time that passes under way have to end after a signal. A standby takes over once the lease is
/// released, and nobody acts meanwhile; a pass that is cut off is repeated by the next operator.
const PATIENCE: Duration = Duration::from_millis(1500);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Running,
    Requested,
    OutOfPatience,
    Finished,
}

/// How far the way down is.
#[derive(Clone, Debug)]
pub(super) struct Stop(watch::Sender<Stage>);

impl Stop {
    /// Begins with SIGTERM or SIGINT.
    pub(super) fn on_signal() -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = Self(watch::Sender::new(Stage::Running));
        let way = stop.clone();
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            tracing::info!("asked to stop; finishing the passes under way");
            way.reach(Stage::Requested);
            let _ = tokio::time::timeout(PATIENCE, way.reached(Stage::Finished)).await;
            way.reach(Stage::OutOfPatience);
        });
        Ok(stop)
    }

    /// The passes have ended.
    pub(super) fn finish(&self) {
        self.reach(Stage::Finished);
    }

    /// Whether a signal came.
    pub(super) fn requested(&self) -> bool {
        *self.0.borrow() >= Stage::Requested
    }

    /// Returns when a signal came.
    pub(super) fn requested_later(&self) -> impl Future<Output = ()> + Send + use<> {
        self.reached(Stage::Requested)
    }

    /// Returns when the passes had their time.
    pub(super) fn out_of_patience(&self) -> impl Future<Output = ()> + use<> {
        self.reached(Stage::OutOfPatience)
    }

    /// Returns when the passes have ended.
    pub(super) fn finished(&self) -> impl Future<Output = ()> + use<> {
        self.reached(Stage::Finished)
    }

    fn reach(&self, stage: Stage) {
        self.0.send_if_modified(|current| {
            let further = stage > *current;
            *current = stage.max(*current);
            further
        });
    }

    fn reached(&self, stage: Stage) -> impl Future<Output = ()> + Send + use<> {
        let (keep, mut changes) = (self.0.clone(), self.0.subscribe());
        async move {
            // The sender is kept, so waiting cannot fail.
            let _ = changes.wait_for(|current| *current >= stage).await.map(drop);
            drop(keep);
        }
    }
}
