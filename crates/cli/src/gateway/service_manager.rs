//! Notifies systemd, or another service manager with its protocol (`NOTIFY_SOCKET`, `Type=notify`). Without one nothing is sent.

use sd_notify::NotifyState;

/// Reports that it serves, and is the main process from now on: another one may have been until it took over.
pub(crate) fn ready() {
    notify(&[NotifyState::Ready, NotifyState::MainPid(std::process::id())]);
}

/// Reports the stop as soon as it begins. A gateway that was taken over reports none: the service goes on.
pub(crate) async fn stopping_after(stop: impl Future<Output = ()>) {
    stop.await;
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot notify the service manager");
    }
}
