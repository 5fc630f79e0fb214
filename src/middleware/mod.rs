//! The Tower adapter: it moves bytes, waits, catches panics, drains and logs. The session decides.
//!
//! - [`ErrorEnvelopeLayer`](crate::ErrorEnvelopeLayer) makes an [`ErrorEnvelopeService`](crate::ErrorEnvelopeService)
//!   of any service.
//! - [`ResponseFuture`] follows one request: it calls the inner service, reads an error's body, or replies itself.
//! - [`RequestBody`] counts what the inner service reads; [`ResponseBody`] passes on its response, or is the reply.
//!
//! The way of a request through these files: `service` begins a session, and calls the inner service, replies, or waits
//! (for what `parked` holds). `future` has the request's states, and polls what they wait for. `calling` polls the inner
//! call and carries out what the session decides about its response; `collecting` reads an inner error first;
//! `response_body` is what leaves. What is left of a request that the inner service did not get is read and dropped by
//! `draining`; a body over its limit, by `request_body` itself. All of them wait by `deadline`, and call user code by
//! `caught`.
//!
//! A request without an error needs no box and no spawned task. User code that panics is caught where it is called,
//! polled or dropped (rule F2); with `panic = "abort"` nothing can be caught.

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
