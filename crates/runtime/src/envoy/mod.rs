//! The shared code of both filters for Envoy, which are the module and the external processor. They parse heads as
//! lines, and begin and continue the session of a request with them.
//!
//! `lines` reads the lines of any head. `request` and `response` parse heads. `local_reply` describes Envoy's own
//! replies and their causes (V2).

mod lines;
mod local_reply;
mod request;
mod response;

pub use self::lines::{HeaderLines, facts};
pub use self::local_reply::{EnvoyReply, grpc_status};
pub use self::request::{RequestHead, version};
pub use self::response::{HeadDecision, changed_status, mutations, respond, trailers};
