//! The shared parts of all adapters of [`error_envelope_core`]: the active policy and its reloader, the log, counters,
//! ids and the clock. The Tower layer, the module for Envoy and the external processor use these parts.
//!
//! 1. A [`PolicyHandle`] returns the config for a request, and can watch the policy's files (feature `policy-file`). A
//!    [`KillSwitch`] puts every route in mode `off`.
//! 2. [`new_request_id`] generates request ids.
//! 3. [`catch`] catches panics of user code (F2).
//! 4. [`end`] closes the record of a request. It then logs the record (target `tower_error_envelope`), counts it, and
//!    passes it to the observer.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod catch;
mod clock;
#[cfg_attr(not(feature = "metrics"), path = "count/absent.rs")]
mod count;
#[cfg(feature = "envoy")]
pub mod envoy;
#[cfg(feature = "policy-file")]
mod filter_config;
#[cfg(feature = "policy-file")]
mod folders;
mod handle;
#[cfg(feature = "jwks-url")]
mod key_sets;
mod log;
mod record;
#[cfg(feature = "policy-file")]
mod reloader;
mod status;
mod switch;

pub use self::catch::{DropGuarded, catch, log_panic_places};
pub use self::clock::{new_request_id, now};
pub use self::count::{RequestMetrics, RequestTimer, Started, record_error_read};
#[cfg(feature = "metrics")]
pub use self::count::{describe as describe_metrics, keep_counters};
#[cfg(feature = "prometheus")]
pub use self::count::{install as install_metrics, recorder as metrics_recorder};
#[cfg(feature = "policy-file")]
pub use self::filter_config::{FilterConfig, FilterPolicy};
pub use self::handle::{PolicyHandle, PolicyHolder};
#[cfg(feature = "jwks-url")]
pub use self::key_sets::{KeyFetcher, roots_of_pem, system_roots, tls_client};
pub use self::log::{cause_text, cause_texts, log_policy, may_want_span, record_status, request_span};
pub use self::record::{Exchange, OpenRecord, Received, RequestSlot, Watch, end, wants_records, write as write_record};
pub use self::status::{PolicyRejection, PolicyStatus};
pub use self::switch::{KillSwitch, SwitchChange, SwitchNote};

#[cfg(feature = "prometheus")]
pub use metrics_exporter_prometheus::{PrometheusHandle, PrometheusRecorder};

/// Watches files that are reloaded when they change, such as a policy or a certificate.
#[cfg(feature = "policy-file")]
pub mod files {
    pub use error_envelope_core::loader::{MAX_ANY_FILE_BYTES, read_regular};

    pub use crate::folders::{Changes, WatchedFolders, of_file};
}
