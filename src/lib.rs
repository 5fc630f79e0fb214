//! stub
mod code;
mod fault;
mod message;
mod request_id;

pub use code::{ErrorCode, Retry};
pub use fault::Fault;
pub use request_id::{ParseRequestIdError, RequestId};
