//! Parses the input of Envoy's filters, for the module and the external processor: heads as lines, and Envoy's own
//! replies.
//!
//! `lines` are the lines of any head, `request` and `response` parse heads; `local_reply` finds the cause of Envoy's
//! own replies (V2).

mod lines;
mod local_reply;
mod request;
mod response;

pub use self::lines::{HeaderLines, facts};
pub use self::local_reply::local_reply_cause;
pub use self::request::{RequestHead, has_removed, request, request_facts, version};
pub use self::response::{MAX_COPIED_LINES, can_pass_unparsed, changed_status, mutations, response, trailers};
