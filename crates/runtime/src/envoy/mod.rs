//! The shared code of the module for Envoy and the external processor. Both parse the heads of requests and responses
//! from Envoy's header lines, and begin and continue a request's session with the parsed heads.
//!
//! `lines` reads the header lines of any head. `request` and `response` parse heads. `local_reply` describes Envoy's
//! own replies and their causes (V2). `metadata` describes an error for Envoy's access logs.

mod lines;
mod local_reply;
mod metadata;
mod request;
mod response;

pub use self::lines::{HeaderLines, facts};
pub use self::local_reply::{EnvoyReply, grpc_status};
pub use self::metadata::{code_of, error_fields};
pub use self::request::{RequestHead, version};
pub use self::response::{HeadDecision, changed_status, mutations, respond, trailers};
