//! The admin address inside Envoy, with health, the active policy, the kill switch and the errors page.
//!
//! Envoy makes a configuration for each listener. At every update, Envoy makes a new configuration before it drops the
//! old configuration. So the process has one [`Admin`] for each address, whose switch and errors outlive
//! configurations. The address shows the newest configuration that names it, and is served as long as any configuration
//! names it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use error_envelope_admin::Admin;
use error_envelope_core::policy::Policy;
use error_envelope_runtime::{self as runtime, PolicyHandle};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::abi::{self, Level};
use crate::lock::locked;

/// The text that shows operators where to find the metrics.
const METRICS: &str =
    "Envoy counts the metrics; see /stats?format=prometheus&filter=error_envelope on Envoy's own admin address";
/// The wait between attempts to listen while another process uses the address. During a hot restart, the old Envoy uses
/// the address for minutes.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// Registers a configuration with the address that it names, until this value is dropped.
pub(crate) struct AdminRegistration {
    address: SocketAddr,
    number: u64,
}

/// An admin address, which several configurations may share.
struct AdminAddress {
    admin: Admin,
    /// The policies of the configurations that name this address, the newest last.
    named: Vec<(u64, PolicyHandle)>,
    /// True if the address should be served. The thread of the address waits for changes of this value.
    wanted: watch::Sender<bool>,
}

/// All addresses that were ever configured. The addresses stay in this map, so that a switch stays on if a listener is
/// removed and added again.
static ALL: Mutex<BTreeMap<SocketAddr, AdminAddress>> = Mutex::new(BTreeMap::new());

impl AdminRegistration {
    /// Shows this policy at the address, and returns the policy connected to the address.
    ///
    /// The first configuration that names an address decides its token file.
    pub(crate) fn wire(
        address: SocketAddr,
        token_file: Option<&str>,
        in_force: PolicyHandle,
    ) -> Result<(Self, PolicyHandle), String> {
        static COUNT: AtomicU64 = AtomicU64::new(0);

        let mut all = locked(&ALL);
        let served = match all.entry(address) {
            Entry::Occupied(served) => served.into_mut(),
            Entry::Vacant(place) => place.insert(
                AdminAddress::start(address, token_file).map_err(|error| format!("admin: cannot start: {error}"))?,
            ),
        };
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        served.named.push((number, in_force.clone()));
        let wired = served.admin.attach(in_force);
        served.wanted.send_replace(true);
        Ok((Self { address, number }, wired))
    }
}

impl Drop for AdminRegistration {
    fn drop(&mut self) {
        let mut all = locked(&ALL);
        let Some(served) = all.get_mut(&self.address) else { return };
        let place = served.named.iter().position(|(number, _)| *number == self.number);
        let gone = place.map(|place| served.named.remove(place));
        // Envoy may withdraw the newest configuration for its own reason. The configuration before it then stays in
        // use.
        let newest = served.named.last().map(|(_, in_force)| in_force.clone());
        served.wanted.send_replace(newest.is_some());
        // If no configuration is left, the default policy is shown. A policy from a file would keep its file watched.
        let _ = served.admin.attach(newest.unwrap_or_else(|| PolicyHandle::fixed(Policy::default())));
        drop(all);
        drop(gone);
    }
}

impl AdminAddress {
    fn start(address: SocketAddr, token_file: Option<&str>) -> io::Result<Self> {
        let mut admin = Admin::new().metrics_elsewhere(METRICS);
        if let Some(file) = token_file {
            admin = admin.token_file(file)?;
        }
        let (wanted, wait) = watch::channel(false);
        let serving = admin.clone();
        std::thread::Builder::new()
            .name("error-envelope-admin".to_owned())
            .spawn(move || while !ends(runtime::catch(|| run(address, &serving, wait.clone()))) {})?;
        Ok(Self { admin, named: Vec::new(), wanted })
    }
}

/// Returns true if the thread should end. A panic, or a runtime without a free descriptor, ends only this attempt.
fn ends(ran: Result<io::Result<()>, Box<str>>) -> bool {
    let why = match ran {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => error.to_string(),
        Err(panic) => format!("it panicked: {panic}"),
    };
    log_failure(&format!("cannot serve the admin address: {why}"));
    std::thread::sleep(TRY_AGAIN);
    false
}

fn run(address: SocketAddr, admin: &Admin, wanted: watch::Receiver<bool>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(serve(address, admin, wanted));
    Ok(())
}

/// Serves whenever a configuration names the address, until no configuration can name the address any more.
async fn serve(address: SocketAddr, admin: &Admin, mut wanted: watch::Receiver<bool>) {
    let mut is_logged = false;
    while wanted.wait_for(|wanted| *wanted).await.is_ok() {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                is_logged = false;
                admin.serve(listener, async { drop(wanted.wait_for(|wanted| !*wanted).await) }).await;
            }
            Err(error) => {
                if !std::mem::replace(&mut is_logged, true) {
                    log_failure(&format!("cannot serve the admin address {address} yet: {error}"));
                }
                let _ = tokio::time::timeout(TRY_AGAIN, wanted.wait_for(|wanted| !*wanted)).await;
            }
        }
    }
}

fn log_failure(what: &str) {
    abi::log(Level::Error, format!("error_envelope: {what}; retrying").as_bytes());
}
