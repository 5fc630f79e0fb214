//! gRPC, gRPC-Web and Connect as their clients read them (section P).

mod always;
mod details;
mod expected;
mod proto;
mod protocol;
mod reported;
mod self_test;

pub(super) use self::always::check as always;
pub(super) use self::expected::check;
pub(super) use self::protocol::Protocol;
pub(super) use self::reported::{Place, read};
