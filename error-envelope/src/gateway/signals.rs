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

/// Does something at each SIGHUP, which ends a program that does not listen for it.
pub(crate) fn at_hangup(act: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            act();
        }
    });
    Ok(())
}
