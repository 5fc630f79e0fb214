//! The parts of the gateway's tests that the soak uses: the process, the service, and the mixed load.

#[path = "../../../../tests/gateway/holds/gateway.rs"]
pub(crate) mod gateway;
#[path = "mixed.rs"]
pub(crate) mod mixed;
#[path = "../../../../tests/gateway/holds/service.rs"]
pub(crate) mod service;
