//! systemd, or another service manager that speaks its protocol (`NOTIFY_SOCKET`, `Type=notify`). Without one nothing is sent.

use sd_notify::NotifyState;

/// It serves, and is the main process from now on: another one may have been until it took over.
pub(super) fn ready() {
    notify(&[NotifyState::Ready, NotifyState::MainPid(std::process::id())]);
}

/// Says that it stops as soon as it is to. One that was taken over says nothing: the service goes on.
pub(super) async fn stopping_after(stop: impl Future<Output = ()>) {
    stop.await;
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot notify the service manager");
    }
}
