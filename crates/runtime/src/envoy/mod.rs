//! What Envoy passes to its filters, for the module and the external processor alike: heads as lines, and replies of Envoy's own.
//!
//! `lines` are the lines of any head, `request` and `response` parse heads; `local_reply` names the cause of a reply that Envoy
//! makes itself (V2).

mod lines;
mod local_reply;
mod request;
mod response;

pub use self::lines::{HeaderLines, facts};
pub use self::local_reply::local_reply_cause;
pub use self::request::{RequestHead, has_removed, request, request_facts, version};
pub use self::response::{MAX_COPIED_LINES, can_pass_unparsed, changed_status, mutations, response, trailers};
