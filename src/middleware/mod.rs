//! The Tower adapter: it moves bytes, waits, catches panics, drains and logs. The session decides.
//!
//! - [`ErrorEnvelopeLayer`](crate::ErrorEnvelopeLayer) makes an [`ErrorEnvelopeService`](crate::ErrorEnvelopeService)
//!   of any service.
//! - [`ResponseFuture`] follows one request: it calls the inner service, reads an error's body, or replies itself.
//! - [`RequestBody`] counts what the inner service reads. [`ResponseBody`] forwards the service's body, or is the
//!   reply.
//!
//! A request takes this way through the files:
//!
//! 1. `service` begins a session. It then calls the inner service, replies, or waits; `parked` holds a request that
//!    waits.
//! 2. `future` defines the states of the request, and polls the futures for which they wait.
//! 3. `calling` polls the inner call, and carries out what the session decides about its response. `collecting` first
//!    reads the body of an inner error.
//! 4. `response_body` is the body that is sent.
//!
//! If a part of a request does not reach the inner service, `draining` reads and drops it. `request_body` does that
//! itself for a body over its limit. All of these files wait with `deadline`, and call user code through `caught`.
//!
//! A request without an error needs no box and no spawned task. A panic of user code is caught where the code is
//! called, polled or dropped (rule F2). With `panic = "abort"` nothing can be caught.

mod broken;
mod calling;
mod caught;
mod collecting;
mod context;
mod deadline;
mod draining;
mod extensions;
mod future;
pub(crate) mod layer;
mod logged;
mod parked;
mod recognise;
mod request_body;
mod response_body;
pub(crate) mod service;
pub(crate) mod verify;
mod watched;

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
