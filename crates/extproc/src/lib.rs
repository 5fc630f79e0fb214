//! An external processor for Envoy (`envoy.service.ext_proc.v3`). The processor applies the policy of
//! `tower-error-envelope` if Envoy cannot load the module.
//!
//! One stream of messages is one request. One [`Session`](error_envelope_core::session::Session) decides about the
//! request, as in the layer and in the module:
//!
//! 1. The request's head comes first. The guards refuse the request with an immediate response, or the request is
//!    forwarded with its id.
//! 2. The request's body comes in pieces if its bytes must be counted. Otherwise Envoy does not send the body to the
//!    processor.
//! 3. The response's head comes only because the reply to the request's head requests it. Errors of Envoy's codec have
//!    no request head, so only Envoy's `local_reply_config` shapes such errors.
//! 4. If an error's head is enough, the processor replies at once. If the error has a declared length within the
//!    policy's limit and 1 MiB, Envoy buffers the body and the processor reads it. If the error declares no length, its
//!    head decides. With `ext_proc_bodies = "buffered"` on the route, Envoy also buffers a body without a declared
//!    length.
//!
//! The processor fails closed. If a stream ended without an error, Envoy would forward the request unguarded, so every
//! stream ends with an error. A panic becomes a 500 with the request's id.
//!
//! `service` is the gRPC service, and `stream` handles one request. `message` builds the replies to Envoy, `mode`
//! chooses the messages that Envoy sends next, and `server` listens and stops.
//!
//! This crate is tested with Envoy 1.40.0.

#![allow(clippy::disallowed_methods, reason = "a server may read the clock and spawn tasks; the ban is for the layer")]

mod message;
mod mode;
#[allow(unreachable_pub, clippy::all, reason = "generated from processor.proto")]
mod proto {
    include!("../proto/processor.rs");
}
mod server;
mod service;
mod stream;

pub use self::mode::{ModeFields, override_modes};
pub use self::server::{Processor, ProcessorLimits};
pub use self::service::policy_loader;
