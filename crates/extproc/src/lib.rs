//! An external processor for Envoy (`envoy.service.ext_proc.v3`): the policy of `tower-error-envelope` for gateways that load no
//! module.
//!
//! One stream of messages is one request, and one [`Exchange`](error_envelope_core::exchange::Exchange) decides it, as in the
//! layer and in the module:
//!
//! 1. The request's head comes first. The guards answer it with an immediate response, or it goes on with its id.
//! 2. The request's body comes in pieces where its limit must be counted, and not at all elsewhere.
//! 3. The response's head comes only because the reply to the request's head requests it. So errors of Envoy's codec, which
//!    have no request head, stay Envoy's own: its `local_reply_config` shapes them.
//! 4. An error whose head is enough is answered at once. One with a declared length within the policy's budget and 1 MiB is buffered by
//!    Envoy and read. One without a length is answered from its head, unless the route has `ext_proc_bodies = "buffered"`.
//!
//! It fails closed. A stream that ends without an error lets Envoy forward the request unguarded, so every stream of this
//! crate ends with one. A panic is a 500 with the request's id.
//!
//! `service` is the gRPC service, `stream` one request, `message` builds what Envoy gets, `mode` what it sends next, and
//! `server` listens and stops.
//!
//! Tested with Envoy 1.40.0.

#![allow(clippy::disallowed_methods, reason = "a server has a clock and an executor; the ban is for the layer")]

mod message;
mod mode;
mod server;
mod service;
mod stream;

pub use self::mode::{ModeFields, override_modes};
pub use self::server::{Processor, ProcessorLimits};
pub use self::service::policy_loader;
