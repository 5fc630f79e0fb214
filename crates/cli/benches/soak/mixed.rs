//! The mixed load of the gateway's tests.

#[path = "../../../../tests/gateway/holds/mixed/clients.rs"]
mod clients;
#[path = "../../../../tests/gateway/holds/mixed/load.rs"]
pub(crate) mod load;
#[path = "../../../../tests/gateway/holds/mixed/service.rs"]
pub(crate) mod service;
