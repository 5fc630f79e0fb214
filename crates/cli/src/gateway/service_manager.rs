//! Notifies systemd, or another service manager with its protocol (`NOTIFY_SOCKET`, `Type=notify`). Without one nothing is sent.

use sd_notify::NotifyState;

/// Reports that this process is serving, and is the service's main process from now on: before a takeover, another
/// process was.
pub(crate) fn ready() {
    notify(&[NotifyState::Ready, NotifyState::MainPid(std::process::id())]);
}

/// Reports the stop as soon as it begins. A gateway that another one has replaced reports nothing, because the service
/// goes on.
pub(crate) async fn stopping_after(stop: impl Future<Output = ()>) {
    stop.await;
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot notify the service manager");
    }
}
