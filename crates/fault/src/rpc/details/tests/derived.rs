//! The messages as prost's derive reads and writes them: field by field as their protos number them.

use std::time::Duration as Delay;

use prost::Message;

use crate::rpc::details::{RpcDetails, Violation};
use crate::rpc::status::Status as RpcStatus;

#[derive(Clone, PartialEq, Message)]
pub(in crate::rpc::details) struct Status {
    #[prost(int32, tag = "1")]
    pub(in crate::rpc::details) code: i32,
    #[prost(string, tag = "2")]
    pub(in crate::rpc::details) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(in crate::rpc::details) details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::rpc::details) struct Any {
    #[prost(string, tag = "1")]
    pub(in crate::rpc::details) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(in crate::rpc::details) value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::rpc::details) struct ErrorInfo {
    #[prost(string, tag = "1")]
    pub(in crate::rpc::details) reason: String,
    #[prost(string, tag = "2")]
    pub(in crate::rpc::details) domain: String,
    // A map's entries, which a map of Rust's would not keep in order.
    #[prost(message, repeated, tag = "3")]
    pub(in crate::rpc::details) metadata: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::rpc::details) struct Entry {
    #[prost(string, tag = "1")]
    pub(in crate::rpc::details) key: String,
    #[prost(string, tag = "2")]
    pub(in crate::rpc::details) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::rpc::details) struct RequestInfo {
    #[prost(string, tag = "1")]
    pub(in crate::rpc::details) request_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::rpc::details) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(in crate::rpc::details) retry_delay: Option<Duration>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::rpc::details) struct Duration {
    #[prost(int64, tag = "1")]
    pub(in crate::rpc::details) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(in crate::rpc::details) nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::rpc::details) struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    pub(in crate::rpc::details) field_violations: Vec<FieldViolation>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::rpc::details) struct FieldViolation {
    #[prost(string, tag = "1")]
    pub(in crate::rpc::details) field: String,
    #[prost(string, tag = "2")]
    pub(in crate::rpc::details) description: String,
    #[prost(string, tag = "3")]
    pub(in crate::rpc::details) reason: String,
}

/// What `RpcDetails::from_bytes` must return.
pub(in crate::rpc::details) fn read(bytes: &[u8]) -> Option<RpcDetails> {
    let Status { code, message, details } = Status::decode(bytes).ok().filter(|_| !bytes.is_empty())?;
    let status = u8::try_from(code).map_or(RpcStatus::UNKNOWN, RpcStatus::new);
    let mut rich = RpcDetails::new(status, message);
    for Any { type_url, value } in details {
        add(&mut rich, type_url.rsplit('/').next().unwrap_or_default(), &value);
    }
    Some(rich)
}

fn add(rich: &mut RpcDetails, name: &str, value: &[u8]) {
    match name {
        "google.rpc.ErrorInfo" if rich.reason.is_empty() => {
            if let Ok(info) = ErrorInfo::decode(value) {
                (rich.reason, rich.domain) = (info.reason, info.domain);
                rich.metadata = info.metadata.into_iter().map(|Entry { key, value }| (key, value)).collect();
            }
        }
        "google.rpc.RequestInfo" => rich.request_id = RequestInfo::decode(value).unwrap_or_default().request_id,
        "google.rpc.RetryInfo" => {
            rich.retry_delay = RetryInfo::decode(value).unwrap_or_default().retry_delay.as_ref().and_then(delay_of);
        }
        "google.rpc.BadRequest" => {
            let list = BadRequest::decode(value).unwrap_or_default().field_violations;
            rich.violations.extend(list.into_iter().map(|FieldViolation { field, description, reason }| Violation {
                field,
                description,
                reason,
            }));
        }
        _ => {}
    }
}

fn delay_of(delay: &Duration) -> Option<Delay> {
    let nanos = u32::try_from(delay.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Delay::new(u64::try_from(delay.seconds).ok()?, nanos))
}

/// A written status, read and written by prost with all that it packs.
pub(in crate::rpc::details) fn written_again(bytes: &[u8]) -> Vec<u8> {
    let mut status = Status::decode(bytes).unwrap();
    for any in &mut status.details {
        any.value = match any.type_url.strip_prefix("type.googleapis.com/google.rpc.").unwrap() {
            "ErrorInfo" => ErrorInfo::decode(&*any.value).unwrap().encode_to_vec(),
            "RequestInfo" => RequestInfo::decode(&*any.value).unwrap().encode_to_vec(),
            "RetryInfo" => RetryInfo::decode(&*any.value).unwrap().encode_to_vec(),
            "BadRequest" => BadRequest::decode(&*any.value).unwrap().encode_to_vec(),
            other => panic!("{other}"),
        };
    }
    status.encode_to_vec()
}
