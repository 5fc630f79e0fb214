//! The Tower adapter. It moves bytes, waits, catches panics, drains requests and logs. The session makes all decisions.
//!
//! - [`ErrorEnvelopeLayer`](crate::ErrorEnvelopeLayer) wraps any service in an
//!   [`ErrorEnvelopeService`](crate::ErrorEnvelopeService).
//! - [`ResponseFuture`] follows one request: it calls the inner service, reads an error's body, or replies itself.
//! - [`RequestBody`] counts the bytes that the inner service reads. [`ResponseBody`] is the service's body, or the body
//!   of a reply that the layer wrote.
//!
//! A request passes through the files in this order:
//!
//! 1. `service` begins a session. It then calls the inner service, replies, or waits. `parked` contains the parts of a
//!    request that waits.
//! 2. `future` defines the states of the request, and polls the futures for which they wait.
//! 3. `calling` polls the inner call, and carries out what the session decides about the response. For an inner error,
//!    `collecting` first reads the body.
//! 4. `response_body` defines the body that the server sends. `broken` ends a body that breaks off.
//! 5. `watched` closes the record of the request when the response's body is dropped, and `error-envelope-runtime` logs
//!    it. If layers are nested, `logged` lets only the innermost layer log an error.
//!
//! `extensions` reads what hyper and axum store in a head, and `context` has the state that only few calls need.
//!
//! If the inner service does not read a part of a request, `draining` reads and drops this part. If a body exceeds its
//! limit, `request_body` itself reads and drops the rest. All of these files wait with `deadline`, and call user code
//! through `caught`.
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
pub use error_envelope_runtime::{KillSwitch, PolicyRejection, PolicyStatus, SwitchNote, log_panic_places};
#[cfg(feature = "metrics")]
pub use error_envelope_runtime::{describe_metrics, keep_counters};

pub use broken::ResponseBodyError;
pub use future::ResponseFuture;
pub use recognise::recognise;
pub use request_body::RequestBody;
pub use response_body::ResponseBody;
