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

/// The first and the second.
pub(crate) struct Shutdown {
    first: oneshot::Receiver<ShutdownSignal>,
    second: oneshot::Receiver<ShutdownSignal>,
}

/// Listens for Ctrl-C and SIGTERM. The handlers are installed when this returns, so that no signal is lost.
pub(crate) fn stop() -> io::Result<Shutdown> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (asks, first) = oneshot::channel();
    let (insists, second) = oneshot::channel();
    tokio::spawn(async move {
        for tell in [asks, insists] {
            let _ = tell.send(tokio::select! {
                _ = interrupt.recv() => ShutdownSignal::Interrupt,
                _ = terminate.recv() => ShutdownSignal::Terminate,
            });
        }
    });
    Ok(Shutdown { first, second })
}

impl Shutdown {
    /// To stop, and to stop at once.
    pub(crate) fn split(self) -> (impl Future<Output = ()>, impl Future<Output = ShutdownSignal>) {
        let Self { first, second } = self;
        let requested = async {
            wait(first).await;
        };
        (requested, wait(second))
    }
}

/// The sender is dropped only with the runtime.
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

/// Calls `act` at each signal of a kind that ends a program without a handler for it; on a thread of this name, so that no
/// worker of the runtime waits for it. Signals that come meanwhile count as one.
pub(crate) fn run_at(kind: SignalKind, thread: &str, act: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut signals = signal(kind)?;
    let (ask, requested) = sync_channel(1);
    thread::Builder::new().name(thread.to_owned()).spawn(move || requested.iter().for_each(|()| act()))?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            let _ = ask.try_send(());
        }
    });
    Ok(())
}
