//! Notifies systemd, or another service manager with its protocol (`NOTIFY_SOCKET`, `Type=notify`). Without one nothing is sent.

use sd_notify::NotifyState;

/// Reports that this process is serving.
pub(crate) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Reports the stop as soon as it begins.
pub(crate) async fn stopping_after(stop: impl Future<Output = ()>) {
    stop.await;
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot notify the service manager");
    }
}
