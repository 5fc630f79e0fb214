//! What the gateway's tests have for it: the process, the service, the mixed load.

#[path = "../../../../tests/gateway/holds/gateway.rs"]
pub(crate) mod gateway;
#[path = "mixed.rs"]
pub(crate) mod mixed;
#[path = "../../../../tests/gateway/holds/service.rs"]
pub(crate) mod service;
