//! The Tower adapter: it moves bytes, waits, catches panics, drains and logs, and decides nothing.
//!
//! - [`ErrorEnvelopeLayer`](crate::ErrorEnvelopeLayer) makes an [`ErrorEnvelopeService`](crate::ErrorEnvelopeService)
//!   of any service.
//! - [`ResponseFuture`] follows one request: it calls the inner service, reads an error's body, or replies itself.
//! - [`RequestBody`] counts what the inner service reads; [`ResponseBody`] passes on its response, or is the reply.
//!
//! A request without an error needs no box and no spawned task. User code that panics is caught where it is called,
//! polled or dropped (rule F2); with `panic = "abort"` nothing can be caught.

mod admitted;
mod broken;
mod budget;
mod calling;
mod caught;
mod collecting;
mod draining;
mod future;
pub(crate) mod layer;
mod parked;
mod reason;
mod recognise;
mod request_body;
mod response_body;
#[cfg(feature = "axum")]
mod route;
pub(crate) mod service;
mod state;
pub(crate) mod verify;

pub use error_envelope_core::session::exposed_headers;
pub use error_envelope_runtime::{KillSwitch, PolicyRejection, PolicyStatus, log_panic_places};
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub use error_envelope_runtime::{describe_metrics, keep_counters};

pub use broken::ResponseBodyError;
pub use future::ResponseFuture;
pub use recognise::recognise;
pub use request_body::RequestBody;
pub use response_body::ResponseBody;
