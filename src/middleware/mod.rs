//! The Tower adapter: it moves bytes, waits, catches panics, drains and logs, and decides nothing.
//!
//! - [`ErrorEnvelopeLayer`] makes an [`ErrorEnvelopeService`] of any service.
//! - [`ResponseFuture`] follows one request: calling the inner service, collecting an error's body, or answering.
//! - [`RequestBody`] counts what the inner service reads; [`ResponseBody`] passes what it sends, or is the reply.
//!
//! The happy path boxes nothing and spawns nothing. User code that panics is caught where it is called, polled or
//! dropped (rule F2); with `panic = "abort"` nothing can be caught.

mod admitted;
mod broken;
mod budget;
mod catch;
mod collecting;
pub(crate) mod count;
mod decided;
mod draining;
mod facts;
#[cfg(feature = "policy-file")]
pub(crate) mod file_reader;
#[cfg(feature = "policy-file")]
pub(crate) mod folders;
mod future;
mod held;
mod hpack;
mod id;
mod in_force;
mod layer;
mod log;
#[cfg(feature = "policy-file")]
mod open_writers;
pub(crate) mod parts;
mod peeking;
mod read;
mod request_body;
mod response_body;
mod service;
mod standing;
mod state;
mod switch;
mod tee;
pub(crate) mod verify;
mod verifying;
#[cfg(feature = "policy-file")]
mod watch;
mod watching;

pub use broken::ResponseBodyError;
pub use future::ResponseFuture;
pub use layer::ErrorEnvelopeLayer;
pub use request_body::RequestBody;
pub use response_body::ResponseBody;
pub use service::ErrorEnvelopeService;
pub use standing::{PolicyInForce, Refusal};
pub use switch::KillSwitch;
