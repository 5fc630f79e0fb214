//! What the operator's signals mean.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Resolves at Ctrl-C or SIGTERM. The handlers stand when this returns, so that no signal is lost.
pub(crate) fn stop() -> io::Result<impl Future<Output = ()> + Send> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// SIGHUP ends a program that does not listen for it.
pub(crate) fn ignore_hangup() -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            tracing::warn!(
                "SIGHUP: this version does not reload its policy; the one that it started with stays in force"
            );
        }
    });
    Ok(())
}
