//! Uses the operating system: receives signals, requests descriptors, and reports the state to the service manager.

use std::sync::mpsc::sync_channel;
use std::{fmt, future, io, thread};

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tower_error_envelope::PolicyError;

use crate::failure::CommandError;

/// A request to end the program. The first one lets requests in flight finish; the second one does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShutdownSignal {
    name: &'static str,
    /// The exit code that shells use for a program that this signal ended: 128 plus the signal's number.
    pub(crate) code: u8,
}

const INTERRUPT: ShutdownSignal = ShutdownSignal { name: "Ctrl-C", code: 130 };
const TERMINATE: ShutdownSignal = ShutdownSignal { name: "SIGTERM", code: 143 };

/// Installs handlers for Ctrl-C and SIGTERM. Returns a future for the first signal, which requests a stop, and a future
/// for the second signal, which requests a stop at once. The handlers are installed before this function returns, so
/// that no signal is lost. SIGUSR1 and SIGUSR2, which scripts for other servers send after a log was renamed, have no
/// effect.
pub(crate) fn stop() -> Result<(impl Future<Output = ()>, impl Future<Output = ShutdownSignal>), CommandError> {
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    // tokio's handler remains installed after the listener is dropped, so the signal has no effect.
    for unused in [SignalKind::user_defined1(), SignalKind::user_defined2()] {
        drop(listen(unused)?);
    }
    let (first, stop) = oneshot::channel();
    let (second, at_once) = oneshot::channel();
    tokio::spawn(async move {
        for received in [first, second] {
            let _ = received.send(tokio::select! {
                _ = interrupt.recv() => INTERRUPT,
                _ = terminate.recv() => TERMINATE,
            });
        }
    });
    let stop = async {
        wait(stop).await;
    };
    Ok((stop, wait(at_once)))
}

/// Waits for the signal. The sender of the channel is dropped only when the runtime ends.
async fn wait(signal: oneshot::Receiver<ShutdownSignal>) -> ShutdownSignal {
    match signal.await {
        Ok(signal) => signal,
        Err(_) => future::pending().await,
    }
}

impl fmt::Display for ShutdownSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Reloads the policy at SIGHUP, even if the file watcher noticed no change.
pub(crate) fn reload_policy_at_hangup(
    reload: impl Fn() -> Result<bool, PolicyError> + Send + 'static,
) -> Result<(), CommandError> {
    run_at_hangup("policy-hangup", move || match reload() {
        Ok(true) => {}
        Ok(false) => tracing::info!("SIGHUP: the policy has not changed"),
        Err(error) => tracing::error!(%error, "SIGHUP: reload failed; the old policy stays active"),
    })
}

/// Calls `act` at each SIGHUP, which would otherwise end the program. `act` runs on a separate thread with the name
/// `thread`, so that no worker of the runtime waits for it. Several signals that arrive while `act` runs are treated as
/// one signal.
pub(crate) fn run_at_hangup(thread: &str, act: impl Fn() + Send + 'static) -> Result<(), CommandError> {
    let mut signals = listen(SignalKind::hangup())?;
    let (request, requested) = sync_channel(1);
    let acting = thread::Builder::new().name(thread.to_owned()).spawn(move || requested.iter().for_each(|()| act()));
    acting.map_err(no_signals)?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            let _ = request.try_send(());
        }
    });
    Ok(())
}

fn listen(kind: SignalKind) -> Result<Signal, CommandError> {
    signal(kind).map_err(no_signals)
}

fn no_signals(error: io::Error) -> CommandError {
    CommandError::Io(format!("cannot listen for signals: {error}"))
}

/// Reports that this process is serving.
///
/// The function notifies systemd, or another service manager with systemd's protocol (`NOTIFY_SOCKET`, `Type=notify`).
/// Without a service manager, it sends nothing.
pub(crate) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Waits for `stop`, and then reports to the service manager that this process is stopping.
pub(crate) async fn stopping_after(stop: impl Future<Output = ()>) {
    stop.await;
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot notify the service manager");
    }
}

/// The number of descriptors for other purposes: connections to the service that are being closed, the log, the
/// policy's files, the runtime and the admin address.
const OTHERS: u64 = 256;

/// Requests enough descriptors for these numbers of clients and connections. Logs a warning if the system does not
/// grant them.
///
/// Each client needs a descriptor, and so does each connection to the service.
///
/// Most systems start a program with 1,024 descriptors, and let the program request more. Without more, a thousand idle
/// clients would use up the gateway's descriptors. The gateway could then not connect to the service for active
/// clients.
pub(crate) fn raise(clients: u32, connections: u32) {
    let wanted = u64::from(clients) + u64::from(connections) + OTHERS;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(given) if given < wanted => tracing::warn!(
            descriptors = given,
            clients,
            connections,
            "the limit of open files is too low for --max-connections and --upstream-connections; raise it (ulimit -n, \
             LimitNOFILE) or lower the flags"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files"),
    }
}
