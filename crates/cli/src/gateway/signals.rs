//! The operator's signals.

use std::sync::mpsc::sync_channel;
use std::{fmt, future, io, thread};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// A request to end the program. The first lets requests in flight finish; the second does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShutdownSignal {
    Interrupt,
    Terminate,
}

/// Waits for Ctrl-C and SIGTERM: a future for a stop, and one for a stop at once. The handlers are installed when this returns, so
/// that no signal is lost. SIGUSR1 and SIGUSR2, which scripts for other servers send after a log was renamed, have no effect.
pub(crate) fn stop() -> io::Result<(impl Future<Output = ()>, impl Future<Output = ShutdownSignal>)> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // tokio's handler stays installed.
    for unused in [SignalKind::user_defined1(), SignalKind::user_defined2()] {
        drop(signal(unused)?);
    }
    let (first, stop) = oneshot::channel();
    let (second, at_once) = oneshot::channel();
    tokio::spawn(async move {
        for received in [first, second] {
            let _ = received.send(tokio::select! {
                _ = interrupt.recv() => ShutdownSignal::Interrupt,
                _ = terminate.recv() => ShutdownSignal::Terminate,
            });
        }
    });
    let stop = async {
        wait(stop).await;
    };
    Ok((stop, wait(at_once)))
}

/// Waits for the signal; the sender is dropped only when the runtime ends.
async fn wait(signal: oneshot::Receiver<ShutdownSignal>) -> ShutdownSignal {
    match signal.await {
        Ok(signal) => signal,
        Err(_) => future::pending().await,
    }
}

impl ShutdownSignal {
    /// A shell's exit code for a program that the signal has ended: 128 and the signal's number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl fmt::Display for ShutdownSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "Ctrl-C",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// Calls `act` at each signal of this kind, which would otherwise end the program. It runs on a separate thread of this
/// name, so that no worker of the runtime waits for it. Signals that come while it runs count as one.
pub(crate) fn run_at(kind: SignalKind, thread: &str, act: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut signals = signal(kind)?;
    let (request, requested) = sync_channel(1);
    thread::Builder::new().name(thread.to_owned()).spawn(move || requested.iter().for_each(|()| act()))?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            let _ = request.try_send(());
        }
    });
    Ok(())
}
